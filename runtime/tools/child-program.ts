/**
 * A program started by another: its last lines are kept, its end is told, and it is stopped by its
 * own process id.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { createInterface } from "node:readline";

/** Lines kept to say what went wrong. */
const LINES_KEPT = 12;

export interface ChildOptions {
  /** What it is, for messages. */
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  readonly cwd: string;
  readonly onLine?: (line: string) => void;
  /** It ended by itself. */
  readonly onExit: (child: ChildProgram, how: string) => void;
}

export class ChildProgram {
  readonly name: string;
  readonly #process: ChildProcess;
  readonly #exited: Promise<void>;
  readonly #lines: string[] = [];
  #running = true;
  #stopping = false;

  constructor(options: ChildOptions) {
    this.name = options.name;
    const { command, args, cwd } = options;
    this.#process = spawn(command, args, { cwd, stdio: ["ignore", "pipe", "pipe"] });
    for (const stream of [this.#process.stdout, this.#process.stderr]) {
      if (!stream) continue;
      createInterface({ input: stream }).on("line", (line) => {
        this.#lines.push(line);
        if (this.#lines.length > LINES_KEPT) this.#lines.shift();
        options.onLine?.(line);
      });
    }
    this.#exited = new Promise((resolve) => {
      const gone = (how: string): void => {
        if (!this.#running) return;
        this.#running = false;
        resolve();
        if (!this.#stopping) options.onExit(this, how);
      };
      this.#process.once("error", (error) => gone(error.message));
      this.#process.once("exit", (code, signal) => gone(signal ?? `exit code ${code}`));
    });
  }

  get pid(): number | undefined {
    return this.#process.pid;
  }

  /** The last things it said. */
  get lastLines(): readonly string[] {
    return this.#lines;
  }

  /** From now on its end is expected. */
  expectExit(): void {
    this.#stopping = true;
  }

  /** Resolves with true when it has ended within `spanMs`. */
  async waitExit(spanMs: number): Promise<boolean> {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const late = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, spanMs);
    });
    await Promise.race([this.#exited, late]);
    clearTimeout(timer);
    return !this.#running;
  }

  signal(signal: "SIGTERM" | "SIGKILL"): void {
    if (this.#running) this.#process.kill(signal);
  }
}

/**
 * Stops all: those that got the terminal's own Ctrl-C have `graceMs` to end by themselves, then
 * SIGTERM asks, then SIGKILL ends. Takes at most `graceMs` + 1.5 s.
 */
export async function stopAll(children: readonly ChildProgram[], graceMs: number): Promise<void> {
  for (const child of children) child.expectExit();
  const gone = await Promise.all(children.map((child) => child.waitExit(graceMs)));
  if (gone.every(Boolean)) return;
  for (const child of children) child.signal("SIGTERM");
  await Promise.all(
    children.map(async (child) => {
      if (!(await child.waitExit(1_500))) child.signal("SIGKILL");
    }),
  );
}

/**
 * Real programs for tests: an edge and `shoal`, on loopback and ports the system chooses, each
 * stopped by its own id.
 */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ChildProgram } from "../../runtime/tools/child-program.ts";

const ROOT = join(import.meta.dir, "../..");
export const CLIP = join(ROOT, "runtime/media/assets/demo.flv");
const WAIT_MS_MAX = 15_000;

/** The streams of the test's edge: one with a key, the rest open. */
const EDGE_CONFIG = `
[udp]
host = "127.0.0.1"
port = PORT
[http]
enabled = false
[api]
enabled = false
[rtmp]
enabled = false
[streams."live/*"]
open = true
[streams."live/locked"]
key = "open-sesame"
`;

/** A running program whose lines can be waited for. */
export class TestProgram {
  readonly lines: string[] = [];
  readonly child: ChildProgram;
  exit: string | undefined;
  readonly #waiters = new Set<() => void>();

  constructor(name: string, command: string, args: readonly string[], cwd = ROOT) {
    this.child = new ChildProgram({
      name,
      command,
      args,
      cwd,
      onLine: (line) => {
        this.lines.push(line);
        this.#wake();
      },
      onExit: (_child, how) => {
        this.exit = how;
        this.#wake();
      },
    });
  }

  /** The first line that matches, already there or yet to come. */
  async line(pattern: RegExp): Promise<RegExpExecArray> {
    let found: RegExpExecArray | undefined;
    await this.until(() => {
      for (const line of this.lines) found ??= pattern.exec(line) ?? undefined;
      return found !== undefined;
    }, `a line like ${pattern}`);
    return found as RegExpExecArray;
  }

  /** How it ended: "exit code N" or a signal. */
  async ended(): Promise<string> {
    await this.until(() => this.exit !== undefined, "its end");
    return this.exit as string;
  }

  /** The latest figures of `--json`. */
  get figures(): Record<string, unknown> | undefined {
    const line = this.lines.findLast((one) => one.startsWith("{"));
    return line === undefined ? undefined : JSON.parse(line);
  }

  async until(condition: () => boolean, what: string): Promise<void> {
    const deadline = performance.now() + WAIT_MS_MAX;
    while (!condition()) {
      const left = deadline - performance.now();
      if (left <= 0)
        throw new Error(
          `${this.child.name}: waited for ${what}; it said:\n${this.lines.join("\n")}`,
        );
      await this.#change(left);
    }
  }

  #change(spanMs: number): Promise<void> {
    return new Promise((resolve) => {
      const done = (): void => {
        clearTimeout(timer);
        this.#waiters.delete(done);
        resolve();
      };
      const timer = setTimeout(done, spanMs);
      this.#waiters.add(done);
    });
  }

  #wake(): void {
    for (const wake of [...this.#waiters]) wake();
  }
}

/** Everything a test starts, to be stopped at its end. */
export class TestPrograms {
  readonly #programs: TestProgram[] = [];
  #folder: string | undefined;

  async folder(): Promise<string> {
    this.#folder ??= await mkdtemp(join(tmpdir(), "shoal-test-"));
    return this.#folder;
  }

  /** An edge; gives its UDP port. */
  async edge(port = 0): Promise<{ readonly program: TestProgram; readonly port: number }> {
    const config = join(await this.folder(), "edge.toml");
    await writeFile(config, EDGE_CONFIG.replace("PORT", String(port)));
    const program = this.#start("edge", process.execPath, ["edge/main.ts", "--config", config]);
    const [, udpPort] = await program.line(/UDP on 127\.0\.0\.1:(\d+)/);
    await program.line(/ready/);
    return { program, port: Number(udpPort) };
  }

  /** `shoal` with these arguments, from source on Bun or from `bundle` on Node. */
  shoal(args: readonly string[], bundle?: string): TestProgram {
    if (bundle !== undefined) return this.#start("shoal on Node", "node", [bundle, ...args]);
    return this.#start("shoal", process.execPath, ["client-node/main.ts", ...args]);
  }

  /** The programs of that name, in the order in which they were started. */
  named(name: string): readonly TestProgram[] {
    return this.#programs.filter(({ child }) => child.name === name);
  }

  async stopAll(): Promise<void> {
    for (const { child } of this.#programs) {
      child.expectExit();
      child.signal("SIGKILL");
    }
    await Promise.all(this.#programs.map(({ child }) => child.waitExit(2_000)));
    this.#programs.length = 0;
    if (this.#folder !== undefined) await rm(this.#folder, { recursive: true, force: true });
    this.#folder = undefined;
  }

  #start(name: string, command: string, args: readonly string[]): TestProgram {
    const program = new TestProgram(name, command, args);
    this.#programs.push(program);
    return program;
  }
}

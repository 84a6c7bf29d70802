/**
 * The frame of every command: it runs until a signal or a reason of its own ends it, a second
 * signal ends it at once, and errors become one line and an exit code: 1 for what went wrong
 * outside, 2 for a wrong command line.
 */
import { UsageError } from "./arguments.ts";
import { ListenError } from "./http-server.ts";
import { StartError } from "./node-birth.ts";
import type { Terminal } from "./terminal.ts";

export const EXIT_OK = 0;
export const EXIT_FAILED = 1;
export const EXIT_USAGE = 2;
/** Goodbyes that have not been said by then are left unsaid, ms. */
const GOODBYE_MS_MAX = 1_500;

/** How a command ends: once, with an exit code and perhaps a last line. */
export class Ending {
  readonly reached: Promise<number>;
  #resolve: (code: number) => void = () => undefined;
  readonly #terminal: Terminal;
  #ended = false;

  constructor(terminal: Terminal) {
    this.#terminal = terminal;
    this.reached = new Promise((resolve) => {
      this.#resolve = resolve;
    });
  }

  get ended(): boolean {
    return this.#ended;
  }

  end(code: number, error?: string): void {
    if (this.#ended) return;
    this.#ended = true;
    if (error !== undefined) this.#terminal.error(error);
    this.#resolve(code);
  }
}

/** Runs a command to its end and ends the process with its exit code. */
export async function runCommand(
  terminal: Terminal,
  command: (ending: Ending) => Promise<number>,
): Promise<never> {
  const ending = new Ending(terminal);
  const stop = (): void => {
    if (ending.ended) process.exit(EXIT_FAILED);
    terminal.line("");
    ending.end(EXIT_OK);
    setTimeout(() => process.exit(EXIT_OK), GOODBYE_MS_MAX).unref();
  };
  process.on("SIGINT", stop);
  process.on("SIGTERM", stop);
  try {
    return process.exit(await command(ending));
  } catch (error) {
    terminal.error(errorLine(error));
    return process.exit(error instanceof UsageError ? EXIT_USAGE : EXIT_FAILED);
  }
}

/** One line for what was expected to go wrong, the whole trace for a bug. */
function errorLine(error: unknown): string {
  const expected = [UsageError, ListenError, StartError].some((kind) => error instanceof kind);
  if (expected) return (error as Error).message;
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}

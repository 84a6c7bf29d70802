/**
 * What the program says: lines for people, one line of live figures that is written over on a
 * terminal, or one JSON object a second for programs. With `--json` standard output carries JSON
 * alone and everything else goes to standard error.
 */

/** Where text goes; `process.stdout` and `process.stderr` are such. */
export interface TextStream {
  readonly isTTY?: boolean | undefined;
  readonly columns?: number | undefined;
  write(text: string): unknown;
}

export interface TerminalOptions {
  readonly json: boolean;
  readonly out: TextStream;
  readonly err: TextStream;
}

const CLEAR_LINE = "\r\x1b[2K";

export class Terminal {
  readonly json: boolean;
  readonly #out: TextStream;
  readonly #err: TextStream;
  #hasLive = false;

  constructor({ json, out, err }: TerminalOptions) {
    this.json = json;
    this.#out = out;
    this.#err = err;
  }

  /** A line for people. */
  line(text: string): void {
    const to = this.json ? this.#err : this.#out;
    to.write(`${this.#takeLive()}${text}\n`);
  }

  /** Something is wrong: always on standard error. */
  error(text: string): void {
    if (this.#hasLive) this.#out.write(this.#takeLive());
    this.#err.write(`shoal: ${text}\n`);
  }

  /**
   * The line of live figures; on a terminal it replaces the one before, elsewhere it is left out.
   */
  live(text: string): void {
    if (this.json || this.#out.isTTY !== true) return;
    const width = Math.max(20, (this.#out.columns ?? 80) - 1);
    this.#out.write(`${CLEAR_LINE}${text.slice(0, width)}`);
    this.#hasLive = true;
  }

  /** One line of JSON, with `--json` only. */
  figures(value: object): void {
    if (this.json) this.#out.write(`${JSON.stringify(value)}\n`);
  }

  #takeLive(): string {
    if (!this.#hasLive) return "";
    this.#hasLive = false;
    return CLEAR_LINE;
  }
}

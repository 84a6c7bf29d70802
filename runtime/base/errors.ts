/**
 * The other side's fault. Thrown where the violation is seen; whoever owns the session catches it, closes that session
 * with the code, and tells the scorer. Weather (loss, timeouts, refusals) is never an exception.
 */
export class ProtocolViolation extends Error {
  override readonly name = "ProtocolViolation";
  readonly code: ViolationCode;

  constructor(code: ViolationCode, detail: string) {
    super(`${code}: ${detail}`);
    this.code = code;
  }
}

export type ViolationCode =
  | "malformed" /* bytes that no encoder of any version writes */
  | "unexpected" /* well-formed, but not allowed in this state */
  | "limit" /* over a bound of docs/LIMITS.md */
  | "conflict"; /* contradicts what the same sender said before */

/**
 * Why a session was refused or closed (docs/WIRE.md §5): the number on the wire and the words that programs and people
 * read, which are `CloseReason` of node/api.ts.
 */

export const CloseCode = {
  done: 0,
  wrongKey: 1,
  unknownStream: 2,
  streamBusy: 3,
  overloaded: 4,
  shuttingDown: 5,
  protocolViolation: 6,
  badRequest: 7,
  timeout: 8,
  notWanted: 9,
  version: 10,
  moved: 11,
} as const;
export type CloseCode = (typeof CloseCode)[keyof typeof CloseCode];

const NAMES = [
  "done",
  "wrong key",
  "unknown stream",
  "stream busy",
  "overloaded",
  "shutting down",
  "protocol violation",
  "bad request",
  "timeout",
  "not wanted",
  "version",
  "moved",
] as const;
export type CloseName = (typeof NAMES)[number];

export function closeName(code: CloseCode): CloseName {
  return NAMES[code] as CloseName;
}

export function closeCodeOf(name: CloseName): CloseCode {
  return NAMES.indexOf(name) as CloseCode;
}

/** A code off the wire; one that a later version may have added is read as `notWanted`. */
export function closeCodeFromWire(value: number): CloseCode {
  return value < NAMES.length ? (value as CloseCode) : CloseCode.notWanted;
}

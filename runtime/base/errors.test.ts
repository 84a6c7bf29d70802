import { expect, test } from "bun:test";
import { ProtocolViolation } from "./errors.ts";

test("a violation tells its kind and the detail", () => {
  const violation = new ProtocolViolation("limit", "control message of 9000 B");
  expect(violation).toBeInstanceOf(Error);
  expect(violation.name).toBe("ProtocolViolation");
  expect(violation.code).toBe("limit");
  expect(violation.message).toBe("limit: control message of 9000 B");
});

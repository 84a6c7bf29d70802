import { describe, expect, test } from "bun:test";
import { RunnerSummary, summaryText } from "./run-tests.ts";

const REPORT = `
runtime/wire/a.test.ts:
(pass) reads [0.07ms]
(skip) plays in a browser

edge/b.test.ts:
(todo) later
(fail) breaks [1.00ms]

1 tests skipped:
(skip) plays in a browser

 12 pass
 1 skip
 1 todo
 1 fail
 40 expect() calls
`;

function countsOf(report: string, exitCode: number, isCi: boolean) {
  const summary = new RunnerSummary();
  for (const line of report.split("\n")) summary.line(line);
  return summary.counts(exitCode, isCi);
}

describe("test report", () => {
  test("counts passed and failed and names what was skipped", () => {
    const counts = countsOf(REPORT, 1, false);
    expect(counts).toEqual({
      passed: 12,
      failed: 1,
      skipped: ["runtime/wire/a.test.ts: plays in a browser", "edge/b.test.ts: later"],
    });
    const text = summaryText(counts, false);
    expect(text).toContain("runtime/wire/a.test.ts: plays in a browser");
    expect(text.split("\n").at(-1)).toBe("12 passed, 1 failed");
  });

  test("takes a skipped test for a failed one in CI", () => {
    expect(countsOf(REPORT, 1, true).failed).toBe(3);
  });

  test("never calls a run good that ended badly, or that ran nothing", () => {
    expect(countsOf(" 3 pass\n 0 fail\n 2 errors\n", 1, false).failed).toBe(2);
    expect(countsOf(" 3 pass\n 0 fail\n 1 error\n", 1, false).failed).toBe(1);
    expect(countsOf(" 3 pass\n 0 fail\n", 139, false).failed).toBe(1);
    expect(countsOf("", 0, false).failed).toBe(1);
    expect(countsOf(" 3 pass\n 0 fail\n", 0, false).failed).toBe(0);
  });
});

import { expect, test } from "bun:test";
import { ms } from "../base/time.ts";
import { Pair } from "../core/testing/session-pair.ts";
import { EndingRun } from "./ending-run.ts";
import { OwnStream } from "./peer/own-stream.ts";
import { streamIdOf } from "./stream-id.ts";

test("a run that is over lives until its time, then leaves its sessions, closed ones too", () => {
  const pair = new Pair().open(200).open(200);
  const { a } = pair;
  const [first, second] = a.sessions;
  if (first === undefined || second === undefined) throw new Error("no sessions");
  const identity = { name: "live/a", id: streamIdOf("live/a"), epoch: 1 };
  const own = new OwnStream(a.hot, identity, { retainMs: 5000, groupMsMax: 12_000 });
  for (const session of [first, second]) session.sources.set(4, { store: own.index.store });
  const run = new EndingRun(
    own,
    [
      [first, 4],
      [second, 4],
    ],
    1000,
  );
  expect([run.isOver(ms(999)), run.isOver(ms(1000))]).toEqual([false, true]);
  pair.alice.command((_alice, now) => second.close(now, 0, ""));
  run.release();
  expect(first.sources.has(4)).toBe(false);
  expect(first.isOpen).toBe(true);
});

import { describe, expect, test } from "bun:test";
import { ms } from "../../base/time.ts";
import { segment } from "../testing/policy-port.ts";
import { Priority } from "./send-queue.ts";
import { Run } from "./send-queue-run.ts";
import { OutgoingStream } from "./send-queue-stream.ts";
import { type ShedPlan, shed } from "./shedding.ts";

const { key, reference, disposable } = Priority;

/** One frame of a list: priority, what it needs (−1 nothing), deadline. Each is 1,000 B and takes 10 ms. */
function frames(...list: readonly [priority: number, needs: number, deadlineMs: number][]): Run[] {
  return list.map(([flags, needs, deadlineMs], sequence) => {
    const run = new Run();
    const dependsOn = needs < 0 ? 0 : sequence - needs;
    run.setSegment(
      segment(sequence, 1, { flags, sequence, dependsOn, deadlineMs, lastBytes: 979 }),
    );
    return run;
  });
}

const plan: ShedPlan = { arrivalMs: 0, bytesPerMs: 100, bytesAhead: 0 };

function kept(list: readonly Run[], stream = new OutgoingStream(1)): number[] {
  shed(list, plan, () => stream);
  return list.filter((run) => !run.isDoomed).map((run) => run.sequence);
}

describe("shedding", () => {
  test("leaves alone what arrives in time", () => {
    const list = frames([key, -1, 100], [reference, 0, 100], [disposable, 1, 100]);
    expect(kept(list)).toEqual([0, 1, 2]);
  });

  test("drops disposable frames first", () => {
    const list = frames(
      [key, -1, 100],
      [disposable, 0, 100],
      [disposable, 0, 100],
      [reference, 0, 36],
    );
    expect(kept(list)).toEqual([0, 1, 3]);
  });

  test("drops a late reference with all that needs it, up to the next key frame", () => {
    const list = frames(
      [key, -1, 100],
      [reference, 0, 22],
      [reference, 1, 100],
      [disposable, 2, 100],
      [key, -1, 100],
      [reference, 4, 100],
    );
    expect(kept(list)).toEqual([0, 4, 5]);
  });

  test("keeps later frames of a group out once one of its references is gone", () => {
    const stream = new OutgoingStream(1);
    const list = frames(
      [key, -1, 100],
      [reference, 0, 22],
      [reference, 1, 200],
      [reference, 2, 200],
    );
    expect(kept(list.slice(0, 2), stream)).toEqual([0]);
    expect(kept(list.slice(2), stream)).toEqual([]);
  });

  test("lets a key frame take the place of the last group's tail", () => {
    const list = frames(
      [reference, -1, 100],
      [reference, 0, 100],
      [reference, 1, 100],
      [reference, 2, 100],
      [key, -1, 40],
    );
    expect(kept(list)).toEqual([0, 1, 4]);
  });

  test("dooms nothing in vain", () => {
    const list = frames([reference, -1, 100], [disposable, 0, 100], [key, -1, 12]);
    expect(kept(list)).toEqual([0, 1]);
  });

  test("goes on with a frame already begun", () => {
    const list = frames([reference, -1, 100], [reference, 0, 100], [key, -1, 25]);
    (list[0] as Run).hasBegun = true;
    (list[1] as Run).hasBegun = true;
    expect(kept(list)).toEqual([0, 1]);
  });

  test("leaves room for the group behind a key frame when the stream asks too much", () => {
    const stream = new OutgoingStream(1);
    /* Two groups offered of 125 B/ms over a path of 100 B/ms. */
    const [first, second] = frames([key, -1, 100], [key, -1, 100]) as [Run, Run];
    first.bytesLeft = 125_000;
    stream.noteOffered(ms(0), first);
    stream.noteOffered(ms(1000), second);
    expect(Math.round(stream.groupBps)).toBe(1_000_000);
    const list = frames(
      ...Array.from({ length: 40 }, (_, i): [number, number, number] => [reference, i - 1, 600]),
      [key, -1, 600],
    );
    const left = kept(list, stream);
    expect(left.at(-1)).toBe(40);
    /* 90 % of 600 ms less the growth of 200 ms. */
    expect(left.length - 1).toBe(34);
  });

  test("without sequence numbers drops a broken group by order", () => {
    const stream = new OutgoingStream(1);
    const list = [0, 1, 2, 3].map((number) => {
      const run = new Run();
      const deadlineMs = number === 1 ? 12 : 1000;
      run.setFragment(1, number, 0, 1, number === 3 ? key : reference, 979, deadlineMs, 1);
      return run;
    });
    shed(list.slice(0, 3), plan, () => stream);
    expect(list.map((run) => run.isDoomed)).toEqual([false, true, true, false]);
    stream.noteKey();
    expect(stream.isOrphan(list[3] as Run)).toBe(false);
  });
});

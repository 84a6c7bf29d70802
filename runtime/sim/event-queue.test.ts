import { describe, expect, test } from "bun:test";
import { Prng } from "../base/prng.ts";
import { EventQueue } from "./event-queue.ts";

function drain(queue: EventQueue): [number, number, number][] {
  const all: [number, number, number][] = [];
  while (queue.pop()) all.push([queue.time, queue.kind, queue.argument]);
  return all;
}

describe("the event queue", () => {
  test("plays by time, and by filing at one time", () => {
    const queue = new EventQueue();
    queue.push(5, 1, 10);
    queue.push(1, 2, 20);
    queue.push(5, 3, 30);
    queue.push(5000, 4, 40);
    queue.push(5, 0, 50);
    expect(queue.peek()).toBe(1);
    expect(drain(queue)).toEqual([
      [1, 2, 20],
      [5, 1, 10],
      [5, 3, 30],
      [5, 0, 50],
      [5000, 4, 40],
    ]);
    expect(queue.peek()).toBe(Number.POSITIVE_INFINITY);
    expect(queue.size).toBe(0);
  });

  test("agrees with a sorted list over random filing and taking", () => {
    const random = new Prng(7);
    const queue = new EventQueue();
    let list: { time: number; id: number }[] = [];
    let now = 0;
    for (let id = 0; id < 30_000; id++) {
      const span = [0.01, 3, 100, 5000, 60_000][random.below(5)] as number;
      /* Coarse on purpose: equal times must keep their order. */
      const time = now + Math.floor(random.next() * span * 4) / 4;
      queue.push(time, id & 255, id);
      list.push({ time, id });
      if (list.length > 200 || random.next() < 0.45) {
        list.sort((a, b) => a.time - b.time || a.id - b.id);
        const first = list[0] as { time: number; id: number };
        list = list.slice(1);
        expect(queue.peek()).toBe(first.time);
        queue.pop();
        expect([queue.time, queue.argument]).toEqual([first.time, first.id]);
        now = queue.time;
      }
    }
    list.sort((a, b) => a.time - b.time || a.id - b.id);
    expect(drain(queue).map(([, , id]) => id)).toEqual(list.map(({ id }) => id));
  });

  test("an event in the past is a bug", () => {
    const queue = new EventQueue();
    queue.push(10, 0, 0);
    queue.pop();
    expect(() => queue.push(9, 0, 0)).toThrow("past");
  });
});

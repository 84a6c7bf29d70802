import { describe, expect, test } from "bun:test";
import { Prng } from "../base/prng.ts";
import { EventQueue } from "./event-queue.ts";
import { TimeWindow } from "./time-window.ts";

const BREAK = 9;

function takeAll(window: TimeWindow): [number, number][] {
  const taken: [number, number][] = [];
  while (window.take()) taken.push([window.time, window.argument]);
  return taken;
}

describe("a window of time", () => {
  test("gives each host all its events in turn, in order of time", () => {
    const queue = new EventQueue();
    const window = new TimeWindow(queue);
    window.push(1, 0, 10, 1);
    window.push(2, 0, 20, 2);
    window.push(3, 0, 11, 1);
    window.push(3, 0, 21, 2);
    window.push(5, 0, 12, 1);
    window.open(5, BREAK);
    expect(takeAll(window)).toEqual([
      [1, 10],
      [3, 11],
      [2, 20],
      [3, 21],
    ]);
    window.open(10, BREAK);
    expect(takeAll(window)).toEqual([[5, 12]]);
  });

  test("takes in what a host files for itself meanwhile, and ends where it is to break", () => {
    const queue = new EventQueue();
    const window = new TimeWindow(queue);
    window.push(1, 0, 1, 0);
    window.push(3, 0, 3, 0);
    window.push(4, BREAK, 4, 0);
    window.push(4.5, 0, 6, 0);
    window.open(6, BREAK);
    const taken: number[] = [];
    while (window.take()) {
      taken.push(window.argument);
      if (window.argument === 1) {
        window.push(2, 0, 2, 0);
        window.push(3, 0, 4, 0);
        window.push(4.2, 0, 5, 0);
        expect(() => window.push(2, 0, 0, 7)).toThrow("nearer");
      }
    }
    expect(taken).toEqual([1, 2, 3, 4]);
    expect(queue.peekKind()).toBe(BREAK);
    queue.pop();
    window.open(6, BREAK);
    expect(takeAll(window).map(([time]) => time)).toEqual([4.2, 4.5]);
  });

  test("leaves nothing out, however many hosts and events there are", () => {
    const random = new Prng(4);
    const queue = new EventQueue();
    const window = new TimeWindow(queue);
    for (let i = 0; i < 5000; i++) window.push(random.next() * 50, 0, i, random.below(300));
    let count = 0;
    for (let end = 5; end <= 50; end += 5) {
      window.open(end, BREAK);
      for (const [time] of takeAll(window)) {
        expect(time >= end - 5 && time < end).toBe(true);
        count++;
      }
    }
    expect(count).toBe(5000);
  });
});

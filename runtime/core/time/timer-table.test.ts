import { describe, expect, test } from "bun:test";
import { ms, NEVER } from "../../base/time.ts";
import { TimerTable } from "./timer-table.ts";

describe("timer table", () => {
  test("knows the earliest of its deadlines", () => {
    const timers = new TimerTable<"ack" | "loss" | "ping">();
    expect(timers.next()).toBe(NEVER);
    timers.set("loss", ms(30));
    timers.set("ack", ms(10));
    timers.set("ping", ms(20));
    expect(timers.next()).toBe(ms(10));
    timers.clear("ack");
    expect(timers.next()).toBe(ms(20));
    timers.set("ping", NEVER);
    expect(timers.next()).toBe(ms(30));
    timers.clearAll();
    expect(timers.next()).toBe(NEVER);
  });

  test("hands out what is due once, and clears it", () => {
    const timers = new TimerTable<"a" | "b" | "c">();
    timers.set("a", ms(5));
    timers.set("b", ms(7));
    timers.set("c", ms(9));
    expect([...timers.expired(ms(7))]).toEqual(["a", "b"]);
    expect([...timers.expired(ms(7))]).toEqual([]);
    expect(timers.at("a")).toBe(NEVER);
    expect(timers.at("c")).toBe(ms(9));
  });

  test("a reason that sets itself again to the past is heard of next time, not for ever", () => {
    const timers = new TimerTable<"a" | "b">();
    timers.set("a", ms(1));
    timers.set("b", ms(1));
    let rounds = 0;
    for (const reason of timers.expired(ms(10))) {
      rounds++;
      timers.set(reason, ms(2));
    }
    expect(rounds).toBe(2);
    expect(timers.next()).toBe(ms(2));
  });

  test("brings a deadline forward but not back", () => {
    const timers = new TimerTable<"a">();
    timers.setEarlier("a", ms(10));
    timers.setEarlier("a", ms(20));
    expect(timers.at("a")).toBe(ms(10));
    timers.setEarlier("a", ms(5));
    expect(timers.at("a")).toBe(ms(5));
  });
});

import { expect, test } from "bun:test";
import { ms } from "../../base/time.ts";
import { HOLES_MAX, Holes } from "./holes.ts";

test("what a later fragment has overtaken is asked for after a while, and again, and then no more", () => {
  const holes = new Holes();
  holes.note(ms(0), 10);
  holes.note(ms(1), 13);
  expect(holes.due(ms(120), 64)).toEqual([]);
  expect(holes.due(ms(140), 64)).toEqual([11, 12]);
  expect(holes.due(ms(141), 64)).toEqual([]);
  holes.note(ms(150), 12);
  expect(holes.due(ms(225), 64)).toEqual([11]);
  for (let now = 300; now < 2000; now += 100) holes.due(ms(now), 64);
  expect(holes.size).toBe(0);
});

test("numbers go on past the end of their range", () => {
  const holes = new Holes();
  holes.note(ms(0), 0xffff_fffe);
  holes.note(ms(0), 1);
  expect(holes.due(ms(150), 64)).toEqual([0xffff_ffff, 0]);
});

test("a jump is a beginning, not a hole, and what is remembered is bounded", () => {
  const holes = new Holes();
  holes.note(ms(0), 0);
  holes.note(ms(0), HOLES_MAX + 100);
  expect(holes.size).toBe(0);
  for (let i = 1; i < 5000; i++) holes.note(ms(0), HOLES_MAX + 100 + 2 * i);
  expect(holes.size).toBe(HOLES_MAX);
});

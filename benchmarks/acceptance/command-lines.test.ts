/** What is wrong on a command line or in a config is said in one line with what to do, and ends with a code. */
import { afterAll, describe, expect, test } from "bun:test";
import { join } from "node:path";
import { CLIP, FROM_SOURCE, World } from "./testing/world.ts";

const SLOW_MS = 30_000;
const STREAMS = '[streams."live/*"]\nopen = true\n';

describe("in one line, with an exit code:", () => {
  const world = new World();
  afterAll(() => world.stop());

  async function expectRefusal(
    command: readonly string[],
    code: number,
    what: RegExp,
  ): Promise<void> {
    const program = world.program("program", ...command);
    expect(await program.ended()).toBe(`exit code ${code}`);
    const said = program.lines.filter((line) => line !== "" && !line.startsWith("Try: "));
    expect(said.join("\n")).toMatch(what);
    expect(said).toHaveLength(1);
  }

  for (const [config, what] of [
    [`${STREAMS}[udp]\nport = "many"\n`, /:4: udp\.port: .*0\.\.65535/],
    [`${STREAMS}[udp]\nprot = 1\n`, /:4: udp\.prot: unknown key; did you mean "port"\?/],
    [`${STREAMS}[rtmp\n`, /:[34]: Unterminated/],
    ["", /streams: no stream may be published: add \[streams/],
    ['[streams."live/*"]\nkey_file = "missing"\n', /:2: streams\."?live\/\*"?\.key_file: /],
  ] as const) {
    test(
      `the edge's config ${JSON.stringify(config)}`,
      async () => {
        const file = join(await world.folder(), `edge-${Bun.hash(config)}.toml`);
        await Bun.write(file, config);
        await expectRefusal([...FROM_SOURCE.edge, "--config", file], 2, what);
      },
      SLOW_MS,
    );
  }

  for (const [program, args, code, what] of [
    ["edge", [], 2, /--config <file>/],
    ["edge", ["--config", "missing.toml"], 2, /missing\.toml: /],
    ["edge", ["--config", "edge.toml", "--colour"], 2, /--colour/],
    ["shoal", ["watch", "rtmp://example.net/live/x"], 2, /shoal:\/\/edge\.example\.net/],
    ["shoal", ["watch", "shoal://host/live/x", "--target-ms", "5"], 2, /300 to 3000/],
    ["shoal", ["publish", "missing.mp4", "--to", "shoal://127.0.0.1:9/live/x"], 1, /missing\.mp4/],
    ["shoal", ["publish", CLIP, "--to", "127.0.0.1"], 2, /shoal:\/\/edge\.example\.net/],
    ["shoal", ["publish", "ftp://x/y", "--to", "shoal://h/live/x"], 2, /ftp:\/\/x\/y/],
    ["shoal", ["dance"], 2, /unknown command 'dance'/],
  ] as const) {
    test(
      `${program} ${args.join(" ").replace(CLIP, "FILE")}`,
      () => expectRefusal([...FROM_SOURCE[program], ...args], code, what),
      SLOW_MS,
    );
  }
});

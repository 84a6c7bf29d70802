import { afterEach, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Subprocess } from "bun";

/** The program as a process: command line, exit codes, signals. */

const MAIN = new URL("./main.ts", import.meta.url).pathname;
const LISTENERS = `
[udp]
host = "127.0.0.1"
port = 0
[http]
host = "127.0.0.1"
port = 0
[api]
port = 0
[rtmp]
host = "127.0.0.1"
port = 0
[buffer]
memory_mib = 32
[log]
format = "json"
`;
const STREAMS = '[streams."live/*"]\nkey = "correct horse"\n';

type Child = Subprocess<"ignore", "pipe", "pipe">;
const folder = mkdtempSync(join(tmpdir(), "shoal-edge-"));
process.on("exit", () => rmSync(folder, { recursive: true, force: true }));
const children: Child[] = [];
afterEach(async () => {
  for (const child of children.splice(0)) {
    child.kill("SIGKILL");
    await child.exited;
  }
});

function config(text: string): string {
  const file = join(folder, "edge.toml");
  writeFileSync(file, text);
  return file;
}

function spawn(...args: string[]): Child {
  const command = [process.execPath, MAIN, ...args];
  const child = Bun.spawn(command, {
    cwd: folder,
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
  children.push(child);
  return child;
}

async function finish(...args: string[]): Promise<{ code: number; out: string; err: string }> {
  const child = spawn(...args);
  const [out, err] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
  ]);
  return { code: await child.exited, out, err };
}

/** A running edge and its log so far. */
class Running {
  readonly lines: Record<string, unknown>[] = [];
  text = "";
  readonly child: Child;
  readonly #addresses = new Map<string, string>();

  private constructor(child: Child) {
    this.child = child;
  }
  static async start(text = LISTENERS + STREAMS): Promise<Running> {
    const running = new Running(spawn("--config", config(text)));
    const ready = Promise.withResolvers<void>();
    void running.#read(() => ready.resolve()).then(() => ready.reject(new Error(running.text)));
    await ready.promise;
    return running;
  }
  address(listener: string): string {
    return this.#addresses.get(listener) ?? "";
  }
  async #read(onReady: () => void): Promise<void> {
    let rest = "";
    const decoder = new TextDecoder();
    for await (const bytes of this.child.stderr) {
      const text = decoder.decode(bytes, { stream: true });
      this.text += text;
      const lines = (rest + text).split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines)
        this.#take(JSON.parse(line) as { properties: Record<string, unknown> }, onReady);
    }
  }
  #take({ properties }: { properties: Record<string, unknown> }, onReady: () => void): void {
    this.lines.push(properties);
    if (properties.event === "listening")
      this.#addresses.set(`${properties.listener}`, `${properties.address}`);
    if (properties.event === "ready") onReady();
  }
}

describe("the command line", () => {
  test("--help says what there is, --version the version", async () => {
    const help = await finish("--help");
    expect(help.code).toBe(0);
    expect(help.out).toContain("--check-config");
    const version = await finish("--version");
    expect(version).toMatchObject({ code: 0, out: expect.stringMatching(/^\d+\.\d+\.\d+\n$/) });
  });

  test.each([
    [[], "shoal-edge: required option '--config <file>' not specified\n"],
    [["--config", "x", "--nope"], "shoal-edge: unknown option '--nope'\n"],
    [["--config", "/nowhere/edge.toml"], "/nowhere/edge.toml: cannot be read: no such file\n"],
  ])("%p ends with 2 and one line", async (args, line) => {
    expect(await finish(...args)).toEqual({ code: 2, out: "", err: line });
  });
});

describe("--check-config", () => {
  test("prints what is in force, keys masked, and ends with 0", async () => {
    const { code, out, err } = await finish("--config", config(STREAMS), "--check-config");
    expect({ code, err }).toEqual({ code: 0, err: "" });
    expect(out).toContain('[streams."live/*"]\nkey = "********"\n');
    expect(out).toContain("port = 4935\n");
    expect(out).not.toContain("correct horse");
  });

  test("names file, line and key of what is wrong, and ends with 2", async () => {
    const file = config(`${STREAMS}[udp]\nprot = 1\n`);
    const { code, out, err } = await finish("--config", file, "--check-config");
    expect({ code, out }).toEqual({ code: 2, out: "" });
    expect(err).toBe(`${file}:4: udp.prot: unknown key; did you mean "port"?\n`);
  });
});

describe("a port in use", () => {
  test.each([
    ["udp", "UDP"],
    ["rtmp", "TCP"],
    ["http", "TCP"],
    ["api", "TCP"],
  ])("%s: ends with 1 and says which key to change", async (table, protocol) => {
    const first = await Running.start();
    const port = Number(first.address(table).split(":").at(-1));
    const text =
      LISTENERS.replace(new RegExp(`(\\[${table}\\][^[]*port = )0`), `$1${port}`) + STREAMS;
    const { code, err } = await finish("--config", config(text));
    expect(code).toBe(1);
    expect(err.trimEnd().split("\n").at(-1)).toBe(
      `shoal-edge: cannot listen on ${protocol} 127.0.0.1:${port}: ` +
        `the port is in use; stop what holds it or change ${table}.port`,
    );
  });
});

describe("signals", () => {
  test.each(["SIGTERM", "SIGINT"] as const)(
    "%s says goodbye and ends with 0 within 2 s",
    async (signal) => {
      const edge = await Running.start();
      expect((await fetch(`${edge.address("api")}/readyz`)).status).toBe(200);
      const began = performance.now();
      edge.child.kill(signal);
      expect(await edge.child.exited).toBe(0);
      expect(performance.now() - began).toBeLessThan(2000);
      expect(edge.lines.map(({ event }) => event)).toContain("stopped");
    },
  );
});

const ffmpeg = Bun.which("ffmpeg");

test.skipIf(ffmpeg === null)(
  "ffmpeg's RTMP push plays over HTTP-FLV; no key is ever logged",
  async () => {
    const edge = await Running.start(
      LISTENERS.replace("[log]", '[log]\nlevel = "debug"') + STREAMS,
    );
    const push = (key: string) => {
      const source = "testsrc2=size=320x180:rate=25";
      const input = [
        "-f",
        "lavfi",
        "-i",
        source,
        "-c:v",
        "libx264",
        "-g",
        "25",
        "-preset",
        "ultrafast",
      ];
      const target = `rtmp://${edge.address("rtmp")}/live/a?key=${key}`;
      const args = ["ffmpeg", "-v", "error", "-re", ...input, "-f", "flv", target];
      const child = Bun.spawn(args, { stdin: "ignore", stdout: "pipe", stderr: "pipe" });
      children.push(child);
      return child;
    };
    const wrong = push("wrong-horse");
    expect(await wrong.exited).not.toBe(0);
    expect(await new Response(wrong.stderr).text()).toContain("wrong key for live/a");
    push("correct%20horse");
    let response: Response;
    do {
      await Bun.sleep(50);
      response = await fetch(`${edge.address("http")}/live/a.flv`);
    } while (response.status === 404);
    const first = await response.body?.getReader().read();
    expect(new TextDecoder().decode(first?.value?.subarray(0, 3))).toBe("FLV");
    expect(edge.text).not.toContain("horse");
  },
  30_000,
);

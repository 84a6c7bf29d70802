import { afterEach, expect, test } from "bun:test";
import { spawn, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { FrameKind, type MediaFrame } from "../wire/frame.ts";
import { FrameClassifier } from "./classify.ts";
import { FlvDemuxer } from "./flv.ts";
import { command, connectCommand, Encoder, greeting, HANDSHAKE, message } from "./rtmp-encoder.ts";
import {
  createRtmpListener,
  type RtmpLimits,
  type RtmpListener,
  type RtmpPublisher,
} from "./rtmp-server.ts";

const CLIP = join(import.meta.dir, "../../../shared/clips/bbb-480p-30s.mp4");
const DEMO = join(import.meta.dir, "assets/demo.flv");
const hasFfmpeg = spawnSync("ffmpeg", ["-version"]).status === 0;
const hasNode =
  spawnSync("node", ["--version"]).status === 0 && !process.execPath.endsWith("/node");

interface Publication {
  readonly name: string;
  readonly frames: MediaFrame[];
  readonly publisher: RtmpPublisher;
  readonly ended: Promise<string>;
}

interface Rig {
  readonly listener: RtmpListener;
  readonly publications: Publication[];
  readonly log: string[];
}

const rigs: Rig[] = [];

/** A listener on a free port that accepts the key "right". */
async function rig(limits: Partial<RtmpLimits> = {}): Promise<Rig> {
  const publications: Publication[] = [];
  const log: string[] = [];
  const listener = await createRtmpListener({
    host: "127.0.0.1",
    port: 0,
    limits,
    log: (level, text, fields) => log.push(`${level} ${text} ${fields["reason"] ?? ""}`),
    onPublish: (info, publisher) => {
      if (info.key !== "right") return { refuse: "wrong stream key" };
      const frames: MediaFrame[] = [];
      const { promise, resolve } = Promise.withResolvers<string>();
      publications.push({ name: info.name, frames, publisher, ended: promise });
      return { accept: { push: (frame) => frames.push(frame), end: resolve } };
    },
  });
  const made = { listener, publications, log };
  rigs.push(made);
  return made;
}

afterEach(async () => {
  await Promise.all(rigs.splice(0).map((made) => made.listener.close()));
});

function fingerprint(frames: readonly MediaFrame[]): string[] {
  return frames
    .filter((frame) => frame.kind > FrameKind.metadata)
    .map((frame) => {
      const hash = createHash("sha256").update(frame.body).digest("hex").slice(0, 16);
      return `${frame.kind} ${frame.dtsMs} ${frame.ptsOffsetMs} ${hash}`;
    });
}

function demux(bytes: Uint8Array): MediaFrame[] {
  const classifier = new FrameClassifier();
  return new FlvDemuxer().push(bytes).flatMap((tag) => classifier.classify(tag) ?? []);
}

async function ffmpeg(
  ...args: string[]
): Promise<{ readonly code: number | null; readonly stderr: string }> {
  const child = spawn("ffmpeg", ["-hide_banner", "-nostdin", "-y", ...args], {
    stdio: ["ignore", "ignore", "pipe"],
  });
  let stderr = "";
  child.stderr.on("data", (text) => {
    stderr += text;
  });
  const code = await new Promise<number | null>((resolve) => child.on("close", resolve));
  return { code, stderr };
}

async function until(condition: () => boolean): Promise<void> {
  for (let i = 0; i < 500 && !condition(); i++)
    await new Promise((resolve) => setTimeout(resolve, 10));
  expect(condition()).toBe(true);
}

test.skipIf(!hasFfmpeg || !existsSync(CLIP))(
  "ffmpeg's push gives the file's own frames, B-frames and 5.1 sound included [needs ffmpeg and ../shared/clips]",
  async () => {
    const { listener, publications } = await rig();
    const folder = mkdtempSync(join(tmpdir(), "shoal-rtmp-"));
    const file = join(folder, "clip.flv");
    await ffmpeg("-i", CLIP, "-c", "copy", "-f", "flv", file);
    const expected = demux(readFileSync(file));
    rmSync(folder, { recursive: true });
    const url = `rtmp://127.0.0.1:${listener.port}/live/bbb?key=right`;
    const { code, stderr } = await ffmpeg("-i", CLIP, "-c", "copy", "-f", "flv", url);
    expect(code, stderr).toBe(0);
    const publication = publications[0] as Publication;
    expect(await publication.ended).toBe("the encoder stopped");
    expect(publication.name).toBe("bbb");
    expect(publication.publisher.codecs).toBe("h264 854x480 / aac 48000 5.1");
    expect(fingerprint(publication.frames)).toEqual(fingerprint(expected));
    const kinds = new Set(expected.map((frame) => frame.kind));
    expect(kinds).toContain(FrameKind.disposable);
    expect(expected.some((frame) => frame.ptsOffsetMs > 0)).toBe(true);
  },
  30_000,
);

test.skipIf(!hasFfmpeg)("ffmpeg is told why it is refused [needs ffmpeg]", async () => {
  const { listener, log } = await rig();
  const url = `rtmp://127.0.0.1:${listener.port}/live/cam?key=wrong`;
  const { code, stderr } = await ffmpeg("-i", DEMO, "-c", "copy", "-f", "flv", url);
  expect(code).not.toBe(0);
  expect(stderr).toContain("wrong stream key");
  expect(log).toContain("warn publisher refused wrong stream key");
});

/** Enhanced RTMP as OBS and ffmpeg ≥ 6 send it; Debian's ffmpeg cannot. */
test("carries HEVC, AV1 and Opus of enhanced RTMP", async () => {
  const { listener, publications } = await rig();
  const bytes = (head: number, rest: string): Uint8Array =>
    Buffer.concat([Buffer.of(head), Buffer.from(rest, "latin1")]);
  const encoder = new Encoder(listener.port).send(
    greeting("cam?key=right"),
    message(9, bytes(0x90, `hvc1${"\u0001".repeat(30)}`), 0, 6, 4096),
    message(8, bytes(0x90, "OpusOpusHead\u0001\u0002"), 0, 4, 4096),
    message(9, bytes(0x91, "hvc1\0\0\u0050data"), 0, 6, 4096),
    message(8, bytes(0x91, "Opusdata"), 3, 4, 4096),
    message(9, bytes(0xa3, "av01data"), 40, 6, 4096),
  );
  await until(() => publications[0]?.frames.length === 5);
  const { videoConfig, audioConfig, key, audio, inter } = FrameKind;
  const frames = publications[0]?.frames ?? [];
  expect(frames.map((frame) => frame.kind)).toEqual([videoConfig, audioConfig, key, audio, inter]);
  expect(frames[2]?.ptsOffsetMs).toBe(80);
  expect(publications[0]?.publisher.codecs).toBe("hevc / opus 48000 stereo");
  encoder.end();
  expect(await publications[0]?.ended).toBe("the connection was closed");
});

test("hostile senders lose their own connection; the others' streams are untouched", async () => {
  const { listener, publications } = await rig();
  const good = new Encoder(listener.port).send(greeting("good?key=right"));
  await until(() => publications.length === 1);
  const video = (dtsMs: number): Uint8Array =>
    message(9, new Uint8Array(3_000).fill(0x22), dtsMs, 6, 4096);
  const giant = Buffer.from(message(9, new Uint8Array(1), 0, 6));
  giant.writeUIntBE(0xffffff, 4, 3);
  const attacks: Uint8Array[][] = [
    [HANDSHAKE, command("connect", 1, null)],
    [HANDSHAKE, Buffer.alloc(70_000, 0xff)],
    [HANDSHAKE, connectCommand("live"), command("play", 2, null, "good")],
    [Buffer.alloc(200_000, 0x41)],
    [greeting("evil?key=right"), giant],
    [greeting("evil?key=wrong")],
    [HANDSHAKE, ...Array.from({ length: 3_000 }, () => command("createStream", 2, null))],
  ];
  for (const [i, attack] of attacks.entries()) {
    good.send(video(i * 40));
    const evil = new Encoder(listener.port).send(...attack);
    await evil.closed;
  }
  const reset = new Encoder(listener.port).send(HANDSHAKE);
  reset.destroy();
  await reset.closed;
  await until(
    () => publications[0]?.frames.length === attacks.length && listener.connections === 1,
  );
  expect(publications[0]?.frames.map((frame) => frame.dtsMs)).toEqual(
    attacks.map((_, i) => i * 40),
  );
  good.end();
  expect(await publications[0]?.ended).toBe("the connection was closed");
});

test("a sender that dawdles before publishing or falls silent after it is cut off", async () => {
  const { listener, publications } = await rig({ handshakeMs: 100, idleMs: 100 });
  const slow = new Encoder(listener.port);
  const trickle = setInterval(() => slow.send(Uint8Array.of(3)), 10);
  await slow.closed;
  clearInterval(trickle);
  const silent = new Encoder(listener.port).send(greeting("cam?key=right"));
  await silent.closed;
  expect(await publications[0]?.ended).toBe("no frame for 100 ms");
});

test("connections are bounded, in all and by address", async () => {
  const { listener, log } = await rig({ connectionsPerAddressMax: 2 });
  const first = new Encoder(listener.port);
  const second = new Encoder(listener.port);
  await until(() => listener.connections === 2);
  await new Encoder(listener.port).closed;
  expect(log).toContain("warn too many RTMP connections ");
  first.destroy();
  await until(() => listener.connections === 1);
  second.destroy();
});

test("the owner can end a publisher, and closing the listener ends them all", async () => {
  const { listener, publications } = await rig();
  const kicked = new Encoder(listener.port).send(greeting("a?key=right"));
  const other = new Encoder(listener.port).send(greeting("b?key=right"));
  await until(() => publications.length === 2);
  const of = (name: string): Publication =>
    publications.find((one) => one.name === name) as Publication;
  of("a").publisher.close("kicked");
  expect(await of("a").ended).toBe("kicked");
  await kicked.closed;
  await listener.close();
  expect(await of("b").ended).toBe("the listener was closed");
  await other.closed;
});

test("a port in use is the caller's to report", async () => {
  const { listener } = await rig();
  const again = createRtmpListener({
    host: "127.0.0.1",
    port: listener.port,
    log: () => {},
    onPublish: () => ({ refuse: "" }),
  });
  expect(again).rejects.toMatchObject({ code: "EADDRINUSE" });
});

test.skipIf(!hasNode)("runs on Node as well [needs node]", async () => {
  const folder = mkdtempSync(join(tmpdir(), "shoal-rtmp-"));
  try {
    const program = `
      import { createRtmpListener } from ${JSON.stringify(join(import.meta.dir, "rtmp-server.ts"))};
      const listener = await createRtmpListener({ host: "127.0.0.1", port: 0, log: () => {},
        onPublish: () => ({ accept: { push: (f) => console.log("frame", f.kind, f.body.length), end: (why) => {
          console.log("end", why); listener.close(); } } }) });
      console.log("port", listener.port);`;
    const entry = join(folder, "entry.ts");
    await Bun.write(entry, program);
    const built = await Bun.build({
      entrypoints: [entry],
      target: "node",
      format: "esm",
      outdir: folder,
      naming: "out.mjs",
    });
    expect(built.success).toBe(true);
    const child = spawn("node", [join(folder, "out.mjs")], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    let output = "";
    child.stdout.on("data", (text) => {
      output += text;
    });
    const exited = new Promise((resolve) => child.on("close", resolve));
    await until(() => /port \d+/.test(output));
    const port = Number(/port (\d+)/.exec(output)?.[1]);
    await new Encoder(port).send(HANDSHAKE, command("connect", 1, null)).closed;
    const good = new Encoder(port).send(
      greeting("cam"),
      message(9, new Uint8Array(9_000).fill(0x12), 0, 6, 4096),
    );
    await until(() => output.includes("frame"));
    good.end();
    await exited;
    expect(output.trim().split("\n").slice(1)).toEqual([
      "frame 4 9000",
      "end the connection was closed",
    ]);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

/**
 * `fanout`: what one core of an edge sends. The edge's production path from its send queues to the socket, ACKs taken
 * in and losses repeated, against the bare system calls with the same datagrams in the same run, and against nginx with
 * its RTMP module, which serves the same frames over TCP to enough readers to keep it busy. CPU time of the
 * sending process is what counts (user and system, garbage collection included), so neither the receivers nor other
 * programs on the machine are in it: Gbit/s per core is Gbit per CPU second.
 */
import type { Bench, BenchValues } from "../lib/bench.ts";
import { interleave, runScript } from "../lib/child.ts";
import {
  type Check,
  commitName,
  machineName,
  mediansOf,
  type Report,
  type Result,
  ratiosOf,
  type Sample,
} from "../lib/report.ts";
import type { FanFigures } from "./edge.ts";
import { nginxMissing, runNginx } from "./nginx.ts";

const SUBJECTS = ["shoal", "bare", "shoal, sendMany", "bare, sendMany"];
const NGINX = "nginx-rtmp";
const GBPS_MIN = 6;
const TO_BARE_MIN = 0.6;
const SINK_SOCKETS = 16;

export const fanout: Bench = {
  name: "fanout",
  text: "Gbit/s and packets/s per core of an edge's fan-out, against the bare system calls",
  options: {
    receivers: { value: "2048", text: "sessions" },
    fps: { value: "30", text: "frames a second to each" },
    bytes: { value: "4096", text: "bytes a frame" },
    seconds: { value: "4", text: "measured seconds of each run, after 1.5 s of warm-up" },
    loss: { value: "0.01", text: "share of packets the receivers take for lost" },
    "nginx-readers": { value: "3000", text: "readers of nginx-rtmp; 0 leaves it out" },
    runs: { value: "3", text: "fresh processes of each subject" },
  },
  run: async (options) => runFanout(options),
};

export async function runFanout(options: BenchValues): Promise<Report> {
  const names = ["receivers", "fps", "bytes", "seconds"];
  const sizes = names.map((name) => String(options.number(name, 0.1)));
  const [receivers, loss] = [options.number("receivers", 1), options.number("loss")];
  const runs = options.number("runs", 1);
  const readers = options.number("nginx-readers");
  const missing = readers === 0 ? undefined : nginxMissing();
  const hasNginx = readers > 0 && missing === undefined;
  const done = await interleave(hasNginx ? [...SUBJECTS, NGINX] : SUBJECTS, runs, (subject) => {
    if (subject !== NGINX) return runOne(subject, sizes, receivers, loss);
    const [, fps = 0, frameBytes = 0, seconds = 0] = sizes.map(Number);
    return runNginx({ readers, fps, frameBytes, seconds });
  });
  const of = `${sizes[0]} × ${sizes[2]} B × ${sizes[1]}/s, ${loss * 100} % loss`;
  const samples = done.flatMap(({ subject, value }) =>
    samplesOf(subject, of, subject === NGINX ? readers : receivers, value),
  );
  const results = mediansOf(samples.filter(({ value }) => !Number.isNaN(value)));
  const skipped: string[] = done.some(
    ({ subject, value }) => subject === "shoal" && value.sendsBy === "many",
  )
    ? ["sendmmsg with UDP_SEGMENT: not here, everything went by sendMany"]
    : [];
  if (missing !== undefined) skipped.push(missing);
  return {
    name: "fanout",
    commit: commitName(),
    machine: machineName(),
    runs,
    results,
    ratios: [
      ...ratiosOf(results, "shoal", "bare"),
      ...ratiosOf(results, "shoal, sendMany", "bare, sendMany"),
      ...ratiosOf(results, "shoal", "shoal, sendMany"),
      ...ratiosOf(results, "shoal", NGINX),
    ].filter(({ metric }) => metric === "rate" || metric === "packets"),
    workHash: sizes.join("-"),
    checks: checksOf(results, of),
    skipped,
  };
}

/** A sink for the run, then the sender; both are gone afterwards. */
async function runOne(
  subject: string,
  sizes: readonly string[],
  receivers: number,
  loss: number,
): Promise<FanFigures> {
  const args = [SINK_SOCKETS, receivers, subject.startsWith("bare") ? 0 : loss].map(String);
  const command = [process.execPath, `${import.meta.dir}/sink.ts`, ...args];
  const sink = Bun.spawn(command, { stdin: "ignore", stdout: "pipe", stderr: "inherit" });
  try {
    const ports = await firstLine(sink.stdout);
    const list = (JSON.parse(ports) as number[]).join(",");
    return await runScript("benchmarks/fanout/edge.ts", [subject, ...sizes, list]);
  } finally {
    sink.kill("SIGTERM");
    await sink.exited;
  }
}

async function firstLine(stream: ReadableStream<Uint8Array>): Promise<string> {
  const reader = stream.getReader();
  let text = "";
  while (!text.includes("\n")) {
    const { value, done } = await reader.read();
    if (done) throw new Error("the sink ended before it began");
    text += new TextDecoder().decode(value);
  }
  reader.releaseLock();
  return text.slice(0, text.indexOf("\n"));
}

function samplesOf(subject: string, of: string, receivers: number, figures: FanFigures): Sample[] {
  const sample = (metric: string, unit: string, value: number): Sample => ({
    subject,
    case: of,
    metric,
    unit,
    value,
  });
  const { cpuSeconds, seconds, datagrams, mediaBytes, resent, received, residentBytes } = figures;
  return [
    sample("rate", "Gbit/s/core", (mediaBytes * 8) / 1e9 / cpuSeconds),
    sample("packets", "kpacket/s/core", datagrams / 1000 / cpuSeconds),
    sample("cpu per packet", "µs", (cpuSeconds * 1e6) / datagrams),
    sample("used", "% of a core", (cpuSeconds / seconds) * 100),
    sample("resent", "%", (resent / datagrams) * 100),
    sample("ACKs in", "% of packets", (received / datagrams) * 100),
    sample("resident", "KiB per receiver", residentBytes / 1024 / receivers),
    sample("closed", "sessions", figures.closed),
  ];
}

function checksOf(results: readonly Result[], of: string): Check[] {
  const figure = (subject: string, metric: string): number =>
    results.find((each) => each.subject === subject && each.metric === metric)?.value ?? Number.NaN;
  const rate = figure("shoal", "rate");
  const share = rate / figure("bare", "rate");
  const nginx = figure(NGINX, "rate");
  const beside = {
    name: `${of}: ahead of nginx-rtmp per core`,
    ok: rate > nginx,
    detail: `${rate.toFixed(2)} Gbit/s, nginx-rtmp ${nginx.toFixed(2)}`,
  };
  return [
    ...(Number.isNaN(nginx) ? [] : [beside]),
    {
      name: `${of}: at least ${GBPS_MIN} Gbit/s per core`,
      ok: rate >= GBPS_MIN,
      detail: `${rate.toFixed(2)} Gbit/s`,
    },
    {
      name: `${of}: at least ${TO_BARE_MIN * 100} % of the bare calls`,
      ok: share >= TO_BARE_MIN,
      detail: `${(share * 100).toFixed(0)} %`,
    },
    {
      name: `${of}: nobody is dropped`,
      ok: figure("shoal", "closed") === 0,
      detail: `${figure("shoal", "closed")} sessions closed`,
    },
  ];
}

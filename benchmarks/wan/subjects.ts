/**
 * Who is compared, and the programs each consists of at either end of a link. SRT and RIST come as their own tools
 * between a feeder and a sink on loopback; Shoal and TCP are one program at each end.
 */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { compileC, hasCompiler } from "../lib/compile-c.ts";
import type { StreamSpec } from "./ends/pace.ts";

export const SUBJECTS = ["shoal", "srt", "rist", "tcp-bbr", "tcp-cubic"] as const;
export type Subject = (typeof SUBJECTS)[number];
export const REQUIRED: readonly Subject[] = ["shoal", "srt", "rist", "tcp-bbr"];

const ENDS = join(import.meta.dir, "ends");
const PORT = 6000;
const FEED_PORT = 5000;
const SINK_PORT = 7000;
const LOOPBACK = "127.0.0.1";

export interface Plan {
  /** Notes frames; says `ready`. */
  readonly sink: readonly string[];
  /** Makes frames; says `begin` when it starts. */
  readonly feeder: readonly string[];
  /** Programs in between, far end first; they need a moment to connect. */
  readonly far?: readonly string[];
  readonly near?: readonly string[];
  /** Its CPU time is that of the programs in between alone; otherwise feeder and sink are the subject. */
  readonly isCarried: boolean;
  /** Of the route, for what TCP uses. */
  readonly congestionControl?: string;
}

export interface Ends {
  /** Address of the receiving end of the link. */
  readonly to: string;
  /** One way, ms. */
  readonly delayMs: number;
  readonly deadlineMs: number;
  readonly spec: StreamSpec;
  /** A plain wire, where CPU time is what counts: libsrt itself instead of its tool. */
  readonly isWire: boolean;
}

/** What has a latency to be told beforehand is told the one that meets the deadline. */
export function isTold(subject: Subject): boolean {
  return subject === "shoal" || subject === "srt" || subject === "rist";
}

/** What holds every frame back to one time: there, late is what never comes. */
export function isConstant(subject: Subject): boolean {
  return subject === "srt" || subject === "rist";
}

export async function planOf(subject: Subject, ends: Ends): Promise<Plan> {
  const { to, spec, deadlineMs } = ends;
  const latencyMs = Math.round(deadlineMs - ends.delayMs);
  switch (subject) {
    case "shoal":
      return {
        sink: script("shoal-receiver.ts", to, PORT, spec.frameBytes),
        feeder: script("shoal-sender.ts", to, PORT, ...words(spec), deadlineMs),
        isCarried: false,
      };
    case "srt": {
      if (ends.isWire) return libsrtPlan(ends, latencyMs);
      const listen = `srt://:${PORT}?mode=listener&latency=${latencyMs}`;
      const call = `srt://${to}:${PORT}?mode=caller&latency=${latencyMs}`;
      const run = (from: string, onto: string) => [
        "srt-live-transmit",
        "-q",
        "-chunk:1316",
        from,
        onto,
      ];
      return carried(spec, {
        far: run(listen, `udp://${LOOPBACK}:${SINK_PORT}`),
        near: run(`udp://${LOOPBACK}:${FEED_PORT}`, call),
      });
    }
    case "rist": {
      const quiet = ["-p", "1", "-S", "0", "-v", "-1"];
      const at = `${to}:${PORT}?buffer=${latencyMs}`;
      return carried(spec, {
        far: [
          "ristreceiver",
          ...quiet,
          "-i",
          `rist://@${at}`,
          "-o",
          `udp://${LOOPBACK}:${SINK_PORT}`,
        ],
        near: [
          "ristsender",
          ...quiet,
          "-i",
          `udp://@${LOOPBACK}:${FEED_PORT}`,
          "-o",
          `rist://${at}`,
        ],
      });
    }
    case "tcp-bbr":
    case "tcp-cubic":
      return {
        sink: script("sink.ts", "tcp", to, PORT, spec.frameBytes),
        feeder: script("feeder.ts", "tcp", to, PORT, ...words(spec)),
        isCarried: false,
        congestionControl: subject.slice("tcp-".length),
      };
  }
}

async function libsrtPlan({ to, spec }: Ends, latencyMs: number): Promise<Plan> {
  const program = await compileC(join(ENDS, "srt-peer.c"), ["-lsrt", "-lpthread"]);
  const [port, bytes, latency] = [PORT, spec.frameBytes, latencyMs].map(String) as [
    string,
    string,
    string,
  ];
  return {
    sink: [program, "take", to, port, bytes, latency],
    feeder: [program, "send", to, port, ...words(spec).map(String), latency],
    isCarried: false,
  };
}

function carried(spec: StreamSpec, between: Pick<Plan, "far" | "near">): Plan {
  return {
    sink: script("sink.ts", "udp", LOOPBACK, SINK_PORT, spec.frameBytes),
    feeder: script("feeder.ts", "udp", LOOPBACK, FEED_PORT, ...words(spec)),
    ...between,
    isCarried: true,
  };
}

function words({ frames, fps, frameBytes }: StreamSpec): number[] {
  return [frames, fps, frameBytes];
}

export function script(name: string, ...args: readonly (string | number)[]): string[] {
  return [process.execPath, join(ENDS, name), ...args.map(String)];
}

/** Why a subject cannot take part here, with what to do about it; undefined when it can. */
export function missingFor(subject: Subject): string | undefined {
  const tools: Readonly<Record<string, readonly [string, string]>> = {
    srt: ["srt-live-transmit", "srt-tools"],
    rist: ["ristsender", "rist-tools"],
  };
  const [tool, debian] = tools[subject] ?? [];
  if (tool !== undefined && Bun.which(tool) === null) {
    return `${subject}: no ${tool} here (apt-get install ${debian})`;
  }
  if (subject.startsWith("tcp-") && !kernelHas(subject.slice("tcp-".length))) {
    return `${subject}: not in this kernel (net.ipv4.tcp_available_congestion_control)`;
  }
  return undefined;
}

/** Of libsrt itself, which the CPU cell wants; undefined when nothing is missing. */
export function missingForWire(): string | undefined {
  if (existsSync("/usr/include/srt/srt.h") && hasCompiler()) return undefined;
  return "srt in the CPU cell: no libsrt to compile with (apt-get install gcc libsrt-openssl-dev)";
}

function kernelHas(control: string): boolean {
  const path = "net.ipv4.tcp_available_congestion_control";
  const { stdout } = Bun.spawnSync(["cat", `/proc/sys/${path.replaceAll(".", "/")}`]);
  return stdout.toString().trim().split(" ").includes(control);
}

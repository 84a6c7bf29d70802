/** A real Redis for tests: on a port the system chooses, in a folder of its own, ended by its own process. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ChildProgram } from "../../runtime/tools/child-program.ts";
import type { EdgeRecord, StreamRecord } from "./registry.ts";

export const HAS_REDIS = Bun.which("redis-server") !== null;
const READY_MS_MAX = 10_000;

export class TestRedis {
  readonly port: number;
  readonly #folder: string;
  #child: ChildProgram | undefined;

  private constructor(port: number, folder: string) {
    this.port = port;
    this.#folder = folder;
  }

  static async start(): Promise<TestRedis> {
    const folder = await mkdtemp(join(tmpdir(), "shoal-redis-"));
    const redis = new TestRedis(await ephemeralPort("tcp"), folder);
    await redis.start();
    return redis;
  }

  get url(): string {
    return `redis://127.0.0.1:${this.port}/0`;
  }

  /** Again after `kill`, on the same port, with nothing in it. */
  async start(): Promise<void> {
    const args = ["--port", String(this.port), "--bind", "127.0.0.1", "--save", ""];
    await new Promise<void>((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error("redis-server is not ready")), READY_MS_MAX);
      this.#child = new ChildProgram({
        name: "redis-server",
        command: "redis-server",
        args: [...args, "--appendonly", "no", "--dir", this.#folder],
        cwd: this.#folder,
        onLine: (line) => {
          if (!line.includes("Ready to accept connections")) return;
          clearTimeout(timer);
          resolve();
        },
        onExit: () => undefined,
      });
    });
  }

  async kill(): Promise<void> {
    this.#child?.expectExit();
    this.#child?.signal("SIGKILL");
    await this.#child?.waitExit(2000);
    this.#child = undefined;
  }

  async stop(): Promise<void> {
    await this.kill();
    await rm(this.#folder, { recursive: true, force: true });
  }
}

/** A port that was free a moment ago. */
export async function ephemeralPort(kind: "tcp" | "udp"): Promise<number> {
  if (kind === "udp") {
    const socket = await Bun.udpSocket({ hostname: "127.0.0.1", port: 0 });
    const { port } = socket;
    socket.close();
    return port;
  }
  const listener = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } });
  const { port } = listener;
  listener.stop(true);
  return port;
}

export function edgeRecord(edgeId: string, more: Partial<EdgeRecord> = {}): EdgeRecord {
  const last = edgeId.charCodeAt(edgeId.length - 1) % 250;
  return {
    edgeId,
    bootId: `${edgeId}-1`,
    version: "0.0.0",
    lines: [
      {
        lineId: "main",
        address: { family: 4, ip: `10.0.0.${last}`, port: 4935 },
        isp: "isp",
        capacityMbps: 1000,
        costWeight: 1,
        commitMbps: 0,
      },
    ],
    load: 0,
    viewers: 0,
    maxViewers: 100,
    isDraining: false,
    fetching: [],
    startedAtMs: 0,
    ...more,
  };
}

export function streamRecord(
  stream: string,
  edgeId: string,
  publisher: string,
  more: Partial<StreamRecord> = {},
): StreamRecord {
  return { stream, edgeId, bootId: `${edgeId}-1`, publisher, epoch: 1, sinceMs: 0, ...more };
}

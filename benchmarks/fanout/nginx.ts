/**
 * nginx with its RTMP module serving the same frames to readers over TCP: one worker, its CPU time
 * over what its readers took. It gets as many readers as it takes to keep it busy: the further they
 * lag, the more it writes at a time.
 */
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  command,
  connectCommand,
  Encoder,
  greeting,
  HANDSHAKE,
  message,
} from "../../runtime/media/rtmp-encoder.ts";
import { freePort } from "../../runtime/tools/free-port.ts";
import { compileC, hasCompiler } from "../lib/compile-c.ts";
import { lineReader } from "../lib/lines.ts";
import { cpuSeconds, residentMb } from "../lib/process-figures.ts";
import type { FanFigures } from "./edge.ts";

const MODULE = "/usr/lib/nginx/modules/ngx_rtmp_module.so";
const STREAM = "fan";
/** Looked for from here on. */
const PORT = 19_350;
const RTMP_VIDEO = 9;
const CHUNK_BYTES = 4096;
const GROUP_SECONDS = 2;
const WARM_UP_SECONDS = 3;

export interface NginxLoad {
  readonly readers: number;
  readonly fps: number;
  readonly frameBytes: number;
  readonly seconds: number;
}

/** What is missing for it here, with what to do; undefined when nothing is. */
export function nginxMissing(): string | undefined {
  if (!existsSync(nginxProgram()) || !existsSync(MODULE)) {
    return "nginx-rtmp: no nginx with its RTMP module (apt-get install nginx libnginx-mod-rtmp)";
  }
  return hasCompiler() ? undefined : "nginx-rtmp: no C compiler for its readers";
}

function nginxProgram(): string {
  return Bun.which("nginx") ?? "/usr/sbin/nginx";
}

export async function runNginx(load: NginxLoad): Promise<FanFigures> {
  const readersProgram = await compileC(join(import.meta.dir, "tcp-readers.c"));
  const folder = mkdtempSync(join(tmpdir(), "shoal-nginx-"));
  const port = await freePort("tcp", PORT, new Set());
  const config = join(folder, "nginx.conf");
  writeFileSync(config, configText(folder, port, load.readers));
  const command = [nginxProgram(), "-p", folder, "-c", config, "-e", join(folder, "error.log")];
  const nginx = Bun.spawn(command, { stdin: "ignore", stdout: "ignore", stderr: "ignore" });
  const ends: (() => void)[] = [() => nginx.kill("SIGKILL")];
  try {
    ends.push(await publish(port, load));
    const readers = Bun.spawn([readersProgram, String(port), String(load.readers)], {
      stdin: Buffer.from(playGreeting()),
      stdout: "pipe",
      stderr: "inherit",
    });
    ends.push(() => readers.kill("SIGKILL"));
    return await measure(nginx.pid, readers.stdout, load);
  } finally {
    for (const end of ends) end();
    await nginx.exited;
    rmSync(folder, { recursive: true, force: true });
  }
}

function configText(folder: string, port: number, readers: number): string {
  return `load_module ${MODULE};
daemon off;
master_process off;
pid ${folder}/nginx.pid;
worker_rlimit_nofile ${readers + 256};
events { worker_connections ${readers + 128}; }
rtmp {
  access_log off;
  server {
    listen 127.0.0.1:${port};
    chunk_size ${CHUNK_BYTES};
    application live { live on; }
  }
}
`;
}

/** Frames as the fan-out's, from this process; call what it returns to end them. */
async function publish(port: number, { fps, frameBytes }: NginxLoad): Promise<() => void> {
  const encoder = await connected(port);
  encoder.send(greeting(STREAM));
  const body = new Uint8Array(frameBytes);
  const began = performance.now();
  let frame = 0;
  const timer = setInterval(() => {
    for (; began + (frame * 1000) / fps <= performance.now(); frame++) {
      const isKey = frame % (fps * GROUP_SECONDS) === 0;
      body.set([isKey ? 0x17 : 0x27, 1]);
      const atMs = Math.round((frame * 1000) / fps);
      encoder.send(message(RTMP_VIDEO, body, atMs, 6, CHUNK_BYTES));
    }
  }, 5);
  return () => {
    clearInterval(timer);
    encoder.destroy();
  };
}

/** As soon as nginx listens. */
async function connected(port: number): Promise<Encoder> {
  for (let tries = 0; ; tries++) {
    const probe = await Bun.connect({ hostname: "127.0.0.1", port, socket: { data() {} } }).catch(
      () => undefined,
    );
    probe?.end();
    if (probe !== undefined) return new Encoder(port);
    if (tries === 100) throw new Error("nginx does not listen");
    await Bun.sleep(50);
  }
}

/** What a player says, in one piece. */
function playGreeting(): Uint8Array {
  const play = command("play", 0, null, STREAM);
  return Buffer.concat([HANDSHAKE, connectCommand("live"), command("createStream", 2, null), play]);
}

async function measure(
  pid: number,
  output: ReadableStream<Uint8Array>,
  load: NginxLoad,
): Promise<FanFigures> {
  let from: { bytes: number; atMs: number; cpu: number } | undefined;
  let lines = 0;
  for await (const line of lineReader(output)) {
    const told = JSON.parse(line) as { readers: number; bytes: number; atMs: number };
    if (told.readers < load.readers || ++lines <= WARM_UP_SECONDS) continue;
    const cpu = cpuSeconds(pid);
    from ??= { ...told, cpu };
    const seconds = (told.atMs - from.atMs) / 1000;
    if (seconds < load.seconds) continue;
    return {
      cpuSeconds: cpu - from.cpu,
      seconds,
      datagrams: Number.NaN,
      mediaBytes: told.bytes - from.bytes,
      resent: Number.NaN,
      received: Number.NaN,
      sendsBy: "tcp",
      residentBytes: residentMb(pid) * 1e6,
      closed: load.readers - told.readers,
    };
  }
  throw new Error("nginx's readers ended before their time");
}

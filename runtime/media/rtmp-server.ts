/**
 * An RTMP listener for encoders (OBS, ffmpeg): publish only. The owner decides on each publisher and is given its
 * frames; garbage, floods, half-open and idle connections cost the sender its own connection and nothing else.
 * `node:net`, so it runs on Bun and Node alike.
 */
import { createServer, type Server, type Socket } from "node:net";
import type { MediaFrame } from "../wire/frame.ts";
import { FrameClassifier } from "./classify.ts";
import {
  type PublishRequest,
  RTMP_BOUNDS,
  type RtmpBounds,
  type RtmpEvent,
  RtmpSession,
} from "./rtmp-session.ts";

export interface RtmpLimits extends RtmpBounds {
  readonly connectionsMax: number;
  readonly connectionsPerAddressMax: number;
  /** From the connection to the publish command, ms. */
  readonly handshakeMs: number;
  /** Without a frame, ms. */
  readonly idleMs: number;
  /** Answers not yet taken by the other side, bytes. */
  readonly unsentBytesMax: number;
}

export const RTMP_LIMITS: RtmpLimits = {
  ...RTMP_BOUNDS,
  connectionsMax: 64,
  connectionsPerAddressMax: 16,
  handshakeMs: 5_000,
  idleMs: 10_000,
  unsentBytesMax: 65_536,
};

/** Where an accepted publisher's frames go. */
export interface FrameSink {
  push(frame: MediaFrame): void;
  /** Called once, after the last frame. */
  end(reason: string): void;
}

export interface RtmpPublishInfo extends PublishRequest {
  /** "192.0.2.1:50000" */
  readonly remote: string;
}

export interface RtmpPublisher {
  /** "h264 854x480 / aac 48000 stereo", as far as known. */
  readonly codecs: string;
  readonly bytesIn: number;
  /** Ends the connection; the sink's `end` is called with the reason. */
  close(reason: string): void;
}

export type PublishAnswer = { readonly accept: FrameSink } | { readonly refuse: string };
export type RtmpLog = (
  level: "debug" | "info" | "warn",
  message: string,
  fields: Record<string, unknown>,
) => void;

export interface RtmpListenerOptions {
  readonly host: string;
  /** 0 for any free port. */
  readonly port: number;
  /** Decides on a publisher. What it and the sink throw is the owner's own error and is not caught here. */
  readonly onPublish: (info: RtmpPublishInfo, publisher: RtmpPublisher) => PublishAnswer;
  readonly log: RtmpLog;
  readonly limits?: Partial<RtmpLimits>;
}

export interface RtmpListener {
  readonly port: number;
  readonly connections: number;
  /** Stops listening and ends every publisher. */
  close(): Promise<void>;
}

/** Time for a refusal to reach the encoder before the connection is cut, ms. */
const LINGER_MS = 1_000;

/** Listens. Rejects when the port cannot be had (the system's error, with `code`). */
export async function createRtmpListener(options: RtmpListenerOptions): Promise<RtmpListener> {
  const limits: RtmpLimits = { ...RTMP_LIMITS, ...options.limits };
  const connections = new Set<RtmpConnection>();
  const server = createServer({ noDelay: true }, (socket) => {
    const address = socket.remoteAddress ?? "";
    let sameAddress = 0;
    for (const other of connections) if (other.address === address) sameAddress++;
    if (
      connections.size >= limits.connectionsMax ||
      sameAddress >= limits.connectionsPerAddressMax
    ) {
      options.log("warn", "too many RTMP connections", { remote: remoteOf(socket) });
      socket.on("error", () => {});
      socket.destroy();
      return;
    }
    const connection = new RtmpConnection(socket, options, limits, () =>
      connections.delete(connection),
    );
    connections.add(connection);
  });
  await listen(server, options.port, options.host);
  const bound = server.address();
  return {
    port: bound !== null && typeof bound === "object" ? bound.port : options.port,
    get connections() {
      return connections.size;
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const connection of [...connections]) connection.close("the listener was closed");
      }),
  };
}

class RtmpConnection implements RtmpPublisher {
  readonly address: string;
  readonly #remote: string;
  readonly #socket: Socket;
  readonly #options: RtmpListenerOptions;
  readonly #limits: RtmpLimits;
  readonly #onGone: () => void;
  readonly #session: RtmpSession;
  readonly #classifier = new FrameClassifier();
  #sink: FrameSink | undefined;
  #timer: ReturnType<typeof setTimeout>;
  #frames = 0;
  #framesAtCheck = 0;
  #ending = false;

  constructor(
    socket: Socket,
    options: RtmpListenerOptions,
    limits: RtmpLimits,
    onGone: () => void,
  ) {
    this.#socket = socket;
    this.#options = options;
    this.#limits = limits;
    this.#onGone = onGone;
    this.address = socket.remoteAddress ?? "";
    this.#remote = remoteOf(socket);
    this.#session = new RtmpSession((bytes) => this.#send(bytes), limits);
    this.#timer = setTimeout(() => this.close("it did not publish in time"), limits.handshakeMs);
    socket.on("data", (bytes: Uint8Array) => this.#receive(bytes));
    socket.on("error", (error) => this.#end(`the connection broke (${error.message})`));
    socket.on("close", () => this.#gone());
    options.log("debug", "RTMP connection", { remote: this.#remote });
  }

  get codecs(): string {
    return this.#classifier.codecs;
  }

  get bytesIn(): number {
    return this.#session.bytesIn;
  }

  close(reason: string): void {
    this.#end(reason);
    this.#socket.destroy();
  }

  #receive(bytes: Uint8Array): void {
    if (this.#ending) return;
    for (const event of this.#session.receive(bytes)) {
      if (this.#ending) return;
      this.#handle(event);
    }
  }

  #handle(event: RtmpEvent): void {
    if (event.type === "publish") {
      this.#publish(event.request);
    } else if (event.type === "tag") {
      const frame = this.#classifier.classify(event.tag);
      if (!frame) return;
      this.#frames++;
      this.#sink?.push(frame);
    } else {
      const level = event.violation ? "warn" : "debug";
      this.#options.log(level, "RTMP connection ended", {
        remote: this.#remote,
        reason: event.reason,
      });
      this.#end(event.reason);
      if (event.violation) this.#socket.destroy();
      else this.#hangUp();
    }
  }

  #publish(request: PublishRequest): void {
    const { app, name } = request;
    const answer = this.#options.onPublish({ ...request, remote: this.#remote }, this);
    if (this.#ending) return;
    if ("refuse" in answer) {
      this.#options.log("warn", "publisher refused", {
        remote: this.#remote,
        app,
        name,
        reason: answer.refuse,
      });
      this.#session.refuse(answer.refuse);
      this.#end(answer.refuse);
      this.#hangUp();
      return;
    }
    this.#options.log("info", "publisher accepted", { remote: this.#remote, app, name });
    this.#sink = answer.accept;
    this.#session.accept();
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#checkIdle(), this.#limits.idleMs);
  }

  #checkIdle(): void {
    if (this.#frames === this.#framesAtCheck) {
      this.#options.log("warn", "publisher idle", { remote: this.#remote });
      this.close(`no frame for ${this.#limits.idleMs} ms`);
      return;
    }
    this.#framesAtCheck = this.#frames;
    this.#timer = setTimeout(() => this.#checkIdle(), this.#limits.idleMs);
  }

  #send(bytes: Uint8Array): void {
    if (this.#socket.destroyed) return;
    this.#socket.write(bytes);
    if (this.#socket.writableLength > this.#limits.unsentBytesMax)
      this.close("it does not read its answers");
  }

  /** Lets what was said last reach the other side, but not for long. */
  #hangUp(): void {
    this.#socket.end();
    this.#timer = setTimeout(() => this.#socket.destroy(), LINGER_MS);
  }

  #end(reason: string): void {
    if (this.#ending) return;
    this.#ending = true;
    clearTimeout(this.#timer);
    this.#sink?.end(reason);
    this.#sink = undefined;
  }

  #gone(): void {
    this.#end("the connection was closed");
    clearTimeout(this.#timer);
    this.#onGone();
  }
}

function remoteOf(socket: Socket): string {
  const address = socket.remoteAddress ?? "?";
  return address.includes(":")
    ? `[${address}]:${socket.remotePort}`
    : `${address}:${socket.remotePort}`;
}

function listen(server: Server, port: number, host: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, host, () => {
      server.off("error", reject);
      server.on("error", () => {}); /* a single failed accept; the others go on */
      resolve();
    });
  });
}

/** An edge without a network for route tests: streams by hand, and what was asked of it. */
import { type Ms, ms, NEVER } from "../../runtime/base/time.ts";
import type {
  CloseReason,
  EdgeCommands,
  EdgeEvent,
  EdgeStats,
  EdgeStreamStats,
  LinkStats,
  LocalPublisher,
} from "../../runtime/node/api.ts";
import { FrameKind, type MediaFrame } from "../../runtime/wire/frame.ts";
import type { EdgeHost } from "../host.ts";

export function frame(kind: FrameKind, dtsMs: number, bytes = 4): MediaFrame {
  return { kind, dtsMs, ptsOffsetMs: 0, body: new Uint8Array(bytes).fill(kind + 1) };
}

/** AVCDecoderConfigurationRecord without parameter sets; AudioSpecificConfig of AAC-LC, 48 kHz, stereo. */
const VIDEO_CONFIG = Uint8Array.of(0x17, 0, 0, 0, 0, 1, 66, 0, 30, 0xff, 0xe0);
const AUDIO_CONFIG = Uint8Array.of(0xaf, 0, 0x11, 0x90);

export const GROUP: readonly MediaFrame[] = [
  { ...frame(FrameKind.videoConfig, 1000), body: VIDEO_CONFIG },
  { ...frame(FrameKind.audioConfig, 1000), body: AUDIO_CONFIG },
  frame(FrameKind.key, 1000),
  frame(FrameKind.audio, 1010),
];

export function streamStats(name: string): EdgeStreamStats {
  return {
    name,
    epoch: 7,
    publisher: "rtmp 192.0.2.1:5000",
    sinceMs: 61_000,
    viewers: 3,
    framesIn: 100,
    bytesIn: 200_000,
    bytesOut: 600_000,
    bitrateKbps: 812.5,
    groupMs: 2000,
    bufferedBytes: 500_000,
    packetsLost: 4,
    packetsResent: 5,
    framesDropped: 6,
    swarm: {
      superNodes: 2,
      slots: 9,
      recruits: 11,
      reliefs: 2,
      demandBytes: 6_000_000,
      egressKbps: 250,
      demandKbps: 2437.5,
    },
  };
}

const STATS: EdgeStats = {
  sessions: 4,
  viewers: 3,
  publishers: 1,
  datagramsIn: 10,
  datagramsOut: 20,
  bytesIn: 1000,
  bytesOut: 2000,
  datagramsRefused: 1,
  handshakesRefused: 2,
  payloadBytesUsed: 500_000,
  payloadBytesTotal: 1_000_000,
};

export const VIEWER: LinkStats = {
  address: "198.51.100.7:40112",
  agent: "shoal/0.1.0",
  sinceMs: 5000,
  rttMs: 21,
  lossRate: 0.01,
  bytesIn: 100,
  bytesOut: 200_000,
  packetsLost: 1,
  packetsResent: 2,
  rateBps: 0,
  queuedBytes: 0,
};

/** Implements what HTTP needs of the edge, and remembers commands. */
export class HandEdge implements EdgeCommands, EdgeHost {
  sockets() {
    return [{ sendsBy: "segments", datagramsDropped: 5 }] as const;
  }
  readonly edge = this;
  live: EdgeStreamStats[] = [streamStats("live/news")];
  group: readonly MediaFrame[] = GROUP;
  watched: string[] = [];
  kicked: string[] = [];
  time = 100_000;

  now(): Ms {
    return ms(this.time);
  }
  command<T>(action: (edge: EdgeCommands, now: Ms) => T): T {
    return action(this, this.now());
  }
  handleInput(): void {}
  pollOutput(): undefined {
    return undefined;
  }
  pollTimeout(): Ms {
    return NEVER;
  }
  publishLocal(): LocalPublisher | { readonly refused: CloseReason } {
    return { refused: "unknown stream" };
  }
  currentGroup(): readonly MediaFrame[] {
    return this.group;
  }
  watchFrames(stream: string, on: boolean): void {
    this.watched.push(`${on ? "+" : "-"}${stream}`);
  }
  streams(): readonly EdgeStreamStats[] {
    return this.live;
  }
  stats(): EdgeStats {
    return STATS;
  }
  viewers(_now: Ms, _stream: string, limit: number): readonly LinkStats[] {
    return [VIEWER].slice(0, limit);
  }
  kick(_now: Ms, stream: string, from?: string): boolean {
    if (!this.live.some((candidate) => candidate.name === stream)) return false;
    if (from !== undefined && from !== VIEWER.address) return false;
    this.kicked.push(from ?? stream);
    return true;
  }
  drain(): void {}
  close(): void {}

  /** A frame event of `live/news`. */
  event(media: MediaFrame, options: { epoch?: number; groupStart?: boolean } = {}): EdgeEvent {
    const { epoch = 7, groupStart = false } = options;
    return { type: "frame", stream: "live/news", epoch, frame: media, groupStart };
  }
}

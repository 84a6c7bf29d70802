/**
 * The part of node-media-server 4.4.3 that we use: its RTMP protocol class and its logger. The package has no types of
 * its own, and these are no public interface of it: the version is pinned exactly.
 */

declare module "node-media-server/src/protocol/rtmp.js" {
  export interface RtmpPacket {
    readonly header: {
      readonly type: number;
      /** Message bytes announced. */
      readonly length: number;
    };
    /** Absolute timestamp, ms. */
    readonly clock: number;
    /** Reused for the next message of the chunk stream: copy what is kept. */
    readonly payload: Uint8Array;
    readonly capacity: number;
  }

  export default class Rtmp {
    parserPacket: RtmpPacket;
    readonly inPackets: Map<number, RtmpPacket>;
    inChunkSize: number;
    /** The client's window, bytes; undefined until it says. */
    ackSize?: number;
    handshakeState: number;
    streamApp: unknown;
    streamName: string;
    streamQuery: Record<string, string | string[] | undefined>;
    streamId: number;
    onOutputCallback: (bytes: Uint8Array) => void;
    parserData(bytes: Uint8Array): string | null;
    packetAlloc(): void;
    controlHandler(): void;
    invokeHandler(): void;
    dataHandler(): void;
    respondPublish(): void;
    respondPlay(): void;
    onDeleteStream(message: unknown): void;
    sendACK(bytes: number): void;
    sendStatusMessage(streamId: number, level: string, code: string, description: string): void;
  }
}

declare module "node-media-server/src/core/logger.js" {
  const logger: { log: (message: string, level?: string) => void };
  export default logger;
}

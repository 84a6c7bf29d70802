/** Binds a UDP socket with whatever this runtime has. */
import type { SocketBufferSizes } from "./socket-buffers.ts";
import type { UdpSocket } from "./udp.ts";

export interface BindOptions extends SocketBufferSizes {
  /** An IP literal of this host: `0.0.0.0` all of IPv4, `::` IPv6 and IPv4 together. */
  readonly host: string;
  /** 0 = any free one. */
  readonly port: number;
  /** How to send; `auto` when left out: the shortest way there is. */
  readonly sendBy?: SendBy;
}

/**
 * `segments` = sendmmsg with UDP_SEGMENT, where Linux and Bun have it, `many` = what the runtime itself offers;
 * `auto` = the former if possible.
 */
export type SendBy = "auto" | "segments" | "many";

/** Linux's usual ceilings (`net.core.rmem_max`, 4 MiB): half a second at 64 Mbit/s. */
export const RECEIVE_BUFFER_BYTES = 4 << 20;
export const SEND_BUFFER_BYTES = 4 << 20;

/** Rejects with the system's error (address in use, not available here, no permission). */
export async function bindUdp(
  options: Pick<BindOptions, "host" | "port" | "sendBy"> & Partial<SocketBufferSizes>,
): Promise<UdpSocket> {
  const all: BindOptions = {
    host: options.host,
    port: options.port,
    sendBy: options.sendBy ?? "auto",
    receiveBufferBytes: options.receiveBufferBytes ?? RECEIVE_BUFFER_BYTES,
    sendBufferBytes: options.sendBufferBytes ?? SEND_BUFFER_BYTES,
  };
  if (process.versions.bun !== undefined) {
    const { bindBunUdp } = await import("./udp-bun.ts");
    return bindBunUdp(all);
  }
  const { bindNodeUdp } = await import("./udp-node.ts");
  return bindNodeUdp(all);
}

/** Binds a UDP socket with whatever this runtime has. */
import type { SocketBufferSizes } from "./socket-buffers.ts";
import type { UdpSocket } from "./udp.ts";

export interface BindOptions extends SocketBufferSizes {
  /** An IP literal of this host: `0.0.0.0` all of IPv4, `::` IPv6 and IPv4 together. */
  readonly host: string;
  /** 0 = any free one. */
  readonly port: number;
}

/** Linux's usual ceilings (`net.core.rmem_max`, 4 MiB): half a second at 64 Mbit/s. */
export const RECEIVE_BUFFER_BYTES = 4 << 20;
export const SEND_BUFFER_BYTES = 4 << 20;

/** Rejects with the system's error (address in use, not available here, no permission). */
export async function bindUdp(
  options: Pick<BindOptions, "host" | "port"> & Partial<SocketBufferSizes>,
): Promise<UdpSocket> {
  const all: BindOptions = {
    host: options.host,
    port: options.port,
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

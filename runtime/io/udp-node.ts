/**
 * UDP through `node:dgram`, for Node; Bun has it too, which lets one suite test both. One call a
 * datagram; its bytes must stay as they are until the callback says they have left, so they travel
 * in buffers of a bounded pool.
 */
import { createSocket, type Socket } from "node:dgram";
import type { Address } from "../wire/address.ts";
import { AddressTable, systemAddress } from "./address-table.ts";
import type { BindOptions } from "./bind-udp.ts";
import { DATAGRAM_BYTES_MAX, type DatagramBatch } from "./datagram-batch.ts";
import {
  BACKLOG_DATAGRAMS_MAX,
  type DatagramHandler,
  isNewsOfEarlier,
  newUdpCounters,
  type UdpCounters,
  type UdpSocket,
} from "./udp.ts";

/**
 * Tries more for a datagram that met news of an earlier one; by the next try there may be news of a
 * further one.
 */
const RETRIES_MAX = 3;

/** Rejects with the system's error (address in use, not available here, no permission). */
export function bindNodeUdp(options: BindOptions): Promise<UdpSocket> {
  const isV6 = options.host.includes(":");
  return new Promise((resolve, reject) => {
    const socket = createSocket({
      type: isV6 ? "udp6" : "udp4",
      lookup: (host, _, done) => done(null, host, isV6 ? 6 : 4) /* all hosts are IP literals */,
    });
    socket.once("error", reject);
    socket.bind({ address: options.host, port: options.port }, () => {
      socket.off("error", reject);
      setBuffers(socket, options);
      resolve(new NodeUdp(socket, isV6));
    });
  });
}

/** Failing is no error: the socket works, it only drops earlier. */
function setBuffers(socket: Socket, options: BindOptions): void {
  try {
    socket.setRecvBufferSize(options.receiveBufferBytes);
    socket.setSendBufferSize(options.sendBufferBytes);
  } catch {
    /* not offered by this runtime: the default size stays */
  }
}

class NodeUdp implements UdpSocket {
  readonly localAddress: Address;
  readonly counters: UdpCounters = newUdpCounters();
  readonly sendsBy = "many";
  readonly #socket: Socket;
  readonly #isV6: boolean;
  readonly #addresses = new AddressTable();
  readonly #free: Uint8Array[] = [];
  #pending = 0;
  #isOpen = true;
  #handler: DatagramHandler | undefined;

  constructor(socket: Socket, isV6: boolean) {
    this.#socket = socket;
    this.#isV6 = isV6;
    const { address, port } = socket.address();
    this.localAddress = systemAddress(address, port);
    socket.on("message", (data, from) => {
      this.counters.datagramsIn++;
      this.#handler?.handleDatagram(this.#addresses.intern(from.address, from.port), data);
    });
    socket.on("error", (error) => {
      if (!isNewsOfEarlier(error)) this.#handler?.handleError(error);
    });
  }

  send(batch: DatagramBatch): void {
    for (let i = 0; i < batch.count && this.#isOpen; i++) this.#sendOne(batch.to(i), batch.data(i));
    batch.clear();
  }

  onDatagrams(handler: DatagramHandler): void {
    this.#handler = handler;
  }

  close(): void {
    this.#handler = undefined;
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#socket.close();
  }

  #sendOne(to: Address, data: Uint8Array): void {
    if (this.#pending === BACKLOG_DATAGRAMS_MAX) {
      this.counters.datagramsDropped++;
      return;
    }
    const buffer = this.#free.pop() ?? new Uint8Array(DATAGRAM_BYTES_MAX);
    buffer.set(data);
    this.#pending++;
    this.#hand(to, buffer, data.length, 0);
  }

  #hand(to: Address, buffer: Uint8Array, length: number, attempt: number): void {
    const settle = (error: Error | null): void => {
      if (attempt < RETRIES_MAX && this.#isOpen && isNewsOfEarlier(error)) {
        this.#hand(to, buffer, length, attempt + 1);
        return;
      }
      this.#pending--;
      this.#free.push(buffer);
      if (error === null) this.counters.datagramsOut++;
      else this.counters.datagramsRefused++;
    };
    const ip = this.#isV6 && to.family === 4 ? `::ffff:${to.ip}` : to.ip;
    try {
      this.#socket.send(buffer, 0, length, to.port, ip, settle);
    } catch (error) {
      settle(error as Error);
    }
  }
}

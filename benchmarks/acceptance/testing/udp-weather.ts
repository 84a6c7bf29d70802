/**
 * A bad link between real processes: a UDP port in front of the edge's, whose datagrams pass both ways as the virtual
 * network's links would let them, from a seed. Real time, so that which datagram is lost is not quite the same each
 * run, but how many are.
 */
import { Prng } from "../../../runtime/base/prng.ts";
import { Link, type LinkModel } from "../../../runtime/sim/network/link.ts";

const HOST = "127.0.0.1";
/** Bytes of the copies cut short. */
const CUT_BYTES_MAX = 60;

export interface WeatherOptions {
  /** Port of the edge. */
  readonly to: number;
  /** Each way. */
  readonly link: LinkModel;
  readonly seed: number;
  /** Share of datagrams followed by a copy that is cut short. */
  readonly cutRate?: number;
}

type Socket = Bun.udp.Socket<"buffer">;

export class UdpWeather {
  readonly up: Link;
  readonly down: Link;
  readonly #options: WeatherOptions;
  readonly #random: Prng;
  /** By the client's port: the socket by which it reaches the edge. */
  readonly #clients = new Map<number, Promise<Socket>>();
  #front: Socket | undefined;
  #isClosed = false;

  private constructor(options: WeatherOptions) {
    this.#options = options;
    this.#random = new Prng(options.seed);
    this.up = new Link(options.link);
    this.down = new Link(options.link);
  }

  static async open(options: WeatherOptions): Promise<UdpWeather> {
    const weather = new UdpWeather(options);
    weather.#front = await Bun.udpSocket({
      hostname: HOST,
      socket: {
        data: (_socket, data, port) => void weather.#fromClient(port, data),
        error: ignore,
      },
    });
    return weather;
  }

  get port(): number {
    return (this.#front as Socket).port;
  }

  /** Share of all datagrams so far that were lost. */
  get lossRate(): number {
    const { up, down } = this;
    const offered = up.counters.packetsOffered + down.counters.packetsOffered;
    return (up.counters.packetsLost + down.counters.packetsLost) / offered;
  }

  close(): void {
    this.#isClosed = true;
    this.#front?.close();
    for (const client of this.#clients.values()) void client.then((socket) => socket.close());
  }

  async #fromClient(port: number, data: Buffer): Promise<void> {
    let client = this.#clients.get(port);
    if (client === undefined) {
      client = Bun.udpSocket({
        hostname: HOST,
        connect: { hostname: HOST, port: this.#options.to },
        socket: {
          data: (_socket, answer) => {
            this.#pass(this.down, answer, (bytes) => this.#front?.send(bytes, port, HOST));
          },
          error: ignore,
        },
      }) as unknown as Promise<Socket>;
      this.#clients.set(port, client);
    }
    const socket = (await client) as unknown as Bun.udp.ConnectedSocket<"buffer">;
    this.#pass(this.up, data, (bytes) => socket.send(bytes));
  }

  #pass(link: Link, data: Buffer, send: (bytes: Uint8Array) => void): void {
    const now = performance.now();
    const random = this.#random;
    const at = link.transit(now, data.length, random);
    if (at < 0) return;
    const copies = link.isDuplicated(random) ? 2 : 1;
    const { cutRate = 0 } = this.#options;
    const cutAt = random.next() < cutRate ? random.below(Math.min(CUT_BYTES_MAX, data.length)) : 0;
    setTimeout(() => {
      if (this.#isClosed) return;
      for (let i = 0; i < copies; i++) send(data);
      if (cutAt > 0) send(data.subarray(0, cutAt));
    }, at - now);
  }
}

/** Somebody has closed his port: to a link that is weather. */
function ignore(): void {}

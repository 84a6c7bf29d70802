/**
 * A small internet on one machine: nodes (network namespaces) and links between them that delay, lose, reorder and
 * queue what real, unchanged programs send. The packets are carried by emulator.c, a process of its own: it wants a
 * wait on many files with microsecond timers, a real-time priority, and no garbage collection beside it, none of which
 * Bun offers to a program; it needs 1 % of a core at 2 Mbit/s.
 *
 *   await using network = await WanNetwork.open();
 *   const [a, b] = [await network.node("a"), await network.node("b")];
 *   const link = await network.link(a, b, { delayMs: 50, loss: 0.05 });
 *   a.spawn(["ping", "-c", "3", link.addressB]);
 *   await link.set({ delayMs: 50, rateBps: 1e6 });            while programs run
 *
 * Nothing outlives the network: namespaces have no names, so they end with the emulator, the emulator ends with its
 * standard input, and programs started in a node are killed when this process dies, however that happens.
 */
import { join } from "node:path";
import { compileC, hasCompiler } from "../../lib/compile-c.ts";
import { lineReader } from "../../lib/lines.ts";
import { profileWords, type WanProfile } from "./profile.ts";

/** Nodes and links one network may have (emulator.c). */
export const NODES_MAX = 64;
export const LINKS_MAX = 64;
const MTU_BYTES = 1500;

export interface DirectionFigures {
  /** Packets and IP bytes that were sent into the link. */
  readonly packetsIn: number;
  readonly bytesIn: number;
  readonly packetsLost: number;
  /** Those that found the queue full. */
  readonly packetsDropped: number;
  readonly packetsOut: number;
  readonly bytesOut: number;
  /** Packets the kernel refused at the far end. */
  readonly errors: number;
  /** How much later than due packets came out: a figure of the machine, not of the link. */
  readonly lateMsMax: number;
  readonly lateMsMean: number;
}

export interface LinkFigures {
  readonly forward: DirectionFigures;
  readonly back: DirectionFigures;
}

type Spawned = Bun.Subprocess<"pipe", "pipe", "inherit" | "ignore">;

export class WanNode {
  readonly name: string;
  /** Path of its network namespace, for `nsenter --net=…` and `ip … netns …`. */
  readonly namespace: string;

  constructor(name: string, namespace: string) {
    this.name = name;
    this.namespace = namespace;
  }

  /** The command line that runs `command` in this node. */
  command(command: readonly string[]): string[] {
    return ["nsenter", `--net=${this.namespace}`, "--", ...command];
  }

  /** A program in this node, killed when this process ends. Its standard error is ours unless it is not wanted. */
  spawn(command: readonly string[], stderr: "inherit" | "ignore" = "inherit"): Spawned {
    return Bun.spawn(this.command(["setpriv", "--pdeathsig", "KILL", ...command]), {
      stdin: "pipe",
      stdout: "pipe",
      stderr,
    });
  }

  /** Lines for `ip -batch`. @throws Error with what `ip` said. */
  ip(...lines: readonly string[]): void {
    const { exitCode, stderr } = Bun.spawnSync(this.command(["ip", "-batch", "-"]), {
      stdin: Buffer.from(`${lines.join("\n")}\n`),
      stderr: "pipe",
    });
    if (exitCode !== 0) throw new Error(`ip in ${this.name}: ${stderr.toString()}`);
  }
}

export interface LinkOptions {
  /** From b to a; the same as forwards by default. */
  readonly back?: WanProfile;
  /** Of losses and jitter, each direction by itself; 1 by default. */
  readonly seed?: number;
}

export class WanLink {
  readonly name: string;
  readonly device: string;
  readonly addressA: string;
  readonly addressB: string;
  readonly #ask: (line: string) => Promise<string>;

  constructor(name: string, number: number, ask: (line: string) => Promise<string>) {
    this.name = name;
    this.device = `wan${number}`;
    this.addressA = addressOf(number, 1);
    this.addressB = addressOf(number, 2);
    this.#ask = ask;
  }

  /** How it behaves from now on; packets under way keep their times. */
  async set(forward: WanProfile, back: WanProfile = forward): Promise<void> {
    await this.#ask(`set ${this.name} 0 ${profileWords(forward)}`);
    await this.#ask(`set ${this.name} 1 ${profileWords(back)}`);
  }

  /** Losses and jitter from here on are those of this seed. */
  async seed(seed: number): Promise<void> {
    await this.#ask(`seed ${this.name} ${seed}`);
  }

  /** Since it was made or `reset`. */
  async figures(): Promise<LinkFigures> {
    return JSON.parse(await this.#ask(`figures ${this.name}`)) as LinkFigures;
  }

  async reset(): Promise<void> {
    await this.#ask(`reset ${this.name}`);
  }

  /** What the emulator itself was late by at worst, ms: a run in which that is much is worth nothing. */
  async lateMsMax(): Promise<number> {
    const { forward, back } = await this.figures();
    return Math.max(forward.lateMsMax, back.lateMsMax);
  }
}

export class WanNetwork {
  /** The emulator runs before everything else on the machine; without that its times are worth little. */
  readonly isRealTime: boolean;
  readonly #child: Bun.Subprocess<"pipe", "pipe", "inherit">;
  readonly #answers: AsyncIterator<string>;
  #turn: Promise<unknown> = Promise.resolve();
  #links = 0;

  private constructor(
    child: Bun.Subprocess<"pipe", "pipe", "inherit">,
    answers: AsyncIterator<string>,
    isRealTime: boolean,
  ) {
    this.#child = child;
    this.#answers = answers;
    this.isRealTime = isRealTime;
  }

  /** @throws Error when it cannot be had here (`missing` says so beforehand). */
  static async open(): Promise<WanNetwork> {
    const program = await compileC(join(import.meta.dir, "emulator.c"));
    const child = Bun.spawn([program], { stdin: "pipe", stdout: "pipe", stderr: "inherit" });
    const answers = lineReader(child.stdout);
    const { value } = await answers.next();
    if (typeof value !== "string" || !value.startsWith("ready")) {
      child.kill();
      throw new Error(`the WAN emulator did not start: ${value}`);
    }
    return new WanNetwork(child, answers, value === "ready real-time");
  }

  /** What is missing for it on this machine, in words; undefined when nothing is. */
  static missing(): string | undefined {
    if (process.platform !== "linux") return "Linux";
    const tools = ["nsenter", "setpriv", "ip"].filter((tool) => which(tool) === null);
    if (tools.length > 0) return `${tools.join(", ")} (apt-get install util-linux iproute2)`;
    if (!hasCompiler()) return "a C compiler (apt-get install gcc libc6-dev)";
    const mayUnshare = Bun.spawnSync(["unshare", "--net", "test", "-w", "/dev/net/tun"]);
    if (mayUnshare.exitCode !== 0) return "root, network namespaces and /dev/net/tun";
    return undefined;
  }

  async node(name: string): Promise<WanNode> {
    const answer = await this.#ask(`node ${name}`);
    return new WanNode(name, `/proc/${this.#child.pid}/fd/${answer.split(" ")[2]}`);
  }

  /** Between two nodes: a device and an address in each, a route to each other. Several between the same two may be. */
  async link(
    a: WanNode,
    b: WanNode,
    forward: WanProfile,
    options: LinkOptions = {},
  ): Promise<WanLink> {
    const number = this.#links++;
    const link = new WanLink(`link${number}`, number, (line) => this.#ask(line));
    const { name, device, addressA, addressB } = link;
    const { seed = 1, back = forward } = options;
    await this.#ask(`link ${name} ${a.name} ${device} ${b.name} ${device} ${seed}`);
    await link.set(forward, back);
    configure(a, device, addressA, addressB);
    configure(b, device, addressB, addressA);
    return link;
  }

  /** A plain wire without an emulator in it, for what is faster than one: the addresses of its ends. */
  cable(a: WanNode, b: WanNode): { readonly addressA: string; readonly addressB: string } {
    const number = this.#links++;
    const device = `wire${number}`;
    a.ip(`link add ${device} type veth peer name ${device} netns ${b.namespace}`);
    const [addressA, addressB] = [addressOf(number, 1), addressOf(number, 2)];
    configure(a, device, addressA, addressB);
    configure(b, device, addressB, addressA);
    return { addressA, addressB };
  }

  /** Every namespace and device of it is gone afterwards. */
  async close(): Promise<void> {
    this.#child.stdin.end();
    await this.#child.exited;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  /** One question at a time. @throws Error with what the emulator said. */
  #ask(line: string): Promise<string> {
    const answer = this.#turn.then(async () => {
      this.#child.stdin.write(`${line}\n`);
      this.#child.stdin.flush();
      const { value } = await this.#answers.next();
      if (typeof value !== "string") throw new Error("the WAN emulator has ended");
      if (value.startsWith("error")) throw new Error(`WAN emulator, ${line}: ${value}`);
      return value;
    });
    this.#turn = answer.catch(() => {});
    return answer;
  }
}

function configure(node: WanNode, device: string, own: string, other: string): void {
  /* IPv6 would solicit routers by itself; where it cannot be turned off, that is a packet at the beginning. */
  const quiet = `echo 1 > /proc/sys/net/ipv6/conf/${device}/disable_ipv6`;
  Bun.spawnSync(node.command(["sh", "-c", quiet]), { stderr: "ignore" });
  node.ip(
    `link set dev ${device} mtu ${MTU_BYTES} up`,
    `addr add ${own} peer ${other} dev ${device}`,
  );
}

function addressOf(link: number, end: 1 | 2): string {
  return `10.78.${link}.${end}`;
}

/** `ip` often lies where only root's PATH leads. */
function which(tool: string): string | null {
  return Bun.which(tool, { PATH: `${process.env["PATH"]}:/usr/sbin:/sbin` });
}

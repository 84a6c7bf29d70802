/** What Linux offers a socket beyond Bun's own ways, tried out once when the socket is bound. */
import { GsoSender } from "./gso-sender.ts";
import { type Libc, SOL_UDP, UDP_SEGMENT } from "./libc.ts";
import { MessageCalls } from "./message-calls.ts";
import { MessageReceiver, PLACE_BYTES } from "./receiver.ts";
import { Sockaddrs } from "./sockaddrs.ts";
import { TrainSender } from "./train-sender.ts";

/** Datagrams taken in by one call. */
const RECEIVED_AT_ONCE = 64;

export interface LinuxWays {
  readonly calls: MessageCalls;
  readonly batches: GsoSender;
  readonly trains: TrainSender;
  readonly receiver: MessageReceiver;
}

/** For the socket of `fd`, bound to `host`; undefined when the kernel does not segment (before Linux 4.18). */
export function openLinuxWays(libc: Libc, fd: number, host: string): LinuxWays | undefined {
  /* 0 = no segmenting but where a message says so; an older kernel does not know the option. */
  if (!libc.setsockopt(fd, SOL_UDP, UDP_SEGMENT, 0)) return undefined;
  const calls = new MessageCalls(libc, fd);
  const sockaddrs = new Sockaddrs(libc, host.includes(":"));
  const { addressOf } = libc;
  return {
    calls,
    batches: new GsoSender(calls, sockaddrs, addressOf),
    trains: new TrainSender(calls, sockaddrs, addressOf),
    receiver: new MessageReceiver(libc, fd, RECEIVED_AT_ONCE, PLACE_BYTES),
  };
}

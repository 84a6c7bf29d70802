/** Generators of well-formed values of the wire, for round trips (fast-check). */
import fc from "fast-check";
import { parseAddress } from "../address.ts";
import { CloseCode } from "../close-code.ts";
import type { ControlMessage } from "../control.ts";
import type { ClusterMessage } from "../control-cluster.ts";
import type { SwarmMessage } from "../control-swarm.ts";
import { FrameKind } from "../frame.ts";
import { ROLES } from "../handshake.ts";
import type { StreamInfo } from "../stream-info.ts";
import type { PeerRef, ReportPacket } from "../swarm.ts";

export const u32s = fc.oneof(
  fc.integer({ min: 0, max: 0xffff_ffff }),
  fc.constantFrom(0, 1, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff),
);
export const u16s = fc.integer({ min: 0, max: 0xffff });
export const streamIndices = fc.integer({ min: 1, max: 0xffff });
export const cids = fc.record({ hi: u32s, lo: u32s });

export function bytesOf(length: number): fc.Arbitrary<Uint8Array> {
  return fc.uint8Array({ minLength: length, maxLength: length });
}

/** Printable text of at most `max` characters. */
export function textOf(max: number): fc.Arbitrary<string> {
  const letter = fc.constantFrom(..."abcxyz/-_ .019äß漢😀");
  return fc.array(letter, { maxLength: Math.floor(max / 2) }).map((letters) => letters.join(""));
}

/** Anything a datagram can hold, biased to what looks like a packet of `type`. */
export function datagramsLike(type: number): fc.Arbitrary<Uint8Array> {
  const any = fc.uint8Array({ maxLength: 1400 });
  const typed = fc.uint8Array({ maxLength: 300 }).map((rest) => Uint8Array.of(type, ...rest));
  return fc.oneof(any, typed);
}

export const fragmentHeaders = fc
  .record({
    stream: streamIndices,
    number: u32s,
    total: fc.integer({ min: 1, max: 4095 }),
    share: fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
    priority: fc.integer({ min: 0, max: 4 }),
    upper: fc.integer({ min: 0, max: 15 }),
  })
  .map(({ stream, number, total, share, priority, upper }) => {
    const index = Math.floor(share * total);
    return { stream, number, index, total, flags: (upper << 3) | priority };
  });

export const segmentHeaders = fc.record({
  kind: fc.constantFrom(...Object.values(FrameKind)),
  sequence: u32s,
  dtsMs: u32s,
  ptsOffsetMs: fc.integer({ min: -0x80_0000, max: 0x7f_ffff }),
  captureUnits: u32s,
  dependsOn: u16s,
  size: fc.integer({ min: 1, max: 1_048_576 }),
});

export const streamInfos: fc.Arbitrary<StreamInfo> = fc.record({
  index: streamIndices,
  name: textOf(128),
  id: bytesOf(8),
  epoch: u32s,
  first: u32s,
  next: u32s,
});

export const connectParams = fc.record({
  role: fc.constantFrom(...ROLES),
  stream: textOf(128),
  agent: textOf(64),
  node: bytesOf(8),
  epoch: fc.option(u32s, { nil: undefined }),
  proof: fc.option(bytesOf(32), { nil: undefined }),
});

export const closeCodes = fc.constantFrom(...Object.values(CloseCode));

export const ranges = fc.array(
  fc.record({ first: u32s, count: fc.integer({ min: 1, max: 0xffff }) }),
  { minLength: 1, maxLength: 64 },
);

const masks = fc
  .integer({ min: 1, max: 32 })
  .chain((k) => fc.record({ k: fc.constant(k), mask: fc.integer({ min: 0, max: 2 ** k - 1 }) }));

export const controlMessages: fc.Arbitrary<ControlMessage> = fc.oneof(
  streamInfos.map((info) => ({ t: "stream" as const, ...info })),
  fc.record({ t: fc.constant("ended" as const), index: streamIndices, next: u32s }),
  fc.record({
    t: fc.constant("noStream" as const),
    name: textOf(128),
    reason: textOf(512),
    retryMs: u32s,
  }),
  fc
    .tuple(textOf(128), masks)
    .map(([name, { k, mask }]) => ({ t: "subscribe" as const, name, mask, k })),
  fc.record({ t: fc.constant("unsubscribe" as const), name: textOf(128) }),
  fc.record({ t: fc.constant("warn" as const), code: textOf(64), text: textOf(512) }),
);

export const addresses = fc
  .tuple(fc.oneof(fc.ipV4(), fc.ipV6()), fc.integer({ min: 1, max: 65_535 }))
  .map(([ip, port]) => parseAddress(ip, port))
  .filter((address) => address !== undefined);

export const peerRefs: fc.Arbitrary<PeerRef> = fc.record({
  node: bytesOf(8),
  ticket: bytesOf(16),
  region: u16s,
  addresses: fc.array(addresses, { minLength: 1, maxLength: 4 }),
});

const peerLists = fc.array(peerRefs, { maxLength: 6 });
const parentEntries = fc
  .tuple(u32s, fc.option(peerRefs, { nil: undefined }))
  .map(([mask, peer]) => (peer === undefined ? { mask } : { mask, peer }));

const edgeLists = fc.array(addresses, { minLength: 1, maxLength: 8 });

export const clusterMessages: fc.Arbitrary<ClusterMessage> = fc.oneof(
  fc.record({ t: fc.constant("edges" as const), list: edgeLists }),
  fc.record({ t: fc.constant("move" as const), list: edgeLists }),
);

export const swarmMessages: fc.Arbitrary<SwarmMessage> = fc.oneof(
  fc.record({
    t: fc.constant("welcome" as const),
    key: bytesOf(16),
    k: fc.integer({ min: 1, max: 32 }),
    region: u16s,
    seen: addresses,
  }),
  fc.record({
    t: fc.constant("parents" as const),
    list: fc.array(parentEntries, { maxLength: 32 }),
  }),
  fc.record({ t: fc.constant("peers" as const), list: peerLists }),
  fc.record({ t: fc.constant("expect" as const), list: peerLists }),
  fc.record({
    t: fc.constant("recruit" as const),
    mask: u32s,
    children: fc.integer({ min: 0, max: 255 }),
  }),
  fc.record({ t: fc.constant("orphan" as const), mask: u32s, node: bytesOf(8) }),
  fc.record({ t: fc.constant("here" as const), at: fc.array(addresses, { maxLength: 3 }) }),
);

export const reports: fc.Arbitrary<ReportPacket> = fc.record({
  limitBps: u32s,
  uploadBps: u32s,
  pushBps: u32s,
  queueMs: u16s,
  cpu: fc.nat(255).map((n) => n / 255),
  consumeOnly: fc.boolean(),
  metered: fc.boolean(),
  congested: fc.boolean(),
  load: fc.nat(255).map((n) => n / 255),
  children: fc.array(fc.nat(255), { maxLength: 32 }),
});

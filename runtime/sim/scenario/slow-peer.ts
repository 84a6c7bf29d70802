/**
 * A viewer who takes what others ask of it and answers late or never: its node is an honest one,
 * its way out is not. What it sends to its edge goes its normal way, so the edge sees nothing
 * wrong.
 */
import { Prng } from "../../base/prng.ts";
import type { HotPath } from "../../core/hot-path/hot-path.ts";
import type { Transmit } from "../../core/session/outbox.ts";
import { type Address, sameAddress } from "../../wire/address.ts";
import { PacketType } from "../../wire/packet.ts";

const NEVER_SHARE = 0.5;
const LATE_MS: readonly [from: number, to: number] = [500, 3000];

/** For `WorldNodeSpec.delayOf`. */
export function slowness(
  hot: HotPath,
  edge: Address,
  seed: number,
): (transmit: Transmit) => number {
  const random = new Prng(seed ^ 0x1b873593);
  return ({ to, headPtr }) => {
    const type = hot.bytes[headPtr];
    const isMedia = type === PacketType.DATA || type === PacketType.BUNDLE;
    if (!isMedia || sameAddress(to, edge)) return 0;
    if (random.next() < NEVER_SHARE) return Number.POSITIVE_INFINITY;
    return LATE_MS[0] + (LATE_MS[1] - LATE_MS[0]) * random.next();
  };
}

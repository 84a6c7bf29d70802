/**
 * What a session learns about its path: RTT (RFC 9002 §5), loss rate, the reorder guard, and what follows from them
 * for probes and copies.
 */
import { GUARD_MS_MIN, GUARD_PACKETS_MIN, Session, Sessions } from "./session";

const GUARD_PACKETS_MAX: u32 = 64;
/** After so many ACKed packets the guard is looked at again. */
const GUARD_CALM_PACKETS: u32 = 2048;
const LOSS_SAMPLES_MAX: u16 = 200;

const PROBE_VARIANCE_MIN_MS: f64 = 5;
const PROBE_EXTRA_MS: f64 = 10;

/** Detection slack of one round (docs/WIRE.md, last-round copies). */
const ROUND_SLACK_MS: f64 = 15;
const THREE_COPIES_LOSS_RATE: f64 = 0.15;

export class Rtt {
  /**
   * RFC 9002 §5.3. The first sample, too, is freed of the ACK delay: sessions of peers acknowledge at most twice a
   * second, and would start with an RTT of that order. Returns the adjusted sample.
   */
  static sample(s: Session, latest: f64, ackDelay: f64): f64 {
    s.latestRtt = latest;
    if (!s.acked) {
      const first = latest >= ackDelay ? latest - ackDelay : latest;
      s.minRtt = first;
      s.srtt = first;
      s.rttVar = first / 2;
      return first;
    }
    s.minRtt = min(s.minRtt, latest);
    const adjusted = latest >= s.minRtt + ackDelay ? latest - ackDelay : latest;
    s.rttVar = 0.75 * s.rttVar + 0.25 * abs(s.srtt - adjusted);
    s.srtt = 0.875 * s.srtt + 0.125 * adjusted;
    return adjusted;
  }

  /** A mean over the first 200 settled packets, then an average that forgets. */
  @inline static settled(s: Session, lost: f64): void {
    if (s.lossSamples < LOSS_SAMPLES_MAX) s.lossSamples++;
    s.lossRate += (lost - s.lossRate) / <f64>s.lossSamples;
  }

  /** A packet was acknowledged that many packets and ms behind what was expected. */
  static reordered(s: Session, packets: u32, lateMs: f64): void {
    s.seenPackets = max(s.seenPackets, <u16>min(packets, GUARD_PACKETS_MAX));
    s.seenMs = max(s.seenMs, min(lateMs, s.srtt / 2));
  }

  /** A packet declared lost was acknowledged: the guard covers from now on what has been seen. */
  static growGuard(s: Session): void {
    s.guardPackets = max(s.guardPackets, s.seenPackets);
    s.guardMs = max(s.guardMs, s.seenMs);
  }

  static calm(s: Session, packets: u32): void {
    const calm = <u32>s.calmPackets + packets;
    if (calm < GUARD_CALM_PACKETS) {
      s.calmPackets = <u16>calm;
      return;
    }
    s.calmPackets = 0;
    s.guardPackets = max(max(<u16>(s.guardPackets >> 1), s.seenPackets), GUARD_PACKETS_MIN);
    s.guardMs = max(max(s.guardMs / 2, s.seenMs), GUARD_MS_MIN);
    s.seenPackets = 0;
    s.seenMs = 0;
  }

  /** When the tail probe is due, if something is in flight behind the largest acknowledged. */
  @inline static probeAt(s: Session): f64 {
    if (s.repairLast) return s.probeFrom + s.guardMs;
    const timeout = s.srtt + max(4 * s.rttVar, PROBE_VARIANCE_MIN_MS) + PROBE_EXTRA_MS;
    return s.probeFrom + timeout * <f64>(1 << s.probes);
  }

  static repairCopies(session: i32, nowMs: f64, deadlineMs: f64): i32 {
    const s = Sessions.of(session);
    const left = deadlineMs - nowMs;
    const arrival = s.srtt / 2;
    if (left < arrival) return 0;
    if (left >= arrival + (s.srtt + ROUND_SLACK_MS)) return 1;
    return s.lossRate >= THREE_COPIES_LOSS_RATE ? 3 : 2;
  }
}

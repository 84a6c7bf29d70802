/**
 * What an outlet answers to requests for fragments: those that are here, within what the asker may ask for and what a
 * gate lets through; of the rest it says whether they are gone, not here yet, refused, or worth another try.
 */
import { serialDiff } from "../../base/serial.ts";
import { type Ms, ms } from "../../base/time.ts";
import type { HotPath } from "../../core/hot-path/hot-path.ts";
import { SendClass } from "../../core/sending/send-queue.ts";
import type { Session } from "../../core/session/session.ts";
import {
  AnswerCode,
  type FragmentRange,
  RequestFlag,
  type RequestPacket,
} from "../../wire/feedback.ts";
import { Phase } from "../../wire/segment.ts";
import { Judgement } from "../edge-swarm/compensation.ts";
import type { Receiver } from "../peer/receiver.ts";
import type { Outlet } from "./outlet.ts";

/** Asking again after a wait takes three one-way trips more than the round trip, and this. */
const WAIT_MARGIN_MS = 120;
/** Who has used them up may ask again after this, ms. */
const REFUSED_MS = 500;

/** Has a say before a fragment that is here goes to who asked for it. */
export interface AnswerGate {
  judge(now: Ms, asker: Session, number: number): Judgement;
  /** Waits of those refused, and of those told to wait, ms. */
  takeRetryMs(asker: Session): number;
  waitMs(asker: Session): number;
}

/** A pull or compensation: what is here is sent if `gate` lets it, what is not yet or no longer is said so. */
export function answerRequest(
  outlet: Outlet,
  hot: HotPath,
  now: Ms,
  receiver: Receiver,
  request: RequestPacket,
  gate?: AnswerGate,
): void {
  const index = outlet.source?.index;
  if (index === undefined || request.stream !== receiver.index) return;
  const gone: FragmentRange[] = [];
  const notYet: FragmentRange[] = [];
  const refused: FragmentRange[] = [];
  const waiting: FragmentRange[] = [];
  const { session } = receiver;
  const isPull = (request.flags & RequestFlag.pull) !== 0;
  const phase = isPull ? Phase.pull : Phase.compensation;
  for (const range of request.ranges) {
    for (let i = 0; i < range.count; i++) {
      const number = (range.first + i) >>> 0;
      if (!receiver.takeToken(now)) {
        refused.push({ first: number, count: range.count - i });
        break;
      }
      if (hot.fragmentSlot(index.store, number) === 0) {
        const isGone = serialDiff(number, index.oldest()) < 0;
        append(isGone ? gone : notYet, number);
        continue;
      }
      if (receiver.isDoubled(now, number)) continue;
      const deadline = ms(index.capturedAt(number, now) + receiver.playoutMs);
      const judged = gate?.judge(now, session, number) ?? Judgement.serve;
      const judgement = canWait(now, session, deadline, judged) ? judged : Judgement.serve;
      if (judgement === Judgement.serve) {
        outlet.enqueue(now, receiver, number, SendClass.pull, phase, deadline);
      } else append(judgement === Judgement.wait ? waiting : refused, number);
    }
  }
  const stream = receiver.index;
  say(now, session, stream, AnswerCode.gone, 0, gone);
  say(now, session, stream, AnswerCode.notYet, session.srttMs(), notYet);
  if (refused.length > 0) {
    const retryMs = gate?.takeRetryMs(session) ?? REFUSED_MS;
    say(now, session, stream, AnswerCode.refused, retryMs, refused);
  }
  if (waiting.length > 0) {
    say(now, session, stream, AnswerCode.notYet, gate?.waitMs(session) ?? 0, waiting);
  }
}

/** Who is told to wait must have time to ask again. */
function canWait(now: Ms, session: Session, deadline: Ms, judged: Judgement): boolean {
  return judged !== Judgement.wait || now + 3 * session.srttMs() + WAIT_MARGIN_MS < deadline;
}

function say(
  now: Ms,
  session: Session,
  stream: number,
  code: AnswerCode,
  retryMs: number,
  ranges: readonly FragmentRange[],
): void {
  for (let i = 0; i < ranges.length; i += 64) {
    session.sendAnswer(now, { stream, code, retryMs, ranges: ranges.slice(i, i + 64) });
  }
}

function append(ranges: FragmentRange[], number: number): void {
  const last = ranges[ranges.length - 1];
  if (last === undefined || (last.first + last.count) >>> 0 !== number) {
    ranges.push({ first: number, count: 1 });
  } else ranges[ranges.length - 1] = { first: last.first, count: last.count + 1 };
}

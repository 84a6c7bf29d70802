/**
 * `sendmmsg` over laid-out messages: repeated while only news of earlier datagrams stand in the way, ended by a full
 * buffer, and given up for good when the system refuses what it said it could do.
 */
import { EAGAIN, EIO, ERRNO_NEWS, type Libc, MMSGHDR, MSG_DONTWAIT, MSG_NOSIGNAL } from "./libc.ts";

const NEWS_MAX = 4;
/** Refusals in a row, nothing taken between them. */
const REFUSALS_MAX = 8;
/** Messages of one call, UIO_MAXIOV. */
const MESSAGES_MAX = 1024;

export class MessageCalls {
  /** This way is of no use (any more). */
  isBroken = false;
  /** Calls made, and those that a full buffer ended. */
  calls = 0;
  fulls = 0;
  readonly #libc: Pick<Libc, "sendmmsg" | "errno">;
  readonly #fd: number;
  #refusals = 0;

  constructor(libc: Pick<Libc, "sendmmsg" | "errno">, fd: number) {
    this.#libc = libc;
    this.#fd = fd;
  }

  /** Sends `count` messages that lie at `at`; returns how many the system has taken. */
  send(at: number, count: number): number {
    let sent = 0;
    let news = 0;
    while (sent < count) {
      const flags = MSG_DONTWAIT | MSG_NOSIGNAL;
      const some = Math.min(count - sent, MESSAGES_MAX);
      const taken = this.#libc.sendmmsg(this.#fd, at + sent * MMSGHDR, some, flags);
      this.calls++;
      if (taken > 0) {
        sent += taken;
        this.#refusals = 0;
        continue;
      }
      const errno = this.#libc.errno();
      if (errno === EAGAIN) {
        this.fulls++;
        break;
      }
      if (ERRNO_NEWS.includes(errno)) {
        if (news++ < NEWS_MAX) continue;
        break;
      }
      /* EIO: the way out cannot make the checksums of what is cut apart (udp_send_skb in Linux). */
      if (errno === EIO || ++this.#refusals === REFUSALS_MAX) this.isBroken = true;
      break;
    }
    return sent;
  }
}

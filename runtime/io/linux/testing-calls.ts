/** For tests: a system that takes what `answers` says, call by call: so many messages, or minus an errno. */
import { MessageCalls } from "./message-calls.ts";

/** `asked`: how many messages each call held. What there is no answer for is taken whole. */
export function answeringCalls(answers: number[]): { asked: number[]; calls: MessageCalls } {
  const asked: number[] = [];
  let errno = 0;
  const libc = {
    sendmmsg: (_fd: number, _at: number, count: number) => {
      asked.push(count);
      const answer = answers.shift() ?? count;
      errno = -Math.min(0, answer);
      return Math.max(-1, answer);
    },
    errno: () => errno,
  };
  return { asked, calls: new MessageCalls(libc, 3) };
}

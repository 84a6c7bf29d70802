/** A session's host that takes note of nothing, for tests of what lies below. */
import type { SessionHost } from "../session/session.ts";

export const silentHost: SessionHost = {
  handleControl() {},
  handleFeedback() {},
  handleClock() {},
  handleRequest() {},
  handleAnswer() {},
  handleMap() {},
  handleReport() {},
  handleClosed() {},
};

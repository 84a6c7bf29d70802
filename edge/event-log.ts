/** The edge's events as log lines: who came, who went, who was refused and why. Never a key. */
import type { EdgeEvent } from "../runtime/node/api.ts";
import type { Logger } from "./log.ts";

export function logEvent(log: Logger, event: EdgeEvent): void {
  switch (event.type) {
    case "streamStarted":
      log.info("stream {stream} started, from {from}, epoch {epoch}", fields(event));
      break;
    case "streamEnded":
      log.info("stream {stream} ended: {reason}, epoch {epoch}", fields(event));
      break;
    case "viewerJoined":
      log.info("viewer {from} joined {stream}", fields(event));
      break;
    case "viewerLeft":
      log.info("viewer {from} left {stream}: {reason}", fields(event));
      break;
    case "refused":
      log.warning("refused {from} for {stream}: {reason} ({detail})", fields(event));
      break;
    case "superNode":
      log.debug("super node {from} of {stream}: {change}", fields(event));
      break;
    case "link":
      log[event.isUp ? "info" : "warning"]("{text}", { ...fields(event), text: linkText(event) });
      break;
    case "route":
      log.debug("{stream} to {edgeId}: {text}", fields(event));
      break;
    case "streamSubscribed":
      log.info("{stream} is taken by edge {edgeId}", fields(event));
      break;
    case "streamUnsubscribed":
      log.info("{stream} is no longer taken by edge {edgeId}", fields(event));
      break;
    case "streamMissing":
      log.warning("{stream} does not come from edge {edgeId}: {reason}", fields(event));
      break;
    case "linkReport":
    case "segment":
    case "frame":
      break;
  }
}

function linkText(event: Extract<EdgeEvent, { type: "link" }>): string {
  const { fromLineId, edgeId, toLineId, isUp, reason } = event;
  const why = reason === "" ? "" : ` (${reason})`;
  return `link ${fromLineId} to ${edgeId} ${toLineId} is ${isUp ? "up" : "down"}${why}`;
}

/** What the event says beside its type; `event` names it for collectors. */
function fields(event: Exclude<EdgeEvent, { type: "frame" }>): Record<string, unknown> {
  const { type, ...rest } = event;
  return { event: type, ...rest };
}

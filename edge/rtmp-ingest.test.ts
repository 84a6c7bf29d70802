import { describe, expect, test } from "bun:test";
import type { Ms } from "../runtime/base/time.ts";
import type { FrameSink, RtmpPublisher, RtmpPublishInfo } from "../runtime/media/rtmp-server.ts";
import type { CloseReason, LocalPublisher } from "../runtime/node/api.ts";
import { FrameKind } from "../runtime/wire/frame.ts";
import { StreamKeys } from "./config/stream-keys.ts";
import { frame, HandEdge } from "./http/testing.ts";
import { PublishDesk } from "./rtmp-ingest.ts";

/** Streams are held as the real edge holds them: one publisher each. */
class BusyEdge extends HandEdge {
  readonly held = new Set<string>();
  readonly log: string[] = [];

  override publishLocal(
    _now?: Ms,
    stream = "",
    from = "",
  ): LocalPublisher | { readonly refused: CloseReason } {
    if (this.held.has(stream)) return { refused: "stream busy" };
    this.held.add(stream);
    this.log.push(`begin ${stream} from ${from}`);
    return {
      push: (at, media) => this.log.push(`frame ${media.dtsMs} at ${at}`),
      end: () => {
        this.held.delete(stream);
        this.log.push(`end ${stream}`);
      },
    };
  }
}

class Encoder implements RtmpPublisher {
  readonly codecs = "";
  readonly bytesIn = 0;
  sink: FrameSink | undefined;
  closed: string | undefined;
  refusal: string | undefined;
  readonly info: RtmpPublishInfo;

  constructor(name: string, key?: string) {
    const shown = key === undefined ? {} : { key };
    this.info = { app: "live", name, query: {}, remote: "192.0.2.1:5000", ...shown };
  }
  publish(desk: PublishDesk): this {
    const answer = desk.handlePublish(this.info, this);
    if ("accept" in answer) this.sink = answer.accept;
    else this.refusal = answer.refuse;
    return this;
  }
  close(reason: string): void {
    this.closed = reason;
    this.sink?.end(reason);
    this.sink = undefined;
  }
}

function rig() {
  const edge = new BusyEdge();
  const keys = new StreamKeys([
    { pattern: "live/*", key: "correct horse", open: false, maxViewers: undefined },
  ]);
  return { edge, desk: new PublishDesk(edge, keys) };
}

test("frames of an encoder with the key reach the edge, with the edge's time", () => {
  const { edge, desk } = rig();
  const encoder = new Encoder("a", "correct horse").publish(desk);
  encoder.sink?.push(frame(FrameKind.key, 40));
  encoder.close("gone");
  expect(edge.log).toEqual([
    "begin live/a from rtmp 192.0.2.1:5000",
    "frame 40 at 100000",
    "end live/a",
  ]);
});

describe("an encoder is refused with a reason", () => {
  test("for a wrong key, or none", () => {
    const { desk, edge } = rig();
    expect(new Encoder("a", "wrong").publish(desk).refusal).toStartWith("wrong key for live/a");
    expect(new Encoder("a").publish(desk).refusal).toStartWith("wrong key for live/a");
    expect(edge.log).toEqual([]);
  });

  test("for a stream that is not configured", () => {
    expect(new Encoder("a/b", "correct horse").publish(rig().desk).refusal).toStartWith(
      "unknown stream live/a/b",
    );
  });

  test("for a stream that another one holds", () => {
    const { edge, desk } = rig();
    const first = new Encoder("a", "correct horse").publish(desk);
    expect(new Encoder("a", "correct horse").publish(desk).refusal).toStartWith(
      "stream busy: live/a",
    );
    first.sink?.push(frame(FrameKind.key, 0));
    expect(edge.log.at(-1)).toBe("frame 0 at 100000");
    expect(new Encoder("b", "correct horse").publish(desk).refusal).toBeUndefined();
  });
});

test("an encoder that comes back takes over from its own silent connection", () => {
  const { edge, desk } = rig();
  const first = new Encoder("a", "correct horse").publish(desk);
  edge.time += 1001;
  const second = new Encoder("a", "correct horse").publish(desk);
  expect(first.closed).toBe("the encoder connected anew");
  expect(second.sink).toBeDefined();
  expect(edge.log.slice(1)).toEqual(["end live/a", "begin live/a from rtmp 192.0.2.1:5000"]);
});

test("a stream that an operator ends takes its encoder's connection along", () => {
  const { desk } = rig();
  const encoder = new Encoder("a", "correct horse").publish(desk);
  desk.handleEvent({ type: "streamEnded", stream: "live/a", epoch: 1, reason: "done" });
  expect(encoder.closed).toBeUndefined();
  desk.handleEvent({ type: "streamEnded", stream: "live/a", epoch: 1, reason: "not wanted" });
  expect(encoder.closed).toBe("removed by the operator");
});

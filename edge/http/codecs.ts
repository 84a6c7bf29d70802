/** What a live stream is made of, in words, read from the configurations of its current group. */
import { FrameClassifier } from "../../runtime/media/classify.ts";
import type { EdgeCommands } from "../../runtime/node/api.ts";
import { FrameKind, flvTagType } from "../../runtime/wire/frame.ts";

/** Epochs remembered; more streams than these are read anew when they are shown. */
const KNOWN_MAX = 1024;

export class CodecNames {
  readonly #edge: EdgeCommands;
  readonly #known = new Map<string, { readonly epoch: number; readonly codecs: string }>();

  constructor(edge: EdgeCommands) {
    this.#edge = edge;
  }

  /** "h264 854x480 / aac 48000 stereo"; empty before the first configuration. */
  of(stream: string, epoch: number): string {
    const known = this.#known.get(stream);
    if (known?.epoch === epoch) return known.codecs;
    const classifier = new FrameClassifier();
    for (const { kind, dtsMs, body } of this.#edge.currentGroup(stream)) {
      if (kind <= FrameKind.metadata) classifier.classify({ type: flvTagType(kind), dtsMs, body });
    }
    const { codecs } = classifier;
    if (codecs === "") return codecs;
    if (this.#known.size >= KNOWN_MAX) this.#known.clear();
    this.#known.set(stream, { epoch, codecs });
    return codecs;
  }
}

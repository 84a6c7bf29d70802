/**
 * Who the viewers of a scenario are: one after the other, each with its place, its line, its router
 * and how long it stays, drawn from the scenario's distributions in a fixed order, so that a seed
 * always gives the same people.
 */
import type { Prng } from "../../base/prng.ts";
import { IDEAL, type LinkModel, type LossModel } from "../network/link.ts";
import type { NatKind } from "../network/nat.ts";
import type { AccessModel } from "../network/presets.ts";
import { sample } from "./distribution.ts";
import type { AccessSpec, LossSpec, Scenario, ViewerClass } from "./schema.ts";

export interface Viewer {
  readonly number: number;
  readonly className: string;
  /** Index of its region. */
  readonly region: number;
  readonly joinMs: number;
  /** Infinity = stays to the end. */
  readonly leaveMs: number;
  readonly leavesSilently: boolean;
  readonly access: AccessModel;
  readonly nat: NatKind;
  readonly consumeOnly: boolean;
  readonly isSlow: boolean;
}

const BPS_PER_MBPS = 1e6;
/** A queue holds at least this, however slow its rate: four full packets. */
const QUEUE_BYTES_MIN = 5000;

export class Population {
  readonly #scenario: Scenario;
  readonly #random: Prng;
  #count = 0;

  constructor(scenario: Scenario, random: Prng) {
    this.#scenario = scenario;
    this.#random = random;
  }

  /** The viewers who come by themselves, in order of coming. */
  first(): Viewer[] {
    const { count, arrivals } = this.#scenario.viewers;
    const times: number[] = [];
    for (let i = 0; i < count; i++) {
      times.push((arrivals.fromSecond + arrivals.overSeconds * this.#random.next()) * 1000);
    }
    times.sort((a, b) => a - b);
    return times.map((joinMs) => this.next(joinMs));
  }

  /** One more viewer, who comes at `joinMs`. */
  next(joinMs: number): Viewer {
    const random = this.#random;
    const { network, viewers } = this.#scenario;
    const kind = pick(viewers.classes, random);
    const region = network.regions.indexOf(pick(network.regions, random));
    const { sessions } = viewers;
    const stayMs =
      sessions.seconds === undefined
        ? Number.POSITIVE_INFINITY
        : Math.max(0, sample(sessions.seconds, random)) * 1000;
    return {
      number: this.#count++,
      className: kind.name,
      region,
      joinMs,
      leaveMs: joinMs + stayMs,
      leavesSilently: random.next() < sessions.silentShare,
      access: scaled(accessModel(kind, random), viewers.uplinkScale),
      nat: pickNat(kind, random),
      consumeOnly: kind.consumeOnly,
      isSlow: kind.behaviour === "slow",
    };
  }
}

/** An access line that neither limits nor loses anything. */
export const IDEAL_ACCESS: AccessSpec = {
  upMbps: 0,
  downMbps: 0,
  queueMs: 250,
  delayMs: 0,
  jitterMs: 0,
  loss: { percent: 0 },
  duplicatePercent: 0,
  reorderPercent: 0,
  corruptPercent: 0,
};

/** The links of one host, drawn from what the scenario says of its kind. */
export function accessModel(spec: AccessSpec, random: Prng): AccessModel {
  const queueMs = sample(spec.queueMs, random);
  const common: LinkModel = {
    ...IDEAL,
    delayMs: Math.max(0, sample(spec.delayMs, random)),
    jitterMs: Math.max(0, sample(spec.jitterMs, random)),
    keepsOrder: true,
    loss: lossModel(spec.loss),
    duplicateRate: spec.duplicatePercent / 100,
    reorderRate: spec.reorderPercent / 100,
    reorderMs: 50,
    corruptRate: spec.corruptPercent / 100,
  };
  const withRate = (mbps: number): LinkModel => {
    const rateBps = Math.max(0, mbps) * BPS_PER_MBPS;
    const queueBytes = Math.max(QUEUE_BYTES_MIN, (rateBps / 8000) * queueMs);
    return { ...common, rateBps, queueBytes };
  };
  return {
    up: withRate(sample(spec.upMbps, random)),
    down: withRate(sample(spec.downMbps, random)),
  };
}

function scaled({ up, down }: AccessModel, scale: number): AccessModel {
  const queueBytes = Math.max(QUEUE_BYTES_MIN, up.queueBytes * scale);
  return { up: { ...up, rateBps: up.rateBps * scale, queueBytes }, down };
}

export function lossModel(spec: LossSpec): LossModel {
  if ("percent" in spec) {
    return spec.percent === 0 ? { kind: "none" } : { kind: "iid", rate: spec.percent / 100 };
  }
  const { goodToBad, badToGood, goodPercent, badPercent } = spec;
  const [goodLoss, badLoss] = [goodPercent / 100, badPercent / 100];
  return { kind: "bursts", goodToBad, badToGood, goodLoss, badLoss };
}

function pick<T extends { readonly share: number }>(parts: readonly T[], random: Prng): T {
  let rest = random.next();
  for (const part of parts) {
    rest -= part.share;
    if (rest < 0) return part;
  }
  return parts[parts.length - 1] as T;
}

function pickNat({ nat }: ViewerClass, random: Prng): NatKind {
  const parts = Object.entries(nat).map(([kind, share]) => ({
    kind: kind as NatKind,
    share: share ?? 0,
  }));
  return pick(parts, random).kind;
}

/**
 * Named links, so that tests and scenarios speak of the same weather. Each is a host's access to a
 * network that is itself ideal: what the host sends passes `up`, what it gets passes `down`.
 */
import { IDEAL, type LinkModel } from "./link.ts";

export interface AccessModel {
  readonly up: LinkModel;
  readonly down: LinkModel;
}

export type PresetName = keyof typeof PRESETS;

const loopback: LinkModel = { ...IDEAL, delayMs: 0.05 };

const lan: LinkModel = { ...IDEAL, delayMs: 0.3, jitterMs: 0.1, keepsOrder: true };

/** A home's wireless: short bursts of loss when somebody walks by, jitter from retries below IP. */
const wifi: LinkModel = {
  ...IDEAL,
  delayMs: 8,
  jitterMs: 3,
  keepsOrder: true,
  loss: { kind: "bursts", goodToBad: 0.002, badToGood: 0.25, goodLoss: 0.0005, badLoss: 0.5 },
  rateBps: 40e6,
  queueBytes: 250_000,
};

/** LTE: deep queues, little loss, scheduling jitter; 10 Mbit/s up, 40 down. */
const cellular: LinkModel = {
  ...IDEAL,
  delayMs: 25,
  jitterMs: 8,
  keepsOrder: true,
  loss: { kind: "bursts", goodToBad: 0.002, badToGood: 0.3, goodLoss: 0.001, badLoss: 0.3 },
  rateBps: 10e6,
  queueBytes: 500_000,
};

/** The cell the transport is measured in: 5 % each way at 100 ms RTT. */
const lossy: LinkModel = { ...IDEAL, delayMs: 50, loss: { kind: "iid", rate: 0.05 } };

const terrible: LinkModel = {
  ...IDEAL,
  delayMs: 50,
  jitterMs: 5,
  loss: { kind: "iid", rate: 0.2 },
};

/** A geostationary satellite: 600 ms of RTT. */
const satellite: LinkModel = {
  ...IDEAL,
  delayMs: 300,
  jitterMs: 2,
  keepsOrder: true,
  loss: { kind: "bursts", goodToBad: 0.001, badToGood: 0.3, goodLoss: 0.001, badLoss: 0.5 },
  rateBps: 20e6,
  queueBytes: 1_000_000,
};

/** 2 Mbit/s of video into 1.6 with 40 KB of queue. */
const overload: LinkModel = { ...IDEAL, delayMs: 50, rateBps: 1.6e6, queueBytes: 40_000 };

function both(link: LinkModel): AccessModel {
  return { up: link, down: link };
}

export const PRESETS = {
  ideal: both(IDEAL),
  loopback: both(loopback),
  lan: both(lan),
  wifi: both(wifi),
  cellular: { up: cellular, down: { ...cellular, rateBps: 40e6 } },
  lossy: both(lossy),
  terrible: both(terrible),
  satellite: both(satellite),
  overload: both(overload),
} as const satisfies Record<string, AccessModel>;

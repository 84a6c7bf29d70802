/**
 * What a scenario may say: a world for the simulator, as JSON. Parsed once into a frozen whole; the
 * JSON Schema that is published beside this file is made from here, so editors and other programs
 * know the same rules. Every field has its unit in its name.
 */
import { z } from "zod";
import { SWARM_PARAMS } from "../../node/swarm-params.ts";
import { NAT_KINDS } from "../network/nat.ts";

const share = z.number().min(0).max(1);
const positive = z.number().positive();
const natural = z.number().int().nonnegative();
export const name = z.string().regex(/^[a-z0-9][a-z0-9-]*$/, "lower-case words with hyphens");

/** How a quantity is spread over those that have it. */
export const distributionSchema = z
  .union([
    z.number().describe("the same for all"),
    z.strictObject({ uniform: z.tuple([z.number(), z.number()]) }).describe("from, to"),
    z
      .strictObject({ lognormal: z.strictObject({ median: positive, sigma: positive }) })
      .describe("sigma is the standard deviation of the logarithm"),
    z.strictObject({ exponential: z.strictObject({ mean: positive }) }),
    z
      .strictObject({ pareto: z.strictObject({ median: positive, alpha: z.number().min(1) }) })
      .describe("heavy tail: P(X > x) falls with x to the power −alpha"),
    z
      .strictObject({
        percentiles: z
          .record(z.string().regex(/^(?:100|[0-9]{1,2})$/), z.number().nonnegative())
          .refine((points) => Object.keys(points).length >= 2, "at least two points"),
      })
      .describe("value at each percentile, straight lines between; 0 and 100 bound it"),
  ])
  .meta({ id: "distribution" });

export const lossSchema = z
  .union([
    z.strictObject({ percent: z.number().min(0).max(100) }).describe("each packet by itself"),
    z
      .strictObject({
        goodToBad: share,
        badToGood: share.refine((rate) => rate > 0, "a bad spell must be able to end"),
        goodPercent: z.number().min(0).max(100).default(0),
        badPercent: z.number().min(0).max(100),
      })
      .describe("bursts (Gilbert–Elliott), chances per packet"),
  ])
  .meta({ id: "loss" });

const accessSchema = z.strictObject({
  upMbps: distributionSchema.default(0).describe("uplink, Mbit/s of IP bytes; 0 = no limit"),
  downMbps: distributionSchema.default(0).describe("downlink, Mbit/s; 0 = no limit"),
  queueMs: distributionSchema
    .default(250)
    .describe("what the queue before each rate holds, as time at that rate (bufferbloat)"),
  delayMs: distributionSchema.default(2).describe("each way, between the host and its region"),
  jitterMs: distributionSchema.default(0).describe("mean extra delay of a packet, each way"),
  loss: lossSchema.default({ percent: 0 }).describe("each way, on the access itself"),
  duplicatePercent: z.number().min(0).max(100).default(0),
  reorderPercent: z.number().min(0).max(100).default(0),
  corruptPercent: z.number().min(0).max(100).default(0),
});

const natSchema = z
  .partialRecord(z.enum(NAT_KINDS), share)
  .refine(
    (shares) => Math.abs(Object.values(shares).reduce((a, b) => a + b, 0) - 1) < 1e-6,
    "shares must add up to 1",
  )
  .describe("share of the class behind each kind of NAT");

const viewerClassSchema = accessSchema.extend({
  name,
  share: share.describe("of all viewers"),
  consumeOnly: z.boolean().default(false).describe("uploads nothing, as mobile and metered"),
  nat: natSchema.default({ open: 1 }),
  behaviour: z
    .enum(["fair", "slow"])
    .default("fair")
    .describe("slow: takes requests of other viewers and answers late or never"),
});

export const traceSchema = z
  .union([
    z.strictObject({
      framesPerSecond: positive.max(240).default(25),
      groupSeconds: positive.max(60).default(2),
      keyBytes: z.number().int().min(64).max(900_000).default(40_000),
      keySpread: share.default(0.1),
      interBytes: z.number().int().min(64).max(500_000).default(2800),
      interSpread: share.default(0.3),
      audioPerSecond: z.number().nonnegative().max(200).default(43.07),
      audioBytes: z.number().int().min(64).max(5000).default(270),
    }),
    z.strictObject({ trace: z.string().describe("a JSON file beside the scenario's own") }),
  ])
  .describe("frame sizes: a model of them, or a trace of real footage");

const regionSchema = z.strictObject({
  name,
  share: share.describe("of the viewers"),
});

const networkSchema = z.strictObject({
  regions: z
    .array(regionSchema)
    .min(1)
    .max(64)
    .default([{ name: "all", share: 1 }]),
  rttWithinMs: z
    .tuple([z.number().nonnegative(), z.number().nonnegative()])
    .default([15, 40])
    .describe("round trip within a region, from and to; each pair of hosts keeps its own"),
  rttAcrossMs: z
    .tuple([z.number().nonnegative(), z.number().nonnegative()])
    .default([40, 120])
    .describe("round trip between regions: each pair of regions has its own range in it"),
  jitterMs: z.number().nonnegative().default(2).describe("mean extra delay of a packet"),
  loss: lossSchema.default({ percent: 0 }).describe("one way, on every path"),
});

const arrivalsSchema = z
  .strictObject({
    fromSecond: z.number().nonnegative().default(0),
    overSeconds: z.number().nonnegative().default(5).describe("evenly, at random times"),
  })
  .describe("when the viewers come");

const sessionsSchema = z.strictObject({
  seconds: distributionSchema.optional().describe("how long each stays; without it, to the end"),
  replaced: z
    .boolean()
    .default(true)
    .describe("for each that leaves, another comes at once, in another place"),
  silentShare: share.default(0.5).describe("leave without a word"),
});

const viewersSchema = z.strictObject({
  count: z.number().int().min(1).max(200_000),
  arrivals: arrivalsSchema.prefault({}),
  sessions: sessionsSchema.prefault({}),
  uplinkScale: positive.default(1).describe("multiplies every viewer's uplink"),
  classes: z.array(viewerClassSchema).min(1).max(32),
});

const hostSchema = accessSchema.partial().extend({
  region: name.optional().describe("the first one when left out"),
});

const edgeSchema = hostSchema.extend({
  name,
  maxEgressShare: positive
    .optional()
    .describe("it may send this share of what all viewers want together; not limited without"),
});

const publisherSchema = hostSchema.extend({
  budgetMs: positive.default(1000).describe("time to live of a frame on its way to the edge"),
});

const at = { atSecond: z.number().nonnegative() };
const until = { forSeconds: positive };

const faultSchema = z.discriminatedUnion("kind", [
  z
    .strictObject({
      kind: z.literal("leave"),
      ...at,
      share,
      overSeconds: z.number().nonnegative().default(0),
      silent: z.boolean().default(true),
      region: name.optional(),
      class: name.optional(),
    })
    .describe("a share of the present viewers leaves and is not replaced"),
  z
    .strictObject({
      kind: z.literal("superNodesVanish"),
      ...at,
      subStreams: z.number().int().min(1).max(32),
    })
    .describe("all who push any of so many sub-streams on are gone at once, without a word"),
  z
    .strictObject({ kind: z.literal("edgeDown"), ...at, ...until, edge: name.optional() })
    .describe("the edge crashes and is started again"),
  z
    .strictObject({ kind: z.literal("publisherDown"), ...at, ...until })
    .describe("the publisher crashes; the one that is started again begins a new epoch"),
  z
    .strictObject({
      kind: z.literal("pathLoss"),
      ...at,
      ...until,
      loss: lossSchema,
      from: name.optional().describe("regions; every one when left out"),
      to: name.optional(),
    })
    .describe("paths lose more than usual, one way"),
  z
    .strictObject({
      kind: z.literal("uplinksShrink"),
      ...at,
      ...until,
      share: share.describe("of the present viewers"),
      to: share.describe("of what each had"),
    })
    .describe("something else on the viewers' lines wants their uplinks"),
]);

const SWARM_NAMES = Object.keys(SWARM_PARAMS) as [string, ...string[]];

/** Bounds on figures of the report, by their path in it: the run fails where one does not hold. */
export const gatesSchema = z
  .record(
    z.string().regex(/^[a-zA-Z0-9]+(?:\.[a-zA-Z0-9]+)*$/),
    z
      .strictObject({ min: z.number().optional(), max: z.number().optional() })
      .refine(({ min, max }) => min !== undefined || max !== undefined, "needs a min or a max"),
  )
  .describe("figure of the report, e.g. afterWarmup.delayMs.p99, to its bounds");

export const scenarioSchema = z
  .strictObject({
    $schema: z.string().optional(),
    name,
    about: z.string().max(2000).default(""),
    seconds: positive.max(86_400).describe("of virtual time"),
    warmupSeconds: natural.default(0).describe("figures are given with and without these"),
    stream: traceSchema.prefault({}),
    publisher: publisherSchema.prefault({}),
    edges: z.array(edgeSchema).min(1).max(1).describe("one, so far"),
    network: networkSchema.prefault({}),
    viewers: viewersSchema,
    player: z
      .strictObject({
        targetMs: positive.default(800).describe("delay from capture to play-out to begin with"),
        targetMsMin: positive.default(300),
        targetMsMax: positive.default(1500),
      })
      .prefault({}),
    swarm: z
      .partialRecord(z.enum(SWARM_NAMES), z.number())
      .default({})
      .describe("parameters of the swarm other than its own (docs/SWARM.md)"),
    scorer: z
      .enum(["mlp", "linear", "rtt", "random"])
      .default("mlp")
      .describe("by what viewers choose among their neighbours"),
    faults: z.array(faultSchema).max(1000).default([]),
    gates: gatesSchema.default({}),
  })
  .refine(({ seconds, warmupSeconds }) => warmupSeconds < seconds, {
    path: ["warmupSeconds"],
    error: "must be less than seconds",
  })
  .refine(({ viewers }) => isWhole(viewers.classes), {
    path: ["viewers", "classes"],
    error: "shares must add up to 1",
  })
  .refine(({ network }) => isWhole(network.regions), {
    path: ["network", "regions"],
    error: "shares must add up to 1",
  });

export type Scenario = z.infer<typeof scenarioSchema>;
export type Distribution = z.infer<typeof distributionSchema>;
export type LossSpec = z.infer<typeof lossSchema>;
export type AccessSpec = z.infer<typeof accessSchema>;
export type ViewerClass = z.infer<typeof viewerClassSchema>;
export type Fault = z.infer<typeof faultSchema>;
export type Gates = z.infer<typeof gatesSchema>;

function isWhole(parts: readonly { readonly share: number }[]): boolean {
  return Math.abs(parts.reduce((sum, part) => sum + part.share, 0) - 1) < 1e-6;
}

/** The published schema, as JSON text. */
export function scenarioJsonSchema(): string {
  const schema = z.toJSONSchema(scenarioSchema, { io: "input" });
  return `${JSON.stringify({ title: "A world for Shoal's simulator", ...schema }, null, 2)}\n`;
}

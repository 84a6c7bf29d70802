/**
 * What a scenario of edges alone may say: how many there are, which lines they have, what the links between lines are
 * like, which streams go from where to all others, and what breaks. Its JSON Schema is published beside this file.
 */
import { z } from "zod";
import { gatesSchema, name, traceSchema } from "../scenario/schema.ts";

const positive = z.number().positive();
const range = (what: string) =>
  z.tuple([z.number().nonnegative(), z.number().nonnegative()]).describe(what);

const linkSchema = z
  .strictObject({
    rttMs: range("round trip, from and to: each pair of lines keeps its own"),
    lossPercent: range("one way, likewise"),
  })
  .describe("a kind of link between two lines");

const faultSchema = z.discriminatedUnion("kind", [
  z
    .strictObject({
      kind: z.literal("lineDown"),
      atSecond: z.number().nonnegative(),
      forSeconds: positive,
      edge: z.number().int().nonnegative(),
      line: z.number().int().nonnegative().describe("its place among the edge's lines"),
    })
    .describe("nothing passes over a line, either way"),
  z
    .strictObject({
      kind: z.literal("edgeDown"),
      atSecond: z.number().nonnegative(),
      edge: z.number().int().nonnegative(),
    })
    .describe("an edge dies without a word and stays dead"),
]);

export const edgeScenarioSchema = z
  .strictObject({
    $schema: z.string().optional(),
    name,
    about: z.string().max(2000).default(""),
    seconds: positive.max(3600).describe("of virtual time"),
    warmupSeconds: z.number().int().nonnegative().default(5),
    stream: traceSchema.prefault({}),
    edges: z.strictObject({
      count: z.number().int().min(2).max(200),
      secondLineEvery: z
        .number()
        .int()
        .nonnegative()
        .default(3)
        .describe("each so-manyth edge has a line of the next ISP, too; 0 = none"),
      capacityMbps: positive.default(1000),
    }),
    isps: z.array(z.strictObject({ name })).min(1).max(32).describe("cheap lines' regions"),
    within: linkSchema.default({ rttMs: [10, 30], lossPercent: [0.5, 1.5] }),
    across: linkSchema.default({ rttMs: [30, 60], lossPercent: [1, 3] }),
    bad: z
      .strictObject({
        link: linkSchema,
        between: z.array(z.tuple([name, name])).max(256),
      })
      .optional()
      .describe("ISPs that are badly connected to one another"),
    dear: z
      .strictObject({
        link: linkSchema,
        costWeight: positive.default(10),
        capacityMbps: positive.default(1000),
      })
      .optional()
      .describe("each edge has a dear line, too, well connected to all"),
    jitterMs: z.number().nonnegative().default(1),
    streams: z.number().int().min(1).max(200).describe("from as many edges to all others"),
    paths: z
      .union([z.literal(0), z.literal(1)])
      .default(0)
      .describe("1 = one direct path each"),
    faults: z.array(faultSchema).max(100).default([]),
    gates: gatesSchema.default({}),
  })
  .refine(({ seconds, warmupSeconds }) => warmupSeconds < seconds, {
    path: ["warmupSeconds"],
    error: "must be less than seconds",
  });

export type EdgeScenario = z.infer<typeof edgeScenarioSchema>;
export type LinkKind = EdgeScenario["within"];

/** The published schema, as JSON text. */
export function edgeScenarioJsonSchema(): string {
  const schema = z.toJSONSchema(edgeScenarioSchema, { io: "input" });
  return `${JSON.stringify({ title: "A network of edges for Shoal's simulator", ...schema }, null, 2)}\n`;
}

/** The shapes of /api/v1, for checking what goes out and for its OpenAPI description. */
import { z } from "@hono/zod-openapi";

const count = z.number().int().nonnegative();

export const Session = z
  .object({
    kind: z
      .enum(["peer", "http"])
      .openapi({ description: "A peer over UDP, or a reader of HTTP-FLV" }),
    address: z.string().openapi({ example: "198.51.100.7:40112" }),
    agent: z.string().openapi({ description: "What it says it is; empty for HTTP" }),
    connectedSeconds: z.number().nonnegative(),
    rttMs: z.number().nullable().openapi({ description: "null over HTTP, where it is not known" }),
    lossRate: z.number().nullable(),
    bytesOut: count,
    queuedBytes: count,
    packetsLost: count.nullable(),
    packetsResent: count.nullable(),
    rateBps: z
      .number()
      .nullable()
      .openapi({ description: "What may be sent to it at present; 0 = not limited so far" }),
  })
  .openapi("Session");

export const Swarm = z
  .object({
    superNodes: count.openapi({ description: "Peers that push sub-streams on to others" }),
    slots: count.openapi({ description: "(super node, sub-stream) pairs" }),
    recruits: count.openapi({ description: "Slots opened so far" }),
    reliefs: count.openapi({ description: "Slots closed again for want of demand" }),
    demandBytes: count.openapi({ description: "Media received times those watching" }),
    egressKbps: z.number().openapi({ description: "Sent to the viewers now, everything included" }),
    demandKbps: z.number().openapi({ description: "What they would take from the edge alone" }),
  })
  .openapi("Swarm");

export const Stream = z
  .object({
    name: z.string().openapi({ example: "live/news" }),
    epoch: count.openapi({ description: "Rises with each run of the encoder" }),
    publisher: z.string().openapi({ description: "Where it comes from" }),
    liveSeconds: z.number().nonnegative(),
    codecs: z.string(),
    viewers: count.openapi({ description: "Peers over UDP" }),
    httpViewers: count.openapi({ description: "Readers of HTTP-FLV" }),
    bitrateKbps: z.number(),
    groupMs: z.number().openapi({ description: "Age of the current group of pictures" }),
    framesIn: count,
    bytesIn: count,
    bytesOut: count,
    bufferedBytes: count,
    packetsLost: count,
    packetsResent: count,
    framesDropped: count,
    swarm: Swarm,
  })
  .openapi("Stream");

export const StreamList = z.object({ streams: z.array(Stream) }).openapi("StreamList");
export const StreamDetail = Stream.extend({
  sessions: z.array(Session),
}).openapi("StreamDetail");

export const Stats = z
  .object({
    version: z.string(),
    uptimeSeconds: z.number(),
    ready: z.boolean(),
    sessions: count,
    viewers: count,
    httpViewers: count,
    publishers: count,
    datagramsIn: count,
    datagramsOut: count,
    bytesIn: count,
    bytesOut: count,
    httpBytesOut: count,
    datagramsRefused: count,
    handshakesRefused: count,
    mediaMemoryUsedBytes: count,
    mediaMemoryBytes: count,
  })
  .openapi("Stats");

export const Failure = z.object({ error: z.string() }).openapi("Error");
export const Kicked = z.object({ kicked: z.string() }).openapi("Kicked");

export const Draining = z
  .object({ draining: z.literal(true), viewers: count, httpViewers: count })
  .openapi("Draining");

export const StreamParam = z.object({
  name: z
    .string()
    .min(1)
    .max(384)
    .openapi({
      param: { name: "name", in: "path" },
      description: "Stream name, its slashes written %2F",
      example: "live%2Fnews",
    }),
});

export const SessionParam = StreamParam.extend({
  address: z
    .string()
    .min(1)
    .max(64)
    .openapi({ param: { name: "address", in: "path" }, example: "198.51.100.7:40112" }),
});

export const LimitQuery = z.object({
  limit: z.coerce
    .number()
    .int()
    .min(0)
    .max(10_000)
    .default(100)
    .openapi({ param: { name: "limit", in: "query" }, description: "Sessions to list at most" }),
});

/** A response of a route: a body of that shape. */
export const json = <T extends z.ZodType>(schema: T, description: string) => ({
  content: { "application/json": { schema } },
  description,
});

/** What every route of the operators' API may answer (host-guard). */
export const refused = json(Failure, "Host or Origin is not allowed");

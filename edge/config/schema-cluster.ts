/** The keys of an edge that is one of many: who it is, where the others are found, and over which lines. */
import { z } from "zod";
import { parseAddress } from "../../runtime/wire/address.ts";
import { choice, integer, type KeyNote, secret, text } from "./key-kinds.ts";

const NAME_PATTERN = /^[A-Za-z0-9](?:[A-Za-z0-9._-]{0,62}[A-Za-z0-9])?$/;
const NAME_RANGE = "1..64 letters, digits, . _ -";
const LINES_MAX = 8;

export const cluster = z.strictObject({
  id: text(
    NAME_PATTERN,
    NAME_RANGE,
    "this edge's name among the others; absent = an edge by itself",
  ),
  secret: secret(16, 256, "16..256 characters", "what all edges of the cluster have in common"),
  secret_env: secret(
    1,
    128,
    "the name of an environment variable",
    "takes the secret from the environment",
  ),
  secret_file: secret(
    1,
    4096,
    "the path of a file, seen from the config file",
    "takes the secret from a file's first line",
  ),
  redis: text(
    /^rediss?:\/\/[^\s]{1,500}$/,
    "a URL like redis://HOST:6379/0 or rediss://:PASSWORD@HOST:6379/0",
    "the registry that all edges share; absent = in this edge's memory, with nobody to share it",
  ),
  namespace: text(
    NAME_PATTERN,
    NAME_RANGE,
    'first part of every key in Redis, "shoal" when absent; another for each cluster in one Redis',
  ),
  redirect_above_percent: integer(
    10,
    100,
    90,
    "%",
    "of its viewers or egress: above it joins are sent on to an edge with more room",
  ),
  paths: choice(
    ["many", "one"],
    "many",
    'how streams travel between edges; "one" = each by the one direct line, for comparison',
  ),
});

/** `IP:PORT`, IPv6 in brackets. */
export const ENDPOINT_PATTERN = /^(?:\[([0-9A-Fa-f:.]+)\]|([0-9.]+)):([0-9]{1,5})$/;

const ENDPOINT_RANGE = "an address and a port like 192.0.2.1:4935 or [2001:db8::1]:4935";

function endpoint() {
  const isEndpoint = (value: string) => {
    const [, six, four, port] = ENDPOINT_PATTERN.exec(value) ?? [];
    return parseAddress(six ?? four ?? "", Number(port)) !== undefined;
  };
  const error = ({ input }: { input?: unknown }) =>
    `expected ${ENDPOINT_RANGE}, found ${JSON.stringify(input)}`;
  return z.string().refine(isEndpoint, { error });
}

function endpointNote(when: string): KeyNote {
  return { type: "string", unit: "–", range: ENDPOINT_RANGE, when };
}

/** One `[lines."NAME"]` table. */
export const line = z.strictObject({
  address: endpoint().meta({
    ...endpointNote("where the other edges, publishers and viewers reach this line"),
  }),
  bind: endpoint()
    .optional()
    .meta({
      ...endpointNote(
        "the line's own socket; absent for one line, that of [udp]: publishers and viewers are told its address",
      ),
    }),
  isp: text(/^[^\s"]{1,64}$/, "1..64 characters", 'who runs it, for people: "bgp", "isp-a"'),
  capacity_mbps: integer(1, 400_000, 1000, "Mbit/s", "what the line carries each way"),
  cost: integer(
    1,
    1000,
    1,
    "–",
    "what a byte costs here against the cheapest line; streams take dear lines only when delay asks for it",
  ),
  commit_mbps: integer(
    0,
    400_000,
    0,
    "Mbit/s",
    "paid for whether used or not: up to there a byte counts as cheap",
  ),
});

export const lines = z.record(z.string(), line).superRefine((value, context) => {
  const names = Object.keys(value);
  for (const name of names) {
    if (NAME_PATTERN.test(name)) continue;
    context.addIssue({ code: "custom", path: [name], message: `expected a name: ${NAME_RANGE}` });
  }
  if (names.length <= LINES_MAX) return;
  context.addIssue({ code: "custom", message: `expected at most ${LINES_MAX} lines` });
});

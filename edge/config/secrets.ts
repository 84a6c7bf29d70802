/** Stream keys and the cluster's secret: written out, in the environment, or in a file of their own. */
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import type { Problem } from "./explain.ts";

/** Where a secret is taken from; exactly one is given. */
export interface SecretSource {
  readonly plain?: string | undefined;
  readonly env?: string | undefined;
  readonly file?: string | undefined;
}

/** `names` are the keys of the config that give `env` and `file`, below `path`; `base` anchors a relative file. */
export function readSecret(
  source: SecretSource,
  where: {
    readonly path: readonly PropertyKey[];
    readonly names: { readonly env: string; readonly file: string };
    readonly base: string;
    readonly lengthMin: number;
  },
  environment: Readonly<Record<string, string | undefined>>,
): { readonly secret: string } | Problem {
  const { names, base, lengthMin } = where;
  if (source.plain !== undefined) return { secret: source.plain };
  const path = [...where.path, source.env === undefined ? names.file : names.env];
  let secret = "";
  if (source.env !== undefined) {
    secret = environment[source.env] ?? "";
    if (secret === "") {
      const message = `expected a key in the environment variable ${source.env}, it is not set`;
      return { path, message };
    }
  } else if (source.file !== undefined) {
    try {
      secret = readFileSync(resolve(base, source.file), "utf8").split("\n", 1)[0]?.trim() ?? "";
    } catch (error) {
      return { path, message: `${source.file} cannot be read: ${readError(error)}` };
    }
  }
  if (secret.length < lengthMin)
    return { path, message: `expected a key of at least ${lengthMin} characters` };
  return { secret };
}

export function readError(error: unknown): string {
  const code = (error as NodeJS.ErrnoException).code;
  if (code === "ENOENT") return "no such file";
  if (code === "EACCES") return "permission denied";
  if (code === "EISDIR") return "it is a directory";
  return code ?? String(error);
}

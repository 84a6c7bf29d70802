/**
 * The stream key: from the command line, a file or the environment, in this order. It is never
 * printed.
 */
import { readFile } from "node:fs/promises";
import { UsageError } from "./arguments.ts";

/** @throws UsageError when the file can't be read or is empty, or two sources are given. */
export async function readStreamKey(
  flags: { readonly key?: string; readonly keyFile?: string },
  environment: Readonly<Record<string, string | undefined>>,
): Promise<string> {
  if (flags.key !== undefined && flags.keyFile !== undefined) {
    throw new UsageError("--key and --key-file contradict each other; write one");
  }
  if (flags.key !== undefined) return flags.key;
  if (flags.keyFile === undefined) return environment["SHOAL_KEY"] ?? "";
  const text = await readFile(flags.keyFile, "utf8").catch((error: NodeJS.ErrnoException) => {
    throw new UsageError(`--key-file ${flags.keyFile} can't be read (${error.code})`);
  });
  const key = text.split(/\r?\n/, 1)[0]?.trim() ?? "";
  if (key === "") throw new UsageError(`--key-file ${flags.keyFile} has no key in its first line`);
  return key;
}

/**
 * Programs in C that belong to a benchmark: compiled when they are first wanted, kept in `build/` under a digest of
 * their source and the headers beside it, so that a change of the source is compiled again.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync } from "node:fs";
import { basename, dirname, join } from "node:path";

const FOLDER = join(import.meta.dir, "../../build/native");

/** What `compileC` needs, where it is missing. */
export const CC_MISSING = "a C compiler (apt-get install gcc libc6-dev)";

export function hasCompiler(): boolean {
  return Bun.which("cc") !== null;
}

/** Path of the program. `flags` go behind the source: libraries. @throws Error with what the compiler said. */
export async function compileC(source: string, flags: readonly string[] = []): Promise<string> {
  const folder = dirname(source);
  const headers = readdirSync(folder).filter((name) => name.endsWith(".h"));
  const texts = [source, ...headers.sort().map((name) => join(folder, name))].map((path) =>
    readFileSync(path, "utf8"),
  );
  const digest = Bun.hash([...texts, ...flags].join("\n")).toString(16);
  const program = join(FOLDER, `${basename(source, ".c")}-${digest}`);
  if (existsSync(program)) return program;
  if (!hasCompiler()) throw new Error(`${basename(source)} wants ${CC_MISSING}`);
  mkdirSync(FOLDER, { recursive: true });
  const fresh = `${program}.${process.pid}`;
  const command = ["cc", "-O2", "-Wall", "-Wextra", "-o", fresh, source, ...flags];
  const { exitCode, stderr } = Bun.spawnSync(command, { stderr: "pipe" });
  if (exitCode !== 0) throw new Error(`cc ${source}:\n${stderr.toString()}`);
  renameSync(fresh, program);
  return program;
}

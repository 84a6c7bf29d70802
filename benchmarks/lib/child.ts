/**
 * Fresh processes for subjects that are compared: no just-in-time compiler, heap or cache of one subject meets
 * another's. A child prints one line of JSON as its last; whatever it says before goes to our standard error.
 */
import { join } from "node:path";
import { alternating } from "./order.ts";

const ROOT = join(import.meta.dir, "../..");

/** Runs a script of the project (a path from its root) to its end. @throws Error when it fails. */
export async function runScript<T>(script: string, args: readonly string[]): Promise<T> {
  return runProgram([process.execPath, script, ...args]);
}

export async function runProgram<T>(command: readonly string[]): Promise<T> {
  const child = Bun.spawn([...command], { cwd: ROOT, stdin: "ignore", stderr: "inherit" });
  const text = await new Response(child.stdout).text();
  const code = await child.exited;
  const lines = text.trimEnd().split("\n");
  if (code !== 0) throw new Error(`${command.join(" ")} ended with ${code}\n${text}`);
  return JSON.parse(lines.at(-1) ?? "") as T;
}

/** Has each subject run `runs` times, one after the other, the order turning by one each time. */
export async function interleave<T>(
  subjects: readonly string[],
  runs: number,
  run: (subject: string) => Promise<T>,
): Promise<{ subject: string; value: T }[]> {
  const done: { subject: string; value: T }[] = [];
  for (const subject of alternating(subjects, runs)) {
    done.push({ subject, value: await run(subject) });
  }
  return done;
}

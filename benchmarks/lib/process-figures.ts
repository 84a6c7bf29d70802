/** What a process costs, as Linux accounts for it (proc(5)). */
import { readFileSync } from "node:fs";

/** Clock ticks a second of /proc/PID/stat: USER_HZ, 100 on every architecture Bun runs on. */
const TICKS_PER_SECOND = 100;
/** Fields behind the program's name in parentheses: `utime` and `stime` are the 14th and 15th of all. */
const UTIME_AT = 11;
const STIME_AT = 12;

/** CPU time of a process so far, user and system, s. @throws Error when there is no such process. */
export function cpuSeconds(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[UTIME_AT]) + Number(fields[STIME_AT])) / TICKS_PER_SECOND;
}

/** Resident memory, MB (10^6 B). @throws Error when there is no such process. */
export function residentMb(pid: number): number {
  const status = readFileSync(`/proc/${pid}/status`, "latin1");
  return (Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1]) * 1024) / 1e6;
}

export interface ProcessCost {
  /** Percent of one core. */
  readonly cpuPercent: number;
  readonly residentMb: number;
}

/** What each of these processes costs over the next `seconds`; memory as it is at the end. */
export async function costOf(pids: readonly number[], seconds: number): Promise<ProcessCost[]> {
  const began = performance.now();
  const before = pids.map(cpuSeconds);
  await Bun.sleep(seconds * 1_000);
  const span = (performance.now() - began) / 1_000;
  return pids.map((pid, i) => ({
    cpuPercent: ((cpuSeconds(pid) - (before[i] as number)) / span) * 100,
    residentMb: residentMb(pid),
  }));
}

/**
 * Levelled logs: lines for people, or one JSON object a line. They go to standard error at once, so that the last line
 * before an end is never lost. Stream keys must not be passed to a logger, in no property and no text.
 */
import { writeSync } from "node:fs";
import {
  configureSync,
  getJsonLinesFormatter,
  getLogger,
  getTextFormatter,
  type Logger,
  type LogLevel,
} from "@logtape/logtape";

export type { Logger };

export interface LogOptions {
  readonly level: LogLevel;
  readonly format: "text" | "json";
}

/** Sets up the process's logs; once, at start. */
export function startLogs(options: LogOptions): Logger {
  const format = options.format === "json" ? jsonFormatter() : textFormatter();
  configureSync({
    reset: true,
    sinks: { stderr: (record) => write(format(record)) },
    loggers: [
      { category: "shoal", lowestLevel: options.level, sinks: ["stderr"] },
      { category: ["logtape", "meta"], lowestLevel: "warning", sinks: ["stderr"] },
    ],
  });
  return getLogger(["shoal", "edge"]);
}

function jsonFormatter() {
  return getJsonLinesFormatter({
    categorySeparator: ".",
    message: "rendered",
    properties: "nest:properties",
  });
}

function textFormatter() {
  return getTextFormatter({
    timestamp: "date-time-tz",
    level: "full",
    format: ({ timestamp, level, message }) =>
      `${timestamp} ${level.toLowerCase().padEnd(7)} ${message}`,
    value: (value, inspect) => (typeof value === "string" ? value : inspect(value)),
  });
}

function write(line: string): void {
  try {
    writeSync(2, line.endsWith("\n") ? line : `${line}\n`);
  } catch {
    /* Nobody reads standard error any more, or its pipe is full: media goes on without the line. */
  }
}

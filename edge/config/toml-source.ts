/** A TOML text with its positions: the plain value, and the line on which any key of it stands. */
import { type AST, getStaticTOMLValue, ParseError, parseTOML } from "toml-eslint-parser";

export interface TomlSource {
  readonly value: unknown;
  /** 1-based line of a key or table; of the nearest enclosing one when that key is not written; 1 at the least. */
  lineOf(path: readonly PropertyKey[]): number;
}

export interface TomlError {
  readonly line: number;
  readonly message: string;
}

export function parseTomlSource(text: string): TomlSource | TomlError {
  try {
    const program = parseTOML(text, { tomlVersion: "1.0" });
    return { value: getStaticTOMLValue(program), lineOf: lineFinder(program) };
  } catch (error) {
    if (!(error instanceof ParseError)) throw error;
    return { line: error.lineNumber, message: error.message };
  }
}

function lineFinder(program: AST.TOMLProgram): (path: readonly PropertyKey[]) => number {
  const lines = new Map<string, number>();
  collect(program.body[0].body, [], lines);
  return (path) => {
    for (let depth = path.length; depth > 0; depth--) {
      const line = lines.get(pathKey(path.slice(0, depth)));
      if (line !== undefined) return line;
    }
    return 1;
  };
}

type Entry = AST.TOMLTable | AST.TOMLKeyValue;

function collect(
  entries: readonly Entry[],
  base: readonly PropertyKey[],
  lines: Map<string, number>,
): void {
  for (const entry of entries) {
    if (entry.type === "TOMLTable") {
      note(lines, entry.resolvedKey, 0, entry.loc.start.line);
      collect(entry.body, entry.resolvedKey, lines);
      continue;
    }
    const path = [...base, ...entry.key.keys.map(keyName)];
    note(lines, path, base.length, entry.loc.start.line);
    if (entry.value.type === "TOMLInlineTable") collect(entry.value.body, path, lines);
  }
}

/** Notes a path and those of its parents, deeper than `from`, that no line of their own introduces. */
function note(
  lines: Map<string, number>,
  path: readonly PropertyKey[],
  from: number,
  line: number,
): void {
  for (let depth = from + 1; depth < path.length; depth++) {
    const key = pathKey(path.slice(0, depth));
    if (!lines.has(key)) lines.set(key, line);
  }
  lines.set(pathKey(path), line);
}

function keyName(key: AST.TOMLBare | AST.TOMLQuoted): string {
  return key.type === "TOMLBare" ? key.name : key.value;
}

function pathKey(path: readonly PropertyKey[]): string {
  return JSON.stringify(path.map(String));
}

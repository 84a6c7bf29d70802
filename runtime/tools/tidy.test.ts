/**
 * Style that matters, as tests: which room may import which, how long files and lines may be, a test beside each file
 * of the core, nothing in the core that knows the time by itself, and no paths of somebody's machine.
 */
import { describe, expect, test } from "bun:test";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";

const ROOT = join(import.meta.dir, "../..");
const FILE_LINES_MAX = 400;
const LINE_COLUMNS_MAX = 120;
const FOLDER_DEPTH_MAX = 2;

/** Each room, and what it may import besides itself. `testing` folders and tests may import anything but programs. */
const STAIRCASE: Readonly<Record<string, readonly string[]>> = {
  "runtime/base": [],
  "runtime/wire": ["runtime/base"],
  "runtime/media": ["runtime/base", "runtime/wire"],
  "runtime/core": ["runtime/base", "runtime/wire"],
  "runtime/score": ["runtime/base", "runtime/wire", "runtime/core"],
  "runtime/node": ["runtime/base", "runtime/wire", "runtime/core", "runtime/score"],
  "runtime/wasm": ["runtime/base", "runtime/core", "build"],
  "runtime/io": ["runtime/base", "runtime/wire", "runtime/core", "runtime/node", "runtime/wasm"],
  "runtime/sim": [
    "runtime/base",
    "runtime/wire",
    "runtime/core",
    "runtime/score",
    "runtime/node",
    "runtime/wasm",
  ],
  edge: ["runtime", "build"],
  "client-node": ["runtime", "build"],
  benchmarks: ["runtime", "edge", "client-node", "build"],
  "runtime/tools": ["runtime", "edge", "client-node", "benchmarks", "build"],
};

/** Rooms of the sans-IO core: nothing but what is passed in. */
const CORE_ROOMS = [
  "runtime/base",
  "runtime/wire",
  "runtime/core",
  "runtime/score",
  "runtime/node",
];

const SOURCE_ROOMS = [...Object.keys(STAIRCASE), "assembly"];

interface Source {
  /** From the root, with slashes. */
  readonly path: string;
  readonly text: string;
}

/** Every text file that git would keep, below a folder of the project. */
function filesBelow(folder: string): string[] {
  const paths: string[] = [];
  for (const entry of readdirSync(join(ROOT, folder), { withFileTypes: true })) {
    const path = join(folder, entry.name).replaceAll("\\", "/");
    if (["node_modules", "build", "dist", ".git", ".scratch"].includes(entry.name)) continue;
    if (entry.isDirectory()) paths.push(...filesBelow(path));
    else if (/\.(ts|mjs|md|json|jsonc|toml|html|css|yml)$|^\.ci\/|^LICENSE$/.test(path)) {
      paths.push(path);
    }
  }
  return paths;
}

const all: readonly Source[] = filesBelow(".").map((path) => ({
  path,
  text: readFileSync(join(ROOT, path), "utf8"),
}));
const sources = all.filter(({ path }) => path.endsWith(".ts") && roomOf(path) !== undefined);

function roomOf(path: string): string | undefined {
  return SOURCE_ROOMS.find((room) => path.startsWith(`${room}/`));
}

function isTest(path: string): boolean {
  return path.endsWith(".test.ts") || /(^|\/)testing([-.\w]*\.ts)?(\/|$)/.test(path);
}

/** What a file imports, by room and by package. Types count: a type is knowledge too. */
function importsOf({ path, text }: Source): { specifier: string; target: string | undefined }[] {
  const found = text.matchAll(/\b(?:from |import |import\()"([^"\n]+)"/g);
  return [...found].map(([, specifier = ""]) => ({
    specifier,
    target: specifier.startsWith(".")
      ? relative(ROOT, join(ROOT, dirname(path), specifier)).replaceAll("\\", "/")
      : undefined,
  }));
}

function mayImport(room: string, target: string): boolean {
  const allowed = [room, ...(STAIRCASE[room] ?? [])];
  return allowed.some((other) => target.startsWith(`${other}/`));
}

describe("rooms", () => {
  test("import downhill only", () => {
    const wrong: string[] = [];
    for (const source of sources.filter(({ path }) => !isTest(path))) {
      const room = roomOf(source.path) as string;
      for (const { target } of importsOf(source)) {
        const isSource = target !== undefined && /\.(ts|js)$/.test(target);
        if (isSource && !mayImport(room, target)) wrong.push(`${source.path} → ${target}`);
      }
    }
    expect(wrong).toEqual([]);
  });

  test("ship no test helpers", () => {
    const wrong = sources
      .filter(({ path }) => !isTest(path) && !path.startsWith("benchmarks/"))
      .flatMap((source) =>
        importsOf(source)
          .filter(({ target }) => target !== undefined && isTest(target))
          .map(({ target }) => `${source.path} → ${target}`),
      );
    expect(wrong).toEqual([]);
  });

  test("edge and client know nothing of each other", () => {
    const wrong = sources.filter((source) => {
      const other = source.path.startsWith("edge/")
        ? "client-node/"
        : source.path.startsWith("client-node/")
          ? "edge/"
          : "\0";
      return importsOf(source).some(({ target }) => target?.startsWith(other));
    });
    expect(wrong.map(({ path }) => path)).toEqual([]);
  });
});

describe("core", () => {
  const core = sources.filter(
    ({ path }) => !isTest(path) && CORE_ROOMS.includes(roomOf(path) as string),
  );

  test("reaches no clock, no timer, no randomness and no platform", () => {
    const timers = "setTimeout|setInterval|setImmediate|queueMicrotask";
    const platform = "Math\\.random|Date\\.|new Date|performance\\.|process\\.|Bun\\.|globalThis";
    const forbidden = new RegExp(`\\b(?:${timers}|${platform})\\b`);
    const wrong = core.flatMap(({ path, text }) =>
      codeLines(text)
        .filter(({ line }) => forbidden.test(line))
        .map(({ number, line }) => `${path}:${number} ${line.trim()}`),
    );
    expect(wrong).toEqual([]);
  });

  test("imports no platform module", () => {
    const pure = ["@noble/hashes/", "cbor-x/index-no-eval"];
    const wrong = core.flatMap((source) =>
      importsOf(source)
        .filter(({ target, specifier }) => {
          return target === undefined && !pure.some((name) => specifier.startsWith(name));
        })
        .map(({ specifier }) => `${source.path} → ${specifier}`),
    );
    expect(wrong).toEqual([]);
  });

  test("has a test beside each file that does something", () => {
    const transpiler = new Bun.Transpiler({ loader: "ts" });
    const wrong = core.filter(({ path, text }) => {
      const { exports } = transpiler.scan(text);
      const isOnlyTypesOrNumbers = exports.length === 0 || !/\bfunction\b|=>|\bclass\b/.test(text);
      return !isOnlyTypesOrNumbers && !hasTest(path);
    });
    expect(wrong.map(({ path }) => path)).toEqual([]);
  });
});

/** `x.test.ts`; for a part `x-part.ts` a test of the whole, `x.test.ts` or `x-….test.ts`; or a test that imports it. */
function hasTest(path: string): boolean {
  const folder = dirname(path);
  const words = path.slice(folder.length + 1, -".ts".length).split("-");
  const stems = words.map((_, i) => `${folder}/${words.slice(0, i + 1).join("-")}`);
  return sources.some((source) => {
    if (!source.path.startsWith(`${folder}/`) || !source.path.endsWith(".test.ts")) return false;
    const isNamedSo = stems.some((stem) => {
      return source.path === `${stem}.test.ts` || source.path.startsWith(`${stem}-`);
    });
    return isNamedSo || importsOf(source).some(({ target }) => target === path);
  });
}

/** Lines of code, comments left out. */
function codeLines(text: string): { number: number; line: string }[] {
  const blank = (comment: string) => comment.replace(/[^\n]/g, " ");
  const code = text.replace(/\/\*[\s\S]*?\*\/|(?<=^|\s)\/\/.*/g, blank);
  return code.split("\n").map((line, i) => ({ number: i + 1, line }));
}

describe("files", () => {
  test(`of code have at most ${FILE_LINES_MAX} lines`, () => {
    const long = sources
      .map(({ path, text }) => ({ path, lines: text.split("\n").length - 1 }))
      .filter(({ lines }) => lines > FILE_LINES_MAX);
    expect(long).toEqual([]);
  });

  test(`have lines of at most ${LINE_COLUMNS_MAX} columns`, () => {
    const long = sources.flatMap(({ path, text }) =>
      text
        .split("\n")
        .map((line, i) => ({ line, at: `${path}:${i + 1}` }))
        .filter(({ line }) => [...line].length > LINE_COLUMNS_MAX)
        .map(({ at }) => at),
    );
    expect(long).toEqual([]);
  });

  test("begin by saying what they are", () => {
    const silent = sources.filter(({ path, text }) => {
      return (
        !path.endsWith(".test.ts") && !path.endsWith(".d.ts") && !/^(#!.*\n)?\s*\/\*\*/.test(text)
      );
    });
    expect(silent.map(({ path }) => path)).toEqual([]);
  });

  test("lie at most two folders deep in their room", () => {
    const deep = sources.filter(({ path }) => {
      const inRoom = path.slice((roomOf(path) as string).length + 1);
      return inRoom.split("/").length - 1 > FOLDER_DEPTH_MAX;
    });
    expect(deep.map(({ path }) => path)).toEqual([]);
  });

  test("name no path of somebody's machine", () => {
    const paths = /(?:^|[\s"'`(=])(?:\/(?:home|Users|root|work)\/|[A-Z]:\\Users\\)/m;
    const wrong = all.filter(({ path, text }) => {
      return path !== "runtime/tools/tidy.test.ts" && paths.test(text);
    });
    expect(wrong.map(({ path }) => path)).toEqual([]);
  });
});

describe("packages", () => {
  const manifest = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8"));
  const pins: Record<string, string> = { ...manifest.dependencies, ...manifest.devDependencies };

  test("are pinned to one version", () => {
    const loose = Object.entries(pins).filter(([, version]) => !/^\d+\.\d+\.\d+$/.test(version));
    expect(loose).toEqual([]);
  });

  test("are locked for every platform, without saying where they came from", () => {
    const lock = JSON.parse(readFileSync(join(ROOT, "package-lock.json"), "utf8"));
    const packages: Record<string, Record<string, unknown>> = lock.packages;
    const missing = Object.values(packages).flatMap(({ optionalDependencies }) =>
      Object.keys((optionalDependencies as object | undefined) ?? {}).filter(
        (name) => packages[`node_modules/${name}`] === undefined,
      ),
    );
    expect(missing).toEqual([]);
    const wrong = Object.entries(pins).filter(
      ([name, version]) => packages[`node_modules/${name}`]?.["version"] !== version,
    );
    expect(wrong).toEqual([]);
    expect(Object.values(packages).filter(({ resolved }) => resolved !== undefined)).toEqual([]);
  });

  test("and every command's script exists or is named as missing", () => {
    const bootstrap = readFileSync(join(ROOT, "runtime/tools/bootstrap.mjs"), "utf8");
    for (const command of ["start", "test", "build", "check"]) {
      expect(manifest.scripts[command]).toBe(`node runtime/tools/bootstrap.mjs ${command}`);
      const script = new RegExp(`${command}: \\["([^"]+)"`).exec(bootstrap)?.[1] ?? "";
      expect(existsSync(join(ROOT, script)), script).toBe(true);
    }
  });
});

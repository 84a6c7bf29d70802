/**
 * Who feeds whom, as a small drawing: the edge and the parents on the left, this viewer in the
 * middle, its children on the right; the more sub-streams, the thicker the line.
 */

/** One session of the peer, from `/api/stats`. */
export interface Feed {
  readonly role: "edge" | "parent" | "child" | "neighbour";
  readonly address: string;
  /** Pushed this way at present. */
  readonly subStreams: number;
  readonly rttMs: number;
}

export interface FeedLine {
  readonly role: Feed["role"] | "more";
  readonly label: string;
  /** Middle of its label, and thickness of its line, in units of the drawing. */
  readonly y: number;
  readonly thickness: number;
}

export interface FeedDrawing {
  readonly height: number;
  readonly sources: readonly FeedLine[];
  readonly children: readonly FeedLine[];
  readonly neighbours: number;
}

/** Names on one side at most; the rest are counted. */
const ROWS_MAX = 8;
const ROW_HEIGHT = 24;
const HEIGHT_MIN = 72;
const THICKNESS_MAX = 14;
const WIDTH = 900;
/** Where lines begin and end, left to right. */
const X = { label: 0, source: 240, me: 420, meEnd: 460, child: 640 } as const;

export function layOutFeeds(feeds: readonly Feed[], subStreams: number): FeedDrawing {
  const sources = feeds.filter(({ role }) => role === "edge" || role === "parent");
  const children = feeds.filter(({ role }) => role === "child");
  const rows = Math.max(Math.min(sources.length, ROWS_MAX), Math.min(children.length, ROWS_MAX));
  const height = Math.max(HEIGHT_MIN, rows * ROW_HEIGHT);
  return {
    height,
    sources: column(sources, subStreams, height),
    children: column(children, subStreams, height),
    neighbours: feeds.filter(({ role }) => role === "neighbour").length,
  };
}

function column(feeds: readonly Feed[], subStreams: number, height: number): FeedLine[] {
  const isCut = feeds.length > ROWS_MAX;
  const named = isCut ? feeds.slice(0, ROWS_MAX - 1) : feeds;
  const rest = feeds.slice(named.length);
  const rows = named.length + (isCut ? 1 : 0);
  const y = (row: number): number => ((row + 0.5) * height) / Math.max(1, rows);
  const thickness = (parts: number): number => (parts / Math.max(1, subStreams)) * THICKNESS_MAX;
  const lines = named.map((feed, row): FeedLine => {
    const { role, address, rttMs } = feed;
    const who = role === "edge" ? "edge" : address;
    const label = `${who} · ${feed.subStreams}/${subStreams} · ${rttMs.toFixed(1)} ms`;
    return { role, label, y: y(row), thickness: thickness(feed.subStreams) };
  });
  if (!isCut) return lines;
  const parts = rest.reduce((sum, feed) => sum + feed.subStreams, 0) / rest.length;
  return [
    ...lines,
    { role: "more", label: `${rest.length} more`, y: y(named.length), thickness: thickness(parts) },
  ];
}

/** Draws into an `<svg>`, whatever it held before. */
export function drawFeeds(svg: SVGSVGElement, drawing: FeedDrawing): void {
  const { height, sources, children } = drawing;
  svg.setAttribute("viewBox", `0 0 ${WIDTH} ${height}`);
  const middle = height / 2;
  const me = make("g", { class: "me" });
  me.append(
    make("circle", { cx: (X.me + X.meEnd) / 2, cy: middle, r: 20 }),
    text((X.me + X.meEnd) / 2, middle, "middle", "you"),
  );
  svg.replaceChildren(
    ...sources.flatMap((line) => [
      curve(line, X.source, line.y, X.me, middle),
      text(X.label, line.y, "start", line.label),
    ]),
    ...children.flatMap((line) => [
      curve(line, X.meEnd, middle, X.child, line.y),
      text(X.child + 8, line.y, "start", line.label),
    ]),
    me,
  );
}

function curve(line: FeedLine, x1: number, y1: number, x2: number, y2: number): SVGElement {
  const bend = (x2 - x1) / 2;
  const d = `M${x1} ${y1}C${x1 + bend} ${y1} ${x2 - bend} ${y2} ${x2} ${y2}`;
  const isIdle = line.thickness === 0;
  const width = isIdle ? 1 : Math.max(1.5, line.thickness);
  return make("path", {
    class: `${line.role}${isIdle ? " idle" : ""}`,
    d,
    "stroke-width": width.toFixed(1),
  });
}

function text(x: number, y: number, anchor: string, words: string): SVGElement {
  const element = make("text", { x, y, "text-anchor": anchor, "dominant-baseline": "central" });
  element.textContent = words;
  return element;
}

function make(name: string, attributes: Readonly<Record<string, string | number>>): SVGElement {
  const element = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, String(value));
  return element;
}

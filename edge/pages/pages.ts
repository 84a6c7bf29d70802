/** The viewers' pages, server-rendered, with their scripts and style embedded in the program. */
import { html } from "hono/html";
import mpegtsScript from "mpegts.js/dist/mpegts.js" with { type: "text" };
import style from "./page.css" with { type: "text" };
import playerScript from "./player.page.js" with { type: "text" };
import statusScript from "./status.page.js" with { type: "text" };

export interface StatusRow {
  readonly name: string;
  readonly codecs: string;
  readonly bitrateKbps: number;
  /** Peers over UDP. */
  readonly viewers: number;
  /** Readers of HTTP-FLV. */
  readonly httpViewers: number;
  readonly ageSeconds: number;
}

/** The other edges, where there are any. */
export interface ClusterStatus {
  /** null while the registry is there. */
  readonly registryAwaySeconds: number | null;
  readonly edges: readonly {
    readonly id: string;
    readonly isSelf: boolean;
    readonly state: string;
    readonly load: number;
    readonly viewers: number;
  }[];
}

/** Files that the pages load, by path. */
export const assets: ReadonlyMap<string, { readonly type: string; readonly text: string }> =
  new Map([
    ["page.css", { type: "text/css; charset=utf-8", text: style }],
    ["status.js", { type: "text/javascript; charset=utf-8", text: statusScript }],
    ["player.js", { type: "text/javascript; charset=utf-8", text: playerScript }],
    ["mpegts.js", { type: "text/javascript; charset=utf-8", text: mpegtsScript }],
  ]);

/** What the pages may load: themselves, and the player's media objects. */
export const CONTENT_SECURITY_POLICY =
  "default-src 'self'; img-src 'self' data:; media-src 'self' blob:; worker-src 'self' blob:; frame-ancestors *; " +
  "base-uri 'none'; object-src 'none'";

export function statusPage(streams: readonly StatusRow[], cluster?: ClusterStatus) {
  const rows = streams.map(
    (stream) => html`<tr>
  <td><a href="/${stream.name}">${stream.name}</a></td><td>${stream.codecs}</td>
  <td>${Math.round(stream.bitrateKbps)} kbit/s</td><td>${stream.viewers + stream.httpViewers}</td>
  <td>${Math.floor(stream.ageSeconds)} s</td><td><a href="/${stream.name}.flv">FLV</a></td>
</tr>`,
  );
  return html`${head("Shoal edge")}
<main>
  <h1>Shoal edge</h1>
  <table>
    <thead><tr><th>Stream</th><th>Codecs</th><th>Bitrate</th><th>Viewers</th><th>Live for</th><th></th></tr></thead>
    <tbody id="streams">${rows}</tbody>
  </table>
  <p class="bar faint" id="note" role="status">${streams.length === 0 ? "No stream is live." : ""}</p>
  ${cluster === undefined ? "" : clusterSection(cluster)}
</main>
<script src="/assets/status.js"></script>
</body></html>`;
}

function clusterSection({ registryAwaySeconds, edges }: ClusterStatus) {
  const rows = edges.map(
    ({ id, isSelf, state, load, viewers }) => html`<tr>
  <td>${id}${isSelf ? " (this one)" : ""}</td><td>${state}</td>
  <td>${viewers}</td><td>${Math.round(load * 100)} %</td>
</tr>`,
  );
  const away =
    registryAwaySeconds === null
      ? ""
      : `The registry does not answer since ${Math.floor(registryAwaySeconds)} s; what runs goes on.`;
  return html`<h2>Edges</h2>
  <table>
    <thead><tr><th>Edge</th><th>State</th><th>Viewers</th><th>Load</th></tr></thead>
    <tbody id="edges">${rows}</tbody>
  </table>
  <p class="bar faint" id="registry" role="status">${away}</p>`;
}

export function playerPage(stream: string) {
  return html`${head(stream)}
<main>
  <h1>${stream}</h1>
  <video muted autoplay playsinline controls></video>
  <p class="bar"><button id="sound" type="button">Sound on or off</button>
    <span class="faint" id="figures"></span></p>
  <p class="faint" id="note" role="status">connecting</p>
</main>
<script src="/assets/mpegts.js"></script>
<script src="/assets/player.js"></script>
</body></html>`;
}

function head(title: string) {
  return html`<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>${title}</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="icon" href="data:,"><link rel="stylesheet" href="/assets/page.css"></head><body>`;
}

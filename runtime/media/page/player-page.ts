/**
 * The player page's files, as text within the program: an edge and a peer serve the same.
 * `runtime/tools/build-page.ts` makes the texts in `build/`; bundlers embed them.
 */
import { createHash } from "node:crypto";
import css from "../../../build/player.css.txt" with { type: "text" };
import html from "../../../build/player.html.txt" with { type: "text" };
import script from "../../../build/player.js.txt" with { type: "text" };

/** One file of the page. */
export interface PageAsset {
  readonly body: string;
  readonly headers: Readonly<Record<string, string>>;
}

/**
 * What a page may do: run its own script and style, play what its script feeds it, ask its own
 * origin. Nothing comes from elsewhere, and no other site may frame it.
 */
const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "connect-src 'self'",
  "media-src 'self' blob:",
  "img-src 'self' data:",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join("; ");

function asset(type: string, body: string): PageAsset {
  const tag = createHash("sha256").update(body).digest("base64url").slice(0, 16);
  return {
    body,
    headers: {
      "content-type": `${type}; charset=utf-8`,
      "content-security-policy": POLICY,
      "x-content-type-options": "nosniff",
      "referrer-policy": "no-referrer",
      "cache-control": "no-cache",
      etag: `"${tag}"`,
    },
  };
}

/**
 * The page itself: serve it at any path; it asks for `/player.css` and `/player.js`, `/api/streams`
 * and `/api/stats`.
 */
export const playerPage: PageAsset = asset("text/html", html);
export const playerStyle: PageAsset = asset("text/css", css);
export const playerScript: PageAsset = asset("text/javascript", script);

/** The file behind a path, or undefined. `/` is the page. */
export function playerAsset(path: string): PageAsset | undefined {
  switch (path) {
    case "/":
      return playerPage;
    case "/player.css":
      return playerStyle;
    case "/player.js":
      return playerScript;
    default:
      return undefined;
  }
}

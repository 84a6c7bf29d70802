/**
 * Keeps other web sites off the viewer's local HTTP. A site that makes its own name resolve to this
 * machine (DNS rebinding) shows that name in `Host`; a page that reaches across sites says so in
 * `Origin` or `Sec-Fetch-Site`.
 */
import type { MiddlewareHandler } from "hono";
import { isLoopback } from "./arguments.ts";

const IP_LITERAL = /^(\d{1,3}(\.\d{1,3}){3}|\[[0-9a-f:.]+\])$/;

/** Why a request is refused, or undefined. `listenHost` is what the listener was bound to. */
export function refusal(
  listenHost: string,
  headers: { readonly host: string; readonly origin?: string; readonly site?: string },
): string | undefined {
  const name = headers.host.toLowerCase().replace(/:\d+$/, "");
  const bare = name.replace(/^\[|\]$/g, "");
  /* A number can't be rebound; beyond this machine any of its addresses may be used. */
  const numbered = IP_LITERAL.test(name) && !isLoopback(listenHost);
  if (!isLoopback(bare) && bare !== listenHost.toLowerCase() && !numbered) {
    return `"${name}" is not a name of this listener; open it by its address`;
  }
  if (headers.site === "cross-site") return "other web sites may not read this";
  const own = `http://${headers.host.toLowerCase()}`;
  if (headers.origin !== undefined && headers.origin.toLowerCase() !== own) {
    return "other web sites may not read this";
  }
  return undefined;
}

/**
 * Answers 403 with the reason to whatever `refusal` refuses. A link from another page to `/` is let
 * through.
 */
export function guard(listenHost: string): MiddlewareHandler {
  return async (context, next) => {
    const origin = context.req.header("origin");
    const site = context.req.header("sec-fetch-site");
    const navigates = context.req.header("sec-fetch-mode") === "navigate";
    const reason = refusal(listenHost, {
      host: context.req.header("host") ?? new URL(context.req.url).host,
      ...(origin === undefined ? {} : { origin }),
      ...(site === undefined || navigates ? {} : { site }),
    });
    if (reason !== undefined) return context.text(`${reason}\n`, 403);
    return next();
  };
}

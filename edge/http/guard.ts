/**
 * Keeps web pages of others off the operators' listener. A page that makes its own name resolve to this address (DNS
 * rebinding) shows that name in `Host`; a page that calls across sites shows itself in `Origin`.
 */
import type { MiddlewareHandler } from "hono";

export interface GuardOptions {
  /** The address it listens on. */
  readonly listenHost: string;
  readonly allowedHosts: readonly string[];
  readonly allowedOrigins: readonly string[];
}

const LOCAL = ["localhost", "127.0.0.1", "[::1]"];
/** Listening on every address: any of them may be called by number, which no name can be rebound to. */
const WILDCARDS = ["0.0.0.0", "::"];
const IP_LITERAL = /^(\d{1,3}(\.\d{1,3}){3}|\[[0-9a-f:.]+\])$/;

export function guard(options: GuardOptions): MiddlewareHandler {
  return async (context, next) => {
    const host = context.req.header("host") ?? new URL(context.req.url).host;
    const reason = refusal(options, host, context.req.header("origin"));
    if (reason !== undefined) return context.json({ error: reason }, 403);
    return next();
  };
}

/** Why a request is refused, or undefined when it may pass. */
export function refusal(
  options: GuardOptions,
  host: string,
  origin: string | undefined,
): string | undefined {
  const name = hostName(host);
  if (!hostAllowed(options, name))
    return `Host ${JSON.stringify(name)} is not in api.allowed_hosts`;
  if (origin === undefined || options.allowedOrigins.includes(origin)) return undefined;
  if (origin === `http://${host.toLowerCase()}`) return undefined;
  return `Origin ${JSON.stringify(origin)} is not in api.allowed_origins`;
}

function hostAllowed(options: GuardOptions, name: string): boolean {
  const own = options.listenHost.includes(":") ? `[${options.listenHost}]` : options.listenHost;
  if (LOCAL.includes(name) || name === own) return true;
  if (WILDCARDS.includes(options.listenHost) && IP_LITERAL.test(name)) return true;
  return options.allowedHosts.some((allowed) => allowed.toLowerCase() === name);
}

/** Lower case, without port; IPv6 keeps its brackets. */
function hostName(host: string): string {
  return host.toLowerCase().replace(/:\d+$/, "");
}

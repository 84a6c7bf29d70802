/** The HTTP listeners on Bun's server: an app, an address, and what the app may know of a connection. */
import type { Server } from "bun";
import { formatAddress, StartError } from "../start-error.ts";
import type { RequestBindings } from "./viewer-app.ts";

/** Connections on which nothing moves are closed after so many seconds; live streams are exempt. */
const IDLE_SECONDS = 30;
/** No request has a body worth reading. */
const REQUEST_BODY_BYTES_MAX = 64 * 1024;

export interface HttpApp {
  fetch(request: Request, bindings: RequestBindings): Response | Promise<Response>;
}

export interface HttpAddress {
  readonly host: string;
  readonly port: number;
  /** The config table, for errors. */
  readonly table: "http" | "api";
}

export interface HttpListener {
  readonly url: string;
  /** Takes no new connections; lets running responses end for `graceMs`, then cuts them. */
  stop(graceMs: number): Promise<void>;
}

/** @throws StartError when the address cannot be had. */
export function listenHttp(app: HttpApp, { host, port, table }: HttpAddress): HttpListener {
  let server: Server<undefined>;
  try {
    server = Bun.serve({
      hostname: host,
      port,
      idleTimeout: IDLE_SECONDS,
      maxRequestBodySize: REQUEST_BODY_BYTES_MAX,
      development: false,
      reusePort: false /* else Bun shares the port with another process instead of failing */,
      fetch: (request, self) => app.fetch(request, bindings(request, self)),
    });
  } catch (error) {
    throw StartError.listen("TCP", host, port, table, error);
  }
  return {
    url: `http://${formatAddress(host, server.port ?? port)}`,
    async stop(graceMs) {
      const ended = server.stop();
      await Promise.race([ended, Bun.sleep(graceMs)]);
      await server.stop(true);
    },
  };
}

function bindings(request: Request, server: Server<undefined>): RequestBindings {
  const address = server.requestIP(request);
  return {
    from: address === null ? "unknown" : formatAddress(address.address, address.port),
    keepOpen: () => server.timeout(request, 0),
    cut: () => server.timeout(request, 1),
  };
}

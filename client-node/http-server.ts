/** The local HTTP's listener: node:http under Hono, alike on Bun and Node. */
import type { AddressInfo } from "node:net";
import { createAdaptorServer } from "@hono/node-server";
import type { Hono } from "hono";
import { formatHostPort, type HttpListen } from "./arguments.ts";
import type { HttpBindings } from "./http-app.ts";

/** It could not listen; the message says why and what to do. */
export class ListenError extends Error {
  override readonly name = "ListenError";
}

export interface HttpServer {
  /** The port really taken. */
  readonly port: number;
  /** Ends every connection. */
  close(): void;
}

/** @throws ListenError when the address can't be had. */
export async function serveHttp(
  app: Hono<{ Bindings: HttpBindings }>,
  listen: HttpListen,
): Promise<HttpServer> {
  const server = createAdaptorServer({ fetch: app.fetch, overrideGlobalObjects: false });
  await new Promise<void>((resolve, reject) => {
    server.once("error", (error: NodeJS.ErrnoException) => reject(listenError(error, listen)));
    server.listen(listen.port, listen.host, resolve);
  });
  server.on("error", () => undefined); /* a connection's trouble is its own */
  return {
    port: (server.address() as AddressInfo).port,
    close() {
      server.close();
      if ("closeAllConnections" in server) server.closeAllConnections();
    },
  };
}

function listenError(error: NodeJS.ErrnoException, { host, port }: HttpListen): ListenError {
  const where = formatHostPort(host, port);
  switch (error.code) {
    case "EADDRINUSE":
      return new ListenError(
        `${where} is in use; choose another with --http PORT (0: any free one)`,
      );
    case "EACCES":
      return new ListenError(
        `not allowed to listen on ${where}; choose a port above 1023 with --http`,
      );
    case "EADDRNOTAVAIL":
    case "ENOTFOUND":
      return new ListenError(`${host} is no address of this machine; see --http`);
    default:
      return new ListenError(`cannot listen on ${where}: ${error.message}`);
  }
}

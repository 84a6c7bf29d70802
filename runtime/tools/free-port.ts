/**
 * Ports for programs that are started side by side: the wanted one if it is free, else the next.
 * Loopback only.
 */
import { createSocket } from "node:dgram";
import { createServer } from "node:net";

const HOST = "127.0.0.1";
/** Ports tried from the wanted one on. */
const TRIES_MAX = 100;

/**
 * The first free port from `wanted` on that is not in `taken`, and adds it there. @throws Error
 * when there is none.
 */
export async function freePort(
  kind: "tcp" | "udp",
  wanted: number,
  taken: Set<number>,
): Promise<number> {
  for (let port = wanted; port < Math.min(65_536, wanted + TRIES_MAX); port++) {
    if (taken.has(port)) continue;
    if (!(await (kind === "tcp" ? tcpIsFree(port) : udpIsFree(port)))) continue;
    taken.add(port);
    return port;
  }
  throw new Error(`no free ${kind.toUpperCase()} port from ${wanted} on`);
}

function tcpIsFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(false));
    server.listen(port, HOST, () => server.close(() => resolve(true)));
  });
}

function udpIsFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createSocket("udp4");
    socket.once("error", () => {
      socket.close();
      resolve(false);
    });
    socket.bind(port, HOST, () => socket.close(() => resolve(true)));
  });
}

/** Why the edge cannot start, in one line that says which key to change. */

export class StartError extends Error {
  override readonly name = "StartError";

  /** A listener that could not be had; `table` is its table in the config. */
  static listen(
    protocol: "TCP" | "UDP",
    host: string,
    port: number,
    table: string,
    cause: unknown,
  ): StartError {
    const where = `${protocol} ${formatAddress(host, port)}`;
    return new StartError(`cannot listen on ${where}: ${reason(cause, table)}`);
  }
}

/** `HOST:PORT`, IPv6 in brackets; a v4-mapped IPv6 address is written as IPv4. */
export function formatAddress(host: string, port: number): string {
  const plain = host.replace(/^::ffff:(?=\d+\.)/, "");
  return plain.includes(":") ? `[${plain}]:${port}` : `${plain}:${port}`;
}

function reason(cause: unknown, table: string): string {
  const { code, message } = cause as { code?: string; message?: string };
  const [port, host] = table.startsWith("lines.")
    ? [`${table}.bind`, `${table}.bind`]
    : [`${table}.port`, `${table}.host`];
  if (code === "EADDRINUSE") return `the port is in use; stop what holds it or change ${port}`;
  if (code === "EACCES") return `not allowed; ports below 1024 need privileges, change ${port}`;
  if (code === "EADDRNOTAVAIL") return `this machine has no such address; change ${host}`;
  return `${message ?? String(cause)}; see ${host} and ${port}`;
}

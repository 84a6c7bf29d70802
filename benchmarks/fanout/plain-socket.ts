/** A UDP socket that no event loop watches, made through FFI: whoever owns it asks when it likes. Linux only. */
import { dlopen, ptr } from "bun:ffi";

const AF_INET = 2;
const SOCK_DGRAM = 2;
const SOL_SOCKET = 1;
const SO_RCVBUF = 8;
const SOCKADDR_IN = 16;

/** Bound to a free port of 127.0.0.1, which it tells, its receive buffer of `receiveBytes` if the system lets it. */
export function openSocket(receiveBytes: number): { readonly fd: number; readonly port: number } {
  const { symbols } = dlopen("libc.so.6", {
    socket: { args: ["i32", "i32", "i32"], returns: "i32" },
    bind: { args: ["i32", "ptr", "u32"], returns: "i32" },
    getsockname: { args: ["i32", "ptr", "ptr"], returns: "i32" },
    setsockopt: { args: ["i32", "i32", "i32", "ptr", "u32"], returns: "i32" },
  });
  const fd = symbols.socket(AF_INET, SOCK_DGRAM, 0);
  const address = new Uint8Array(SOCKADDR_IN);
  address.set([AF_INET, 0, 0, 0, 127, 0, 0, 1]);
  const length = new Uint32Array([SOCKADDR_IN]);
  const isBound = symbols.bind(fd, ptr(address), SOCKADDR_IN) === 0;
  if (!isBound || symbols.getsockname(fd, ptr(address), ptr(length)) !== 0) {
    throw new Error("no socket to be had");
  }
  symbols.setsockopt(fd, SOL_SOCKET, SO_RCVBUF, ptr(new Int32Array([receiveBytes])), 4);
  return { fd, port: ((address[2] as number) << 8) | (address[3] as number) };
}

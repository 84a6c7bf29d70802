/**
 * Sizes of a socket's kernel buffers, set through `setsockopt` where Bun offers no way of its own.
 * Linux gives 212,992 B by default, which holds 256 datagrams of any size: a burst of a thousand
 * loses most of itself. Failing is no error: the socket works, it only drops earlier.
 */
export interface SocketBufferSizes {
  /** Wanted size, bytes; the system may give less (`net.core.rmem_max`, `wmem_max`). */
  readonly receiveBufferBytes: number;
  readonly sendBufferBytes: number;
}

/* Linux, asm-generic/socket.h: the same on x86-64 and arm64. */
const SOL_SOCKET = 1;
const SO_SNDBUF = 7;
const SO_RCVBUF = 8;

/** True when both sizes were accepted (possibly clamped by the system). */
export async function setSocketBuffers(fd: number, sizes: SocketBufferSizes): Promise<boolean> {
  if (process.platform !== "linux") return false;
  try {
    const { dlopen, ptr } = await import("bun:ffi");
    const libc = dlopen("libc.so.6", {
      setsockopt: { args: ["i32", "i32", "i32", "ptr", "u32"], returns: "i32" },
    });
    const set = (option: number, bytes: number): boolean => {
      const value = new Int32Array([bytes]);
      return libc.symbols.setsockopt(fd, SOL_SOCKET, option, ptr(value), 4) === 0;
    };
    const isReceive = set(SO_RCVBUF, sizes.receiveBufferBytes);
    const isSend = set(SO_SNDBUF, sizes.sendBufferBytes);
    libc.close();
    return isReceive && isSend;
  } catch {
    return false; /* musl, no FFI in this build: the default size stays */
  }
}

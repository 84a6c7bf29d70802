/**
 * The few calls of Linux's C library that Bun has no way of its own for, through FFI, on a socket's own file
 * descriptor. 64-bit, glibc; where that is not so there is no `Libc`, and callers go the ordinary way.
 */

/* Linux, the same on x86-64 and arm64. */
export const MSG_DONTWAIT = 0x40;
export const MSG_NOSIGNAL = 0x4000;
export const SOL_UDP = 17;
export const UDP_SEGMENT = 103;
export const UDP_GRO = 104;
export const EIO = 5;
export const EAGAIN = 11;
/** ICMP's answer to an earlier datagram: the next call is unharmed. */
export const ERRNO_NEWS: readonly number[] = [111, 113, 101];

/* Bytes of the structures, from <bits/socket.h>. */
export const MMSGHDR = 64;
export const IOVEC = 16;
export const CMSG = 24;
export const CMSG_LEN = 18;

export interface Libc {
  /** Messages taken, or −1. */
  sendmmsg(fd: number, messages: number, count: number, flags: number): number;
  /** Messages filled, or −1. */
  recvmmsg(fd: number, messages: number, count: number, flags: number): number;
  setsockopt(fd: number, level: number, option: number, value: number): boolean;
  /** Of the call before. */
  errno(): number;
  /** Where memory lies; it has to be kept alive by others. */
  addressOf(bytes: Uint8Array | Uint32Array): number;
}

let opened: Promise<Libc | undefined> | undefined;

/** Undefined where there is none. */
export async function openLibc(): Promise<Libc | undefined> {
  opened ??= open();
  return opened;
}

async function open(): Promise<Libc | undefined> {
  if (process.platform !== "linux" || process.versions.bun === undefined) return undefined;
  if (process.arch !== "x64" && process.arch !== "arm64") return undefined;
  try {
    const { dlopen, ptr, read } = await import("bun:ffi");
    const { symbols } = dlopen("libc.so.6", {
      sendmmsg: { args: ["i32", "usize", "u32", "i32"], returns: "i32" },
      recvmmsg: { args: ["i32", "usize", "u32", "i32", "usize"], returns: "i32" },
      setsockopt: { args: ["i32", "i32", "i32", "ptr", "u32"], returns: "i32" },
      __errno_location: { args: [], returns: "ptr" },
    });
    const value = new Int32Array(1);
    return {
      sendmmsg: (fd, at, count, flags) => Number(symbols.sendmmsg(fd, at, count, flags)),
      recvmmsg: (fd, at, count, flags) => Number(symbols.recvmmsg(fd, at, count, flags, 0)),
      setsockopt: (fd, level, option, to) => {
        value[0] = to;
        return symbols.setsockopt(fd, level, option, ptr(value), 4) === 0;
      },
      errno: () => read.i32(symbols.__errno_location() as never, 0),
      addressOf: (bytes) => Number(ptr(bytes)),
    };
  } catch {
    return undefined; /* musl, or no FFI in this build */
  }
}

/** 64 bits of an address, low word first. */
export function putPointer(words: Uint32Array, at: number, pointer: number): void {
  words[at] = pointer;
  words[at + 1] = Math.floor(pointer / 0x1_0000_0000);
}

/**
 * The numbers that both sides of the border know: statuses, limits and the places of results. They repeat
 * `runtime/core/hot-path/hot-path.ts`; a test compares the two.
 */

export const STATUS_FULL: i32 = -1;
export const STATUS_WINDOW: i32 = -2;
export const STATUS_MALFORMED: i32 = -3;
export const STATUS_DUPLICATE: i32 = -4;
export const STATUS_OLD: i32 = -5;
export const STATUS_CONFLICT: i32 = -6;

export const RECEIVED_FRESH: i32 = 0;
export const RECEIVED_GAP: i32 = 1;
export const INSERTED_FRESH: i32 = 0;
export const INSERTED_COMPLETED: i32 = 1;

export const OUT_BYTES: u32 = 128 * 1024;
export const HEADER_ARENA_BYTES: u32 = 256 * 1024;

export const MAX_SETTLED: u32 = 3072;
export const MAX_IN_FLIGHT: u32 = 16384;
export const MAX_BODY_BYTES: u32 = 1152;
export const MAX_FRAGMENTS: u32 = 4095;
export const MAX_HOLES: u32 = 4096;
export const MAX_SESSIONS: u32 = 524288;
export const MAX_STORES: u32 = 65536;
export const STORE_CAPACITY_MIN: u32 = 64;
export const STORE_CAPACITY_MAX: u32 = 32768;

/** ACK body (docs/WIRE.md §3): byte offsets of its fields. */
export const ACK_DELAY_AT: u32 = 4;
export const ACK_CLOCK_AT: u32 = 6;
export const ACK_CREDIT_AT: u32 = 10;
export const ACK_COUNT_AT: u32 = 14;
export const ACK_BITMAP_AT: u32 = 15;
export const ACK_BITMAP_BYTES_MAX: u32 = 128;

/**
 * Results of `ackParse` and `lossCheck`, byte offsets in the out area (the contract's `Settled`):
 *
 *   0      4      8         12        16        20      24      28      32          40
 *   +------+------+---------+---------+---------+-------+-------+-------+-----------+-- … --+
 *   | ACKs | lost | B ACKed | B lost  | spuriou | clock | new?  | delay | sent (f64)| entry | …
 *   +------+------+---------+---------+---------+-------+-------+-------+-----------+-- … --+
 *
 * and one entry:
 *
 *   0      4         8        12     16     20              24
 *   +------+---------+--------+------+------+---------------+---------------+
 *   | kind | attempt | stream | key  | size | packet number | sent at (f64) |
 *   +------+---------+--------+------+------+---------------+---------------+
 */
export const SETTLED_ACKED: u32 = 0;
export const SETTLED_LOST: u32 = 4;
export const SETTLED_BYTES_ACKED: u32 = 8;
export const SETTLED_BYTES_LOST: u32 = 12;
export const SETTLED_SPURIOUS: u32 = 16;
export const SETTLED_CLOCK: u32 = 20;
export const SETTLED_LARGEST_IS_NEW: u32 = 24;
export const SETTLED_ACK_DELAY: u32 = 28;
export const SETTLED_LARGEST_SENT: u32 = 32;
export const SETTLED_ENTRIES: u32 = 40;
export const SETTLED_ENTRY_BYTES: u32 = 32;

/** Tables of `fanHeads` in the out area (assembly/fan.ts), and the head of a DATA packet (docs/WIRE.md §1). */
export const FAN_FRAGMENTS_MAX: u32 = 32;
export const FAN_FRAGMENT_BYTES: u32 = 16;
export const FAN_RECEIVERS_AT: u32 = 512;
export const FAN_RECEIVER_BYTES: u32 = 32;
export const FAN_RECEIVERS_MAX: u32 = 1024;
export const DATA_TYPE: u8 = 16;
export const HEAD_BYTES: u32 = 21;

/** Clock ticks of the wire, 100 µs each, per millisecond. */
export const TICKS_PER_MS: f64 = 10;

/*
 * One direction of an emulated link: what becomes of a packet between the device it is read from and the one it is
 * written to. It waits for its turn at the rate, may be lost, and is kept in a heap until it is due.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define PACKET_BYTES_MAX 2048
/* Packets on their way in one direction; what finds no place counts as dropped. */
#define PACKETS_MAX 65536
/* Packets taken from one device before others have their turn. */
#define READS_PER_WAKE 64

struct packet {
  int64_t due_ns;
  uint64_t order;
  uint16_t bytes;
  uint8_t *data;
};

struct profile {
  int64_t delay_ns, jitter_ns;
  int keeps_order;
  double bytes_per_ns;
  double queue_bytes;
  double good_to_bad, bad_to_good, good_loss, bad_loss;
};

struct counters {
  uint64_t packets_in, bytes_in, packets_lost, packets_dropped, packets_out, bytes_out, errors;
  int64_t late_ns_max, late_ns_sum;
};

struct direction {
  int from_fd, to_fd;
  struct profile profile;
  struct counters counters;
  double busy_until_ns;
  int64_t last_out_ns;
  int is_bad;
  uint64_t random[2];
  struct packet *heap;
  size_t count;
};

static uint64_t next_order;

static int64_t now_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* ------------------------------------------------------------------ randomness: xorshift128+ (Vigna 2014) */

static double next_random(struct direction *d) {
  uint64_t a = d->random[0], b = d->random[1];
  d->random[0] = b;
  a ^= a << 23;
  d->random[1] = a ^ b ^ (a >> 17) ^ (b >> 26);
  return (double)((d->random[1] + b) >> 11) / 9007199254740992.0;
}

static void seed_random(struct direction *d, uint64_t seed) {
  for (int i = 0; i < 2; i++) { /* splitmix64 */
    uint64_t z = (seed += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    d->random[i] = z ^ (z >> 31);
  }
}

/* ------------------------------------------------------------------ a heap of packets by due time */

static int is_before(const struct packet *a, const struct packet *b) {
  return a->due_ns != b->due_ns ? a->due_ns < b->due_ns : a->order < b->order;
}

static void heap_push(struct direction *d, struct packet packet) {
  size_t at = d->count++;
  while (at > 0 && is_before(&packet, &d->heap[(at - 1) / 2])) {
    d->heap[at] = d->heap[(at - 1) / 2];
    at = (at - 1) / 2;
  }
  d->heap[at] = packet;
}

static struct packet heap_pop(struct direction *d) {
  struct packet top = d->heap[0], last = d->heap[--d->count];
  size_t at = 0;
  for (;;) {
    size_t child = 2 * at + 1;
    if (child >= d->count) break;
    if (child + 1 < d->count && is_before(&d->heap[child + 1], &d->heap[child])) child++;
    if (!is_before(&d->heap[child], &last)) break;
    d->heap[at] = d->heap[child];
    at = child;
  }
  d->heap[at] = last;
  return top;
}

/* ------------------------------------------------------------------ a packet's way */

static int is_lost(struct direction *d) {
  const struct profile *p = &d->profile;
  double change = d->is_bad ? p->bad_to_good : p->good_to_bad;
  if (change > 0 && next_random(d) < change) d->is_bad = !d->is_bad;
  double rate = d->is_bad ? p->bad_loss : p->good_loss;
  return rate > 0 && next_random(d) < rate;
}

/* When a packet that enters now comes out; negative = never. */
static int64_t transit(struct direction *d, int64_t now, size_t bytes) {
  const struct profile *p = &d->profile;
  double at = (double)now;
  if (p->bytes_per_ns > 0) {
    double start = d->busy_until_ns > at ? d->busy_until_ns : at;
    double waiting = (start - at) * p->bytes_per_ns;
    if (waiting > 0 && waiting + (double)bytes > p->queue_bytes) {
      d->counters.packets_dropped++;
      return -1;
    }
    at = d->busy_until_ns = start + (double)bytes / p->bytes_per_ns;
  }
  if (is_lost(d)) {
    d->counters.packets_lost++;
    return -1;
  }
  int64_t out = (int64_t)at + p->delay_ns;
  if (p->jitter_ns > 0) out += (int64_t)(next_random(d) * (double)p->jitter_ns);
  if (p->keeps_order && out < d->last_out_ns) out = d->last_out_ns;
  d->last_out_ns = out;
  return out;
}

static void take_packets(struct direction *d) {
  uint8_t buffer[PACKET_BYTES_MAX];
  for (int i = 0; i < READS_PER_WAKE; i++) {
    ssize_t bytes = read(d->from_fd, buffer, sizeof buffer);
    if (bytes <= 0) return;
    d->counters.packets_in++;
    d->counters.bytes_in += (uint64_t)bytes;
    int64_t due = transit(d, now_ns(), (size_t)bytes);
    if (due < 0) continue;
    uint8_t *data = d->count < PACKETS_MAX ? malloc((size_t)bytes) : NULL;
    if (data == NULL) {
      d->counters.packets_dropped++;
      continue;
    }
    memcpy(data, buffer, (size_t)bytes);
    heap_push(d, (struct packet){due, next_order++, (uint16_t)bytes, data});
  }
}

static void give_packets(struct direction *d) {
  int64_t now = now_ns();
  while (d->count > 0 && d->heap[0].due_ns <= now) {
    struct packet packet = heap_pop(d);
    if (write(d->to_fd, packet.data, packet.bytes) == packet.bytes) {
      d->counters.packets_out++;
      d->counters.bytes_out += packet.bytes;
    } else {
      d->counters.errors++;
    }
    free(packet.data);
    now = now_ns();
    int64_t late = now - packet.due_ns;
    d->counters.late_ns_sum += late;
    if (late > d->counters.late_ns_max) d->counters.late_ns_max = late;
  }
}

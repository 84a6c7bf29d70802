/* The hot path as one would write it in C: the same results, no handles, no checks of them, no border. */
#ifndef SHOAL_REFERENCE_H
#define SHOAL_REFERENCE_H

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { IN_FLIGHT = 1, ACKED = 2, LOST = 3 };
enum { WINDOW = 1024, ACK_FIXED = 15, MAX_SETTLED = 3072 };

typedef struct {
  double at;
  uint32_t key;
  uint16_t stream, size;
  uint8_t kind, attempt, state;
} packet;

typedef struct {
  packet *ring;
  uint32_t capacity, next, base, oldest, largest_acked, sent;
  uint32_t bytes_in_flight, packets_in_flight;
  double srtt, rtt_var, min_rtt, latest_rtt, rack_rtt, guard_ms, probe_from, loss_rate, settled_at;
  double seen_ms, largest_at;
  uint32_t guard_packets, loss_samples, calm, seen_packets;
  int probes, acked, repair_last;
} sender;

typedef struct {
  uint32_t largest, pending, minimum[4];
  double largest_at;
  int any, minima;
  uint64_t bits[WINDOW / 64];
} receiver;

typedef struct {
  uint32_t kind, attempt, stream, key, size, number;
  double at;
} settled;

/* What the last ack_parse or loss_check found. */
extern settled results[MAX_SETTLED];
extern uint32_t result_count, result_lost, result_bytes_acked, result_bytes_lost, result_spurious;
extern uint32_t result_clock, result_delay, result_is_new;
extern double result_sent_at;

void sender_init(sender *s);
uint32_t packet_sent(sender *s, double now, int kind, int attempt, int stream, uint32_t key, int size);

typedef struct {
  uint32_t number, info, size;
} fan_fragment;

typedef struct {
  sender *session;
  uint32_t id_high, id_low, stream, wanted, taken;
  double deadline;
} fan_receiver;

/* Numbers and notes what each receiver wants, and writes the packet heads one behind the other; how many. */
uint32_t fan_heads(
    fan_receiver *receivers, uint32_t receiver_count, const fan_fragment *fragments,
    uint32_t fragment_count, int kind, double now, uint8_t *to);
int ack_parse(sender *s, double now, const uint8_t *ack, uint32_t length);
int loss_check(sender *s, double now);
double loss_deadline(const sender *s);

void receiver_init(receiver *r);
int packet_received(receiver *r, double now, uint16_t number16);
uint32_t ack_build(receiver *r, double now, uint8_t *to);

typedef struct payload {
  struct payload *next;
  uint32_t references;
  uint16_t length;
  uint8_t body[1152];
} payload;

payload *payload_alloc(uint32_t length);
void payload_release(payload *p);

typedef struct {
  payload *slot;
  uint32_t arrived, info;
  uint16_t have, total;
} cell;

typedef struct {
  cell *cells;
  uint64_t *present, *heads;
  uint32_t mask, floor, oldest, next, count;
  uint32_t straddle_first, straddle_total, straddle_have;
  int placed;
  double latest;
} store;

void store_init(store *s, uint32_t capacity);
int fragment_insert(
    store *s, uint32_t number, uint32_t index, uint32_t total, uint32_t flags, payload *slot, double now);
uint32_t segment_slots(const store *s, uint32_t first, payload **to);
uint32_t holes(const store *s, uint32_t from, uint32_t to, uint32_t limit, uint32_t *list);
uint32_t map_build(const store *s, uint32_t from, uint32_t bits, uint8_t *to);

static inline void put16(uint8_t *to, uint16_t value) {
  value = __builtin_bswap16(value);
  memcpy(to, &value, 2);
}

static inline void put32(uint8_t *to, uint32_t value) {
  value = __builtin_bswap32(value);
  memcpy(to, &value, 4);
}

static inline uint32_t get32(const uint8_t *from) {
  uint32_t value;
  memcpy(&value, from, 4);
  return __builtin_bswap32(value);
}

#endif

/*
 * The phases of workload.ts in C. `reference ROUNDS WARMUP LOSSY` prints a line of JSON: the nanoseconds per operation
 * of each phase (median and 99.9th percentile over rounds) and the digest of all results.
 */
#include <stdio.h>
#include <time.h>

#include "reference.h"

enum { SESSIONS = 256, PER_ACK = 8, FRAMES = 64, FRAGMENTS = 4, CAPACITY = 4096, ACK_ROOM = 160 };
enum { MAP_BITS = 512, HOLES_MAX = 64, READERS = 4, PHASES = 14 };

static sender senders[SESSIONS];
static receiver receivers[SESSIONS];
static store buffer;
static uint8_t arena[256 * 1024];
static uint32_t ack_bytes[SESSIONS], numbers[PER_ACK], list[4096], fragment, round_number;
static payload *slots[FRAMES * FRAGMENTS], *taken[4096];
static int lossy;

static const char *names[PHASES] = {
    "packetSent", "fanHeads", "packetReceived", "ackBuild", "ackParse", "lossDeadline", "lossCheck", "dataHead",
    "payloadAlloc", "fragmentInsert", "payloadRelease", "segmentSlots", "holes", "mapBuild",
};

static int missing(uint32_t number) {
  return lossy && (number ^ number >> 7) * 0x9e3779b1u < 0.05 * 4294967296.0;
}

/* Half of a round's packets one by one. */
static uint32_t send_some(double now) {
  uint32_t sum = 0;
  for (int s = 0; s < SESSIONS; s++)
    for (int i = FRAGMENTS; i < PER_ACK; i++)
      sum += packet_sent(&senders[s], now, 1, 0, 7, fragment + (uint32_t)i, 1173);
  return sum;
}

/* The other half, a frame to all at once, with its heads. */
static uint32_t fan_out(double now) {
  static fan_fragment frame[FRAGMENTS];
  static fan_receiver rows[SESSIONS];
  for (uint32_t i = 0; i < FRAGMENTS; i++)
    frame[i] = (fan_fragment){fragment + i, i | FRAGMENTS << 12 | 3u << 24, 1173};
  for (uint32_t s = 0; s < SESSIONS; s++)
    rows[s] = (fan_receiver){&senders[s], 0x12345678, s, 7, (1 << FRAGMENTS) - 1, 0, 0};
  uint8_t *at = arena + SESSIONS * ACK_ROOM;
  uint32_t heads = fan_heads(rows, SESSIONS, frame, FRAGMENTS, 1, now, at);
  uint32_t sum = heads + at[21 * heads - 21 + 10] + at[21 * heads - 21 + 16];
  return sum + rows[SESSIONS - 1].taken;
}

static uint32_t receive_all(double now, int count) {
  uint32_t sum = 0;
  for (int s = 0; s < SESSIONS; s++)
    for (int i = 0; i < count; i++)
      sum += (uint32_t)packet_received(&receivers[s], now, (uint16_t)numbers[i]);
  return sum;
}

static uint32_t build_acks(double now) {
  uint32_t sum = 0;
  for (int s = 0; s < SESSIONS; s++) {
    uint8_t *to = arena + s * ACK_ROOM;
    ack_bytes[s] = ack_build(&receivers[s], now, to);
    sum += ack_bytes[s] + to[ack_bytes[s] - 1];
  }
  return sum;
}

static uint32_t parse_acks(double now) {
  uint32_t sum = 0;
  for (int s = 0; s < SESSIONS; s++) {
    sum += (uint32_t)ack_parse(&senders[s], now, arena + s * ACK_ROOM, ack_bytes[s]);
    sum += result_lost;
  }
  return sum;
}

static uint32_t deadlines(void) {
  uint32_t sum = 0;
  for (int s = 0; s < SESSIONS; s++) {
    double at = loss_deadline(&senders[s]);
    sum = at == INFINITY ? sum + 1 : (uint32_t)(int64_t)((int32_t)sum + at);
  }
  return sum;
}

static uint32_t check_losses(double now) {
  uint32_t sum = 0;
  for (int s = 0; s < SESSIONS; s++) sum += (uint32_t)loss_check(&senders[s], now);
  return sum;
}

static __attribute__((noinline)) uint8_t *data_head(
    uint8_t *to, uint32_t hi, uint32_t lo, uint16_t number16, uint16_t stream, uint32_t number,
    uint32_t index, uint32_t total, uint8_t flags) {
  to[0] = 0x10;
  put32(to + 1, hi);
  put32(to + 5, lo);
  put16(to + 9, number16);
  put16(to + 11, stream);
  put32(to + 13, number);
  to[17] = (uint8_t)(index >> 4);
  to[18] = (uint8_t)(index << 4 | total >> 8);
  to[19] = (uint8_t)total;
  to[20] = flags;
  return to + 21;
}

static uint32_t write_heads(void) {
  uint8_t *at = arena + SESSIONS * ACK_ROOM;
  for (uint32_t i = 0; i < FRAMES * FRAGMENTS; i++) {
    uint32_t number = fragment + i;
    at = data_head(at, 0x12345678, i, (uint16_t)number, 7, number, i % FRAGMENTS, FRAGMENTS, 3);
  }
  return (uint32_t)(at - arena) + at[-21 + 16];
}

static uint32_t allocate(void) {
  uint32_t sum = 0;
  for (int i = 0; i < FRAMES * FRAGMENTS; i++) sum += (slots[i] = payload_alloc(1152)) != NULL;
  return sum;
}

static uint32_t insert(double now) {
  uint32_t sum = 0;
  for (uint32_t i = 0; i < FRAMES * FRAGMENTS; i++) {
    if (missing(fragment + i)) continue;
    sum += (uint32_t)fragment_insert(
        &buffer, fragment + i, i % FRAGMENTS, FRAGMENTS, 3, slots[i], now);
  }
  return sum;
}

static uint32_t release(void) {
  for (int i = 0; i < FRAMES * FRAGMENTS; i++) payload_release(slots[i]);
  return 0;
}

static uint32_t take(void) {
  uint32_t sum = 0;
  for (uint32_t i = 0; i < READERS * FRAMES; i++)
    sum += segment_slots(&buffer, fragment + i % FRAMES * FRAGMENTS, taken);
  return sum;
}

static uint32_t find_holes(void) {
  uint32_t to = fragment + FRAMES * FRAGMENTS, sum = 0;
  for (uint32_t i = 0; i < FRAMES; i++) {
    uint32_t found = holes(&buffer, to - FRAMES * FRAGMENTS, to - i, HOLES_MAX, list);
    sum += found + (found ? list[0] : 0);
  }
  return sum;
}

static uint32_t maps(void) {
  uint8_t *at = arena + SESSIONS * ACK_ROOM;
  uint32_t to = fragment + FRAMES * FRAGMENTS, sum = 0;
  for (uint32_t i = 0; i < FRAMES; i++) {
    uint32_t length = map_build(&buffer, to - MAP_BITS - i, MAP_BITS, at);
    sum += length + at[length - 1];
  }
  return sum;
}

static uint32_t run_phase(int phase, double now, int arrived) {
  switch (phase) {
    case 0: return send_some(now);
    case 1: return fan_out(now);
    case 2: return receive_all(now + 50, arrived);
    case 3: return build_acks(now + 50);
    case 4: return parse_acks(now + 100);
    case 5: return deadlines();
    case 6: return check_losses(now + 101);
    case 7: return write_heads();
    case 8: return allocate();
    case 9: return insert(now);
    case 10: return release();
    case 11: return take();
    case 12: return find_holes();
    default: return maps();
  }
}

static double clock_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static int ascending(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

/* What reading the clock adds to a phase. */
static double clock_cost(void) {
  double times[1000];
  for (int i = 0; i < 1000; i++) {
    double from = clock_ns();
    times[i] = clock_ns() - from;
  }
  qsort(times, 1000, sizeof(double), ascending);
  return times[500];
}

static uint32_t hash = 0x811c9dc5;

static void mix(uint32_t value) {
  for (int shift = 0; shift < 32; shift += 8) hash = (hash ^ (value >> shift & 0xff)) * 0x01000193;
}

int main(int argc, char **argv) {
  if (argc != 4) return 2;
  int rounds = atoi(argv[1]), warmup = atoi(argv[2]);
  lossy = atoi(argv[3]);
  double *times[PHASES], empty = clock_cost();
  for (int i = 0; i < PHASES; i++) times[i] = malloc(sizeof(double) * (size_t)rounds);
  for (int i = 0; i < SESSIONS; i++) sender_init(&senders[i]), receiver_init(&receivers[i]);
  store_init(&buffer, CAPACITY);
  for (; (int)round_number < warmup + rounds; round_number++) {
    int arrived = 0;
    for (uint32_t i = 0; i < PER_ACK; i++)
      if (!missing(round_number * PER_ACK + i)) numbers[arrived++] = round_number * PER_ACK + i;
    const int operations[PHASES] = {
        SESSIONS * (PER_ACK - FRAGMENTS), SESSIONS * FRAGMENTS, SESSIONS * arrived, SESSIONS, SESSIONS, SESSIONS, SESSIONS,
        FRAMES * FRAGMENTS, FRAMES * FRAGMENTS, FRAMES * FRAGMENTS, FRAMES * FRAGMENTS,
        READERS * FRAMES, FRAMES, FRAMES,
    };
    for (int phase = 0; phase < PHASES; phase++) {
      double from = clock_ns();
      uint32_t result = run_phase(phase, round_number * 10.0, arrived);
      double spent = (clock_ns() - from - empty) / operations[phase];
      if (spent < 0) spent = 0;
      mix(result);
      if ((int)round_number >= warmup) times[phase][round_number - (uint32_t)warmup] = spent;
    }
    fragment += FRAMES * FRAGMENTS;
  }
  printf("{\"hash\":\"%08x\",\"phases\":[", hash);
  for (int i = 0; i < PHASES; i++) {
    qsort(times[i], (size_t)rounds, sizeof(double), ascending);
    printf("%s{\"name\":\"%s\",\"median\":%.3f,\"tail\":%.3f}", i ? "," : "", names[i],
           times[i][rounds / 2], times[i][(int)(rounds * 0.999)]);
  }
  printf("]}\n");
  return 0;
}

/* Send window, ACKs and loss detection in C (reference.h). */
#include "reference.h"

settled results[MAX_SETTLED];
uint32_t result_count, result_lost, result_bytes_acked, result_bytes_lost, result_spurious;
uint32_t result_clock, result_delay, result_is_new;
double result_sent_at;

static inline packet *entry(const sender *s, uint32_t number) {
  return &s->ring[number & (s->capacity - 1)];
}

void sender_init(sender *s) {
  memset(s, 0, sizeof *s);
  s->srtt = s->min_rtt = s->latest_rtt = 100;
  s->rtt_var = 50;
  s->guard_packets = 1;
  s->guard_ms = 5;
}

static void grow(sender *s) {
  uint32_t capacity = s->capacity ? s->capacity * 2 : 8;
  packet *ring = malloc(capacity * sizeof(packet));
  for (uint32_t n = s->base; n != s->next; n++) ring[n & (capacity - 1)] = *entry(s, n);
  free(s->ring);
  s->ring = ring;
  s->capacity = capacity;
}

uint32_t packet_sent(sender *s, double now, int kind, int attempt, int stream, uint32_t key, int size) {
  if (s->next - s->base == s->capacity) grow(s);
  uint32_t number = s->next++;
  packet *p = entry(s, number);
  p->at = now;
  p->key = key;
  p->stream = (uint16_t)stream;
  p->size = (uint16_t)size;
  p->kind = (uint8_t)kind;
  p->attempt = (uint8_t)attempt;
  p->state = IN_FLIGHT;
  s->sent++;
  s->bytes_in_flight += (uint32_t)size;
  s->packets_in_flight++;
  s->probe_from = now;
  s->repair_last = attempt != 0;
  return number;
}

static void reordered(sender *s, uint32_t packets, double late_ms) {
  if (packets > 64) packets = 64;
  if (packets > s->seen_packets) s->seen_packets = packets;
  if (late_ms > s->srtt / 2) late_ms = s->srtt / 2;
  if (late_ms > s->seen_ms) s->seen_ms = late_ms;
}

static void list(sender *s, uint32_t number, const packet *p) {
  settled *r = &results[result_count++];
  r->kind = p->kind;
  r->attempt = p->attempt;
  r->stream = p->stream;
  r->key = p->key;
  r->size = p->size;
  r->number = number;
  r->at = p->at;
  s->bytes_in_flight -= p->size;
  s->packets_in_flight--;
}

static void note_settled(sender *s, double lost) {
  if (s->loss_samples < 200) s->loss_samples++;
  s->loss_rate += (lost - s->loss_rate) / s->loss_samples;
}

static void clear(void) {
  result_count = result_lost = result_bytes_acked = result_bytes_lost = result_spurious = 0;
  result_clock = result_delay = result_is_new = 0;
  result_sent_at = 0;
}

/* `before` is the largest acknowledged before this ACK, if any was; `expected` when what is due now was sent. */
static int acked(sender *s, uint32_t number, int was_acked, uint32_t before, double expected) {
  packet *p = entry(s, number);
  if (p->state == ACKED) return 0;
  int was_lost = p->state == LOST;
  p->state = ACKED;
  int32_t behind = (int32_t)(before - number);
  if (was_acked && behind > 0) reordered(s, (uint32_t)behind, expected - p->at);
  if (was_lost) {
    if (behind < 0) reordered(s, 0, expected - p->at);
    result_spurious++;
    return 0;
  }
  result_bytes_acked += p->size;
  list(s, number, p);
  note_settled(s, 0);
  return 1;
}

static double sample_rtt(sender *s, double latest, double delay) {
  s->latest_rtt = latest;
  if (!s->acked) {
    s->min_rtt = s->srtt = latest >= delay ? latest - delay : latest;
    s->rtt_var = s->srtt / 2;
    return s->srtt;
  }
  if (latest < s->min_rtt) s->min_rtt = latest;
  double adjusted = latest >= s->min_rtt + delay ? latest - delay : latest;
  s->rtt_var = 0.75 * s->rtt_var + 0.25 * fabs(s->srtt - adjusted);
  s->srtt = 0.875 * s->srtt + 0.125 * adjusted;
  return adjusted;
}

static void lost(sender *s, uint32_t number, packet *p) {
  p->state = LOST;
  result_lost++;
  result_bytes_lost += p->size;
  list(s, number, p);
  note_settled(s, 1);
}

/* `tail_ms` is how long the ACK waited after the largest came; -1 when that is unknown. */
static void detect(sender *s, double now, double tail_ms) {
  s->settled_at = now;
  if (!s->acked) return;
  double delay = s->rack_rtt + s->guard_ms;
  for (int32_t back = (int32_t)(s->largest_acked - s->oldest); back > 0; back--) {
    uint32_t number = s->largest_acked - (uint32_t)back;
    packet *p = entry(s, number);
    if (p->state != IN_FLIGHT) continue;
    if (back <= (int32_t)s->guard_packets && now < p->at + delay) continue;
    if (result_count == MAX_SETTLED) break;
    lost(s, number, p);
  }
  double waited = tail_ms - s->guard_ms - 2 * s->rtt_var;
  if (waited < 0) return;
  uint32_t number = s->largest_acked + 1;
  if ((int32_t)(s->base - number) > 0) number = s->base;
  double sent_by = s->largest_at + waited;
  for (; number != s->next; number++) {
    packet *p = entry(s, number);
    if (p->at > sent_by || result_count == MAX_SETTLED) return;
    if (p->state == IN_FLIGHT) lost(s, number, p);
  }
}

static void trim(sender *s, double now) {
  uint32_t number = s->oldest;
  while (number != s->next && entry(s, number)->state != IN_FLIGHT) number++;
  s->oldest = number;
  double before = now - (500 + 2 * s->srtt);
  uint32_t base = s->base;
  while (base != number && !(entry(s, base)->state == LOST && entry(s, base)->at > before)) base++;
  s->base = base;
}

static int well_formed(const sender *s, const uint8_t *ack, uint32_t length) {
  if (length < ACK_FIXED || ack[14] > 128 || length != ACK_FIXED + (uint32_t)ack[14]) return 0;
  uint32_t behind = s->next - get32(ack);
  if (behind - 1 >= s->sent) return 0;
  uint32_t earlier = s->sent - behind, count = ack[14];
  if (count * 8 <= earlier) return 1;
  uint32_t at = earlier / 8;
  if (ack[ACK_FIXED + at] >> (earlier & 7)) return 0;
  while (++at < count) if (ack[ACK_FIXED + at]) return 0;
  return 1;
}

static void grow_guard(sender *s) {
  if (s->seen_packets > s->guard_packets) s->guard_packets = s->seen_packets;
  if (s->seen_ms > s->guard_ms) s->guard_ms = s->seen_ms;
}

static void calm_guard(sender *s, uint32_t acked_now) {
  s->calm += acked_now;
  if (s->calm < 2048) return;
  s->calm = 0;
  s->guard_packets = s->guard_packets > 2 ? s->guard_packets / 2 : 1;
  s->guard_ms = s->guard_ms > 10 ? s->guard_ms / 2 : 5;
  grow_guard(s);
  s->seen_packets = 0;
  s->seen_ms = 0;
}

int ack_parse(sender *s, double now, const uint8_t *ack, uint32_t length) {
  if (!well_formed(s, ack, length)) return -3;
  clear();
  uint32_t largest = get32(ack), before = s->largest_acked, acked_now = 0;
  double expected = now - s->rack_rtt, tail_ms = -1;
  int was_acked = s->acked;
  result_delay = (uint32_t)ack[4] << 8 | ack[5];
  result_clock = get32(ack + 6);
  double delay = result_delay / 10.0;
  if (largest - s->base < s->next - s->base) {
    packet *p = entry(s, largest);
    int is_new = p->state == IN_FLIGHT;
    uint32_t reach = ack[14] * 8u;
    if (reach > largest - s->base) reach = largest - s->base;
    for (uint32_t back = reach; back > 0; back--) {
      uint32_t bit = back - 1;
      if (ack[ACK_FIXED + bit / 8] >> (bit & 7) & 1)
        acked_now += (uint32_t)acked(s, largest - back, was_acked, before, expected);
    }
    acked_now += (uint32_t)acked(s, largest, was_acked, before, expected);
    if (is_new) {
      result_is_new = 1;
      result_sent_at = p->at;
      double adjusted = sample_rtt(s, now > p->at ? now - p->at : 0, delay);
      if (!s->acked || (int32_t)(largest - s->largest_acked) >= 0) {
        s->acked = 1;
        s->largest_acked = largest;
        s->largest_at = p->at;
        s->rack_rtt = adjusted;
      }
    }
  }
  if (s->acked && largest == s->largest_acked) tail_ms = delay;
  if (acked_now) s->probes = 0;
  if (result_spurious) grow_guard(s);
  detect(s, now, tail_ms);
  calm_guard(s, acked_now);
  trim(s, now);
  return (int)result_count;
}

int loss_check(sender *s, double now) {
  clear();
  detect(s, now, -1);
  trim(s, now);
  return (int)result_count;
}

double loss_deadline(const sender *s) {
  double at = INFINITY;
  if (s->acked) {
    int32_t behind = (int32_t)(s->largest_acked - s->oldest);
    if (behind > (int32_t)s->guard_packets) return s->settled_at;
    for (int32_t i = behind; i > 0; i--) {
      const packet *p = entry(s, s->largest_acked - (uint32_t)i);
      double due = p->at + s->rack_rtt + s->guard_ms;
      if (p->state == IN_FLIGHT && due < at) at = due;
    }
  }
  if (s->acked ? s->next - s->largest_acked <= 1 : s->sent == 0) return at;
  double timeout = s->srtt + (4 * s->rtt_var > 5 ? 4 * s->rtt_var : 5) + 10;
  double probe = s->probe_from + (s->repair_last ? s->guard_ms : timeout * (1 << s->probes));
  return probe < at ? probe : at;
}

uint32_t fan_heads(
    fan_receiver *receivers, uint32_t receiver_count, const fan_fragment *fragments,
    uint32_t fragment_count, int kind, double now, uint8_t *to) {
  uint8_t *at = to;
  for (uint32_t r = 0; r < receiver_count; r++) {
    fan_receiver *receiver = &receivers[r];
    receiver->taken = 0;
    for (uint32_t i = 0; i < fragment_count; i++) {
      if (!(receiver->wanted >> i & 1)) continue;
      const fan_fragment *f = &fragments[i];
      uint32_t number =
          packet_sent(receiver->session, now, kind, 0, (int)receiver->stream, f->number, (int)f->size);
      uint32_t index = f->info & 0xfff, total = f->info >> 12 & 0xfff;
      at[0] = 0x10;
      put32(at + 1, receiver->id_high);
      put32(at + 5, receiver->id_low);
      put16(at + 9, (uint16_t)number);
      put16(at + 11, (uint16_t)receiver->stream);
      put32(at + 13, f->number);
      put32(at + 17, index << 20 | total << 8 | f->info >> 24);
      at += 21;
      receiver->taken++;
    }
    receiver->deadline = loss_deadline(receiver->session);
  }
  return (uint32_t)(at - to) / 21;
}

void receiver_init(receiver *r) {
  memset(r, 0, sizeof *r);
  r->largest = (uint32_t)-1;
}

/* The bit of packet n is at ~n: up in the bitmap is back in time. */
static inline int test(const receiver *r, uint32_t n) {
  uint32_t i = ~n & (WINDOW - 1);
  return r->bits[i / 64] >> (i & 63) & 1;
}

static inline void set(receiver *r, uint32_t n, uint64_t value) {
  uint32_t i = ~n & (WINDOW - 1);
  r->bits[i / 64] = (r->bits[i / 64] & ~(1ull << (i & 63))) | value << (i & 63);
}

int packet_received(receiver *r, double now, uint16_t number16) {
  int32_t ahead = (int16_t)(number16 - (uint16_t)r->largest);
  uint32_t number = r->largest + (uint32_t)ahead;
  if (ahead <= 0) {
    if (ahead <= -WINDOW) return -5;
    if (test(r, number)) return -4;
  } else {
    if (ahead >= WINDOW) memset(r->bits, 0, sizeof r->bits);
    else for (int32_t i = 1; i < ahead; i++) set(r, r->largest + (uint32_t)i, 0);
    r->largest = number;
    r->largest_at = now;
    r->any = 1;
  }
  set(r, number, 1);
  r->pending++;
  if (!(r->minima & 1) || (int32_t)(number - r->minimum[0]) < 0) {
    r->minimum[0] = number;
    r->minima |= 1;
  }
  return ahead > 1;
}

uint32_t ack_build(receiver *r, double now, uint8_t *to) {
  if (!r->any) return 0;
  double delay = floor((now - r->largest_at) * 10);
  put32(to, r->largest);
  put16(to + 4, (uint16_t)(delay < 0 ? 0 : delay > 65535 ? 65535 : delay));
  put32(to + 6, (uint32_t)(int64_t)floor(r->largest_at * 10));
  put32(to + 10, 0xffffffff);
  uint32_t reach = r->largest < 32 ? r->largest : 32;
  for (int i = 0; i < 4; i++) {
    uint32_t far = r->largest - r->minimum[i];
    if (r->minima >> i & 1 && far > reach) reach = far;
  }
  if (reach > WINDOW - 1) reach = WINDOW - 1;
  uint32_t count = (reach + 7) / 8, start = (0 - r->largest) & (WINDOW - 1), shift = start & 63;
  to[14] = (uint8_t)count;
  for (uint32_t at = 0; at < count; at += 8) {
    uint32_t word = (start / 64 + at / 8) & 15;
    uint64_t bits = r->bits[word] >> shift;
    if (shift) bits |= r->bits[(word + 1) & 15] << (64 - shift);
    if (at == 120) bits &= ~(1ull << 63);
    memcpy(to + ACK_FIXED + at, &bits, count - at >= 8 ? 8 : count - at);
  }
  if (!r->pending) return ACK_FIXED + count;
  r->pending = 0;
  memmove(r->minimum + 1, r->minimum, 3 * sizeof r->minimum[0]);
  r->minima = (r->minima << 1) & 15;
  return ACK_FIXED + count;
}

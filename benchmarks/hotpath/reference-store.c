/* Payloads and the segment buffer in C (reference.h). */
#include "reference.h"

enum { MAX_FRAGMENTS = 4095 };

static payload *free_list;

payload *payload_alloc(uint32_t length) {
  payload *p = free_list;
  if (p) free_list = p->next;
  else p = malloc(sizeof *p);
  p->references = 1;
  p->length = (uint16_t)length;
  return p;
}

void payload_release(payload *p) {
  if (--p->references) return;
  p->next = free_list;
  free_list = p;
}

static inline int get(const uint64_t *bits, uint32_t i) {
  return bits[i / 64] >> (i & 63) & 1;
}
static inline void set(uint64_t *bits, uint32_t i) {
  bits[i / 64] |= 1ull << (i & 63);
}
static inline void clear(uint64_t *bits, uint32_t i) {
  bits[i / 64] &= ~(1ull << (i & 63));
}

/* How far from `from` the first bit that differs from `flip` is; span when there is none. */
static uint32_t find(const uint64_t *bits, uint32_t mask, uint32_t from, uint32_t span, uint64_t flip) {
  for (uint32_t far = 0; far < span;) {
    uint32_t i = (from + far) & mask;
    uint64_t word = (bits[i / 64] ^ flip) >> (i & 63);
    if (word) {
      far += (uint32_t)__builtin_ctzll(word);
      return far < span ? far : span;
    }
    far += 64 - (i & 63);
  }
  return span;
}

/* How far before `from` the nearest set bit is; 0 when there is none within span. */
static uint32_t find_back(const uint64_t *bits, uint32_t mask, uint32_t from, uint32_t span) {
  for (uint32_t far = 1; far <= span;) {
    uint32_t i = (from - far) & mask;
    uint64_t word = bits[i / 64] << (63 - (i & 63));
    if (word) {
      far += (uint32_t)__builtin_clzll(word);
      return far <= span ? far : 0;
    }
    far += (i & 63) + 1;
  }
  return 0;
}

void store_init(store *s, uint32_t capacity) {
  memset(s, 0, sizeof *s);
  s->cells = calloc(capacity, sizeof(cell));
  s->present = calloc(capacity / 64, 8);
  s->heads = calloc(capacity / 64, 8);
  s->mask = capacity - 1;
  s->latest = -INFINITY;
}

static inline cell *cell_of(const store *s, uint32_t number) {
  return &s->cells[number & s->mask];
}

static inline int has(const store *s, uint32_t number) {
  return s->count && number - s->oldest < s->next - s->oldest && get(s->present, number & s->mask);
}

static void evict_one(store *s, uint32_t number) {
  cell *c = cell_of(s, number);
  payload_release(c->slot);
  clear(s->present, number & s->mask);
  s->count--;
  uint32_t first = number - (c->info & 0xfff);
  if ((int32_t)(first - s->floor) < 0) {
    if (--s->straddle_have == 0) s->straddle_total = 0;
    return;
  }
  cell *head = cell_of(s, first);
  if (--head->have == 0) clear(s->heads, first & s->mask);
}

static void evict_before(store *s, uint32_t number) {
  if (!s->placed) s->next = number;
  int32_t to = (int32_t)(number - s->next);
  if (s->placed && to <= (int32_t)(s->floor - s->next)) return;
  uint32_t at = s->oldest;
  while (s->count && (int32_t)(at - s->next) < to) {
    evict_one(s, at++);
    if (s->count) at += find(s->present, s->mask, at, s->next - at, 0);
  }
  s->oldest = at;
  if (s->count) {
    uint32_t back = find_back(s->heads, s->mask, number, number - s->floor);
    if (back) {
      cell *head = cell_of(s, number - back);
      s->straddle_first = number - back;
      s->straddle_total = head->total;
      s->straddle_have = head->have;
      clear(s->heads, (number - back) & s->mask);
    }
  }
  s->floor = number;
  s->placed = 1;
}

static int agrees(const store *s, uint32_t first, uint32_t total) {
  int32_t from = (int32_t)(first - s->next);
  if (from >= MAX_FRAGMENTS) return 1;
  int32_t low = (int32_t)(s->floor - s->next), end = from + (int32_t)total;
  if (s->straddle_total) {
    int32_t straddle = (int32_t)(s->straddle_first - s->next);
    if (straddle == from) return s->straddle_total == total;
    if (from < straddle + (int32_t)s->straddle_total && straddle < end) return 0;
  }
  if (from >= low && from < 0 && get(s->heads, first & s->mask)) {
    return cell_of(s, first)->total == total;
  }
  int32_t up_to = from < 0 ? from : 0;
  if (up_to > low) {
    uint32_t span = (uint32_t)(up_to - low);
    if (span > MAX_FRAGMENTS) span = MAX_FRAGMENTS;
    uint32_t back = find_back(s->heads, s->mask, s->next + (uint32_t)up_to, span);
    int32_t head = up_to - (int32_t)back;
    if (back && head + cell_of(s, s->next + (uint32_t)head)->total > from) return 0;
  }
  int32_t begin = from + 1 > low ? from + 1 : low, stop = end < 0 ? end : 0;
  if (begin >= stop) return 1;
  uint32_t span = (uint32_t)(stop - begin);
  return find(s->heads, s->mask, s->next + (uint32_t)begin, span, 0) == span;
}

int fragment_insert(
    store *s, uint32_t number, uint32_t index, uint32_t total, uint32_t flags, payload *slot, double now) {
  if (total - 1 >= MAX_FRAGMENTS || index >= total) return -3;
  int32_t ahead = (int32_t)(number - s->next);
  if (s->placed && ahead < (int32_t)(s->floor - s->next)) return -5;
  uint32_t info = index | total << 12 | flags << 24, first = number - index;
  if (has(s, number)) return ((cell_of(s, number)->info ^ info) & 0xffffff) == 0 ? -4 : -6;
  if (s->count && !agrees(s, first, total)) return -6;
  if (ahead >= 0 || !s->placed) {
    uint32_t floor = number + 1 - (s->mask + 1);
    if (s->placed) evict_before(s, floor);
    else s->floor = floor, s->placed = 1;
    s->next = number + 1;
  }
  if (s->count == 0 || (int32_t)(number - s->oldest) < 0) s->oldest = number;
  s->count++;
  double ticks = floor(now * 10);
  if (ticks > s->latest) s->latest = ticks;
  cell *c = cell_of(s, number);
  c->slot = slot;
  c->arrived = (uint32_t)(int64_t)ticks;
  c->info = info;
  slot->references++;
  set(s->present, number & s->mask);
  if ((int32_t)(first - s->floor) < 0) {
    s->straddle_first = first;
    s->straddle_total = total;
    return ++s->straddle_have == total;
  }
  cell *head = cell_of(s, first);
  if (get(s->heads, first & s->mask)) return (uint32_t)++head->have == total;
  set(s->heads, first & s->mask);
  head->total = (uint16_t)total;
  head->have = 1;
  return total == 1;
}

uint32_t segment_slots(const store *s, uint32_t first, payload **to) {
  if (!has(s, first) || !get(s->heads, first & s->mask)) return 0;
  const cell *head = cell_of(s, first);
  if (head->have != head->total) return 0;
  for (uint32_t i = 0; i < head->total; i++) to[i] = cell_of(s, first + i)->slot;
  return head->total;
}

uint32_t holes(const store *s, uint32_t from, uint32_t to, uint32_t limit, uint32_t *list) {
  int32_t left = (int32_t)(to - from);
  int64_t below = (int64_t)(int32_t)(s->floor - s->next) - (int32_t)(from - s->next);
  uint32_t number = from, found = 0;
  if (s->placed && below > 0) {
    if (below >= left) return 0;
    number += (uint32_t)below;
    left -= (int32_t)below;
  }
  while (left > 0 && found < limit) {
    if (s->count && number - s->oldest < s->next - s->oldest) {
      uint32_t span = s->next - number < (uint32_t)left ? s->next - number : (uint32_t)left;
      uint32_t filled = find(s->present, s->mask, number, span, ~0ull);
      number += filled;
      left -= (int32_t)filled;
      if (filled == span) continue;
    }
    list[found++] = number++;
    left--;
  }
  return found;
}

uint32_t map_build(const store *s, uint32_t from, uint32_t bits, uint8_t *to) {
  uint32_t bytes = (bits + 7) / 8;
  for (uint32_t at = 0; at < bits; at += 64) {
    uint32_t number = from + at, i = number & s->mask, shift = i & 63;
    int32_t low = (int32_t)(s->oldest - number), high = (int32_t)(s->next - number);
    if (high > (int32_t)(bits - at)) high = (int32_t)(bits - at);
    uint64_t word = 0;
    if (s->count && low < 64 && high > 0) {
      word = s->present[i / 64] >> shift;
      if (shift) word |= s->present[((i + 64) & s->mask) / 64] << (64 - shift);
      if (low > 0) word &= ~0ull << low;
      if (high < 64) word &= (1ull << high) - 1;
    }
    uint32_t left = bytes - at / 8;
    memcpy(to + at / 8, &word, left >= 8 ? 8 : left);
  }
  return bytes;
}

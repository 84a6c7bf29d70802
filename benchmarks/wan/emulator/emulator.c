/*
 * Links between network namespaces. Each end of a link is a TUN device in one namespace; what the kernel sends into one
 * comes out of the other late, or not at all, so that any protocol can run over it unchanged.
 *
 *   namespace A  ──▶ TUN ──▶ rate and queue ──▶ loss ──▶ delay, jitter ──▶ TUN ──▶  namespace B     (and the same back)
 *
 * It is told what to do on standard input, a line each, and answers with a line on standard output:
 *
 *   node NAME                                  "node NAME FD": the namespace is /proc/PID/fd/FD
 *   link NAME A DEVICE-A B DEVICE-B SEED       "link NAME"
 *   set NAME DIRECTION DELAY-US JITTER-US KEEPS-ORDER BPS QUEUE-BYTES GOOD-TO-BAD BAD-TO-GOOD GOOD-LOSS BAD-LOSS
 *                                              "set NAME"; 0 = from A to B; BPS 0 = no limit
 *   seed NAME SEED                             "seed NAME": losses and jitter begin anew
 *   figures NAME                               counters of both directions since `reset`, as JSON
 *   reset NAME                                 "reset NAME"
 *
 * Namespaces have no names and devices no life of their own: all of it is gone when this process is, however it ends,
 * and it ends when its standard input does.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "direction.h"

#define NODES_MAX 64
#define LINKS_MAX 64
#define NAME_MAX_BYTES 32
#define LINE_BYTES_MAX 512
#define REAL_TIME_PRIORITY 50

struct link {
  char name[NAME_MAX_BYTES];
  struct direction directions[2];
};

struct node {
  char name[NAME_MAX_BYTES];
  int fd;
};

static struct node nodes[NODES_MAX];
static struct link links[LINKS_MAX];
static int node_count, link_count, home_fd, epoll_fd, timer_fd;

static void arm_timer(void) {
  int64_t due = INT64_MAX;
  for (int i = 0; i < link_count; i++) {
    for (int k = 0; k < 2; k++) {
      struct direction *d = &links[i].directions[k];
      if (d->count > 0 && d->heap[0].due_ns < due) due = d->heap[0].due_ns;
    }
  }
  struct itimerspec when = {0};
  if (due != INT64_MAX) {
    if (due < 1) due = 1;
    when.it_value.tv_sec = due / 1000000000;
    when.it_value.tv_nsec = due % 1000000000;
  }
  timerfd_settime(timer_fd, TFD_TIMER_ABSTIME, &when, NULL);
}

/* ------------------------------------------------------------------ namespaces and devices */

static void fail(const char *what) {
  printf("error %s: %s\n", what, strerror(errno));
  fflush(stdout);
}

/* A fresh namespace with its loopback up; this process is back in its own afterwards. */
static int create_namespace(void) {
  if (unshare(CLONE_NEWNET) != 0) return -1;
  int fd = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
  int sock = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  struct ifreq request = {0};
  strcpy(request.ifr_name, "lo");
  request.ifr_flags = IFF_UP | IFF_RUNNING;
  int is_up = sock >= 0 && ioctl(sock, SIOCSIFFLAGS, &request) == 0;
  if (sock >= 0) close(sock);
  if (setns(home_fd, CLONE_NEWNET) != 0) abort();
  return is_up ? fd : -1;
}

static int open_tun(const struct node *node, const char *device) {
  if (setns(node->fd, CLONE_NEWNET) != 0) return -1;
  int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
  struct ifreq request = {0};
  request.ifr_flags = IFF_TUN | IFF_NO_PI;
  snprintf(request.ifr_name, sizeof request.ifr_name, "%s", device);
  if (fd >= 0 && ioctl(fd, TUNSETIFF, &request) != 0) {
    close(fd);
    fd = -1;
  }
  int problem = errno;
  if (setns(home_fd, CLONE_NEWNET) != 0) abort();
  errno = problem;
  return fd;
}

static struct node *find_node(const char *name) {
  for (int i = 0; i < node_count; i++) {
    if (strcmp(nodes[i].name, name) == 0) return &nodes[i];
  }
  return NULL;
}

static struct link *find_link(const char *name) {
  for (int i = 0; i < link_count; i++) {
    if (strcmp(links[i].name, name) == 0) return &links[i];
  }
  return NULL;
}

/* ------------------------------------------------------------------ commands */

static void command_node(const char *name) {
  if (node_count == NODES_MAX || find_node(name) != NULL) {
    printf("error node %s: too many, or there already\n", name);
    return;
  }
  int fd = create_namespace();
  if (fd < 0) return fail("namespace");
  struct node *node = &nodes[node_count++];
  snprintf(node->name, sizeof node->name, "%s", name);
  node->fd = fd;
  printf("node %s %d\n", name, fd);
}

static int start_direction(struct direction *d, int from_fd, int to_fd, uint64_t seed) {
  d->from_fd = from_fd;
  d->to_fd = to_fd;
  d->heap = malloc(sizeof(struct packet) * PACKETS_MAX);
  seed_random(d, seed);
  struct epoll_event event = {.events = EPOLLIN, .data.ptr = d};
  return d->heap != NULL && epoll_ctl(epoll_fd, EPOLL_CTL_ADD, from_fd, &event) == 0;
}

static void command_link(const char *line) {
  char name[NAME_MAX_BYTES], a[NAME_MAX_BYTES], b[NAME_MAX_BYTES];
  char device_a[IFNAMSIZ], device_b[IFNAMSIZ];
  unsigned long long seed;
  if (sscanf(line, "link %31s %31s %15s %31s %15s %llu", name, a, device_a, b, device_b, &seed) != 6) {
    printf("error not understood: %s\n", line);
    return;
  }
  struct node *node_a = find_node(a), *node_b = find_node(b);
  if (node_a == NULL || node_b == NULL || link_count == LINKS_MAX || find_link(name) != NULL) {
    printf("error link %s: no such node, too many links, or there already\n", name);
    return;
  }
  int fd_a = open_tun(node_a, device_a);
  int fd_b = fd_a < 0 ? -1 : open_tun(node_b, device_b);
  if (fd_b < 0) return fail("/dev/net/tun");
  struct link *link = &links[link_count++];
  snprintf(link->name, sizeof link->name, "%s", name);
  if (start_direction(&link->directions[0], fd_a, fd_b, seed * 2) &&
      start_direction(&link->directions[1], fd_b, fd_a, seed * 2 + 1)) {
    printf("link %s\n", name);
  } else {
    fail("link");
  }
}

static void command_set(const char *line) {
  char name[NAME_MAX_BYTES];
  int way, keeps_order;
  double delay_us, jitter_us, bps, queue, to_bad, to_good, good_loss, bad_loss;
  int found = sscanf(line, "set %31s %d %lf %lf %d %lf %lf %lf %lf %lf %lf", name, &way, &delay_us, &jitter_us,
                     &keeps_order, &bps, &queue, &to_bad, &to_good, &good_loss, &bad_loss);
  struct link *link = found == 11 ? find_link(name) : NULL;
  if (link == NULL || (way != 0 && way != 1)) {
    printf("error not understood: %s\n", line);
    return;
  }
  link->directions[way].profile = (struct profile){
      .delay_ns = (int64_t)(delay_us * 1000),
      .jitter_ns = (int64_t)(jitter_us * 1000),
      .keeps_order = keeps_order,
      .bytes_per_ns = bps / 8e9,
      .queue_bytes = queue,
      .good_to_bad = to_bad,
      .bad_to_good = to_good,
      .good_loss = good_loss,
      .bad_loss = bad_loss,
  };
  printf("set %s\n", name);
}

static void command_seed(struct link *link, const char *line) {
  unsigned long long seed = 0;
  sscanf(line, "seed %*31s %llu", &seed);
  for (int k = 0; k < 2; k++) {
    seed_random(&link->directions[k], seed * 2 + (uint64_t)k);
    link->directions[k].is_bad = 0;
  }
  printf("seed %s\n", link->name);
}

static void print_direction(const struct counters *c) {
  printf("{\"packetsIn\":%llu,\"bytesIn\":%llu,\"packetsLost\":%llu,\"packetsDropped\":%llu,\"packetsOut\":%llu,"
         "\"bytesOut\":%llu,\"errors\":%llu,\"lateMsMax\":%.3f,\"lateMsMean\":%.4f}",
         (unsigned long long)c->packets_in, (unsigned long long)c->bytes_in, (unsigned long long)c->packets_lost,
         (unsigned long long)c->packets_dropped, (unsigned long long)c->packets_out, (unsigned long long)c->bytes_out,
         (unsigned long long)c->errors, (double)c->late_ns_max / 1e6,
         c->packets_out == 0 ? 0 : (double)c->late_ns_sum / 1e6 / (double)c->packets_out);
}

static void command_figures(const struct link *link) {
  printf("{\"forward\":");
  print_direction(&link->directions[0].counters);
  printf(",\"back\":");
  print_direction(&link->directions[1].counters);
  printf("}\n");
}

static void obey(const char *line) {
  char word[NAME_MAX_BYTES] = "", name[NAME_MAX_BYTES] = "";
  sscanf(line, "%31s %31s", word, name);
  struct link *link = find_link(name);
  if (strcmp(word, "node") == 0) command_node(name);
  else if (strcmp(word, "link") == 0) command_link(line);
  else if (strcmp(word, "set") == 0) command_set(line);
  else if (strcmp(word, "seed") == 0 && link != NULL) command_seed(link, line);
  else if (strcmp(word, "figures") == 0 && link != NULL) command_figures(link);
  else if (strcmp(word, "reset") == 0 && link != NULL) {
    for (int k = 0; k < 2; k++) memset(&link->directions[k].counters, 0, sizeof(struct counters));
    printf("reset %s\n", name);
  } else printf("error not understood: %s\n", line);
  fflush(stdout);
}

/* Whole lines of what came; 0 at the end of the input. */
static int take_commands(void) {
  static char text[LINE_BYTES_MAX * 4];
  static size_t used;
  ssize_t bytes = read(STDIN_FILENO, text + used, sizeof text - 1 - used);
  if (bytes <= 0) return 0;
  used += (size_t)bytes;
  text[used] = 0;
  char *line = text;
  for (char *end; (end = strchr(line, '\n')) != NULL; line = end + 1) {
    *end = 0;
    obey(line);
  }
  used -= (size_t)(line - text);
  memmove(text, line, used);
  return used < sizeof text - 1;
}

int main(void) {
  home_fd = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
  epoll_fd = epoll_create1(EPOLL_CLOEXEC);
  timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
  struct epoll_event from_input = {.events = EPOLLIN, .data.ptr = &home_fd};
  struct epoll_event from_timer = {.events = EPOLLIN, .data.ptr = &timer_fd};
  if (home_fd < 0 || epoll_fd < 0 || timer_fd < 0 ||
      epoll_ctl(epoll_fd, EPOLL_CTL_ADD, STDIN_FILENO, &from_input) != 0 ||
      epoll_ctl(epoll_fd, EPOLL_CTL_ADD, timer_fd, &from_timer) != 0) {
    fail("start");
    return 1;
  }
  struct sched_param priority = {.sched_priority = REAL_TIME_PRIORITY};
  int is_real_time = sched_setscheduler(0, SCHED_FIFO, &priority) == 0;
  mlockall(MCL_CURRENT);
  printf("ready %s\n", is_real_time ? "real-time" : "usual-priority");
  fflush(stdout);
  for (;;) {
    struct epoll_event events[16];
    int count = epoll_wait(epoll_fd, events, 16, -1);
    for (int i = 0; i < count; i++) {
      if (events[i].data.ptr == &home_fd) {
        if (!take_commands()) return 0;
      } else if (events[i].data.ptr == &timer_fd) {
        uint64_t expired;
        if (read(timer_fd, &expired, sizeof expired) < 0 && errno != EAGAIN) return 1;
      } else {
        take_packets(events[i].data.ptr);
      }
    }
    for (int i = 0; i < link_count; i++) {
      for (int k = 0; k < 2; k++) give_packets(&links[i].directions[k]);
    }
    arm_timer();
  }
}

/*
 * Many readers of one server: `tcp-readers PORT COUNT`. Each connects to 127.0.0.1, says what stood on standard input,
 * and throws away all that comes, unread. Each second a line of JSON says how many are connected and how many bytes
 * have come in all. Ends when it is told to, or with its parent.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define GREETING_BYTES_MAX 16384
#define THROW_BYTES (1 << 20)
#define EVENTS 256

static double now_ms(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static int connect_reader(unsigned short port, const char *greeting, size_t bytes) {
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port)};
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof to) != 0 ||
      send(fd, greeting, bytes, MSG_NOSIGNAL) != (ssize_t)bytes) {
    if (fd >= 0) close(fd);
    return -1;
  }
  return fd;
}

int main(int count, char **words) {
  if (count != 3) return 2;
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  int wanted = atoi(words[2]), open_count = 0;
  struct rlimit files = {(rlim_t)wanted + 64, (rlim_t)wanted + 64};
  setrlimit(RLIMIT_NOFILE, &files);
  static char greeting[GREETING_BYTES_MAX];
  size_t length = 0;
  for (ssize_t got; length < sizeof greeting && (got = read(0, greeting + length, sizeof greeting - length)) > 0;)
    length += (size_t)got;
  int epoll_fd = epoll_create1(EPOLL_CLOEXEC);
  unsigned long long total = 0;
  double next_report = now_ms() + 1000;
  for (;;) {
    for (int i = 0; i < 16 && open_count < wanted; i++) {
      int fd = connect_reader((unsigned short)atoi(words[1]), greeting, length);
      if (fd < 0) {
        fprintf(stderr, "tcp-readers: reader %d: %s\n", open_count, strerror(errno));
        return 1;
      }
      struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
      epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event);
      open_count++;
    }
    struct epoll_event events[EVENTS];
    int found = epoll_wait(epoll_fd, events, EVENTS, open_count < wanted ? 0 : 100);
    for (int i = 0; i < found; i++) {
      /* MSG_TRUNC: TCP drops the bytes without a copy (tcp(7)). */
      ssize_t got = recv(events[i].data.fd, NULL, THROW_BYTES, MSG_TRUNC | MSG_DONTWAIT);
      if (got > 0) {
        total += (unsigned long long)got;
      } else if (got == 0 || (errno != EAGAIN && errno != EINTR)) {
        close(events[i].data.fd);
        wanted--;
        open_count--;
      }
    }
    if (now_ms() < next_report) continue;
    next_report += 1000;
    printf("{\"readers\":%d,\"bytes\":%llu,\"atMs\":%.3f}\n", open_count, total, now_ms());
    fflush(stdout);
  }
}

/*
 * libsrt itself at both ends of a stream, without the copies its command-line tool makes over loopback sockets:
 *
 *   srt-peer send HOST PORT FRAMES FPS BYTES LATENCY-MS     srt-peer take HOST PORT BYTES LATENCY-MS
 *
 * Says what the other ends say (pace.ts): "ready" or "begin", and at the end the frames' times as a line of JSON.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <pthread.h>
#include <srt/srt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define DATAGRAM_BYTES 1152
#define FRAMES_MAX 1000000

static double times[FRAMES_MAX];
static unsigned short came[FRAMES_MAX];

static double now_ms(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static void fail(const char *what) {
  fprintf(stderr, "srt-peer: %s: %s\n", what, srt_getlasterror_str());
  exit(1);
}

static SRTSOCKET open_socket(int latency_ms) {
  SRTSOCKET sock = srt_create_socket();
  if (sock == SRT_INVALID_SOCK) fail("socket");
  srt_setsockflag(sock, SRTO_LATENCY, &latency_ms, sizeof latency_ms);
  /* Its usual 8,192 packets are 375 ms at 200 Mbit/s, too little on a busy machine. */
  int packets = 4 * 8192, bytes = packets * 1456;
  srt_setsockflag(sock, SRTO_FC, &packets, sizeof packets);
  srt_setsockflag(sock, SRTO_RCVBUF, &bytes, sizeof bytes);
  srt_setsockflag(sock, SRTO_SNDBUF, &bytes, sizeof bytes);
  return sock;
}

static struct sockaddr_in address_of(const char *host, const char *port) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((unsigned short)atoi(port))};
  inet_pton(AF_INET, host, &address.sin_addr);
  return address;
}

static void send_frames(SRTSOCKET sock, int frames, double fps, int bytes) {
  char datagram[DATAGRAM_BYTES] = {0};
  printf("begin\n");
  fflush(stdout);
  double began = now_ms();
  for (int frame = 0; frame < frames; frame++) {
    double wait = began + frame * 1000.0 / fps - now_ms();
    if (wait > 0) usleep((useconds_t)(wait * 1000));
    times[frame] = now_ms();
    memcpy(datagram, &frame, sizeof frame);
    for (int left = bytes; left > 0; left -= DATAGRAM_BYTES) {
      int length = left < DATAGRAM_BYTES ? left : DATAGRAM_BYTES;
      if (srt_sendmsg2(sock, datagram, length, NULL) == SRT_ERROR) fail("send");
    }
  }
  printf("{\"times\":[");
  for (int i = 0; i < frames; i++) printf("%s%.3f", i == 0 ? "" : ",", times[i]);
  printf("]}\n");
  fflush(stdout);
}

static void *take_frames(void *argument) {
  SRTSOCKET listener = ((SRTSOCKET *)argument)[0];
  int datagrams = (int)((SRTSOCKET *)argument)[1];
  SRTSOCKET sock = srt_accept(listener, NULL, NULL);
  if (sock == SRT_INVALID_SOCK) fail("accept");
  char datagram[1500];
  while (srt_recvmsg(sock, datagram, sizeof datagram) > 0) {
    int frame;
    memcpy(&frame, datagram, sizeof frame);
    if (frame < 0 || frame >= FRAMES_MAX || ++came[frame] != datagrams) continue;
    times[frame] = now_ms();
  }
  return NULL;
}

static void await_input_end(void) {
  char byte;
  while (read(STDIN_FILENO, &byte, 1) > 0 || errno == EINTR) {
  }
}

int main(int count, char **words) {
  srt_startup();
  if (count == 8 && strcmp(words[1], "send") == 0) {
    SRTSOCKET sock = open_socket(atoi(words[7]));
    struct sockaddr_in to = address_of(words[2], words[3]);
    if (srt_connect(sock, (struct sockaddr *)&to, sizeof to) == SRT_ERROR) fail("connect");
    send_frames(sock, atoi(words[4]), atof(words[5]), atoi(words[6]));
    await_input_end();
  } else if (count == 6 && strcmp(words[1], "take") == 0) {
    SRTSOCKET listener = open_socket(atoi(words[5]));
    struct sockaddr_in at = address_of(words[2], words[3]);
    if (srt_bind(listener, (struct sockaddr *)&at, sizeof at) == SRT_ERROR) fail("bind");
    if (srt_listen(listener, 1) == SRT_ERROR) fail("listen");
    printf("ready\n");
    fflush(stdout);
    static SRTSOCKET argument[2];
    argument[0] = listener;
    argument[1] = (atoi(words[4]) + DATAGRAM_BYTES - 1) / DATAGRAM_BYTES;
    pthread_t taker;
    pthread_create(&taker, NULL, take_frames, argument);
    await_input_end();
    printf("{\"frames\":[");
    const char *comma = "";
    for (int i = 0; i < FRAMES_MAX; i++) {
      if (times[i] == 0) continue;
      printf("%s[%d,%.3f]", comma, i, times[i]);
      comma = ",";
    }
    printf("]}\n");
  } else {
    fprintf(stderr, "srt-peer: not called so; see srt-peer.c\n");
    return 2;
  }
  fflush(stdout);
  _exit(0);
}

// How fast TCP is between two places: `netspeed serve` in one, `stream` or `pingpong` in the other.
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "serve.h"

enum { block = 128 * 1024, message = 64, most_round_trips = 1000000 };

static char buffer[block];

static _Noreturn void fail(const char *what) {
  perror(what);
  exit(1);
}

static double seconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

// Returns whether all of it was sent.
static int send_all(int connection, const void *data, size_t length) {
  for (size_t sent = 0; sent < length;) {
    ssize_t wrote = write(connection, (const char *)data + sent, length - sent);
    if (wrote <= 0) return 0;
    sent += (size_t)wrote;
  }
  return 1;
}

// Returns whether all of it came.
static int receive_all(int connection, void *data, size_t length) {
  for (size_t received = 0; received < length;) {
    ssize_t got = read(connection, (char *)data + received, length - received);
    if (got <= 0) return 0;
    received += (size_t)got;
  }
  return 1;
}

// Without this the kernel waits for more before it sends a small message.
static void send_at_once(int connection) {
  int one = 1;
  setsockopt(connection, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
}

// The first byte says what the client wants.
static void answer(int connection) {
  char mode;
  if (!receive_all(connection, &mode, 1)) return;
  send_at_once(connection);
  if (mode == 'p') {
    while (receive_all(connection, buffer, message) && send_all(connection, buffer, message)) {
    }
    return;
  }
  uint64_t total = 0;
  ssize_t got;
  while ((got = read(connection, buffer, sizeof buffer)) > 0) total += (uint64_t)got;
  send_all(connection, &total, sizeof total);
}

static int connect_to(const char *host, uint16_t port, char mode) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
  int connection = socket(AF_INET, SOCK_STREAM, 0);
  if (inet_pton(AF_INET, host, &address.sin_addr) != 1) {
    fprintf(stderr, "netspeed: %s is no address\n", host);
    exit(2);
  }
  if (connection < 0 || connect(connection, (struct sockaddr *)&address, sizeof address)) fail("netspeed: connecting");
  send_at_once(connection);
  if (!send_all(connection, &mode, 1)) fail("netspeed: sending");
  return connection;
}

// What arrived, by the time until the server has said that it did.
static void stream(int connection, double duration) {
  uint64_t total;
  double began = seconds();
  while (seconds() - began < duration)
    if (!send_all(connection, buffer, sizeof buffer)) fail("netspeed: sending");
  shutdown(connection, SHUT_WR);
  if (!receive_all(connection, &total, sizeof total)) fail("netspeed: the server's answer");
  printf("{\"megabitsPerSecond\":%.1f}\n", (double)total * 8 / 1e6 / (seconds() - began));
}

static int by_size(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

static void pingpong(int connection, double duration) {
  double *times = malloc(most_round_trips * sizeof *times), began = seconds(), last = began;
  size_t count = 0;
  if (times == NULL) fail("netspeed");
  while (count < most_round_trips && last - began < duration) {
    if (!send_all(connection, buffer, message) || !receive_all(connection, buffer, message)) fail("netspeed: a message");
    double now = seconds();
    times[count++] = now - last;
    last = now;
  }
  qsort(times, count, sizeof *times, by_size);
  printf("{\"p50Microseconds\":%.1f,\"p99Microseconds\":%.1f}\n", times[count / 2] * 1e6, times[count * 99 / 100] * 1e6);
}

int main(int argc, char **argv) {
  if (argc == 3 && strcmp(argv[1], "serve") == 0) return serve((uint16_t)atoi(argv[2]), "netspeed serve", answer);
  if (argc == 5 && strcmp(argv[1], "stream") == 0)
    stream(connect_to(argv[2], (uint16_t)atoi(argv[3]), 's'), atof(argv[4]));
  else if (argc == 5 && strcmp(argv[1], "pingpong") == 0)
    pingpong(connect_to(argv[2], (uint16_t)atoi(argv[3]), 'p'), atof(argv[4]));
  else {
    fprintf(stderr, "usage: netspeed serve PORT | stream ADDRESS PORT SECONDS | pingpong ADDRESS PORT SECONDS\n");
    return 2;
  }
  return 0;
}

// Answers every HTTP request on port 8080 with the name of the pod (its hostname), a process for each connection.
#include <stdio.h>
#include <string.h>

#include "serve.h"

enum { port = 8080, idle_seconds = 10 };

static void answer(int connection) {
  char request[8192], host[256] = "", response[512];
  size_t used = 0;
  // A client that says nothing must not keep a process for ever.
  signal(SIGALRM, stop);
  alarm(idle_seconds);
  for (;;) {
    ssize_t got = read(connection, request + used, sizeof request - 1 - used);
    if (got <= 0) return;
    used += (size_t)got;
    request[used] = '\0';
    if (strstr(request, "\r\n\r\n") != NULL || strstr(request, "\n\n") != NULL) break;
    if (used == sizeof request - 1) return;
  }
  gethostname(host, sizeof host - 1);
  int length = snprintf(response, sizeof response,
                        "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: %zu\r\n"
                        "Connection: close\r\n\r\n%s\n",
                        strlen(host) + 1, host);
  for (int sent = 0; sent < length;) {
    ssize_t wrote = write(connection, response + sent, (size_t)(length - sent));
    if (wrote <= 0) return;
    sent += (int)wrote;
  }
  // Closing with unread input would reset the connection before the client has read the answer.
  shutdown(connection, SHUT_WR);
  while (read(connection, request, sizeof request) > 0) {
  }
}

int main(void) { return serve(port, "workload: port 8080", answer); }

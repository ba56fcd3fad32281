// SPDX-License-Identifier: Apache-2.0
// call-client: an agent's client at its smallest, so that what is timed is the product and not the client.
//
//   call-client SOCKET COUNT REQUEST
//
// Opens an MCP session at the agent's door and sends REQUEST, one line of JSON, COUNT times, each after the answer to the one before.
// REQUEST has the id 7. Prints the microseconds from the request to its answer, one a line.
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

static const char OPENING[] =
    "{\"jsonrpc\":\"2.0\",\"id\":0,\"method\":\"initialize\",\"params\":{\"protocolVersion\":\"2025-11-25\","
    "\"capabilities\":{},\"clientInfo\":{\"name\":\"bench\",\"version\":\"1\"}}}\n";
static const char OPENED[] = "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/initialized\"}\n";

static char buffer[1 << 20];
static size_t held;

_Noreturn static void fail(const char *what) {
  fprintf(stderr, "call-client: %s\n", what);
  exit(1);
}

static void say(int door, const char *text, size_t length) {
  while (length > 0) {
    ssize_t n = write(door, text, length);
    if (n <= 0) fail("the door closed");
    text += n;
    length -= (size_t)n;
  }
}

// Reads lines up to the one with this id; others are notifications.
static void hear(int door, const char *id) {
  for (;;) {
    char *end = memchr(buffer, '\n', held);
    if (end == NULL) {
      if (held == sizeof buffer - 1) fail("an answer is too long");
      ssize_t n = read(door, buffer + held, sizeof buffer - 1 - held);
      if (n <= 0) fail("the door closed before its answer");
      held += (size_t)n;
      continue;
    }
    *end = '\0';
    int mine = strstr(buffer, id) != NULL;
    int good = strstr(buffer, "\"result\"") != NULL && strstr(buffer, "\"isError\":true") == NULL;
    if (mine && !good) fail(buffer);
    size_t used = (size_t)(end + 1 - buffer);
    memmove(buffer, end + 1, held - used);
    held -= used;
    if (mine) return;
  }
}

int main(int argc, char **argv) {
  struct sockaddr_un at = {.sun_family = AF_UNIX};
  if (argc != 4 || strlen(argv[1]) >= sizeof at.sun_path) fail("usage: call-client SOCKET COUNT REQUEST");
  strcpy(at.sun_path, argv[1]);
  int door = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (door < 0 || connect(door, (struct sockaddr *)&at, sizeof at) < 0) fail("cannot connect to the door");
  say(door, OPENING, sizeof OPENING - 1);
  hear(door, "\"id\":0");
  say(door, OPENED, sizeof OPENED - 1);
  size_t length = strlen(argv[3]);
  char *request = malloc(length + 2);
  if (request == NULL) fail("no memory");
  memcpy(request, argv[3], length);
  request[length++] = '\n';
  for (int left = atoi(argv[2]); left > 0; left--) {
    struct timespec begun, ended;
    clock_gettime(CLOCK_MONOTONIC, &begun);
    say(door, request, length);
    hear(door, "\"id\":7");
    clock_gettime(CLOCK_MONOTONIC, &ended);
    printf("%.1f\n", (double)(ended.tv_sec - begun.tv_sec) * 1e6 + (double)(ended.tv_nsec - begun.tv_nsec) / 1e3);
  }
  return 0;
}

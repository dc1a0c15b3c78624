/* What is said on the message pipe of message_pipe.c: some messages, their end, and after a while the messages of the
 * reply and its end. Message i has `sizes[i]` bytes, those of host_byte() with the seed `seed + i`. */
#ifndef CONVERSATION_H
#define CONVERSATION_H

#include "host.h"

enum { MESSAGES_MAX = 8, MESSAGE_SIZE_MAX = 20000, CONVERSATION_LATE_MS = 300 };

typedef struct messages_s {
  unsigned seed;
  size_t count;
  size_t sizes[MESSAGES_MAX];
} messages_t;

/* Shorter and longer than the buffers, and just as long. */
static inline messages_t conversation_request(void)
{
  messages_t request = {100, 5, {10, 12, 5000, 2048, 1}};
  return request;
}

static inline messages_t conversation_reply(void)
{
  messages_t reply = {200, 4, {7, 10001, 2049, 4096}};
  return reply;
}

#endif

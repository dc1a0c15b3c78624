/* The buffers of a relay's data, and the pool that keeps a few of them for the next reader.
 *
 * There are four sizes: small ones for reads that wait on an idle connection, large ones for a busy one, huge ones for
 * one that moves data in bulk, and giant ones where few reads must move much. A long message gets a buffer of its own
 * size, which is not kept. */
#ifndef UVR_BASE_BUFFER_H
#define UVR_BASE_BUFFER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <uv.h>

#include "base/memory.h"

#define UVR_BUFFER_SMALL ((size_t)1024)      /* bytes */
#define UVR_BUFFER_LARGE ((size_t)64 * 1024) /* bytes, unless the pool's owner chooses another size */

#define UVR_BUFFER_HEADROOM ((size_t)24) /* bytes before the data of each buffer */

/* Whether the pool's owner may choose this size for the large ones. */
static inline bool uvr_buffer_may_be_large(size_t bytes)
{
  return bytes >= UVR_BUFFER_SMALL && bytes <= (size_t)16 * 1024 * 1024;
}

typedef struct uvr_splice uvr_splice; /* buffer_unix.c */
typedef struct uvr_buffer uvr_buffer;
struct uvr_buffer {
  uvr_buffer *next;
  size_t capacity;     /* bytes of `data` */
  size_t length;       /* how many bytes of `data` are filled */
  unsigned holders;    /* besides its owner */
  uint8_t before;      /* how many of the bytes that a read has brought are in the headroom, see read_before */
  uvr_splice *splice;  /* has the bytes instead of `data`; NULL for most buffers: see uvr_splice_get */
  bool end_of_message; /* the last byte is the last one of a message */
  char headroom[UVR_BUFFER_HEADROOM]; /* directly before the data: for a stream that puts something before it */
  char data[];
};

typedef struct uvr_buffer_pool {
  const uvrelay_allocator_t *memory;
  size_t large; /* bytes; its owner may set it at first, to UVR_BUFFER_SMALL or more */
  size_t huge;  /* likewise, to more than `large`; 0 at first: there are none */
  size_t giant; /* likewise, to more than `huge` */
  uvr_buffer *small_free;
  uvr_buffer *large_free;
  uvr_buffer *huge_free;
  uvr_buffer *giant_free;
  size_t small_count; /* on the free lists */
  size_t large_count;
  size_t huge_count;
  size_t giant_count;
  struct uvr_buffer_pool *pipes_of; /* whose pipes it uses; its owner may set it at first. NULL: its own */
  uvr_buffer *pipes_free;           /* the rest is of uvr_splice_get */
  unsigned pipes_free_count;
  unsigned pipes;    /* in use or free */
  unsigned splicing; /* directions that splice */
  bool pipes_fail;   /* no pipe could be made since the last direction began or ended */
} uvr_buffer_pool;

void uvr_buffer_pool_init(uvr_buffer_pool *pool, const uvrelay_allocator_t *memory);

/* Frees the buffers in the pool. All buffers must have been put back before. */
void uvr_buffer_pool_clear(uvr_buffer_pool *pool);

/* An empty buffer, large if more than UVR_BUFFER_SMALL bytes are wanted, or NULL if there is no memory. */
uvr_buffer *uvr_buffer_get(uvr_buffer_pool *pool, size_t wanted);

/* An empty huge buffer, or NULL if there is no memory. The pool must have huge ones. */
uvr_buffer *uvr_buffer_get_huge(uvr_buffer_pool *pool);
uvr_buffer *uvr_buffer_get_giant(uvr_buffer_pool *pool); /* likewise */

/* An empty buffer of exactly `capacity` bytes, or NULL if there is no memory. */
uvr_buffer *uvr_buffer_new(uvr_buffer_pool *pool, size_t capacity);

/* Keeps the buffer until it has been put back once more. */
static inline void uvr_buffer_hold(uvr_buffer *buffer)
{
  buffer->holders++;
}

/* Puts a buffer back; NULL is allowed. */
void uvr_buffer_put(uvr_buffer_pool *pool, uvr_buffer *buffer);

/* Splicing: bytes on their way from one socket or pipe to another through a pipe of the system, so that this process
 * does not copy them. Only Linux has this; elsewhere there are no such buffers.
 *
 * A buffer whose `splice` is set has its bytes in the pipe and not in `data`. Its pool counts the directions that
 * splice, and keeps at most two empty pipes for each: one is filled while the other one is written. */

/* Whether the system can do this. */
bool uvr_splice_works(void);

/* Counts a direction that begins to splice, or ends. */
void uvr_splice_begin(uvr_buffer_pool *pool);
void uvr_splice_end(uvr_buffer_pool *pool);

/* An empty buffer with a pipe; NULL if there is no memory or descriptor for one, or if the system needs these for other
 * things, so that the bytes are to be copied: then it is not tried again until another direction begins or ends, as
 * trying takes longer than copying. uvr_buffer_put puts it back, even if the pipe is not empty. */
uvr_buffer *uvr_splice_get(uvr_buffer_pool *pool);

/* Whether more than half of the pipes that there may be are in use. */
bool uvr_splice_is_scarce(uvr_buffer_pool *pool);

/* For uvr_buffer_put and uvr_buffer_pool_clear. */
void uvr_splice_put(uvr_buffer_pool *pool, uvr_buffer *buffer);
void uvr_splice_clear(uvr_buffer_pool *pool);

/* Moves into the empty pipe what can be read from a socket or a pipe, at most `most` bytes, which is not 0. Returns the
 * number of bytes, not 0, which is to become buffer->length; or UV_EOF, UV_EAGAIN, or UV_ENOSYS if it must be read in
 * another way; or the socket's error, which the system then no longer reports. */
ssize_t uvr_splice_read(uvr_buffer *buffer, const uv_stream_t *from, size_t most);

/* Writes the next `length` bytes of the pipe, which has so many, to a socket or a pipe. Returns 0 when they are
 * written; or the socket's error; or UV_EAGAIN when the rest must wait: `on_written` is called later with 0 or the
 * error, UV_ECANCELED if the stream is closed before. */
int uvr_splice_write(uvr_buffer *buffer, size_t length, uv_stream_t *to, void (*on_written)(void *user, int code),
                     void *user);

/* How many bytes are still in the pipe. */
size_t uvr_splice_left(const uvr_buffer *buffer);

/* Whether the system would not splice the bytes, which were then written in another way. */
bool uvr_splice_is_refused(const uvr_buffer *buffer);

#endif

/* Room for clients: see room_unix.h.
 *
 * Far from the limit, one poll shows so many unused numbers that the next clients are accepted without another look.
 * The limit is read again each time, because the host, or another process, may change it. Near the limit, or where the
 * unused numbers lie elsewhere, descriptors are opened and closed again before each client.
 *
 * Other parts of the process may use up the descriptors in the meantime. Then the client has to wait for its target:
 * the dial tries again. */
#include "endpoint/room_unix.h"

#include <limits.h>
#include <poll.h>
#include <sys/resource.h>

#include "base/os.h"

/* The clients of one look need two descriptors each. That leaves enough of the unused ones for those of two other
 * contexts that look at the same time, and for other parts of the process. */
enum { SPARE = 6, LOOKED_AT = 128, UNUSED = 128, CLIENTS_OF_A_LOOK = 16 };

/* Descriptors that can be opened have numbers below this. */
static int limit(void)
{
  struct rlimit most;
  return getrlimit(RLIMIT_NOFILE, &most) != 0 ? 0 : most.rlim_cur < INT_MAX ? (int)most.rlim_cur : INT_MAX;
}

/* Fills `numbers` with those from `first` on, but none from `end` on. Returns how many these are. */
static int fill(struct pollfd *numbers, int first, int end)
{
  int count = 0;
  while (count < LOOKED_AT && first + count < end) {
    numbers[count] = (struct pollfd){.fd = first + count};
    count++;
  }
  return count;
}

/* The lowest unused number is always used first, so that most others follow the one that was opened last, or are at the
 * end. */
static bool has_many(int near_fd)
{
  struct pollfd numbers[2 * LOOKED_AT];
  int end = limit();
  int last = end > LOOKED_AT ? end - LOOKED_AT : 0;
  int first = near_fd + LOOKED_AT < last ? near_fd : last > LOOKED_AT ? last - LOOKED_AT : 0;
  int count = fill(numbers, first, last);
  count += fill(numbers + count, last, end);
  int unused = 0;
  if (count < UNUSED || poll(numbers, (nfds_t)count, 0) < UNUSED) {
    return false;
  }
  for (int i = 0; i < count; i++) {
    unused += (numbers[i].revents & POLLNVAL) != 0 ? 1 : 0;
  }
  return unused >= UNUSED;
}

static bool has_few(const uv_loop_t *loop)
{
  int spare[SPARE];
  int count = 0;
  while (count < SPARE && (spare[count] = uvr_os_open_spare_fd(loop)) > 0) {
    count++;
  }
  bool enough = count == SPARE;
  while (count > 0) {
    uvr_os_close_spare_fd(&spare[--count]);
  }
  return enough;
}

bool uvr_room_take(uvr_context *context, int near_fd)
{
  if (context->room == 0 && has_many(near_fd)) {
    context->room = CLIENTS_OF_A_LOOK;
  }
  if (context->room == 0) {
    return has_few(context->loop);
  }
  context->room--;
  return true;
}

/* Both ends of a mux in one relay, over a pair of pipes, and a journal of the events of each. */
#ifndef MUX_PAIR_H
#define MUX_PAIR_H

#include <stdbool.h>

#include "uvrelay/mux.h"

enum { MUX_JOURNAL = 512 };

typedef struct mux_end {
  uvrelay_mux_t *mux;        /* NULL: not there, or no longer */
  char journal[MUX_JOURNAL]; /* "N U D1 ": needed, up, down and how; R: refused; O, C: opened, closed; -: the end */
  uvrelay_error_t error;     /* of the last DOWN or REFUSED */
  uvrelay_mux_down_t down;   /* of the last DOWN */
  size_t streams;            /* the same */
  uvrelay_result_t result;   /* of the last CLOSED */
  char address[1100];        /* of the last REFUSED, OPENED or CLOSED */
  bool closing;
  unsigned refused; /* how many of each */
  unsigned opened;
  unsigned closed;
  unsigned ups;
  unsigned downs;
  unsigned needs;
  void (*on_event)(struct mux_end *end, const uvrelay_mux_event_t *event); /* may be NULL */
  void *user;
} mux_end;

typedef struct mux_pair {
  uvrelay_t *relay;
  mux_end near_end;
  mux_end far_end;
  unsigned calling;            /* functions of the relay that we are in, where we count them */
  bool attaches;               /* a carrier for both whenever the near end needs one */
  void (*on_call)(void *user); /* after each event of either; may be NULL */
  void *user;
} mux_pair;

/* Makes both ends, without a carrier. Each of the options may be NULL; their callback is set here. Returns the first
 * failure. */
int mux_pair_new(mux_pair *p, uvrelay_t *relay, const uvrelay_mux_options_t *near_options,
                 const uvrelay_mux_options_t *far_options);

/* Gives them a carrier. Returns the first failure, with what was made of the carrier closed. */
int mux_pair_attach(mux_pair *p);

/* Two pipes: what is written to [1] is read from [0]. */
void mux_pipe(uv_file fds[2]);
void mux_close_fd(uv_file fd);

/* Closes one, unless that was done. */
void mux_end_close(mux_end *end);
void mux_end_detach(mux_end *end);

/* Closes both. */
void mux_pair_close(mux_pair *p);

#endif

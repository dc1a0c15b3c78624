/* The end at which `uvrelay serve` is asked: a listener for this user alone. A client sends one line; the answer's
 * first line is "ok" or "error SENTENCE", the text follows, and the connection ends.
 *
 * Everything is bounded: the number of clients at a time (others wait to be accepted), the length of a request, and the
 * time after which a client that sends or reads nothing is closed. */
#ifndef UVR_CLI_CONTROL_SERVER_H
#define UVR_CLI_CONTROL_SERVER_H

#include <stdbool.h>
#include <stddef.h>

#include <uv.h>

#include "base/context.h"
#include "base/list.h"
#include "cli/control/place.h"
#include "cli/output/text_line.h"
#include "endpoint/listen.h"

enum { UVR_CONTROL_CLIENTS_MAX = 8, UVR_CONTROL_REQUEST_MAX = 256, UVR_CONTROL_PATIENCE_MS = 5000 };

typedef struct uvr_control_client uvr_control_client;

typedef struct uvr_control_server {
  /* To be set. */
  /* Gets each request, without its newline. It must be answered, by uvr_control_answer(), now or later. */
  void (*on_request)(void *user, uvr_control_client *client, const char *request);
  void *user;
  unsigned patience_ms; /* 0: UVR_CONTROL_PATIENCE_MS */
  /* The rest is private and must be zero. */
  bool open;
  uvr_context context;
  uvr_listener *listener;
  uvr_address address;
  uvr_address place;
  uv_file file; /* that shows where it is */
  uvr_list clients;
  size_t count; /* of them */
  uvr_closing closing;
  void (*on_closed)(void *user);
} uvr_control_server;

/* Listens at this place. It keeps the loop alive. Returns 0, after which it must be closed; or a negative code and
 * *error. */
int uvr_control_server_open(uvr_control_server *self, uv_loop_t *loop, const uvr_control_place *place,
                            uvrelay_error_t *error);

/* Answers a request: with `error`, a sentence, or, if that is NULL, with the text, which may be NULL. The client must
 * not be used afterwards. */
void uvr_control_answer(uvr_control_client *client, const char *error, const uvr_text_line *text);

/* Closes it and all clients, none of which may be answered afterwards. on_closed is called once, later. */
void uvr_control_server_close(uvr_control_server *self, void (*on_closed)(void *user));

#endif

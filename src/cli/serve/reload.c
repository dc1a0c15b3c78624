/* A reload: see reload.h.
 *
 * Normal case: the configuration is read and checked; each of its routes is matched with one that is served; the new
 * ones are added, those that have changed take over listeners, and then the rest is removed. All of that is done before
 * anything else happens, unless a listener has to be made again because its own options have changed (its permissions,
 * for example): the old one is removed then, and the new one is tried until the system has let the old one go.
 *
 * Ways to fail: the configuration has an error; the command of a far end that is needed now is not found; somebody else
 * listens on what is new. Then what was added is removed, and listeners go back to what was there before. One that was
 * removed and cannot be made again is lost; if no route listens then, serve ends. */
#include "cli/serve/reload.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "cli/os/notify.h"
#include "cli/serve/check.h"
#include "cli/serve/far_end.h"
#include "cli/serve/load.h"
#include "cli/serve/manager.h"
#include "cli/serve/reload_plan.h"
#include "cli/serve/reload_report.h"
#include "cli/serve/routes.h"

enum { SWAP_FIRST_MS = 1, SWAP_AGAIN_MS = 5, SWAP_MS = 400 };

static void begin(uvr_server *server);

/* The end of a reload. */

static void finish(uvr_server *server)
{
  uvr_reload *self = &server->reload;
  uvr_made_directories_clear(&self->made);
  free(self->entries);
  self->entries = NULL;
  self->count = 0;
  self->turns = 0;
  self->lost = 0;
  uvr_config_clear(&self->config);
  self->running = false;
  self->restoring = false;
  self->asker_count = 0;
  if (self->notified) {
    (void)uvr_notify("READY=1");
  }
  uvr_manager_changed(server);
  if (self->again && !server->stopping) {
    self->again = false;
    memcpy(self->askers, self->next_askers, sizeof(self->askers));
    self->asker_count = self->next_asker_count;
    self->next_asker_count = 0;
    begin(server);
  } else if (!server->stopping && uvr_routes_are_all_lost(server)) {
    server->on_all_lost(server);
  }
}

static void answer_all(uvr_server *server, const char *error, const uvr_text_line *text)
{
  for (size_t i = 0; i < server->reload.asker_count; i++) {
    uvr_control_answer(server->reload.askers[i], error, text);
  }
  server->reload.asker_count = 0;
}

/* It has failed, and what was there before goes on. */
static void finish_failed(uvr_server *server)
{
  uvr_text_line text = {.text = NULL};
  uvr_made_directories_remove(&server->reload.made);
  uvr_reload_say_failed(&server->log.report, &server->reload.place, &server->reload.error, server->reload.lost, &text);
  answer_all(server, text.failed ? "not enough memory" : text.text, NULL);
  uvr_text_line_clear(&text);
  finish(server);
}

/* What can be changed while it runs. */
static void apply(uvr_server *server, const uvr_serve_options *options)
{
  server->options.verbose = options->verbose;
  server->options.drain_ms = options->drain_ms;
  uvr_log_set_verbose(&server->log, options->verbose);
  if (options->status_ms != server->options.status_ms) {
    server->options.status_ms = options->status_ms;
    if (options->status_ms == 0) {
      (void)uv_timer_stop(&server->timer);
    } else {
      (void)uv_timer_start(&server->timer, uvr_routes_on_timer, options->status_ms, options->status_ms);
    }
  }
}

/* Everything that is new listens: the rest goes. */
static void commit(uvr_server *server)
{
  uvr_reload *self = &server->reload;
  uvr_reload_counts counts = {.kept = 0};
  uvr_text_line text = {.text = NULL};
  for (size_t i = 0; i < server->count; i++) {
    uvr_served *old = server->served[i];
    counts.gone += old->kept ? 0 : 1;
    if (!old->kept) {
      uvr_routes_remove(old, self->options.drain_ms);
    }
    old->kept = false;
  }
  for (size_t i = 0; i < self->count; i++) {
    uvr_reload_entry *entry = &self->entries[i];
    server->served[i] = entry->served;
    *(entry->kept ? &counts.kept : entry->changed ? &counts.changed : &counts.added) += 1;
    if (entry->from != NULL) {
      uvr_routes_remove(entry->from, self->options.drain_ms);
    }
    uvr_routes_free(entry->back);
    if (!entry->kept) {
      uvr_report_route row = uvr_routes_row(entry->served->route);
      uvr_report_listening(&server->log.report, &row);
    }
  }
  server->count = self->count;
  server->spare = server->spare && server->command.argc == 0;
  uvr_reload_say_done(&server->log.report, &counts, &server->options, &self->options, &text);
  apply(server, &self->options);
  if (server->supervised && server->options.eager) {
    uvr_supervisor_start(&server->supervisor);
  }
  answer_all(server, NULL, &text);
  uvr_text_line_clear(&text);
  finish(server);
}

/* Going back. */

static void put_in_place(uvr_server *server, const uvr_served *old, uvr_served *other)
{
  for (size_t i = 0; i < server->count; i++) {
    if (server->served[i] == old) {
      server->served[i] = other;
    }
  }
}

/* What was there has gone, and could not be made again. */
static void leave_out(uvr_server *server, const uvr_served *old)
{
  size_t kept = 0;
  for (size_t i = 0; i < server->count; i++) {
    if (server->served[i] != old) {
      server->served[kept++] = server->served[i];
    }
  }
  server->count = kept;
}

/* A new one is not to be: it is removed, or, if it was not added, freed. */
static void drop(uvr_reload_entry *entry, uint64_t timeout_ms)
{
  if (entry->served->route != NULL) {
    uvr_routes_remove(entry->served, timeout_ms);
  } else {
    uvr_routes_free(entry->served);
  }
  entry->served = NULL;
}

/* Gives the listener back to a route like the one before. */
static void put_back(uvr_server *server, uvr_reload_entry *entry)
{
  if (uvr_routes_replace(entry->back, entry->served) == 0) {
    put_in_place(server, entry->served, entry->back);
    drop(entry, server->options.drain_ms);
  } else { /* for lack of memory: the new one stays, and is better than none */
    uvr_report_error(&server->log.report, NULL, uvrelay_error(server->relay));
    uvr_routes_free(entry->back);
  }
  entry->back = NULL;
}

static void step(uv_timer_t *timer);

static void undo(uvr_server *server, uvr_reload_entry *entry)
{
  if (entry->replaced) {
    put_back(server, entry);
  } else {
    drop(entry, 0);
  }
  if (!entry->swapped) {
    uvr_routes_free(entry->back);
    entry->back = NULL;
  }
}

/* Undoes what was done, the last of it first, because of this error. */
static void roll_back(uvr_server *server, const uvr_place *place, const uvrelay_error_t *error)
{
  uvr_reload *self = &server->reload;
  self->place = *place;
  self->error = *error;
  self->restoring = true;
  for (unsigned turn = self->turns + 1; turn-- > 0;) {
    for (size_t i = self->count; i-- > 0;) {
      uvr_reload_entry *entry = &self->entries[i];
      if (!entry->kept && entry->served != NULL && entry->turn == turn) {
        undo(server, entry);
      }
    }
  }
  for (size_t i = 0; i < server->count; i++) {
    server->served[i]->kept = false;
  }
  self->next = 0;
  self->until = uv_now(&server->loop) + SWAP_MS;
  (void)uv_timer_start(&self->timer, step, SWAP_FIRST_MS, 0);
}

/* Listeners that are made again, in the place of what was removed, or of what was to come there. */

static bool may_pass(int code)
{
  return code != UV_EINVAL && code != UV_ENOTSUP && code != UV_ESHUTDOWN && code != UV_ENOMEM;
}

static void restore_failed(uvr_server *server, uvr_reload_entry *entry, const uvrelay_error_t *error)
{
  uvr_report_error(&server->log.report, NULL, error);
  server->reload.lost++;
  leave_out(server, entry->back);
  uvr_routes_free(entry->back);
  entry->back = NULL;
}

/* Adds one. Returns false if it is to be tried again. */
static bool add_swapped(uvr_server *server, uvr_reload_entry *entry, int *code, uvrelay_error_t *error)
{
  uvr_reload *self = &server->reload;
  uvr_served *one = self->restoring ? entry->back : entry->served;
  *code = uvr_routes_add(one, &self->made, error);
  if (*code != 0 && may_pass(*code) && uv_now(&server->loop) < self->until) {
    (void)uv_timer_start(&self->timer, step, SWAP_AGAIN_MS, 0);
    return false;
  }
  self->until = uv_now(&server->loop) + SWAP_MS;
  return true;
}

static void step(uv_timer_t *timer)
{
  uvr_server *server = timer->data;
  uvr_reload *self = &server->reload;
  for (; self->next < self->count; self->next++) {
    uvr_reload_entry *entry = &self->entries[self->next];
    uvrelay_error_t error;
    int code = 0;
    if (!entry->swapped) {
      continue;
    }
    if (!add_swapped(server, entry, &code, &error)) {
      return;
    }
    if (code != 0 && !self->restoring) {
      roll_back(server, &entry->place, &error);
      return;
    }
    if (code != 0) {
      restore_failed(server, entry, &error);
    }
  }
  (self->restoring ? finish_failed : commit)(server);
}

/* Takes over the listener of another route. Returns 0, also if it has to be made again, or a negative code. */
static int take_place(uvr_server *server, uvr_reload_entry *entry, bool *swaps, uvrelay_error_t *error)
{
  entry->back = entry->back != NULL ? entry->back : uvr_routes_copy(entry->from);
  if (entry->back == NULL) {
    return uvr_error_set(error, UVRELAY_PHASE_NONE, UV_ENOMEM, "not enough memory for the routes");
  }
  uvr_served *old = entry->from;
  int code = uvr_routes_replace(entry->served, old);
  if (code == 0) {
    entry->replaced = true;
    entry->served->kept = true;
    put_in_place(server, old, entry->served);
    return 0;
  }
  *error = *uvrelay_error(server->relay);
  *swaps = *swaps || code == UV_ENOTSUP;
  return code == UV_ENOTSUP ? 0 : code;
}

/* Whether it may be a ring with a route that is still to change. */
static bool may_be_ring(int code, const uvrelay_error_t *error)
{
  return code == UV_EINVAL && error->phase == UVRELAY_PHASE_ADDRESS;
}

/* One turn of taking places: of those that may, unless another one has to go first. Returns 0, or the code of the first
 * one that could not, with *place and *error. *moved tells whether any could. */
static int take_turn(uvr_server *server, bool *swaps, bool *moved, uvr_place *place, uvrelay_error_t *error)
{
  uvr_reload *self = &server->reload;
  int first = 0;
  self->turns++;
  *moved = false;
  for (size_t i = 0; i < self->count && (first == 0 || may_be_ring(first, error)); i++) {
    uvr_reload_entry *entry = &self->entries[i];
    uvrelay_error_t why;
    if (!entry->changed || entry->turn > 0) {
      continue;
    }
    int code = take_place(server, entry, swaps, &why);
    if (code == 0) {
      entry->turn = self->turns;
      *moved = true;
    } else if (first == 0 || !may_be_ring(code, &why)) {
      first = code;
      *place = entry->place;
      *error = why;
    }
  }
  return first;
}

/* Taking over listeners, and then adding, which may lead to them. Returns 0; or a negative code, *place and *error. */
static int change(uvr_server *server, bool *swaps, uvr_place *place, uvrelay_error_t *error)
{
  uvr_reload *self = &server->reload;
  int code;
  bool moved;
  for (size_t i = 0; i < self->count; i++) {
    uvr_reload_entry *entry = &self->entries[i];
    if (!entry->kept) {
      uvr_routes_set_via(entry->served);
      entry->changed = entry->from != NULL;
    }
  }
  do {
    code = take_turn(server, swaps, &moved, place, error);
  } while (moved && may_be_ring(code, error));
  self->turns++;
  for (size_t i = 0; code == 0 && i < self->count; i++) {
    uvr_reload_entry *entry = &self->entries[i];
    if (!entry->kept && !entry->changed) {
      *place = entry->place;
      code = uvr_routes_add(entry->served, &self->made, error);
      entry->turn = self->turns;
    }
  }
  return code;
}

static void begin_swaps(uvr_server *server)
{
  uvr_reload *self = &server->reload;
  for (size_t i = 0; i < self->count; i++) {
    uvr_reload_entry *entry = &self->entries[i];
    if (entry->changed && !entry->replaced) {
      entry->swapped = true;
      entry->back->kept = true;
      put_in_place(server, entry->from, entry->back);
      uvr_routes_remove(entry->from, UINT64_MAX);
    }
  }
  self->next = 0;
  self->until = uv_now(&server->loop) + SWAP_MS;
  (void)uv_timer_start(&self->timer, step, SWAP_FIRST_MS, 0);
}

/* The beginning. */

/* Makes room for all routes, the old and the new ones. */
static int make_room(uvr_server *server)
{
  uvr_reload *self = &server->reload;
  size_t count = server->count + self->config.count;
  uvr_served **served = realloc(server->served, count * sizeof(uvr_served *));
  if (served != NULL) {
    server->served = served;
  }
  uvr_report_route *rows = realloc(server->rows, count * sizeof(*rows));
  if (rows != NULL) {
    server->rows = rows;
  }
  self->entries = calloc(self->config.count, sizeof(*self->entries));
  self->count = self->entries == NULL ? 0 : self->config.count;
  return served == NULL || rows == NULL || self->entries == NULL ? UV_ENOMEM : 0;
}

/* A reload that has failed has left a far end's command that was not used: it is to be found again. */
static void forget_spare(uvr_server *server)
{
  if (!server->supervised || (server->spare && uvr_supervisor_is_unused(&server->supervisor))) {
    uvr_command_clear(&server->command);
    free(server->own_via);
    server->own_via = NULL;
    server->options.via = NULL;
  } else {
    server->spare = false;
  }
}

/* Keeps the text of the command of a far end that is needed for the first time. */
static int keep_via(uvr_server *server)
{
  const char *via = server->reload.options.via;
  if (via == NULL || server->command.argc == 0 || (server->supervised && !server->spare)) {
    return 0;
  }
  size_t size = strlen(via) + 1;
  char *copy = realloc(server->own_via, size);
  if (copy == NULL) {
    return UV_ENOMEM;
  }
  memcpy(copy, via, size);
  server->own_via = copy;
  server->command_line = server->own_via;
  server->options.via = server->own_via;
  return 0;
}

/* Makes the far end, if one is needed for the first time. */
static int make_far_end(uvr_server *server, uvrelay_error_t *error)
{
  bool supervised = server->supervised;
  if (keep_via(server) != 0) {
    return uvr_error_set(error, UVRELAY_PHASE_NONE, UV_ENOMEM, "not enough memory for the far end's command");
  }
  int code = uvr_far_end_make(server, &server->reload.options, error);
  server->spare = server->spare || server->supervised != supervised;
  return code;
}

/* Reads the configuration and prepares all that does not change what runs. Returns 0; or not 0, *place and *error. */
static int prepare(uvr_server *server, uvr_place *place, uvrelay_error_t *error)
{
  uvr_reload *self = &server->reload;
  self->config = (uvr_config){.routes = NULL};
  int code = uvr_serve_load_may_repeat(&server->given, error);
  if (code != 0) {
    return code;
  }
  code = uvr_serve_load(&server->given, &self->options, &self->config, place, error);
  code = code == 0 ? uvr_check_routes(&self->config, place, error) : code;
  forget_spare(server);
  code = code == 0 ? uvr_far_end_find(server, &self->options, &self->config, place, error) : code;
  if (code != 0) {
    return code;
  }
  *place = (uvr_place){.file = NULL};
  code = make_far_end(server, error);
  if (code == 0 && (make_room(server) != 0 || uvr_reload_match(server) != 0)) {
    code = uvr_error_set(error, UVRELAY_PHASE_NONE, UV_ENOMEM, "not enough memory for the routes");
  }
  return code;
}

static void begin(uvr_server *server)
{
  uvr_reload *self = &server->reload;
  uvr_place place = {.file = NULL};
  uvrelay_error_t error;
  bool swaps = false;
  char text[64];
  self->running = true;
  (void)snprintf(text, sizeof(text), "RELOADING=1\nMONOTONIC_USEC=%" PRIu64, uv_hrtime() / 1000);
  self->notified = uvr_notify_at_once(text) == 0; /* the relay must not wait for a manager that does not listen */
  if (prepare(server, &place, &error) != 0 || change(server, &swaps, &place, &error) != 0) {
    roll_back(server, &place, &error);
  } else if (swaps) {
    begin_swaps(server);
  } else {
    commit(server);
  }
}

void uvr_reload_request(uvr_server *server, uvr_control_client *asker)
{
  uvr_reload *self = &server->reload;
  if (server->stopping) {
    if (asker != NULL) {
      uvr_control_answer(asker, "it is stopping", NULL);
    }
    return;
  }
  if (server->config_count == 0) {
    if (asker != NULL) {
      uvr_text_line text = {.text = NULL};
      uvr_text_line_add(&text, "it has no configuration file: there is nothing to read again\n");
      uvr_control_answer(asker, NULL, &text);
      uvr_text_line_clear(&text);
    }
    return;
  }
  if (asker != NULL && self->running) {
    self->next_askers[self->next_asker_count++] = asker;
  } else if (asker != NULL) {
    self->askers[self->asker_count++] = asker;
  }
  if (self->running) {
    self->again = true;
  } else {
    begin(server);
  }
}

void uvr_reload_abort(uvr_server *server)
{
  uvr_reload *self = &server->reload;
  if (!self->running) {
    return;
  }
  (void)uv_timer_stop(&self->timer);
  answer_all(server, "it is stopping", NULL);
  memcpy(self->askers, self->next_askers, sizeof(self->askers));
  self->asker_count = self->next_asker_count;
  self->next_asker_count = 0;
  answer_all(server, "it is stopping", NULL);
  size_t kept = 0;
  for (size_t i = 0; i < server->count; i++) {
    if (server->served[i]->route != NULL) { /* not what could be made again */
      server->served[kept++] = server->served[i];
    }
  }
  server->count = kept;
  for (size_t i = 0; i < self->count; i++) {
    uvr_reload_entry *entry = &self->entries[i];
    if (entry->back != NULL && entry->back->route == NULL) {
      uvr_routes_free(entry->back);
    }
    if (entry->kept || entry->replaced || entry->served == NULL) {
      continue;
    }
    if (entry->served->route != NULL) {
      server->served[server->count++] = entry->served;
    } else {
      uvr_routes_free(entry->served);
    }
  }
  self->again = false;
  finish(server);
}

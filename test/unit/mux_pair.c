/* The pair of muxes: see mux_pair.h. */
#include "mux_pair.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void note(mux_end *end, const char *format, int number)
{
  size_t length = strlen(end->journal);
  int more = snprintf(end->journal + length, MUX_JOURNAL - length, format, number);
  assert_in_range(more, 1, MUX_JOURNAL - length - 1);
}

static void take_address(mux_end *end, const uvrelay_mux_event_t *event)
{
  assert_non_null(event->address);
  (void)snprintf(end->address, sizeof(end->address), "%s", event->address);
}

static void take_down(mux_end *end, const uvrelay_mux_event_t *event)
{
  bool orderly = event->down == UVRELAY_MUX_DOWN_ENDED || event->down == UVRELAY_MUX_DOWN_DETACHED;
  assert_true((event->error->code == 0) == orderly);
  assert_true(event->error->text[0] != '\0');
  end->error = *event->error;
  end->down = event->down;
  end->streams = event->streams;
  end->downs++;
  note(end, "D%d ", (int)event->down);
}

static void on_mux_event(uvrelay_mux_t *mux, const uvrelay_mux_event_t *event, void *user)
{
  mux_end *end = user;
  mux_pair *p = end->user;
  assert_int_equal(p->calling, 0);
  assert_ptr_equal(mux, end->mux);
  switch (event->type) {
  case UVRELAY_MUX_EVENT_NEEDED:
    end->needs++;
    note(end, "N ", 0);
    break;
  case UVRELAY_MUX_EVENT_UP:
    end->ups++;
    note(end, "U ", 0);
    break;
  case UVRELAY_MUX_EVENT_DOWN:
    take_down(end, event);
    break;
  case UVRELAY_MUX_EVENT_REFUSED:
    take_address(end, event);
    assert_true(event->error->code < 0);
    end->error = *event->error;
    end->refused++;
    note(end, "R ", 0);
    break;
  case UVRELAY_MUX_EVENT_OPENED:
    take_address(end, event);
    assert_non_null(event->session);
    end->opened++;
    note(end, "O ", 0);
    break;
  case UVRELAY_MUX_EVENT_CLOSED:
    take_address(end, event);
    end->result = *event->result;
    end->closed++;
    assert_true(end->closed <= end->opened);
    note(end, "C ", 0);
    break;
  }
  if (end->on_event != NULL) {
    end->on_event(end, event);
  }
  if (p->on_call != NULL) {
    p->on_call(p->user);
  }
}

/* The near end needs a carrier. */
static void on_need(mux_end *end, const uvrelay_mux_event_t *event)
{
  mux_pair *p = end->user;
  if (p->attaches && event->type == UVRELAY_MUX_EVENT_NEEDED && mux_pair_attach(p) == UV_ENOMEM) {
    (void)mux_pair_attach(p); /* where one allocation fails */
  }
}

static int make(mux_end *end, uvrelay_t *relay, uvrelay_mux_role_t role, const uvrelay_mux_options_t *given)
{
  uvrelay_mux_options_t options = {.size = sizeof(options)};
  if (given != NULL) {
    options = *given;
  }
  options.event_cb = on_mux_event;
  options.user = end;
  return uvrelay_mux_new(&end->mux, relay, role, &options);
}

int mux_pair_new(mux_pair *p, uvrelay_t *relay, const uvrelay_mux_options_t *near_options,
                 const uvrelay_mux_options_t *far_options)
{
  *p = (mux_pair){.relay = relay, .attaches = true};
  p->near_end.on_event = on_need;
  p->near_end.user = p;
  p->far_end.user = p;
  int code = make(&p->near_end, relay, UVRELAY_MUX_NEAR, near_options);
  return code != 0 ? code : make(&p->far_end, relay, UVRELAY_MUX_FAR, far_options);
}

void mux_pipe(uv_file fds[2])
{
  assert_int_equal(uv_pipe(fds, UV_NONBLOCK_PIPE, UV_NONBLOCK_PIPE), 0);
}

void mux_close_fd(uv_file fd)
{
  uv_fs_t request;
  assert_int_equal(uv_fs_close(NULL, &request, fd, NULL), 0);
  uv_fs_req_cleanup(&request);
}

int mux_pair_attach(mux_pair *p)
{
  uv_file there[2];
  uv_file back[2];
  mux_pipe(there);
  mux_pipe(back);
  uvrelay_endpoint_t near_side = uvrelay_stdio(back[0], there[1]);
  uvrelay_endpoint_t far_side = uvrelay_stdio(there[0], back[1]);
  p->calling++;
  int near_code = uvrelay_mux_attach(p->near_end.mux, &near_side);
  if (near_code != 0) {
    mux_close_fd(back[0]);
    mux_close_fd(there[1]);
  }
  int far_code = uvrelay_mux_attach(p->far_end.mux, &far_side);
  p->calling--;
  if (far_code != 0) {
    mux_close_fd(there[0]);
    mux_close_fd(back[1]);
  }
  return near_code != 0 ? near_code : far_code;
}

static void on_closed(uvrelay_mux_t *mux, void *user)
{
  mux_end *end = user;
  assert_int_equal(((mux_pair *)end->user)->calling, 0);
  assert_ptr_equal(mux, end->mux); /* and it comes once */
  end->mux = NULL;
  note(end, "- ", 0);
}

void mux_end_close(mux_end *end)
{
  mux_pair *p = end->user;
  if (end->mux != NULL && !end->closing) {
    end->closing = true;
    p->calling++;
    uvrelay_mux_close(end->mux, on_closed, end);
    p->calling--;
  }
}

void mux_end_detach(mux_end *end)
{
  mux_pair *p = end->user;
  p->calling++;
  uvrelay_mux_detach(end->mux);
  p->calling--;
}

void mux_pair_close(mux_pair *p)
{
  mux_end_close(&p->near_end);
  mux_end_close(&p->far_end);
}

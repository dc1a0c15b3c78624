/* Closing several things, each of which says later that it is closed: counts them, and calls back after the last one.
 *
 *   uvr_closing_begin(&dial->closing, on_closed, dial);
 *   uvr_closing_handle(&dial->closing, (uv_handle_t *)&dial->timer);
 *   if (dial->stream != NULL) {
 *     uvr_stream_close(dial->stream, ..., uvr_closing_add(&dial->closing), &dial->closing);
 *   }
 *   uvr_closing_end(&dial->closing);      on_closed may come from here, and free the dial
 */
#ifndef UVR_BASE_CLOSING_H
#define UVR_BASE_CLOSING_H

#include <uv.h>

typedef void (*uvr_close_cb)(void *user);

/* All zero: nothing is being closed. */
typedef struct uvr_closing {
  unsigned open; /* things that have not said that they are closed; one more between begin and end */
  uvr_close_cb on_closed;
  void *user;
} uvr_closing;

/* Sets the callback, which comes once, after uvr_closing_end and after everything that was added is closed. Things may
 * have been added before. */
void uvr_closing_begin(uvr_closing *closing, uvr_close_cb on_closed, void *user);
void uvr_closing_end(uvr_closing *closing);

/* Adds a thing. Returns the callback that says, given the uvr_closing, that this thing is closed: uvr_closing_done. */
uvr_close_cb uvr_closing_add(uvr_closing *closing);

/* Says that a thing is closed. `closing` is a uvr_closing. */
void uvr_closing_done(void *closing);

/* Adds a handle of libuv and closes it; its `data` is used. */
void uvr_closing_handle(uvr_closing *closing, uv_handle_t *handle);

#endif

/* Listening on named pipes where there are none: see npipe_listen.h. */
#include "endpoint/npipe_listen.h"

int uvr_npipe_listen(uvr_context *context, const char *path, const char *name, const uvr_npipe_listen_options *options,
                     uvr_npipe_client_cb on_client, void *user, uvr_npipe_listener **out, uvrelay_error_t *error)
{
  (void)context;
  (void)path;
  (void)options;
  (void)on_client;
  (void)user;
  (void)out;
  return uvr_error_set(error, UVRELAY_PHASE_LISTEN, UV_ENOTSUP,
                       "cannot listen on %s: named pipes exist only on Windows", name);
}

int uvr_npipe_accept(uvr_npipe_listener *listener, uvr_context *context, uvr_stream **out, uvrelay_error_t *error)
{
  (void)listener;
  (void)context;
  (void)out;
  return uvr_error_set(error, UVRELAY_PHASE_LISTEN, UV_ENOTSUP, "named pipes exist only on Windows");
}

/* Is never called, as there is no listener to close. */
void uvr_npipe_listener_close(uvr_npipe_listener *listener, uvr_close_cb on_close, void *user)
{
  (void)listener;
  (void)on_close;
  (void)user;
}

/* What the acceptors of all kinds share: their memory, their closing, and how they say that listening has failed. */
#include "endpoint/acceptor.h"

uvr_acceptor *uvr_acceptor_new(const uvr_acceptor_ops *ops, const uvr_listen_request *request, uvrelay_error_t *error)
{
  uvr_acceptor *acceptor = uvr_alloc(&request->context->memory, ops->size);
  if (acceptor == NULL) {
    (void)uvr_error_set(error, UVRELAY_PHASE_LISTEN, UV_ENOMEM, "not enough memory to listen on %s",
                        request->address->canonical);
    return NULL;
  }
  acceptor->ops = ops;
  acceptor->context = request->context;
  acceptor->client_name = request->client_name;
  acceptor->peer = UVR_PEER_UNKNOWN;
  acceptor->on_client = request->on_client;
  acceptor->user = request->user;
  return acceptor;
}

static void on_all_closed(void *user)
{
  uvr_acceptor *acceptor = user;
  uvr_close_cb on_closed = acceptor->on_closed;
  void *closed_user = acceptor->closed_user;
  uvr_free(&acceptor->context->memory, acceptor);
  if (on_closed != NULL) {
    on_closed(closed_user);
  }
}

void uvr_acceptor_close(uvr_acceptor *acceptor, uvr_close_cb on_closed, void *user)
{
  acceptor->on_closed = on_closed;
  acceptor->closed_user = user;
  uvr_closing_begin(&acceptor->closing, on_all_closed, acceptor);
  acceptor->ops->close(acceptor);
  uvr_closing_end(&acceptor->closing);
}

void uvr_acceptor_abandon(uvr_acceptor *acceptor)
{
  uvr_closing *leftovers = acceptor->context->leftovers;
  uvr_acceptor_close(acceptor, leftovers == NULL ? NULL : uvr_closing_add(leftovers), leftovers);
}

int uvr_acceptor_fail(uvrelay_error_t *error, const uvr_address *address, int code)
{
  return uvr_error_set_system(error, UVRELAY_PHASE_LISTEN, code, 0, "cannot listen on %s: %s%s", address->canonical,
                              uv_strerror(code), code == UV_EADDRINUSE ? ": choose another port" : "");
}

int uvr_acceptor_lose(const uvr_acceptor *acceptor, int code, uvrelay_error_t *error)
{
  return uvr_error_set_system(error, UVRELAY_PHASE_LISTEN, code, 0,
                              "%s was closed because it could not be accepted: %s", acceptor->client_name,
                              uv_strerror(code));
}

/* Looking up the addresses of a host's name. One name is looked up only once at a time: a caller that asks meanwhile
 * gets the same result. A look-up that has failed is not repeated at once. */
#ifndef UVR_ENDPOINT_LOOK_UP_H
#define UVR_ENDPOINT_LOOK_UP_H

#include "endpoint/offload.h"

/* `addresses` is valid during the call; their ports are 0. It is NULL if `code` is not 0. */
typedef void (*uvr_look_up_cb)(void *user, int code, const struct addrinfo *addresses);

/* One who waits for the addresses of a name. `query` is NULL when it does not. */
typedef struct uvr_look_up {
  uvr_list_node node;
  struct uvr_name_query *query;
  uvr_look_up_cb on_result;
  void *user;
} uvr_look_up;

/* Looks up a name. on_result is called once, perhaps before this returns, if a failure is remembered. Returns 0; or a
 * negative code, and then on_result is not called. */
int uvr_look_up_start(uvr_context *context, uvr_look_up *look_up, const char *host, uvr_look_up_cb on_result,
                      void *user);

/* on_result will not be called afterwards. Does nothing if it is not waited for. */
void uvr_look_up_abandon(uvr_look_up *look_up);

#endif

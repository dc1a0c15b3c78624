/* Asking the system for the addresses of a name: name_query_unix.c, name_query_win.c. For look_up.c, which says more.
 */
#ifndef UVR_ENDPOINT_NAME_QUERY_H
#define UVR_ENDPOINT_NAME_QUERY_H

#include "endpoint/offload.h"

typedef struct uvr_name_query uvr_name_query;

struct uvr_name_query {
  uvr_list_node node; /* in the list of what is under way, unless it was cancelled */
  uvr_list waiting;   /* uvr_look_up */
  uvr_context *context;
  char host[UVR_ADDRESS_HOST_SIZE];
  /* On the loop. `addresses` is valid during the call, which may free the query. */
  void (*on_answer)(uvr_name_query *query, int code, const struct addrinfo *addresses);
  uv_getaddrinfo_t request; /* Unix */
};

/* Asks for the addresses of query->host. on_answer is called once, later. Returns 0; or a negative code, and on_answer
 * is not called. */
int uvr_name_query_start(uvr_name_query *query);

/* Returns whether the query will not be made. on_answer is called in any case, later. */
bool uvr_name_query_cancel(uvr_name_query *query);

#endif

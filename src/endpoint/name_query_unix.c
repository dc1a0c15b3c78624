/* Unix's part of name_query.h: libuv's look-ups, which occupy at most half of its pool. */
#include "endpoint/name_query.h"

static void on_looked_up(uv_getaddrinfo_t *request, int code, struct addrinfo *addresses)
{
  uvr_name_query *query = request->data;
  query->on_answer(query, code, addresses);
  uv_freeaddrinfo(addresses);
}

int uvr_name_query_start(uvr_name_query *query)
{
  static const struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_protocol = IPPROTO_TCP};
  query->request.data = query;
  return uv_getaddrinfo(query->context->loop, &query->request, on_looked_up, query->host, NULL, &hints);
}

bool uvr_name_query_cancel(uvr_name_query *query)
{
  return uv_cancel((uv_req_t *)&query->request) == 0;
}

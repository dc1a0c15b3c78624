/* Unix's part of name_query.h: libuv's look-ups, which occupy at most half of its pool.
 *
 * Names are the same in upper and lower case, but not every C library knows that of the names in /etc/hosts: musl does
 * not, glibc does. Where it may not, a name that is not found as it is written is looked up once more in lower case. */
#include "endpoint/name_query.h"

#ifdef __GLIBC__
enum { CASE_COUNTS = 0 };
#else
enum { CASE_COUNTS = 1 };
#endif

static void on_looked_up(uv_getaddrinfo_t *request, int code, struct addrinfo *addresses);

static int look_up(uvr_name_query *query)
{
  static const struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_protocol = IPPROTO_TCP};
  query->request.data = query;
  return uv_getaddrinfo(query->context->loop, &query->request, on_looked_up, query->host, NULL, &hints);
}

/* Returns whether it was not in lower case. */
static bool to_lower_case(char *name)
{
  bool changed = false;
  for (char *c = name; *c != '\0'; c++) {
    if (*c >= 'A' && *c <= 'Z') {
      *c = (char)(*c - 'A' + 'a');
      changed = true;
    }
  }
  return changed;
}

static void on_looked_up(uv_getaddrinfo_t *request, int code, struct addrinfo *addresses)
{
  uvr_name_query *query = request->data;
  bool not_found = code == UV_EAI_NONAME || code == UV_EAI_NODATA || code == UV_EAI_AGAIN;
  bool again = CASE_COUNTS && not_found && !uvr_list_is_empty(&query->waiting);
  if (again && to_lower_case(query->host) && look_up(query) == 0) {
    return;
  }
  query->on_answer(query, code, addresses);
  uv_freeaddrinfo(addresses);
}

int uvr_name_query_start(uvr_name_query *query)
{
  return look_up(query);
}

bool uvr_name_query_cancel(uvr_name_query *query)
{
  return uv_cancel((uv_req_t *)&query->request) == 0;
}

/* Windows' part of name_query.h: a job, as libuv's own look-ups would need a larger pool, whose threads have 8 MiB
 * each. */
#include <ws2tcpip.h>

#include "endpoint/name_query.h"

typedef struct query_job {
  uvr_job job;
  WCHAR host[UVR_ADDRESS_HOST_SIZE];
  ADDRINFOW *addresses;
} query_job;

/* As libuv translates them. */
static int translate(int code)
{
  switch (code) {
  case 0:
    return 0;
  case WSATRY_AGAIN:
    return UV_EAI_AGAIN;
  case WSAEINVAL:
    return UV_EAI_BADFLAGS;
  case WSANO_RECOVERY:
    return UV_EAI_FAIL;
  case WSAEAFNOSUPPORT:
    return UV_EAI_FAMILY;
  case WSA_NOT_ENOUGH_MEMORY:
    return UV_EAI_MEMORY;
  case WSAHOST_NOT_FOUND:
    return UV_EAI_NONAME;
  case WSATYPE_NOT_FOUND:
    return UV_EAI_SERVICE;
  case WSAESOCKTNOSUPPORT:
    return UV_EAI_SOCKTYPE;
  default:
    return uv_translate_sys_error(code);
  }
}

static void run(uvr_job *job)
{
  static const ADDRINFOW hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_protocol = IPPROTO_TCP};
  query_job *self = (query_job *)job;
  job->code = translate(GetAddrInfoW(self->host, NULL, &hints, &self->addresses));
}

/* The struct differs from that of UTF-8 only in the type of a name that is not asked for. */
static void on_done(void *owner, uvr_job *job)
{
  uvr_name_query *query = owner;
  query->on_answer(query, job->code, (const struct addrinfo *)(void *)((query_job *)job)->addresses);
}

static void clear(uvr_job *job)
{
  ADDRINFOW *addresses = ((query_job *)job)->addresses;
  if (addresses != NULL) {
    FreeAddrInfoW(addresses);
  }
}

static const uvr_job_ops ops = {.size = sizeof(query_job), .run = run, .on_done = on_done, .clear = clear};

int uvr_name_query_start(uvr_name_query *query)
{
  char place[UVR_ADDRESS_HOST_SIZE + 8];
  (void)snprintf(place, sizeof(place), "name %s", query->host); /* differs from a path and from a computer */
  uvr_job *job = uvr_job_new(query->context, &ops, place, query);
  if (job == NULL) {
    return UV_ENOMEM;
  }
  (void)MultiByteToWideChar(CP_UTF8, 0, query->host, -1, ((query_job *)job)->host, UVR_ADDRESS_HOST_SIZE);
  uvr_job_start(job);
  return 0;
}

bool uvr_name_query_cancel(uvr_name_query *query)
{
  (void)query; /* a query goes on, as its job cannot be interrupted */
  return false;
}

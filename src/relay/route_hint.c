/* Hints: see route_hint.h. The hints of the one-shot program, which name its flags, are in cli/input/hint.c. */
#include "relay/route_hint.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include <uv.h>

/* Somebody has not answered, or what has failed was tried again until the time was up. */
static const char *late_hint(const char *text)
{
  static const char far_end[] = "gave up on via:"; /* the text tells what is wrong with it */
  if (strstr(text, "did not answer") != NULL) {
    return "check that its server works, or set a longer timeout=";
  }
  return strncmp(text, far_end, sizeof(far_end) - 1) == 0 ? NULL : "set a longer timeout=";
}

static const char *connect_hint(int code, const char *text)
{
  switch (code) {
  case UV_ENOENT:
  case UV_ECONNREFUSED:
    return "start its server, or set absent=wait to wait for it";
  case UV_EBUSY:
  case UV_EAGAIN:
    return "close its other clients, or set a longer timeout=";
  case UV_ETIMEDOUT:
    return late_hint(text);
  case UV_EACCES:
    if (strstr(text, "not allowed") != NULL) {
      return "allow it where the far end is started, with mux --allow=PATTERN";
    }
    return "run this program as the user who runs its server, or request access";
  case UV_EHOSTUNREACH:
  case UV_ENETUNREACH:
    return "check its name and that it is on the network";
  case UV_EMFILE:
  case UV_ENFILE:
    return "raise the limit of open files with ulimit -n or LimitNOFILE=";
  default:
    return NULL;
  }
}

static const char *listen_hint(int code, const char *text)
{
  if (strstr(text, "yourself") != NULL || strstr(text, "--allow-remote") != NULL) {
    return NULL; /* it says what to try */
  }
  switch (code) {
  case UV_EACCES:
    return "choose a directory that you can write to, or a port above 1023";
  case UV_EAGAIN:
    return "set a higher max= if the target accepts more";
  case UV_ENOENT:
    return "create its directory first";
  case UV_EADDRNOTAVAIL:
    return "choose an address of this computer";
  case UV_EMFILE:
  case UV_ENFILE:
    return "raise the limit of open files with ulimit -n or LimitNOFILE=";
  default:
    return NULL;
  }
}

static const char *stream_hint(int code)
{
  switch (code) {
  case UV_ECONNRESET:
  case UV_ECONNABORTED:
  case UV_EPIPE:
    return "it closed the connection, and its log may say why";
  case UV_ETIMEDOUT:
    return "its computer no longer answers";
  default:
    return NULL;
  }
}

/* Names that are not found. */
static bool is_name_error(int code)
{
  return code == UV_EAI_NONAME || code == UV_EAI_NODATA || code == UV_EAI_AGAIN || code == UV_EAI_FAIL;
}

const char *uvr_route_hint(const uvrelay_error_t *error)
{
  if (is_name_error(error->code)) {
    return "check the name and the name servers";
  }
  switch (error->phase) {
  case UVRELAY_PHASE_CONNECT:
    return connect_hint(error->code, error->text);
  case UVRELAY_PHASE_HANDSHAKE:
    return "restart the agent (gpgconf --kill gpg-agent), which then rewrites the file";
  case UVRELAY_PHASE_LISTEN:
    return listen_hint(error->code, error->text);
  case UVRELAY_PHASE_READ:
  case UVRELAY_PHASE_WRITE:
  case UVRELAY_PHASE_SHUTDOWN:
    return stream_hint(error->code);
  default:
    return NULL;
  }
}

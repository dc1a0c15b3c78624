/* `serve --background`: going on without the terminal, unless the same serve runs already. */
#ifndef UVR_CLI_SERVE_BACKGROUND_H
#define UVR_CLI_SERVE_BACKGROUND_H

#include "cli/os/detach.h"
#include "cli/serve/server.h"

/* Goes on in another process: see uvr_detach(). To be called before anything is read, as it must come before any
 * thread. */
uvr_detach_result uvr_background_begin(uvr_server *server, uvr_detached *out, int *status, uvrelay_error_t *error);

#endif

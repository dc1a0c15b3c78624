/* What a running serve answers when it is asked: status, env, reload, identity. */
#ifndef UVR_CLI_SERVE_ANSWERS_H
#define UVR_CLI_SERVE_ANSWERS_H

#include "cli/serve/server.h"

/* Answers a request. `user` is the uvr_server. */
void uvr_answers_request(void *user, uvr_control_client *client, const char *request);

#endif

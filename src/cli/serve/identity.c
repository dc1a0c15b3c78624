/* Which serve this is: see identity.h. */
#include "cli/serve/identity.h"

#include <stdlib.h>
#include <string.h>

#include "address/expand.h"
#include "cli/control/ask_all.h"
#include "cli/os/paths.h"

enum { PATIENCE_MS = 2000 };

static char *copy(const char *text)
{
  size_t size = strlen(text) + 1;
  char *memory = malloc(size);
  return memory == NULL ? NULL : memcpy(memory, text, size);
}

static void add_file(uvr_server *server, const char *path)
{
  uv_fs_t request;
  int code = uv_fs_realpath(NULL, &request, path, NULL);
  char *found = copy(code == 0 ? request.ptr : path);
  uv_fs_req_cleanup(&request);
  if (found != NULL) {
    server->configs[server->config_count++] = found;
  }
}

void uvr_identity_set(uvr_server *server)
{
  const uvr_expander expander = {.home = uv_os_homedir, .bare_path = true, .noun = "path"};
  const uvr_serve_options *given = &server->given;
  char usual[UVR_PATH_SIZE];
  for (unsigned i = 0; i < given->config_count; i++) {
    char path[UVR_EXPANDED_SIZE];
    size_t wrong = 0;
    bool input = strcmp(given->configs[i], "-") == 0; /* standard input, which cannot be read again */
    if (!input && uvr_expand(&expander, given->configs[i], path, &wrong, NULL) == 0) {
      add_file(server, path);
    }
  }
  if (given->config_count == 0 && given->route_count == 0 && uvr_paths_config(usual, NULL) == 0) {
    add_file(server, usual);
  }
}

void uvr_identity_clear(uvr_server *server)
{
  while (server->config_count > 0) {
    free(server->configs[--server->config_count]);
  }
}

void uvr_identity_add(const uvr_server *server, uvr_text_line *text)
{
  for (size_t i = 0; i < server->config_count; i++) {
    uvr_text_line_add(text, "config ");
    uvr_text_line_text(text, server->configs[i]);
    uvr_text_line_add(text, "\n");
  }
  for (int i = 0; i < server->given.route_count; i++) {
    uvr_text_line_add(text, "route ");
    uvr_text_line_text(text, server->given.routes[i]);
    uvr_text_line_add(text, "\n");
  }
}

typedef struct comparison {
  uvr_text_line own;
  bool same;
} comparison;

static void on_answer(void *user, int process, const uvr_control_answer_text *answer)
{
  comparison *self = user;
  (void)process;
  if (answer->ok && answer->size == self->own.length && memcmp(answer->text, self->own.text, answer->size) == 0) {
    self->same = true;
  }
}

static void on_failed(void *user, int process, const uvrelay_error_t *error)
{
  (void)user;
  (void)process;
  (void)error;
}

bool uvr_identity_runs(const uvr_server *server)
{
  comparison self = {.same = false};
  uvr_identity_add(server, &self.own);
  if (!self.own.failed && self.own.length > 0) {
    (void)uvr_control_ask_all("identity", 0, PATIENCE_MS, on_answer, on_failed, &self);
  }
  uvr_text_line_clear(&self.own);
  return self.same;
}

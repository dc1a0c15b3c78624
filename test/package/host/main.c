/* Says which libuv it has, and which uvrelay. */
#include <stdio.h>

#include <uvrelay.h>

int main(void)
{
  uv_loop_t loop;
  uvrelay_t *relay = NULL;
  if (uv_loop_init(&loop) != 0 || uvrelay_new(&relay, &loop, NULL) != 0) {
    return 1;
  }
  uvrelay_close(relay, NULL);
  if (uv_run(&loop, UV_RUN_DEFAULT) != 0 || uv_loop_close(&loop) != 0) {
    return 1;
  }
#ifdef HOST_LIBUV
  const char *whose = "the host's";
#else
  const char *whose = "another";
#endif
  printf("uvrelay %s with %s libuv %s\n", uvrelay_version(), whose, uv_version_string());
  return 0;
}

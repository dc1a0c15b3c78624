// A host in C++: every public header, lambdas as callbacks, and a relay and a pipe owned by objects.
#include <uvrelay.h>
#include <uvrelay/common.h>
#include <uvrelay/npipe.h>
#include <uvrelay/version.h>

#include <cstdio>
#include <cstring>
#include <memory>

#include "client.h"
#include "echo.h"

namespace
{

constexpr uint64_t client_bytes = 200000;

// Whoever gives up a handle closes it; the library frees it later, on the loop.
struct npipe_closer {
  void operator()(uvrelay_npipe_t *npipe) const
  {
    uvrelay_npipe_close(npipe,
                        [](uvrelay_npipe_t *closed) { ++*static_cast<unsigned *>(uvrelay_npipe_get_data(closed)); });
  }
};
using npipe_owner = std::unique_ptr<uvrelay_npipe_t, npipe_closer>;

struct app {
  host_t host;
  echo_t echo;
  client_t client;
  uvrelay_t *relay = nullptr;
  unsigned done = 0;
  unsigned clients_closed = 0;
  unsigned relays_closed = 0;
  unsigned npipes_closed = 0;
};

npipe_owner make_npipe(app &a)
{
  uvrelay_npipe_options_t options{};
  options.size = sizeof(options);
  options.allocator = host_allocator(&a.host);
  options.impersonation = UVRELAY_IMPERSONATION_IDENTIFICATION;
  options.retry = UVRELAY_RETRY_BUSY | UVRELAY_RETRY_ABSENT;
  options.mode = UVRELAY_NPIPE_MESSAGE;
  uvrelay_npipe_t *npipe = nullptr;
  CHECK_CODE(uvrelay_npipe_new(&npipe, &a.host.loop, &options), 0);
  uvrelay_npipe_set_data(npipe, &a.npipes_closed);
  return npipe_owner(npipe);
}

void relay(app &a)
{
  uvrelay_options_t options{};
  options.size = sizeof(options);
  options.allocator = host_allocator(&a.host);
  options.log.user = &a.host;
  options.log.write = [](void *user, const char *) { ++static_cast<host_t *>(user)->lines; };
  CHECK_CODE(uvrelay_new(&a.relay, &a.host.loop, &options), 0);
  uvrelay_set_data(a.relay, &a);

  echo_listen_local(&a.echo, &a.host);
  a.client.user = &a;
  client_wait(&a.client, &a.host.loop, 7, client_bytes,
              [](client_t *client) { ++static_cast<app *>(client->user)->clients_closed; });

  const uvrelay_endpoint_t left = uvrelay_address(a.client.address);
  const uvrelay_endpoint_t right = uvrelay_address(a.echo.address);
  const auto on_done = [](uvrelay_session_t *, const uvrelay_result_t *result, void *user) {
    auto &it = *static_cast<app *>(user);
    host_check_ended(result, client_bytes);
    ++it.done;
    echo_close(&it.echo);
    uvrelay_close(it.relay, [](uvrelay_t *closed) { ++static_cast<app *>(uvrelay_get_data(closed))->relays_closed; });
  };
  CHECK_CODE(uvrelay_start(a.relay, &left, &right, nullptr, on_done, &a, nullptr), 0);
}

} // namespace

int main()
{
  const std::unique_ptr<app> a(new app());
  host_open(&a->host);
  CHECK(std::strcmp(uvrelay_version(), UVRELAY_VERSION) == 0);
  {
    const npipe_owner npipe = make_npipe(*a);
    CHECK(uvrelay_npipe_is_message_mode(npipe.get()) == UV_ENOTCONN);
    CHECK(uvrelay_npipe_get_loop(npipe.get()) == &a->host.loop);
  }
  relay(*a);
  CHECK(uv_run(&a->host.loop, UV_RUN_DEFAULT) == 0);
  CHECK(a->done == 1 && a->clients_closed == 1 && a->relays_closed == 1 && a->npipes_closed == 1);
  host_close(&a->host);
  std::printf("%s\n", uvrelay_version());
  return 0;
}

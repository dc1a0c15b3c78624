/* The table of the kinds of endpoints on Windows. */
#include "endpoint/kind.h"

static const uvr_kind unix_elsewhere = {
    .no_target = "Unix sockets can be reached only from Linux, not from Windows; run uvrelay there (in WSL: wsl.exe -e "
                 "uvrelay TARGET)",
    .no_listener = "Unix sockets exist only on Linux; on Windows, use a pipe or a tcp:// port"};

static const uvr_kind fd_elsewhere = {.no_target = "fd:// is only for listening",
                                      .no_listener = "Windows does not pass sockets on; use a pipe or a tcp:// port"};

static const uvr_kind abstract_elsewhere = {
    .no_target = "abstract sockets exist only on Linux; run uvrelay there (in WSL: wsl.exe -e uvrelay TARGET)",
    .no_listener = "abstract sockets exist only on Linux; use a pipe or a tcp:// port"};

static const uvr_kind none = {.no_target = "it is not an address", .no_listener = "it is not an address"};

static const uvr_kind *const kinds[] = {
    [UVR_ADDRESS_NONE] = &none,
    [UVR_ADDRESS_NPIPE] = &uvr_npipe_kind,
    [UVR_ADDRESS_UNIX] = &unix_elsewhere,
    [UVR_ADDRESS_TCP] = &uvr_tcp_kind,
    [UVR_ADDRESS_ASSUAN] = &uvr_assuan_kind,
    [UVR_ADDRESS_FD] = &fd_elsewhere,
    [UVR_ADDRESS_ABSTRACT] = &abstract_elsewhere,
};

const uvr_kind *uvr_kind_of(const uvr_address *address)
{
  return kinds[address->kind];
}

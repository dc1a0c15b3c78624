/* The table of the kinds of endpoints on Unix. */
#include "endpoint/kind.h"

static const uvr_kind npipe_elsewhere = {
    .no_target = "named pipes exist only on Windows; run uvrelay.exe there (in WSL, Linux can start it)",
    .no_listener = "named pipes exist only on Windows; run uvrelay.exe there"};

static const uvr_kind none = {.no_target = "it is not an address", .no_listener = "it is not an address"};

static const uvr_kind *const kinds[] = {
    [UVR_ADDRESS_NONE] = &none,
    [UVR_ADDRESS_NPIPE] = &npipe_elsewhere,
    [UVR_ADDRESS_UNIX] = &uvr_unix_kind,
    [UVR_ADDRESS_TCP] = &uvr_tcp_kind,
    [UVR_ADDRESS_ASSUAN] = &uvr_assuan_kind,
    [UVR_ADDRESS_FD] = &uvr_fd_kind,
    [UVR_ADDRESS_ABSTRACT] = &uvr_abstract_kind,
};

const uvr_kind *uvr_kind_of(const uvr_address *address)
{
  return kinds[address->kind];
}

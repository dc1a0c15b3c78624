/* What the system knows of the other end of a TCP connection, where that is a socket of this computer. */
#ifndef UVR_BASE_TCP_PEER_UNIX_H
#define UVR_BASE_TCP_PEER_UNIX_H

#include <stdbool.h>

/* Whether the peer has closed its socket for good, and not only ended its output: both send the same. False where the
 * system cannot tell, as for another computer or another network namespace. */
bool uvr_tcp_peer_has_closed(int fd);

#endif

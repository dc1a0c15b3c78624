/* The other end of a TCP connection: see tcp_peer_unix.h.
 *
 * Linux tells about a socket by its two addresses (NETLINK_SOCK_DIAG, for which no privilege is needed). The peer's
 * socket is asked about, with the addresses exchanged. One that a program still has open has an inode; one that was
 * closed lives on for up to a minute, without an inode, to finish the connection.
 *
 * Ways to fail: the peer is not here, or nothing is left of it, or asking is forbidden: these are no proof of anything.
 */
#include "base/tcp_peer_unix.h"

#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

typedef struct question {
  struct nlmsghdr header;
  struct inet_diag_req_v2 body;
} question;

static bool fill_address(const struct sockaddr_storage *address, __be32 to[4], __be16 *port)
{
  if (address->ss_family == AF_INET) {
    const struct sockaddr_in *in = (const struct sockaddr_in *)address;
    memcpy(to, &in->sin_addr, sizeof(in->sin_addr));
    *port = in->sin_port;
    return true;
  }
  if (address->ss_family == AF_INET6) {
    const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)address;
    memcpy(to, &in6->sin6_addr, sizeof(in6->sin6_addr));
    *port = in6->sin6_port;
    return true;
  }
  return false;
}

/* Makes the question for the peer's socket: its own address is our peer's. */
static bool make_question(int fd, question *q)
{
  struct sockaddr_storage here = {.ss_family = AF_UNSPEC};
  struct sockaddr_storage there = {.ss_family = AF_UNSPEC};
  socklen_t here_size = sizeof(here);
  socklen_t there_size = sizeof(there);
  memset(q, 0, sizeof(*q));
  if (getsockname(fd, (struct sockaddr *)&here, &here_size) != 0 ||
      getpeername(fd, (struct sockaddr *)&there, &there_size) != 0) {
    return false;
  }
  q->header =
      (struct nlmsghdr){.nlmsg_len = sizeof(*q), .nlmsg_type = SOCK_DIAG_BY_FAMILY, .nlmsg_flags = NLM_F_REQUEST};
  q->body.sdiag_family = (__u8)there.ss_family;
  q->body.sdiag_protocol = IPPROTO_TCP;
  q->body.idiag_states = ~0U;
  q->body.id.idiag_cookie[0] = INET_DIAG_NOCOOKIE;
  q->body.id.idiag_cookie[1] = INET_DIAG_NOCOOKIE;
  return fill_address(&there, q->body.id.idiag_src, &q->body.id.idiag_sport) &&
         fill_address(&here, q->body.id.idiag_dst, &q->body.id.idiag_dport);
}

/* The states of an end that has sent its FIN. A connection that has not been accepted yet has no inode either, but is
 * in none of them. */
static bool is_ending(unsigned state)
{
  return state == TCP_FIN_WAIT1 || state == TCP_FIN_WAIT2 || state == TCP_CLOSING || state == TCP_TIME_WAIT;
}

bool uvr_tcp_peer_has_closed(int fd)
{
  question q;
  union {
    struct nlmsghdr header;
    char bytes[1024];
  } answer;
  if (!make_question(fd, &q)) {
    return false;
  }
  int netlink = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_SOCK_DIAG);
  if (netlink < 0) {
    return false;
  }
  ssize_t size = send(netlink, &q, sizeof(q), 0) == (ssize_t)sizeof(q)
                     ? recv(netlink, &answer, sizeof(answer), 0) /* the kernel has answered within send */
                     : -1;
  (void)close(netlink);
  if (size < (ssize_t)(NLMSG_HDRLEN + sizeof(struct inet_diag_msg)) ||
      answer.header.nlmsg_type != SOCK_DIAG_BY_FAMILY) {
    return false;
  }
  const struct inet_diag_msg *told = NLMSG_DATA(&answer.header);
  return told->idiag_inode == 0 && is_ending(told->idiag_state);
}

/* What an address is once it has been parsed. */
#ifndef UVR_ADDRESS_TYPES_H
#define UVR_ADDRESS_TYPES_H

#include <stdbool.h>
#include <stdint.h>

typedef enum uvr_address_kind {
  UVR_ADDRESS_NONE, /* what a failed parse leaves */
  UVR_ADDRESS_NPIPE,
  UVR_ADDRESS_UNIX,
  UVR_ADDRESS_TCP,
  UVR_ADDRESS_ASSUAN,
  UVR_ADDRESS_ABSTRACT,
  UVR_ADDRESS_FD /* only to listen on */
} uvr_address_kind;

/* What only some kinds have. */
typedef enum uvr_address_trait {
  UVR_ADDRESS_HAS_PERMISSIONS = 1,   /* a listener's file has permissions */
  UVR_ADDRESS_HAS_MODE = 2,          /* a listener is in byte or in message mode */
  UVR_ADDRESS_HAS_IMPERSONATION = 4, /* a client grants its server an impersonation level */
  UVR_ADDRESS_HAS_END_MARKER = 8,    /* an empty message can mark the end of the data */
  UVR_ADDRESS_HAS_OWNER = 16,        /* the system tells who owns a target */
  UVR_ADDRESS_HAS_PEER_UIDS = 32     /* the system reports the user of a listener's client */
} uvr_address_trait;

/* Sizes in bytes, each with the NUL. */
#define UVR_ADDRESS_PATH_SIZE      1024
#define UVR_ADDRESS_HOST_SIZE      256
#define UVR_ADDRESS_CANONICAL_SIZE (UVR_ADDRESS_PATH_SIZE + 16)

/* The longest path of a Unix socket that every system accepts, in bytes without the NUL. */
#define UVR_ADDRESS_UNIX_MAX 107
/* The longest pipe name that Windows accepts, \\.\pipe\ included, in UTF-16 units. */
#define UVR_ADDRESS_NPIPE_MAX 256

/* An address that was accepted. All text is valid UTF-8 without control characters. It owns nothing, so it may
 * be copied by assignment and needs no freeing. */
typedef struct uvr_address {
  uvr_address_kind kind;
  bool via; /* the far end of a mux is to connect to it */
  /* It has a variable of Windows, which is replaced on the system that connects to it: see variables.h. */
  bool has_variable;
  /* NPIPE: the name ends in a *, which stands for the rest of the name of the one pipe that begins like this. */
  bool open_ended;
  uint16_t port; /* TCP only, 1 to 65535; a listener's may be 0 */
  /* UNIX: the device and the number of a listener's file, which are its own as long as it listens; 0: not known */
  uint64_t file[2];
  /* For people: //./pipe/NAME, //HOST/pipe/NAME, unix:///PATH, tcp://HOST:PORT, assuan:///PATH, assuan:%NAME%/PATH,
   * abstract:NAME or fd://NAME, or via: and one of these. A path that can only be written with UVR_ADDRESS_ASSUAN_PATH,
   * such as a relative one, is shown as it is written. Parsed again with the same flags, it gives the same address. */
  char canonical[UVR_ADDRESS_CANONICAL_SIZE];
  /* NPIPE: the Windows name, \\.\pipe\NAME or \\HOST\pipe\NAME; UNIX: the socket's path; ABSTRACT: its name; ASSUAN:
   * the path of the socket file as the system wants it, C:/x or /home/x, or %NAME%/x; FD: its name or number; TCP:
   * empty. */
  char path[UVR_ADDRESS_PATH_SIZE];
  /* TCP: a name, an IPv4 address or an IPv6 address without brackets but with its zone, if any. NPIPE: the
   * computer, or empty for this one. Empty for the other kinds. */
  char host[UVR_ADDRESS_HOST_SIZE];
} uvr_address;

/* How a text is to be parsed. */
/* The text is the path of a libassuan socket file (the program's -a), unless it begins with assuan: anyway. */
#define UVR_ADDRESS_ASSUAN_PATH 1U
/* The text is a listener's address: fd://NAME is accepted, too, and a TCP port may be 0. */
#define UVR_ADDRESS_LISTEN 2U
/* The text is a target's address: via:ADDRESS is accepted, too. */
#define UVR_ADDRESS_VIA 4U

#endif

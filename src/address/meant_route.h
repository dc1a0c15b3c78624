/* What was probably meant by a text that is not a route, LISTEN=TARGET. Pure. */
#ifndef UVR_ADDRESS_MEANT_ROUTE_H
#define UVR_ADDRESS_MEANT_ROUTE_H

/* Size in bytes of a suggestion with its NUL. */
#define UVR_MEANT_ROUTE_SIZE 224

/* Guesses which route was meant: by two addresses with something else than = between them, such as -> or a blank, or in
 * the style of socat's command line (UNIX-LISTEN:/s,fork TCP:h:80) or of ssh (-L 8080:h:80, LocalForward 8080 h:80).
 * Returns `meant`, whose two addresses are good, or NULL. */
const char *uvr_meant_route(const char *text, char meant[UVR_MEANT_ROUTE_SIZE]);

#endif

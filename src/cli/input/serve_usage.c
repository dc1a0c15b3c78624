/* The usage: see serve_usage.h. It is in parts, as a string may have 4095 characters. */
#include "cli/input/serve_usage.h"

#include <stddef.h>

static const char *const parts[] = {
    "Usage: uvrelay serve [flags] LISTEN=TARGET...\n"
    "\n"
    "Accepts on every LISTEN and relays each connection to its TARGET, all in one\n"
    "process, until a signal ends it.\n"
    "\n"
    "LISTEN is one of:\n"
    "  unix:///PATH          a Unix socket; its file is made, and removed at the end\n"
    "  tcp://HOST:PORT       a TCP port of 127.0.0.1, of [::1], or of localhost,\n"
    "                        which is both; port 0: any\n"
    "  //./pipe/NAME         a named pipe, for this user only, also as\n"
    "                        npipe:////./pipe/NAME or npipe:NAME\n"
    "  abstract:NAME         an abstract Unix socket (Linux), for this user only,\n"
    "                        unless perm=0666 or peer-uid says otherwise\n"
    "  fd://NAME             a listening socket from systemd, by its name or number\n"
    "\n",
    "TARGET is one of:\n"
    "  unix:///PATH, tcp://HOST:PORT, //./pipe/NAME, //HOST/pipe/NAME\n"
    "  assuan:///PATH        a libassuan (GnuPG) socket file\n"
    "  abstract:NAME         an abstract Unix socket (Linux)\n"
    "  via:ADDRESS           any of these, reached from where the far end is, as are\n"
    "                        those that only Windows can reach\n"
    "\n",
    "Options of a route, behind an address as ?NAME=VALUE&NAME=VALUE, or for all\n"
    "routes as flags (a time may have a unit: 500ms, 90s, 5m, 2h):\n"
    "  --timeout=SECONDS     give up connecting to the target after so long; a busy\n"
    "                        pipe is tried again until then (30; off: never)\n"
    "  --linger=SECONDS      when one side has ended and the other one can't be told,\n"
    "                        end after so long without a byte from that one: 25\n"
    "                        for a target, 1 or 5 for a client\n"
    "  --idle=SECONDS        end a connection after so long without a byte (off)\n"
    "  --max=NUMBER          connections at a time, others wait (1024)\n"
    "  --perm=OCTAL          permissions of a listening Unix socket (0600)\n"
    "  --mode=MODE           of a listening pipe: byte (the default) or message\n"
    "  --impersonation=LEVEL how far a target pipe's server may act as you: anonymous\n"
    "                        (the default), identification, impersonation or\n"
    "                        delegation\n"
    "  --eof=HOW             how a side learns of the other's end of input: auto (the\n"
    "                        default), marker (a zero-byte message to byte pipes,\n"
    "                        too) or none\n"
    "  --absent=wait         wait for a target that is not there, too, until the\n"
    "                        timeout (--absent=fail)\n"
    "  --owner=WHO           relay only if the target belongs to one of these users,\n"
    "                        such as user,system,S-1-5-19 or root,1000 (any)\n"
    "  --peer-uid=WHO        accept only these users on Unix sockets (any)\n"
    "\n",
    "Flags:\n"
    "  --config=FILE         read more routes from FILE (-: standard input), a\n"
    "                        LISTEN=TARGET a line, or NAME=VALUE for all of them;\n"
    "                        may be given again\n"
    "  --allow-remote        TCP may listen for other computers, too\n"
    "  --allow-remote-files  assuan: may name a file of another computer, which\n"
    "                        Windows sends your credentials then\n"
    "  --drain=SECONDS       when stopped, let connections go on for so long (5)\n"
    "  --via=COMMAND         the far end: a command line, run without a shell, that\n"
    "                        speaks as uvrelay mux on its standard input and output\n"
    "                        (in WSL: uvrelay.exe mux)\n"
    "  --eager               start the far end now, not when it is needed\n"
    "  --window-total=SIZE   hold at most so many bytes that came from the far end\n"
    "                        and can't be passed on, in all connections (64M)\n"
    "  --status=SECONDS      print the table of routes that often\n"
    "  --json                log and status as one JSON object a line\n"
    "  -v, --verbose         say on standard error what happens\n"
    "  --version, -V         show the version and exit\n"
    "  --help                show this help and exit\n"
    "\n",
    "SIGINT, SIGTERM, SIGHUP, Ctrl-C and Ctrl-Break stop it, a second one at once.\n"
    "SIGUSR1 prints the table of routes to standard error.\n"
    "\n"
    "Exit status: 0 when stopped, 1 after a failure, 2 for wrong usage.\n"
    "\n"
    "Example:\n"
    "  uvrelay serve --via \"uvrelay.exe mux\" unix:///tmp/s=//./pipe/docker_engine\n",
    NULL,
};

const char *const *uvr_serve_usage(void)
{
  return parts;
}

/* The command `uvrelay facts`: what setup and doctor, on Linux, ask the Windows program in WSL.
 *
 * It prints lines in UTF-8, each NAME=VALUE, the first one always facts=1, the version of this format; later versions
 * of it add lines. A name may come more than once. Lines that there are:
 *
 *   facts=1
 *   version=0.1.0           of this program
 *   program=C:\...\uvrelay.exe
 *   user=NAME               the Windows user, and sid=S-1-...
 *   localappdata=C:\Users\NAME\AppData\Local, also appdata= and userprofile=
 *   windows=10.0.19045      and wine=8.0 if it is Wine
 *   pipe=\\.\pipe\NAME<TAB>SID of the owner<TAB>file of the server's program     each pipe that a preset may lead to
 *   socket=C:\...\S.gpg-agent<TAB>SID of the owner                              each socket file that one may lead to
 *
 * What cannot be found out is left empty; of a service's program, a user who is not an administrator gets the name
 * only. Wine cannot list its pipes, so Pageant's never appears there. On Linux there are facts, version and program,
 * user, uid, home, system and kernel. */
#ifndef UVR_CLI_FACTS_FACTS_H
#define UVR_CLI_FACTS_FACTS_H

/* Runs `uvrelay facts`; argv[0] is that word. Returns the exit status. */
int uvr_cli_facts(int argc, char **argv);

#endif

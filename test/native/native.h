/* The native program test: uvrelay.exe as its users meet it, on a plain Windows machine.
 *
 *   native_test.exe path\to\uvrelay.exe [--only NAME]... [--jobs N] [--again] [--verbose]
 *   native_test.exe --list
 *
 * It needs nothing but Windows: no Wine, no WSL, no Python. The servers and clients that uvrelay.exe meets are here, in
 * plain Win32 and Winsock, and share no code with the project. Each scenario prints one line:
 *
 *   ok       data/to-the-pipe-byte
 *   FAILED   ends/reader-leaves: the program still runs
 *   skipped  security/remote: this computer lets nobody reach its pipes through the network
 *
 * and the last line counts them. The exit status is 1 if one failed, 2 if the command line is wrong. NAME is a
 * scenario, or a group, which is the part before the slash.
 *
 * Happy path: main.c starts itself once more for each scenario, several at a time, in a job object. The scenario calls
 * what this file declares, and returns. Whatever it has started or opened ends with the job, so scenarios clean up
 * nothing.
 *
 * Ways to fail: the scenario calls fail(), which ends its process with the reason; it crashes; or its time is up, and
 * the reason is then the last step() that it told.
 *
 * To add a scenario: write a function, and add its row to the table at the end of its file. Where Wine cannot show what
 * it asks for, add its name and the reason to wine.c. See each new scenario fail once: break what it tests by hand. */
#ifndef NATIVE_H
#define NATIVE_H

#include <stdbool.h>
#include <stdint.h>

#include <winsock2.h>

#include <windows.h>

/* ---- scenarios ---- */

enum {
  OWN_CONSOLE = 1, /* the scenario runs in a console of its own, without a window */
  ALONE = 2,       /* nothing else runs meanwhile: it measures time, or takes much of the machine */
  OWN_WINDOW = 4,  /* the scenario runs in a console of its own, with a window */
};

typedef struct scenario {
  const char *name;
  void (*run)(int variant);
  int variant; /* what `run` gets */
  int flags;
  int seconds; /* its time limit; 0: the usual one */
} scenario;

/* The groups. Each table ends with a scenario without a name. */
extern const scenario data_scenarios[], end_scenarios[], one_way_scenarios[], stdio_scenarios[], connect_scenarios[],
    usage_scenarios[], socket_scenarios[], serve_scenarios[], stop_scenarios[], mux_scenarios[], many_scenarios[],
    console_scenarios[], security_scenarios[], name_scenarios[], pipe_facts[], packet_facts[], process_facts[];

/* Why a scenario cannot run under Wine, or NULL. */
const char *wine_cannot(const char *name);
bool under_wine(void);

/* A peer in a process of its own, which a scenario can kill: `--helper` on the command line. */
void helper(int count, char **words);
const char *own_path(void); /* of this program */

/* ---- telling (frame.c) ---- */

_Noreturn void fail(const char *format, ...);
_Noreturn void skip(const char *format, ...);
void step(const char *format, ...); /* what is being done: told if time runs out, or with --verbose */
void note(const char *format, ...); /* what was found out: reported after "ok" */

#define CHECK(condition, ...)                                                                                          \
  do {                                                                                                                 \
    if (!(condition)) {                                                                                                \
      fail(__VA_ARGS__);                                                                                               \
    }                                                                                                                  \
  } while (0)

uint64_t now_ms(void);
char *text(const char *format, ...); /* formatted, in memory that is never freed */
wchar_t *wide(const char *utf8);     /* likewise */
void *memory(size_t size);           /* likewise, and zero */
/* How long a scenario waits for what must come. Only a fault exceeds it. */
#define SOON 20000U

/* Bytes that show their place: those of a seed, from a position on. */
void pattern_fill(uint64_t seed, uint64_t position, void *to, size_t length);
bool pattern_matches(uint64_t seed, uint64_t position, const void *bytes, size_t length);

/* Runs a function in a thread of its own. */
HANDLE background(void (*run)(void *), void *argument);
void join(HANDLE thread);

/* ---- ends of connections (ends.c) ---- */

/* An end of a pipe or of a TCP connection. Two threads may use it, one reading and one writing. */
typedef struct end {
  HANDLE pipe;      /* NULL: it is a socket */
  bool synchronous; /* the pipe's handle is */
  HANDLE events[2]; /* for reading, for writing */
  SOCKET socket;
  bool more; /* the last read was a part of a message */
  DWORD why; /* of the last read that gave 0 bytes, or write that failed; 0: a zero-byte message, or an end */
} end;

end end_of_pipe(HANDLE pipe, bool synchronous);
end end_of_socket(SOCKET socket);
size_t end_read(end *e, void *to, size_t room); /* 0 at an end of any kind */
bool end_write(end *e, const void *bytes, size_t length);
void end_shut(end *e); /* the end of our output: a zero-byte message, or FIN */
void end_close(end *e);

void send_text(end *e, const char *bytes);
void expect_text(end *e, const char *bytes);
void send_pattern(end *e, uint64_t seed, size_t total, size_t chunk);
uint64_t send_until_cut(end *e, uint64_t seed, size_t total, size_t chunk); /* how many bytes went */
void expect_pattern(end *e, uint64_t seed, size_t total);
HANDLE send_in_background(end *e, uint64_t seed, size_t total, size_t chunk); /* to join() */
HANDLE expect_in_background(end *e, uint64_t seed, size_t total);
#define ANY_END 0xFFFFFFFFU
void expect_end(end *e, DWORD why); /* no byte more, and this reason */
/* Sends and receives so much, both ways at the same time; the client's is of the seed 1, the target's of 2. */
void exchange(end *client, end *target, size_t total, size_t chunk);

/* ---- pipes ---- */

typedef struct pipe_server {
  char name[160]; /* //./pipe/... */
  DWORD access, mode, instances, out_bytes, in_bytes;
  SECURITY_ATTRIBUTES *security;
  end e;
} pipe_server;

enum { BYTE_PIPE, MESSAGE_PIPE };

char *unique_pipe(void);
/* Makes the pipe and one instance. What is not set beforehand gets the usual values. */
void pipe_listen(pipe_server *s, int type);
void pipe_instance(pipe_server *s); /* another one, after the last has been closed or given away */
void pipe_accept(pipe_server *s);
/* Connects to a pipe, and waits while it is busy. */
end pipe_connect(const char *name, int read_mode);
HANDLE pipe_try(const char *name, DWORD access, DWORD flags); /* INVALID_HANDLE_VALUE and GetLastError */

/* ---- TCP, on loopback ---- */

SOCKET tcp_listen(int *port);
end tcp_accept(SOCKET listener);
end tcp_connect(int port);
int unused_port(void); /* on which no process listens */

/* ---- programs (program.c) ---- */

/* What is read in the background, and kept. */
typedef struct collector {
  end from;
  CRITICAL_SECTION lock;
  CONDITION_VARIABLE changed;
  char *data; /* a NUL follows */
  size_t length, room;
  bool ended;
} collector;

typedef enum std_kind {
  STD_ANONYMOUS,
  STD_OVERLAPPED,   /* a named pipe whose end the program has is overlapped, as Cygwin's and libuv's are */
  STD_MESSAGE,      /* the same, of messages, read in byte mode */
  STD_MESSAGE_READ, /* the same, in message mode */
  STD_NOWAIT,       /* an anonymous pipe whose end the program has does not wait, as Cygwin's programs leave some */
  STD_SOCKET,       /* a TCP connection */
  STD_FILE,
  STD_NUL,
  STD_NOTHING,
  STD_CONSOLE,
  STD_SAME, /* of standard output: the very handle of standard input, a socket */
} std_kind;

typedef struct launch {
  std_kind in, out, err;
  const char *in_file, *out_file;
  bool read_by_hand;   /* standard output is not collected */
  DWORD creation;      /* flags of CreateProcess */
  bool visible;        /* the window of its own console, if `creation` gives it one */
  const char *program; /* instead of uvrelay.exe */
} launch;

typedef struct program {
  HANDLE process;
  DWORD id;
  HANDLE kept; /* standard input of STD_NOWAIT, once more */
  end in, out;
  collector output, errors;
  struct program *before; /* the one that was started before this one */
} program;

extern const char *uvrelay_exe; /* its path */

/* Fails if all programs that were started have ended: there is no need to wait for one to connect. */
void check_it_runs(void);
/* Starts uvrelay.exe with these arguments, as they stand on a command line. `how` may be NULL. */
program *start(const launch *how, const char *format, ...);
void wait_output(program *p, size_t length);
void expect_output(program *p, uint64_t seed, size_t total);
/* Waits until standard error has this text, and gives what stands there. */
char *wait_error(program *p, const char *part);
DWORD wait_exit(program *p);
bool runs_for(program *p, DWORD ms);
/* It must end by itself, with this status. Its output and errors are complete then. */
void expect_exit(program *p, DWORD status);
/* The same, with one line on standard error, which has these parts; NULL ends them. */
void expect_refusal(program *p, DWORD status, ...);
void expect_silence(program *p); /* nothing on standard error */
uint64_t processor_ms(program *p);
uint64_t memory_of(program *p);

/* Starts `uvrelay.exe serve -v` with these arguments, and waits until so many routes listen. */
program *serve(const launch *how, int routes, const char *format, ...);
/* The port that the route of this number listens on, from 1 on; 0 where it is a pipe. */
int port_of(program *p, int route);

/* A temporary file with this content; gives its path, with slashes. */
char *temporary_file(const char *ending, const void *content, size_t length);

/* ---- serve with one route, and what is at both ends of it (rig.c) ---- */

typedef enum end_kind { KIND_BYTE, KIND_MESSAGE, KIND_TCP } end_kind;

typedef struct rig {
  end_kind listen, target;
  program *p;
  pipe_server pipe; /* the target, or */
  SOCKET socket;
  int port;                             /* of the target */
  const char *listen_name;              /* a pipe's */
  const char *listens, *target_address; /* as in the command line */
} rig;

/* Makes the target and starts serve, with these flags before the route; `prefix` precedes the target: "via:". */
rig rig_start(end_kind listen, end_kind target, const char *flags, const char *prefix);
/* Has an instance of the target's pipe wait for the next client. */
void rig_ready(rig *r);
end rig_client(rig *r); /* does that, too */
end rig_accept(rig *r);
/* Whether this kind of connection can end its output and go on. */
bool half_closes(end_kind k);

/* An echo on TCP, for as many as come, in the background. Gives its port. */
int echo_server(void);

#endif

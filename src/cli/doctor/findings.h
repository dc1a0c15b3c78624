/* What checks learn, for those that come later. A check that does not end in time stays on its thread; its findings are
 * not used, because the checks that need them are skipped. */
#ifndef UVR_CLI_DOCTOR_FINDINGS_H
#define UVR_CLI_DOCTOR_FINDINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cli/child/command.h"
#include "cli/child/wsl.h"
#include "cli/doctor/check.h"
#include "cli/doctor/probe.h"
#include "cli/input/config.h"
#include "cli/input/serve_options.h"
#include "cli/os/paths.h"

/* A route. */
typedef struct uvr_doctor_route {
  const uvr_config_route *config;
  const char *name;        /* for people: its own, or its listener */
  uvr_probe_target target; /* without a result if the far end it needs does not work */
} uvr_doctor_route;

typedef struct uvr_doctor {
  char own[UVR_SHELL_WORD_SIZE]; /* what starts this program in a shell */
  uvr_wsl wsl;
  bool is_wsl;
  uvr_serve_options given;   /* the command line */
  uvr_serve_options options; /* what holds: the command line, and what files say besides */
  char usual[UVR_PATH_SIZE]; /* the configuration file in its usual place, if that is read; else "" */
  uvr_config config;
  uvr_doctor_route *routes; /* one for each of the config */
  size_t far_count;         /* routes that need a far end */
  char *windows_file;       /* uvrelay.exe as WSL sees it, or NULL; allocated */
  uvr_command command;      /* of the far end; without words if there is none */
  const char *command_line;
  bool lacks_serve; /* no uvrelay serve runs, although it should */
} uvr_doctor;

/* A check. */
typedef struct uvr_doctor_check {
  const char *name;
  uint32_t needs;    /* the checks, a bit for each index, without which this one is skipped if they are bad */
  unsigned limit_ms; /* after which it is bad */
  void (*run)(uvr_doctor *doctor, uvr_check *check);
  const char *late; /* the remedy if it does not end in time; NULL: none */
} uvr_doctor_check;

/* A check of each route. */
typedef struct uvr_doctor_route_check {
  const char *name; /* the route's is added */
  bool far_only;    /* skipped if the route's far end does not work */
  unsigned limit_ms;
  void (*run)(const uvr_doctor *doctor, const uvr_doctor_route *route, uvr_check *check);
} uvr_doctor_route_check;

/* What is to be done in Windows if it does not answer WSL. */
#define UVR_DOCTOR_RESTART "# in Windows (this ends all of WSL; then open it again):\nwsl.exe --shutdown"

#endif

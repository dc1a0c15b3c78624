/* What a run of setup works on: what is asked for, and where things are. */
#ifndef UVR_CLI_SETUP_JOB_UNIX_H
#define UVR_CLI_SETUP_JOB_UNIX_H

#include <stdbool.h>
#include <stddef.h>

#include "cli/child/wsl.h"
#include "cli/facts/ask_facts.h"
#include "cli/input/presets.h"
#include "cli/setup/record_unix.h"
#include "cli/setup/setup_options_unix.h"
#include "uvrelay/common.h"

/* Where the Windows program is. All allocated, or NULL. */
typedef struct uvr_job_windows {
  char *source;     /* the one that was found, and runs */
  char *version;    /* of it */
  uvr_facts facts;  /* what it has said */
  char *copy;       /* where it is to be copied to: a path of Linux */
  char *copy_shown; /* the same as a path of Windows */
} uvr_job_windows;

typedef struct uvr_job {
  const uvr_setup_options *options;
  const uvr_preset *presets[UVR_SETUP_NAMES_MAX]; /* that are to be set up, or taken back; none: all */
  size_t preset_count;
  uvr_wsl wsl;
  /* Places, all allocated. */
  char *home;
  char *config_home; /* ~/.config, or XDG_CONFIG_HOME */
  char *config;      /* routes.conf */
  char *directory;   /* ~/.uvrelay */
  char *link;        /* to the Windows program */
  char *program;     /* this program, by a name that survives its update where there is one */
  bool on_path;      /* it is what `uvrelay` starts */
  int lock;          /* the home directory, which is locked while setup changes something; -1: it is not */
  uvr_record record;
  uvr_job_windows windows;
  bool manager;    /* systemd runs for this user */
  bool own_routes; /* there are routes in the file that are to be served, even if no preset is to be set up */
  /* What the steps so far have found. */
  bool program_changes; /* another Windows program will be there */
  bool config_changes;  /* the file of routes will be another one */
  bool nothing_left;    /* --remove: no route of setup's will be left */
} uvr_job;

/* Finds the places, and opens the record. Returns 0; or a negative code and *error. Must be cleared in any case. */
int uvr_job_init(uvr_job *self, const uvr_setup_options *options, uvrelay_error_t *error);

void uvr_job_clear(uvr_job *self);

/* What starts this program in the user's shell. To be freed; NULL: there is no memory. */
char *uvr_job_command(const uvr_job *self);

/* Whether the preset is one of those chosen, or all are. */
bool uvr_job_concerns(const uvr_job *self, const char *name, size_t length);

/* Makes ~/.uvrelay, if it is not there. */
int uvr_job_make_directory(uvr_job *self, uvrelay_error_t *error);

#endif

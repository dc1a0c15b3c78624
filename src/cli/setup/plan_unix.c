/* The plan: see plan_unix.h.
 *
 * All steps look first. Then the plan is shown, all questions are asked, and only then something is done, so that a
 * "no", or Ctrl-C at a question, leaves everything as it was. Taking back is done in the opposite order, but looked at
 * in the same one, since what is left of the routes decides about the rest.
 *
 * Ways to fail: a step fails. What was done before stays, and is named; a second run goes on from there. */
#include "cli/setup/plan_unix.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <uv.h>

#include "base/error.h"
#include "cli/setup/step_unix.h"
#include "cli/setup/talk_unix.h"

enum { PROGRAM, CONFIG, GPG, UNIT, PROFILE, STEPS };

enum { INDENT = 5 };

static const uvr_step_kind *const kinds[STEPS] = {
    [PROGRAM] = &uvr_step_program, [CONFIG] = &uvr_step_config,   [GPG] = &uvr_step_gpg,
    [UNIT] = &uvr_step_unit,       [PROFILE] = &uvr_step_profile,
};

typedef struct plan {
  uvr_step steps[STEPS];
  size_t count; /* of those that have something to do */
} plan;

static const uvr_step_half *half_of(const uvr_job *job, const uvr_step *step)
{
  return job->options->remove ? &step->kind->take_back : &step->kind->set_up;
}

/* The step that is number `i` in the order of acting. All is taken back in the opposite order. If routes are left,
 * serve goes on: it reads them again when the others are gone from the file, and leaves gpg's place before systemd gets
 * it. */
static uvr_step *step_at(const uvr_job *job, plan *self, size_t i)
{
  static const size_t partly[STEPS] = {CONFIG, UNIT, PROFILE, GPG, PROGRAM};
  bool back = job->options->remove;
  return &self->steps[!back ? i : job->nothing_left ? STEPS - 1 - i : partly[i]];
}

/* The routes decide what is left, so they are looked at first when they are taken back. */
static int look(uvr_job *job, plan *self, uvrelay_error_t *error)
{
  int code = 0;
  size_t first = job->options->remove ? 1 : 0;
  for (size_t i = 0; i < STEPS; i++) {
    self->steps[i] = (uvr_step){.kind = kinds[i]};
  }
  for (size_t i = 0; i < STEPS && code == 0; i++) {
    uvr_step *step = &self->steps[(i + first) % STEPS];
    code = half_of(job, step)->look(job, step, error);
    self->count += step->text != NULL ? 1 : 0;
  }
  return code;
}

static int show(uvr_job *job, plan *self, uvrelay_error_t *error)
{
  int code = 0;
  unsigned number = 0;
  bool dry = job->options->dry_run;
  if (self->count > 0) {
    code = uvr_talk(error, "uvrelay setup %s:\n", dry ? "would do this" : "does this");
  }
  for (size_t i = 0; i < STEPS && code == 0; i++) {
    const uvr_step *step = step_at(job, self, i);
    if (step->text != NULL) {
      code = uvr_talk(error, "  %u. %s\n", ++number, step->text);
    }
    if (code == 0 && dry && step->text != NULL && step->detail != NULL) {
      code = uvr_talk_lines(step->detail, INDENT, error);
    }
  }
  for (size_t i = 0; i < STEPS && code == 0; i++) {
    const char *note = step_at(job, self, i)->note;
    code = note != NULL ? uvr_talk(error, "Note: %s\n", note) : 0;
  }
  return code;
}

static int ask(uvr_job *job, plan *self, uvrelay_error_t *error)
{
  for (size_t i = 0; i < STEPS; i++) {
    const uvr_step *step = step_at(job, self, i);
    bool yes = job->options->yes || step->text == NULL || step->question == NULL;
    int code = yes ? 0 : uvr_talk_ask(step->question, true, &yes, error);
    if (code != 0) {
      return code;
    }
    if (!yes) {
      return uvr_error_set(error, UVRELAY_PHASE_NONE, UV_ECANCELED, "nothing was changed");
    }
  }
  return 0;
}

static int act(uvr_job *job, plan *self, uvrelay_error_t *error)
{
  unsigned number = 0;
  for (size_t i = 0; i < STEPS; i++) {
    uvr_step *step = step_at(job, self, i);
    if (step->text == NULL) {
      continue;
    }
    uvrelay_error_t why;
    int code = half_of(job, step)->act(job, step, &why);
    if (code != 0) {
      char done[64] = "no step is done";
      if (number > 0) {
        (void)snprintf(done, sizeof(done),
                       number == 1   ? "step 1 is done"
                       : number == 2 ? "steps 1 and 2 are done"
                                     : "steps 1 to %u are done",
                       number);
      }
      return uvr_error_set(error, UVRELAY_PHASE_NONE, code, "step %u: %.400s (%s)", number + 1, why.text, done);
    }
    number++;
  }
  return 0;
}

static void clear(plan *self)
{
  for (size_t i = 0; i < STEPS; i++) {
    free(self->steps[i].text);
    free(self->steps[i].detail);
    free(self->steps[i].question);
    free(self->steps[i].note);
  }
}

int uvr_plan_run(uvr_job *job, bool *changed, uvrelay_error_t *error)
{
  plan self = {.count = 0};
  int code = look(job, &self, error);
  *changed = code == 0 && self.count > 0;
  code = code == 0 ? show(job, &self, error) : code;
  if (code == 0 && !job->options->dry_run) {
    code = ask(job, &self, error);
    code = code == 0 ? act(job, &self, error) : code;
  }
  clear(&self);
  return code;
}

/* What a far end is allowed to connect to.
 *
 * Pipes and abstract sockets are compared as they are written; a pipe that is found by the beginning of its name, by
 * its whole name. Of TCP, an address that is not a name is, too; and a name, unless the pattern matches the name
 * itself, is looked up, and those of its addresses that match are connected to. Files are compared by where they really
 * are: a request must not get out of a directory that is allowed by a link in it. Links in the part of a pattern that
 * has no wildcards were chosen by the author of the pattern, and are followed. A file of another computer must match as
 * it is written, too.
 *
 * Ways to fail: no pattern matches, or only those that allow less impersonation than is asked for. */
#include "mux/allow.h"

#include <stdio.h>
#include <string.h>

#include "address/query.h"
#include "base/os.h"
#include "base/real_path.h"

#define NOT_ALLOWED "is not allowed"

static int refuse(const uvr_mux *mux, const uvr_address *address, const char *what, uvrelay_error_t *error)
{
  char list[256] = "";
  size_t used = 0;
  for (size_t i = 0; i < mux->options.allow_count && used < sizeof(list) - 1; i++) {
    int length = snprintf(list + used, sizeof(list) - used, "%s%s", i > 0 ? ", " : "", mux->allow[i]->text);
    used = used + (size_t)length < sizeof(list) ? used + (size_t)length : sizeof(list) - 1;
  }
  return uvr_error_set(error, UVRELAY_PHASE_CONNECT, UV_EACCES, "%.200s %s: the patterns are %s%s", address->canonical,
                       what, list, used == sizeof(list) - 1 ? "..." : "");
}

/* Whether a component of the path is "..". */
static bool leads_out(const char *path)
{
  for (const char *dots = strstr(path, ".."); dots != NULL; dots = strstr(dots + 1, "..")) {
    bool begins = dots == path || dots[-1] == '/' || dots[-1] == '\\';
    if (begins && (dots[2] == '\0' || dots[2] == '/' || dots[2] == '\\')) {
      return true;
    }
  }
  return false;
}

/* What can be said of a path before it is opened. A file of another computer may not even be opened if it does not
 * match as it is written, because that computer learns who opens it. */
static int check_path(const uvr_mux *mux, const uvr_address *address, uvrelay_error_t *error)
{
  bool matches = !uvr_os_has_npipes() || !uvr_address_is_remote_file(address);
  if (leads_out(address->path)) {
    return uvr_error_set(error, UVRELAY_PHASE_CONNECT, UV_EACCES, "%.200s is not allowed: its path contains ..",
                         address->canonical);
  }
  for (size_t i = 0; i < mux->options.allow_count && !matches; i++) {
    matches = uvr_allow_matches(mux->allow[i], address);
  }
  return matches ? 0 : refuse(mux, address, NOT_ALLOWED, error);
}

static int check_level(const uvr_address *address, uvrelay_impersonation_t level, const uvr_allow *best,
                       uvrelay_error_t *error)
{
  if (level <= best->level) {
    return 0;
  }
  return uvr_error_set(error, UVRELAY_PHASE_CONNECT, UV_EACCES,
                       "%.200s is not allowed with impersonation=%s: the pattern %.200s allows no more than %s",
                       address->canonical, uvr_impersonation_name(level), best->text,
                       uvr_impersonation_name(best->level));
}

/* The pattern that matches an address as it is written and allows most; NULL: none does. */
static const uvr_allow *find_best(const uvr_mux *mux, const uvr_address *address)
{
  const uvr_allow *best = NULL;
  for (size_t i = 0; i < mux->options.allow_count; i++) {
    const uvr_allow *allow = mux->allow[i];
    if (uvr_allow_matches(allow, address)) {
      best = best == NULL || allow->level > best->level ? allow : best;
    }
  }
  return best;
}

static bool may_match(const uvr_mux *mux, const uvr_address *address)
{
  bool may = false;
  for (size_t i = 0; i < mux->options.allow_count && !may; i++) {
    may = uvr_allow_may_match(mux->allow[i], address);
  }
  return may;
}

int uvr_mux_allow_check(const uvr_mux *mux, const uvr_address *address, uvrelay_impersonation_t level, bool *open,
                        uvrelay_error_t *error)
{
  *open = true;
  if (mux->options.allow_count == 0) {
    return 0;
  }
  if (address->kind == UVR_ADDRESS_UNIX || address->kind == UVR_ADDRESS_ASSUAN) {
    *open = false;
    return check_path(mux, address, error);
  }
  if (address->open_ended) {
    *open = false;
    return 0;
  }
  const uvr_allow *best = find_best(mux, address);
  if (best != NULL) {
    return check_level(address, level, best, error);
  }
  *open = false;
  bool is_name = address->kind == UVR_ADDRESS_TCP && !uvr_allow_is_ip(address);
  return is_name && may_match(mux, address) ? 0 : refuse(mux, address, NOT_ALLOWED, error);
}

/* Whether a file matches a pattern whose fixed part may have links in it. */
static bool matches_file(const uvr_allow *allow, const uvr_address *place)
{
  char fixed[UVR_ADDRESS_PATH_SIZE];
  char real[UVR_ADDRESS_PATH_SIZE];
  if (uvr_allow_matches(allow, place)) {
    return true;
  }
  size_t length = uvr_allow_fixed(allow, place->kind, fixed);
  return length > 0 && uvr_real_path_of(fixed, real, sizeof(real)) == 0 &&
         uvr_allow_matches_below(allow, length, real, place);
}

int uvr_mux_allow_check_place(const uvr_mux *mux, const uvr_address *address, const uvr_address *place,
                              uvrelay_impersonation_t level, uvrelay_error_t *error)
{
  if (place->kind == UVR_ADDRESS_NPIPE) {
    const uvr_allow *best = find_best(mux, place);
    return best == NULL ? refuse(mux, address, NOT_ALLOWED, error) : check_level(place, level, best, error);
  }
  bool is_ip = place->kind == UVR_ADDRESS_TCP;
  if (is_ip && address->kind == UVR_ADDRESS_ASSUAN) {
    return 0; /* a user who may use the file may connect to where it points */
  }
  for (size_t i = 0; i < mux->options.allow_count; i++) {
    if (is_ip ? uvr_allow_matches(mux->allow[i], place) : matches_file(mux->allow[i], place)) {
      return 0;
    }
  }
  return refuse(mux, address, is_ip ? "does not lead to an allowed address" : NOT_ALLOWED, error);
}

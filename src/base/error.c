/* Errors: see error.h. The names of Windows codes come from a table and not from the system, so that the text is the
 * same in every language of Windows. */
#include "base/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"

static const struct {
  unsigned long code;
  const char *name;
} names[] = {
    {2, "ERROR_FILE_NOT_FOUND"},
    {3, "ERROR_PATH_NOT_FOUND"},
    {5, "ERROR_ACCESS_DENIED"},
    {6, "ERROR_INVALID_HANDLE"},
    {8, "ERROR_NOT_ENOUGH_MEMORY"},
    {32, "ERROR_SHARING_VIOLATION"},
    {38, "ERROR_HANDLE_EOF"},
    {53, "ERROR_BAD_NETPATH"},
    {64, "ERROR_NETNAME_DELETED"},
    {67, "ERROR_BAD_NET_NAME"},
    {87, "ERROR_INVALID_PARAMETER"},
    {109, "ERROR_BROKEN_PIPE"},
    {121, "ERROR_SEM_TIMEOUT"},
    {123, "ERROR_INVALID_NAME"},
    {161, "ERROR_BAD_PATHNAME"},
    {230, "ERROR_BAD_PIPE"},
    {231, "ERROR_PIPE_BUSY"},
    {232, "ERROR_NO_DATA"},
    {233, "ERROR_PIPE_NOT_CONNECTED"},
    {234, "ERROR_MORE_DATA"},
    {995, "ERROR_OPERATION_ABORTED"},
    {1326, "ERROR_LOGON_FAILURE"},
    {1450, "ERROR_NO_SYSTEM_RESOURCES"},
};

const char *uvr_error_system_name(unsigned long system)
{
  for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
    if (names[i].code == system) {
      return names[i].name;
    }
  }
  return NULL;
}

static void set(uvrelay_error_t *error, uvrelay_phase_t phase, int code, unsigned long system, const char *format,
                va_list args)
{
  error->phase = phase;
  error->code = code;
  error->system = system;
  if (vsnprintf(error->text, sizeof(error->text), format, args) >= (int)sizeof(error->text)) {
    uvr_utf8_trim(error->text);
  }
}

int uvr_error_set(uvrelay_error_t *error, uvrelay_phase_t phase, int code, const char *format, ...)
{
  if (error != NULL) {
    va_list args;
    va_start(args, format);
    set(error, phase, code, 0, format, args);
    va_end(args);
  }
  return code;
}

/* Formatting costs ten times as much, which counts at the end of each connection. */
int uvr_error_say(uvrelay_error_t *error, uvrelay_phase_t phase, int code, const char *subject, const char *rest)
{
  size_t length = strlen(subject);
  size_t more = strlen(rest);
  error->phase = phase;
  error->code = code;
  error->system = 0;
  if (length + more < sizeof(error->text)) {
    memcpy(error->text, subject, length);
    memcpy(error->text + length, rest, more + 1);
  } else {
    (void)snprintf(error->text, sizeof(error->text), "%s%s", subject, rest);
    uvr_utf8_trim(error->text);
  }
  return code;
}

int uvr_error_set_system(uvrelay_error_t *error, uvrelay_phase_t phase, int code, unsigned long system,
                         const char *format, ...)
{
  if (error == NULL) {
    return code;
  }
  va_list args;
  va_start(args, format);
  set(error, phase, code, system, format, args);
  va_end(args);

  size_t used = strlen(error->text);
  char *end = error->text + used;
  size_t room = sizeof(error->text) - used;
  const char *name = uvr_error_system_name(system);
  if (system == 0) {
    (void)snprintf(end, room, " (%s)", uv_err_name(code));
  } else if (name == NULL) {
    (void)snprintf(end, room, " (Windows error %lu)", system);
  } else {
    (void)snprintf(end, room, " (%s, %lu)", name, system);
  }
  return code;
}

/* Printing the results of checks to standard output, each as soon as it is there: as a line of text with a mark, or as
 * the elements of one JSON array. */
#ifndef UVR_CLI_DOCTOR_PRINT_H
#define UVR_CLI_DOCTOR_PRINT_H

#include <stdbool.h>
#include <stddef.h>

#include "cli/doctor/check.h"

/* Initialise it by uvr_doctor_print_begin(). */
typedef struct uvr_doctor_print {
  bool json;
  bool colour;
  bool symbols; /* marks beyond ASCII */
  size_t count; /* of checks printed */
  size_t counts[UVR_CHECK_SKIPPED + 1];
} uvr_doctor_print;

/* Each returns 0, or 1 if it cannot be written, which was reported then. `own` is what starts this program. */
int uvr_doctor_print_begin(uvr_doctor_print *self, bool json);
int uvr_doctor_print_check(uvr_doctor_print *self, const uvr_check *check);
int uvr_doctor_print_end(uvr_doctor_print *self, const char *own);

#endif

/* The check of the configuration. */
#ifndef UVR_CLI_DOCTOR_CONFIG_H
#define UVR_CLI_DOCTOR_CONFIG_H

#include "cli/doctor/findings.h"

/* Reads all files and routes, and finds the command of the far end if one is needed. */
void uvr_doctor_check_config(uvr_doctor *doctor, uvr_check *check);

/* Connects to the targets of the routes that need no far end. Nothing is shown: uvr_doctor_check_target() does. */
void uvr_doctor_try_targets(uvr_doctor *doctor, uvr_check *check);

/* A route's target, which was tried before. */
void uvr_doctor_check_target(const uvr_doctor *doctor, const uvr_doctor_route *route, uvr_check *check);

/* Says of a route that works what leads where, as people write it. */
void uvr_doctor_describe_route(const uvr_doctor_route *route, char *text, size_t size);

/* The variable of the environment that is to lead programs to a route that is a preset. */
void uvr_doctor_check_variable(const uvr_doctor *doctor, const uvr_doctor_route *route, uvr_check *check);

#endif

/* The checks on Windows: see checks.h. */
#include "cli/doctor/checks.h"

#include "cli/doctor/config.h"
#include "cli/doctor/far.h"
#include "cli/doctor/system.h"

enum { SYSTEM, CONFIG, TARGETS, FAR_END };

#define BIT(check) (UINT32_C(1) << (check))

static const uvr_doctor_check checks[] = {
    [SYSTEM] = {"program", 0, 2000, uvr_doctor_check_program, NULL},
    [CONFIG] = {"configuration", 0, 3000, uvr_doctor_check_config, NULL},
    [TARGETS] = {"targets", BIT(CONFIG), 7000, uvr_doctor_try_targets, NULL},
    [FAR_END] = {"far end", BIT(CONFIG), 18000, uvr_doctor_check_far_end, NULL},
};

static const uvr_doctor_route_check route_checks[] = {{"target", true, 1500, uvr_doctor_check_target}};

const uvr_doctor_check *uvr_doctor_checks(size_t *count)
{
  *count = sizeof(checks) / sizeof(checks[0]);
  return checks;
}

size_t uvr_doctor_far_check(void)
{
  return FAR_END;
}

const uvr_doctor_route_check *uvr_doctor_route_checks(size_t *count)
{
  *count = sizeof(route_checks) / sizeof(route_checks[0]);
  return route_checks;
}

/* The checks on Linux: see checks.h. Those before the configuration say what the system is; the first of the following
 * ones that is bad explains those that need it. */
#include "cli/doctor/checks.h"

#include "cli/doctor/config.h"
#include "cli/doctor/far.h"
#include "cli/doctor/interop_unix.h"
#include "cli/doctor/listener_unix.h"
#include "cli/doctor/system.h"
#include "cli/doctor/windows_program_unix.h"
#include "cli/doctor/wsl_unix.h"

enum {
  PROGRAM,
  SYSTEM,
  SYSTEMD,
  CONFIG,
  WSL_CONF,
  HANDLER,
  INTEROP,
  DRIVE,
  START,
  WINDOWS_FILE,
  WINDOWS_FACTS,
  TARGETS,
  FAR_END,
  SERVE
};

#define BIT(check) (UINT32_C(1) << (check))

static const uvr_doctor_check checks[] = {
    [PROGRAM] = {"program", 0, 2000, uvr_doctor_check_program, NULL},
    [SYSTEM] = {"system", 0, 2000, uvr_doctor_check_system, NULL},
    [SYSTEMD] = {"systemd", 0, 2000, uvr_doctor_check_systemd, NULL},
    [CONFIG] = {"configuration", 0, 3000, uvr_doctor_check_config, NULL},
    [WSL_CONF] = {"wsl.conf", 0, 2000, uvr_doctor_check_wsl_conf, NULL},
    [HANDLER] = {"interop handler", BIT(WSL_CONF), 2000, uvr_doctor_check_handler, NULL},
    [INTEROP] = {"interop socket", 0, 2000, uvr_doctor_check_interop, NULL},
    [DRIVE] = {"Windows drive", 0, 2500, uvr_doctor_check_drive, UVR_DOCTOR_RESTART},
    [START] = {"interop start", BIT(HANDLER) | BIT(INTEROP) | BIT(DRIVE), 13000, uvr_doctor_check_start,
               UVR_DOCTOR_RESTART},
    [WINDOWS_FILE] = {"Windows program", BIT(DRIVE), 3000, uvr_doctor_check_windows_file, UVR_DOCTOR_RESTART},
    [WINDOWS_FACTS] = {"Windows version", BIT(START) | BIT(WINDOWS_FILE), 13000, uvr_doctor_check_windows_facts,
                       UVR_DOCTOR_RESTART},
    [TARGETS] = {"targets", BIT(CONFIG), 7000, uvr_doctor_try_targets, NULL},
    [FAR_END] = {"far end", BIT(CONFIG) | BIT(WINDOWS_FACTS), 18000, uvr_doctor_check_far_end, UVR_DOCTOR_RESTART},
    [SERVE] = {"serve", 0, 2000, uvr_doctor_check_serve, NULL},
};

static const uvr_doctor_route_check route_checks[] = {
    {"listener", false, 3000, uvr_doctor_check_listener},
    {"variable", false, 1500, uvr_doctor_check_variable},
    {"target", true, 1500, uvr_doctor_check_target},
};

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

/* The facts of Unix: who the user is, and what the system is called. */
#include <stdio.h>
#include <stdlib.h>

#include <uv.h>

#include "cli/facts/system_facts.h"

void uvr_facts_of_system(uvr_facts_text *out)
{
  uv_passwd_t user;
  uv_utsname_t system;
  char number[24];
  if (uv_os_get_passwd(&user) == 0) {
    (void)snprintf(number, sizeof(number), "%lu", (unsigned long)user.uid);
    uvr_facts_add(out, "user", user.username);
    uvr_facts_add(out, "uid", number);
    uvr_facts_add(out, "home", user.homedir);
    uv_os_free_passwd(&user);
  }
  if (uv_os_uname(&system) == 0) {
    uvr_facts_add(out, "system", system.sysname);
    uvr_facts_add(out, "kernel", system.release);
  }
}

/* The XML of the task: see logon_task_win.h.
 *
 * Its trigger names the user, as only an administrator may make a task for the logons of all. It runs with the rights
 * that the user has without elevation, for as long as the user is logged on, on batteries, too, and is started again
 * when it fails. A program with a console would show a window, which the setting Hidden has nothing to do with: that is
 * why conhost.exe starts it. */
#include "cli/setup/logon_task_win.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

/* A $ and a letter stand for a value. */
static const char form[] =
    "<?xml version=\"1.0\" encoding=\"UTF-16\"?>\n"
    "<Task version=\"1.2\" xmlns=\"http://schemas.microsoft.com/windows/2004/02/mit/task\">\n"
    "  <RegistrationInfo>\n"
    "    <Description>Starts \"uvrelay serve\" at logon. Made by \"uvrelay setup --logon\".</Description>\n"
    "  </RegistrationInfo>\n"
    "  <Triggers>\n"
    "    <LogonTrigger>\n"
    "      <Enabled>true</Enabled>\n"
    "      <UserId>$s</UserId>\n"
    "    </LogonTrigger>\n"
    "  </Triggers>\n"
    "  <Principals>\n"
    "    <Principal id=\"Author\">\n"
    "      <UserId>$s</UserId>\n"
    "      <LogonType>InteractiveToken</LogonType>\n"
    "      <RunLevel>LeastPrivilege</RunLevel>\n"
    "    </Principal>\n"
    "  </Principals>\n"
    "  <Settings>\n"
    "    <MultipleInstancesPolicy>IgnoreNew</MultipleInstancesPolicy>\n"
    "    <DisallowStartIfOnBatteries>false</DisallowStartIfOnBatteries>\n"
    "    <StopIfGoingOnBatteries>false</StopIfGoingOnBatteries>\n"
    "    <AllowHardTerminate>true</AllowHardTerminate>\n"
    "    <StartWhenAvailable>true</StartWhenAvailable>\n"
    "    <RunOnlyIfNetworkAvailable>false</RunOnlyIfNetworkAvailable>\n"
    "    <IdleSettings>\n"
    "      <StopOnIdleEnd>false</StopOnIdleEnd>\n"
    "      <RestartOnIdle>false</RestartOnIdle>\n"
    "    </IdleSettings>\n"
    "    <AllowStartOnDemand>true</AllowStartOnDemand>\n"
    "    <Enabled>true</Enabled>\n"
    "    <Hidden>false</Hidden>\n"
    "    <RunOnlyIfIdle>false</RunOnlyIfIdle>\n"
    "    <WakeToRun>false</WakeToRun>\n"
    "    <ExecutionTimeLimit>PT0S</ExecutionTimeLimit>\n"
    "    <Priority>5</Priority>\n"
    "    <RestartOnFailure>\n"
    "      <Interval>PT1M</Interval>\n"
    "      <Count>255</Count>\n"
    "    </RestartOnFailure>\n"
    "  </Settings>\n"
    "  <Actions Context=\"Author\">\n"
    "    <Exec>\n"
    "      <Command>$c</Command>\n"
    "      <Arguments>--headless \"$p\" serve --log-file=\"$l\"</Arguments>\n"
    "      <WorkingDirectory>$h</WorkingDirectory>\n"
    "    </Exec>\n"
    "  </Actions>\n"
    "</Task>\n";

static const char *value_of(const uvr_logon_task *task, char letter)
{
  switch (letter) {
  case 's':
    return task->sid;
  case 'c':
    return task->conhost;
  case 'p':
    return task->program;
  case 'l':
    return task->log;
  default:
    return task->home;
  }
}

/* What stands for a character that means something in XML, or NULL. */
static const char *entity_of(char c)
{
  switch (c) {
  case '&':
    return "&amp;";
  case '<':
    return "&lt;";
  case '>':
    return "&gt;";
  case '"':
    return "&quot;";
  case '\'':
    return "&apos;";
  default:
    return NULL;
  }
}

/* Adds a text at `used` of `out`, or with NULL counts only. Returns what is used then. */
static size_t add_value(char *out, size_t used, const char *value)
{
  for (; *value != '\0'; value++) {
    const char *entity = entity_of(*value);
    size_t length = entity != NULL ? strlen(entity) : 1;
    for (size_t i = 0; i < length && out != NULL; i++) {
      out[used + i] = entity != NULL ? entity[i] : *value;
    }
    used += length;
  }
  return used;
}

static size_t write_form(char *out, const uvr_logon_task *task)
{
  size_t used = 0;
  for (const char *next = form; *next != '\0'; next++) {
    if (*next == '$') {
      used = add_value(out, used, value_of(task, *++next));
    } else {
      if (out != NULL) {
        out[used] = *next;
      }
      used++;
    }
  }
  return used;
}

char *uvr_logon_task_xml(const uvr_logon_task *task)
{
  size_t length = write_form(NULL, task);
  char *text = malloc(length + 1);
  if (text != NULL) {
    (void)write_form(text, task);
    text[length] = '\0';
  }
  return text;
}

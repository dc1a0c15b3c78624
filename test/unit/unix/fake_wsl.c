/* A fake WSL: see fake_wsl.h. */
#include "fake_wsl.h"

#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

enum { QUEUE = 100 };

fake_wsl fake;

const char *at(const char *name)
{
  static char paths[8][SCRATCH_PATH_MAX];
  static unsigned next;
  return scratch_path(&fake.place, name, paths[next++ % 8]);
}

void make_parents(const char *name)
{
  char path[SCRATCH_PATH_MAX];
  (void)scratch_path(&fake.place, name, path);
  for (char *slash = path + strlen(fake.place.directory) + 1; (slash = strchr(slash, '/')) != NULL; slash++) {
    *slash = '\0';
    (void)mkdir(path, 0700);
    *slash = '/';
  }
}

void put(const char *name, const char *text, mode_t mode)
{
  make_parents(name);
  scratch_write(&fake.place, name, text, strlen(text));
  assert_int_equal(chmod(at(name), mode), 0);
}

int put_socket(const char *name, bool live)
{
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  make_parents(name);
  assert_true(strlen(at(name)) < sizeof(address.sun_path));
  strcpy(address.sun_path, at(name));
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  assert_true(fd >= 0 && bind(fd, (const struct sockaddr *)&address, sizeof(address)) == 0 && listen(fd, QUEUE) == 0);
  if (!live) {
    assert_int_equal(close(fd), 0);
    return -1;
  }
  assert_in_range(fake.fd_count, 0, FAKE_WSL_FDS_MAX - 1);
  fake.fds[fake.fd_count++] = fd;
  return fd;
}

void put_process(int number, const char *name, int parent)
{
  char path[64];
  char text[128];
  (void)snprintf(path, sizeof(path), "proc/%d/stat", number);
  (void)snprintf(text, sizeof(text), "%d (%s) S %d %d 0 -1 4194304 1 2\n", number, name, parent, number);
  put(path, text, 0600);
}

int fake_wsl_set_up(void **state)
{
  (void)state;
  scratch_init(&fake.place);
  (void)scratch_path(&fake.place, "run", fake.run);
  (void)scratch_path(&fake.place, "virtiofs", fake.virtiofs);
  (void)scratch_path(&fake.place, "proc", fake.proc);
  (void)scratch_path(&fake.place, "mnt/c", fake.mount);
  (void)scratch_path(&fake.place, "bin", fake.bin);
  (void)scratch_path(&fake.place, "etc", fake.etc);
  fake.fd_count = 0;
  make_parents("run/");
  put("proc/mounts", "/dev/sdb / ext4 rw 0 0\n", 0600);
  fake.wsl = (uvr_wsl){.run = fake.run,
                       .virtiofs = fake.virtiofs,
                       .proc = fake.proc,
                       .mount = fake.mount,
                       .directory = fake.bin,
                       .etc = fake.etc,
                       .process = FAKE_WSL_OWN};
  return 0;
}

static int remove_one(const char *path, const struct stat *status, int type, struct FTW *where)
{
  (void)status;
  (void)type;
  return where->level == 0 ? 0 : remove(path);
}

int fake_wsl_tear_down(void **state)
{
  (void)state;
  for (size_t i = 0; i < fake.fd_count; i++) {
    assert_int_equal(close(fake.fds[i]), 0);
  }
  assert_int_equal(nftw(fake.place.directory, remove_one, 16, FTW_DEPTH | FTW_PHYS), 0);
  scratch_clear(&fake.place);
  return 0;
}

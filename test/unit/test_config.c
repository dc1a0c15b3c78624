/* Routes as text: where LISTEN=TARGET is split, lines of files with their places, the options of files, listeners that
 * stand twice, and a long run of random files. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* The program's own files are in no library. */
#include "cli/input/config.c"      /* NOLINT(bugprone-suspicious-include) */
#include "cli/input/config_file.c" /* NOLINT(bugprone-suspicious-include) */
#include "cli/input/flags.c"       /* NOLINT(bugprone-suspicious-include) */
#include "cli/input/presets.c"     /* NOLINT(bugprone-suspicious-include) */
#include "cli/input/route_line.c"  /* NOLINT(bugprone-suspicious-include) */

#include "cli/input/serve_options.c" /* NOLINT(bugprone-suspicious-include) */
#include "cli/input/window.c"        /* NOLINT(bugprone-suspicious-include) */

#ifdef _WIN32
#include "cli/input/presets_win.c" /* NOLINT(bugprone-suspicious-include) */
#else
#include "cli/input/presets_unix.c" /* NOLINT(bugprone-suspicious-include) */
#endif

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define A            "unix:///a"
#define T            "tcp://127.0.0.1:1"

static uvr_config none(void)
{
  return (uvr_config){.options.size = sizeof(uvrelay_route_options_t)};
}

/* Adds a file's text, of `length` bytes, from memory of just its size. */
static int add_bytes(uvr_config *config, const char *text, size_t length, uvr_place *place, uvrelay_error_t *error)
{
  char *copy = malloc(length + 1);
  assert_non_null(copy);
  memcpy(copy, text, length);
  copy[length] = '\0';
  int code = uvr_config_add_file(config, "file", copy, length, place, error);
  free(copy);
  return code;
}

static int add_text(uvr_config *config, const char *text, uvr_place *place, uvrelay_error_t *error)
{
  return add_bytes(config, text, strlen(text), place, error);
}

static const struct split {
  const char *argument;
  const char *listen; /* NULL: it is refused */
  const char *target;
} splits[] = {
    {A "=" T, A, T},
    {"unix:///s?perm=0600=" T, "unix:///s?perm=0600", T},
    {"npipe:x?mode=message=unix:///t?idle=5", "npipe:x?mode=message", "unix:///t?idle=5"},
    {A "=//./pipe/x", A, "//./pipe/x"},
    {A "=\\\\.\\pipe\\x", A, "\\\\.\\pipe\\x"},
    {A "=npipe:x", A, "npipe:x"},
    {A "=assuan:///C:/x=y", A, "assuan:///C:/x=y"},
    {"unix:///a=b=" T, "unix:///a=b", T},
    {"unix:///a=b:c=" T, "unix:///a", "b:c=" T},
    {"unix:///a=7:c=" T, "unix:///a=7:c", T},
    {"unix:///a==" T, "unix:///a=", T},
    {A " = " T, A, T},
    {A "\t=\t" T, A, T},
    {"=" T, "", T},
    {"x=via:", "x", "via:"},
    {A "=x+y-z.1:", A, "x+y-z.1:"},
    {"unix:///a b=" T, "unix:///a b", T},
    {A "=unix:///b c", A, "unix:///b c"},
    {"", NULL, NULL},
    {"=", NULL, NULL},
    {A, NULL, NULL},
    {A "=", NULL, NULL},
    {A "=127.0.0.1:80", NULL, NULL},
    {A "=/tmp/x", NULL, NULL},
    {A "=\\x", NULL, NULL},
    {A "=:x", NULL, NULL},
    {"perm=0600", NULL, NULL},
    {A "=" T " unix:///b=" T, NULL, NULL},
};

static void test_splits(void **state)
{
  (void)state;
  for (size_t i = 0; i < COUNT(splits); i++) {
    uvr_config config = none();
    uvrelay_error_t error = {0};
    int code = uvr_config_add_route(&config, splits[i].argument, &error);
    if (code != (splits[i].listen == NULL ? UV_EINVAL : 0)) {
      fail_msg("%s: %d, %s", splits[i].argument, code, error.text);
    }
    if (code == 0) {
      assert_int_equal(config.count, 1);
      assert_string_equal(config.routes[0].listen, splits[i].listen);
      assert_string_equal(config.routes[0].target, splits[i].target);
      assert_null(config.routes[0].place.file);
    } else {
      assert_int_equal(config.count, 0);
      assert_non_null(
          strstr(error.text, strstr(error.text, "more than one") != NULL ? "each" : "is not a route: write "));
    }
    uvr_config_clear(&config);
  }
}

/* A guess at what was meant has no character that cannot be shown. */
static void test_guess(void **state)
{
  (void)state;
  static const char *const texts[] = {"unix:///a->tcp://h:1?x\x01", "unix:///a->tcp://h:1?\xE2\x80\xAE",
                                      "unix:///a->tcp://h:1?\xFF"};
  uvr_config config = none();
  uvrelay_error_t error = {0};
  assert_int_equal(uvr_config_add_route(&config, "unix:///a->tcp://h:1", &error), UV_EINVAL);
  assert_non_null(strstr(error.text, "write unix:///a=tcp://h:1"));
  for (size_t i = 0; i < COUNT(texts); i++) {
    assert_int_equal(uvr_config_add_route(&config, texts[i], &error), UV_EINVAL);
    assert_non_null(strstr(error.text, "write LISTEN=TARGET"));
  }
  uvr_config_clear(&config);
}

static const struct file {
  const char *text;
  struct {
    const char *listen;
    unsigned line, column, target_column;
  } routes[3];
} files[] = {
    {"", {{NULL, 0, 0, 0}}},
    {"\n\r\n \t \n# " A "=" T "\n  # x\n", {{NULL, 0, 0, 0}}},
    {"\xEF\xBB\xBF", {{NULL, 0, 0, 0}}},
    {A "=" T, {{A, 1, 1, 11}}},
    {A "=" T "\nunix:///b=" T "\r\n\r\n  unix:///c = " T " ",
     {{A, 1, 1, 11}, {"unix:///b", 2, 1, 11}, {"unix:///c", 4, 3, 15}}},
    {"\xEF\xBB\xBF\t" A "=" T " # " A "=" T, {{A, 1, 2, 12}}},
    {"#x\n" A "#y=" T "\t#z", {{A "#y", 2, 1, 13}}},
    {"unix:///\xC3\xA4=" T, {{"unix:///\xC3\xA4", 1, 1, 11}}},
    {"unix:///a?max=3=" T, {{"unix:///a?max=3", 1, 1, 17}}},
};

static void test_files(void **state)
{
  (void)state;
  for (size_t i = 0; i < COUNT(files); i++) {
    uvr_config config = none();
    uvr_place place;
    uvrelay_error_t error = {0};
    if (add_text(&config, files[i].text, &place, &error) != 0) {
      fail_msg("case %u: %s", (unsigned)i, error.text);
    }
    size_t count = 0;
    for (; count < 3 && files[i].routes[count].listen != NULL; count++) {
      assert_true(count < config.count);
      const uvr_config_route *route = &config.routes[count];
      assert_string_equal(route->listen, files[i].routes[count].listen);
      assert_string_equal(route->target, T);
      assert_string_equal(route->place.file, "file");
      assert_int_equal(route->place.line, files[i].routes[count].line);
      assert_int_equal(route->place.column, files[i].routes[count].column);
      assert_int_equal(route->target_column, files[i].routes[count].target_column);
    }
    assert_int_equal(config.count, count);
    uvr_config_clear(&config);
  }
}

static const struct wrong {
  const char *text;
  unsigned line, column;
  const char *words;
} wrong[] = {
    {"x", 1, 1, "\"x\" is neither a route nor an option"},
    {"\n\r\n  " A "\n", 3, 3, "neither a route"},
    {A "=" T "\n" A "=", 2, 1, "neither a route"},
    {"=x", 1, 1, "neither a route"},
    {" " A "=" T " unix:///b=" T, 1, 2, "one a line"},
    {"# \xC3\xA4\xFF", 1, 4, "0xff is not UTF-8"},
    {A "=" T "\n\xC3", 2, 1, "0xc3 is not UTF-8"},
    {"\xC3\xA4\x01", 1, 2, "control character 0x01"},
    {"a\rb", 1, 2, "control character 0x0d"},
    {"\xEF\xBB\xBF\x7F", 1, 1, "control character 0x7f"},
    {"\xFF\xFE"
     "a",
     1, 1, "UTF-16"},
    {"\xFE\xFF", 1, 1, "UTF-16"},
    {" colour = red", 1, 2, "no option \"colour\""},
    {"idel=60", 1, 1, "there is no option \"idel\": did you mean idle?"},
    {"Drain = 5", 1, 1, "there is no option \"Drain\": did you mean drain?"},
    {"unix:///a -> tcp://b:1", 1, 1, "is not a route: write unix:///a=tcp://b:1"},
    {"unix:///a tcp://b:1", 1, 1, "is not a route: write unix:///a=tcp://b:1"},
    {"UNIX-LISTEN:/s,fork EXEC:\"npiperelay.exe -ei //./pipe/x\",nofork", 1, 1, "write unix:/s=//./pipe/x"},
    {"LocalForward 8080 h:80", 1, 1, "write tcp://127.0.0.1:8080=via:tcp://h:80"},
    {"8080=80", 1, 1, "is not a route: write tcp://127.0.0.1:8080=tcp://127.0.0.1:80"},
    {"max=0", 1, 1, "max"},
    {"max=", 1, 1, "max"},
    {"drain=5\n  drain = x", 2, 3, "bad value \"x\" for drain: write a number of seconds from 0"},
    {"status=0", 1, 1, "bad value \"0\" for status"},
    {"eager=maybe", 1, 1, "bad value \"maybe\" for eager: write true or false, or on or off"},
    {"eager=", 1, 1, "bad value \"\" for eager"},
    {"log-file=", 1, 1, "has no file"},
    {"window-total=5", 1, 1, "window-total"},
    {"config=x", 1, 1, "there is no option \"config\": a file can have timeout, linger"},
    {"help=1", 1, 1, "no option \"help\""},
    {"ssh agent", 1, 1, "neither a route nor an option"},
    {"docker", 1, 1, "\"docker\" is not a route: write @docker"},
    {"doker?max=3", 1, 1, "write @docker?max=3"},
    {A "=docker", 1, 1, "write " A "=@docker"},
    {"x=docker", 1, 1, "no option \"x\""},
    {"via", 1, 1, "via needs a value: write via=VALUE"},
    {" timeout # 5", 1, 2, "timeout needs a value"},
    {"--via=x y", 1, 1, "\"--via=x y\": in a file, flags have no hyphens: write via=VALUE"},
    {"-eager", 1, 1, "write eager=true"},
    {"--idle 5", 1, 1, "write idle=VALUE"},
    {"--colour=red", 1, 1, "there is no option \"--colour\""},
    {"name=x", 1, 1, "each route has its own name: write it after an address"},
    {"v=1", 1, 1, "no option \"v\""},
    {"V=1", 1, 1, "no option \"V\""},
    {"via=a \xC3\xA4$UVR_NONE", 1, 8,
     "the command \"a \xC3\xA4$UVR_NONE\" has the variable \"UVR_NONE\", which is not set"},
    {"log-file=/x/${UVR_NONE}", 1, 13, "the path \"/x/${UVR_NONE}\" has the variable"},
    {"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa=1", 1, 1, "no option \"aaaaaaa"},
};

static void test_wrong(void **state)
{
  (void)state;
  for (size_t i = 0; i < COUNT(wrong); i++) {
    uvr_config config = none();
    uvr_place place;
    uvrelay_error_t error = {0};
    assert_int_equal(add_text(&config, wrong[i].text, &place, &error), UV_EINVAL);
    assert_int_equal(error.code, UV_EINVAL);
    if (strstr(error.text, wrong[i].words) == NULL) {
      fail_msg("case %u: \"%s\" is not in: %s", (unsigned)i, wrong[i].words, error.text);
    }
    assert_string_equal(place.file, "file");
    if (place.line != wrong[i].line || place.column != wrong[i].column) {
      fail_msg("case %u: %u:%u", (unsigned)i, place.line, place.column);
    }
    uvr_config_clear(&config);
  }
}

static void test_nul(void **state)
{
  (void)state;
  uvr_config config = none();
  uvr_place place;
  uvrelay_error_t error = {0};
  assert_int_equal(add_bytes(&config, "# x\0y", 5, &place, &error), UV_EINVAL);
  assert_int_equal(place.column, 4);
  assert_non_null(strstr(error.text, "0x00"));
}

/* A file's options apply to its routes, wherever they are in it, and override those of all routes. */
static void test_options(void **state)
{
  (void)state;
  uvr_config config = none();
  uvr_place place;
  uvrelay_error_t error = {0};
  config.options.max = 7;
  config.options.idle_ms = 8000;
  assert_int_equal(uvr_config_add_route(&config, "unix:///1=" T, &error), 0);
  assert_int_equal(add_text(&config, "max = 3\nunix:///2=" T "\nmax=4 # four\nperm=0640\n", &place, &error), 0);
  assert_int_equal(add_text(&config, "unix:///3=" T "\n", &place, &error), 0);
  assert_int_equal(config.count, 3);
  assert_int_equal(config.routes[0].options.max, 7);
  assert_int_equal(config.routes[0].options.permissions, 0);
  assert_int_equal(config.routes[1].options.max, 4);
  assert_int_equal(config.routes[1].options.permissions, 0640);
  assert_int_equal(config.routes[1].options.idle_ms, 8000);
  assert_int_equal(config.routes[2].options.max, 7);
  assert_int_equal(uvr_config_check(&config, &place, &error), 0);
  uvr_config_clear(&config);
}

static void set_home(void)
{
  assert_int_equal(uv_os_setenv("HOME", "/home/me"), 0);
  assert_int_equal(uv_os_setenv("USERPROFILE", "/home/me"), 0);
}

/* Which targets need a far end: those that say so, and those that this system cannot reach. */
static void test_far(void **state)
{
  (void)state;
#ifdef _WIN32
  const bool windows = true;
#else
  const bool windows = false;
#endif
  const struct {
    const char *target;
    bool far_away;
  } cases[] = {
      {"unix:///t", windows},  {T, false},
      {"npipe:x", !windows},   {"//./pipe/x?impersonation=delegation", !windows},
      {"assuan:///t", false},  {"assuan:///C:/t", !windows},
      {"via:unix:///t", true}, {"VIA:" T "?timeout=5", true},
      {"via:npipe:x", true},   {"via:assuan:///C:/t", true},
  };
  for (size_t i = 0; i < COUNT(cases); i++) {
    char argument[200];
    uvr_config config = none();
    uvr_place place;
    uvrelay_error_t error = {0};
    (void)snprintf(argument, sizeof(argument), "tcp://127.0.0.1:0=%s", cases[i].target);
    assert_int_equal(uvr_config_add_route(&config, "tcp://127.0.0.1:0=" T, &error), 0);
    assert_int_equal(uvr_config_add_route(&config, argument, &error), 0);
    assert_int_equal(uvr_config_add_route(&config, "tcp://127.0.0.1:0=via:" T, &error), 0);
    assert_int_equal(uvr_config_check(&config, &place, &error), 0);
    const uvr_config_route *first = uvr_config_first_far(&config);
    if (first != &config.routes[cases[i].far_away ? 1 : 2]) {
      fail_msg("%s", cases[i].target);
    }
    config.count = 1;
    assert_null(uvr_config_first_far(&config));
    config.count = 3;
    uvr_config_clear(&config);
  }
}

/* Names: each route's own, wherever it is, and a preset's for the first of its routes that has none. */
static void test_route_names(void **state)
{
  (void)state;
  static const uvr_preset preset = {.name = "docker"};
  uvr_config config = none();
  uvr_place place;
  uvrelay_error_t error = {0};
  static const char *const arguments[] = {A "?name=one=" T, "unix:///b=" T "?name=two", "unix:///c=" T,
                                          "unix:///d=" T,   "unix:///e=" T "?name=own", "unix:///f=" T};
  static const char *const names[] = {"one", "two", "docker", "", "own", ""};
  for (size_t i = 0; i < COUNT(arguments); i++) {
    assert_int_equal(uvr_config_add_route(&config, arguments[i], &error), 0);
    config.routes[i].preset = i >= 2 && i < 5 ? &preset : NULL;
  }
  assert_int_equal(uvr_config_check(&config, &place, &error), 0);
  for (size_t i = 0; i < COUNT(arguments); i++) {
    assert_string_equal(config.routes[i].name, names[i]);
  }
  assert_string_equal(config.routes[2].options.name, "docker");
  uvr_config_clear(&config);
  config = none();
  assert_int_equal(add_text(&config, A "=" T "?name=x\n  unix:///b?name=x=" T, &place, &error), 0);
  assert_int_equal(uvr_config_check(&config, &place, &error), UV_EINVAL);
  assert_string_equal(error.text, "the name x is given to two routes, first in line 1 of \"file\"");
  assert_int_equal(place.line * 100 + place.column, 203);
  uvr_config_clear(&config);
}

/* A preset alone, with options, and behind another listener; the cases are for the one that both systems have. P is its
 * listener, and Q its target, each with the first option that it has. */
static const struct preset_case {
  const char *text;
  const char *listen; /* NULL: it is refused, */
  const char *target; /* then with these words */
} preset_cases[] = {
    {"@docker", "P", "Q"},
    {"  @docker\t", "P", "Q"},
    {"@docker?timeout=5", "P", "Q&timeout=5"},
    {"@docker?timeout=5&max=3", "P", "Q&timeout=5&max=3"},
    {"@docker?perm=0660&timeout=5", "P+perm=0660", "Q&timeout=5"},
    {"@docker?owner=any", "P", "R&owner=any"},
    {"@docker?name=a&owner=user,root", "P", "R&name=a&owner=user,root"},
    {"unix:///x=@docker", "unix:///x", "Q"},
    {"unix:///x = @docker?idle=5", "unix:///x", "Q&idle=5"},
    {"unix:///x?owner=user=@docker", "unix:///x?owner=user", "R"},
    {"tcp://127.0.0.1:0?max=7=@docker?perm=0600", "tcp://127.0.0.1:0?max=7", "Q&perm=0600"},
    {"@docker?", "P", "Q&"},
    {"@docker?&x", "P", "Q&&x"},
    {"@dokcer", NULL, "there is no preset \"@dokcer\": did you mean @docker?"},
    {"@Docker", NULL, "did you mean @docker?"},
    {"unix:///x=@dockers?timeout=5", NULL, "there is no preset \"@dockers\": did you mean @docker?"},
    {"@nothing-like-it", NULL, "there is no preset \"@nothing-like-it\": the presets are @"},
    {"@docker x", NULL, "there is no preset \"@docker x\": did you mean @docker?"},
    {"@x\xE2\x80\xAEy", NULL, "there is no preset \"@x\\xe2\\x80\\xaey\""},
    {"@docker=tcp://127.0.0.1:1", NULL, "the preset \"@docker\" is before a ="},
    {"@docker?max=1=tcp://127.0.0.1:1", NULL, "the preset \"@docker?max=1\" is before a ="},
    {"@docker=@docker", NULL, "is before a ="},
    {"=@docker", NULL, "there is no LISTEN before the ="},
    {"@docker @docker", NULL, "more than one route"},
    {"@docker?max=1 unix:///a=unix:///b", NULL, "more than one route"},
    {"unix:///x=@docker @docker?max=3", NULL, "more than one route"},
    {"@", NULL, "no"},
    {"@1", NULL, "no"},
};

/* Whether a text is that of a case, in which capitals stand for the preset's own. */
static void assert_preset_text(const char *text, const char *expected)
{
  char listen[UVR_PRESET_LISTEN_SIZE];
  char whole[UVR_EXPANDED_SIZE];
  const uvr_preset *preset = uvr_presets_find("docker", 6);
  assert_int_equal(uvr_preset_listen(preset, listen, NULL), 0);
  const char *rest = expected + (strchr("PQR", *expected) != NULL ? 1 : 0);
  const char *base = *expected == 'P' ? listen : *expected == 'Q' || *expected == 'R' ? preset->target : "";
  size_t length = strlen(base);
  if (*expected == 'R') { /* without its owner, which is its last option */
    length = (size_t)(strstr(base, "owner=") - base) - 1;
  }
  const char *joint = "";
  if (*rest == '+') {
    rest++;
    joint = strchr(base, '?') == NULL ? "?" : "&";
  } else if (*rest == '&' && memchr(base, '?', length) == NULL) {
    rest++;
    joint = "?";
  }
  (void)snprintf(whole, sizeof(whole), "%.*s%s%s", (int)length, base, joint, rest);
  assert_string_equal(text, whole);
}

static void test_presets(void **state)
{
  (void)state;
  set_home();
  for (size_t i = 0; i < COUNT(preset_cases); i++) {
    for (int file = 0; file < 2; file++) {
      uvr_config config = none();
      uvr_place place = {.file = NULL};
      uvrelay_error_t error = {0};
      const char *text = preset_cases[i].text;
      int code = file != 0 ? add_text(&config, text, &place, &error) : uvr_config_add_route(&config, text, &error);
      if (preset_cases[i].listen == NULL) {
        if (code != UV_EINVAL || strstr(error.text, preset_cases[i].target) == NULL) {
          fail_msg("%s: %d, %s", text, code, error.text);
        }
      } else if (file != 0 || text[strcspn(text, " \t")] == '\0') {
        if (code != 0) {
          fail_msg("%s: %s", text, error.text);
        }
        assert_preset_text(config.routes[0].listen, preset_cases[i].listen);
        assert_preset_text(config.routes[0].target, preset_cases[i].target);
        assert_ptr_equal(config.routes[0].preset, uvr_presets_find("docker", 6));
      }
      uvr_config_clear(&config);
    }
  }
}

/* Each preset of this system is a good route, without options that are given twice. */
static void test_each_preset(void **state)
{
  (void)state;
  size_t count;
  const uvr_preset *all = uvr_presets(&count);
  uvr_config config = none();
  uvr_place place;
  uvrelay_error_t error = {0};
  set_home();
  (void)uv_os_unsetenv("GNUPGHOME");
  for (size_t i = 0; i < count; i++) {
    char text[100];
    (void)snprintf(text, sizeof(text), "@%s", all[i].name);
    assert_int_equal(uvr_config_add_route(&config, text, &error), 0);
    assert_true((all[i].variable == NULL) == (all[i].listen == NULL));
    assert_non_null(all[i].prefix);
  }
  if (uvr_config_check(&config, &place, &error) != 0) {
    fail_msg("%s", error.text);
  }
  for (size_t i = 0; i < count; i++) {
    assert_string_equal(config.routes[i].name, all[i].name);
    assert_true(config.routes[i].needs_far_end);
  }
  uvr_config_clear(&config);
}

static const struct check {
  const char *first;
  const char *second;
  const char *words; /* NULL: both are right */
} checks[] = {
    {A "=" T, "unix:///b=" T, NULL},
    {A "=" T, A "=" T, "\"unix:///a\" is given twice"},
    {A "?max=3=" T, A "=unix:///x", "given twice"},
    {"tcp://127.0.0.1:0=" T, "tcp://127.0.0.1:0=" T, NULL},
    {"tcp://127.0.0.1:5=" T, "tcp://127.0.0.1:5=" T, "given twice"},
    {"tcp://127.0.0.1:5=" T, "tcp://LocalHost:5=" T, "given twice"},
    {"tcp://127.0.0.1:5=" T, "tcp://127.0.0.2:5=" T, NULL},
    {"tcp://127.0.0.1:5=" T, "tcp://127.0.0.1:6=" T, NULL},
    {"npipe:x=" T, "//./pipe/X=" T, "given twice"},
    {"npipe:x=" T, "npipe:xy=" T, NULL},
    {"unix:///A=" T, A "=" T, NULL},
    {"fd://3=" T, "fd://3=" T, "given twice"},
    {"fd://3=" T, "fd://x=" T, NULL},
    {A "=" T, "unix:///b=tcp://x:y", "tcp://x:y"},
    {A "=" T, "unix:///b?colour=red=" T, "colour"},
    {A "=" T, "unix:///b=" T "?perm=0600", "perm"},
    {A "=" T, "foo=" T, "foo"},
    {A "?name=x=" T, "unix:///b=" T "?name=X", NULL},
    {A "?name=x=" T, "unix:///b=" T "?name=x", "the name x is given to two routes"},
    {A "?name=x=" T "?name=x", "unix:///b=" T, "given twice"},
    {"=" T, A "=" T, "empty"},
};

static void test_checks(void **state)
{
  (void)state;
  for (size_t i = 0; i < COUNT(checks); i++) {
    uvr_config config = none();
    uvr_place place;
    uvrelay_error_t error = {0};
    assert_int_equal(uvr_config_add_route(&config, checks[i].first, &error), 0);
    assert_int_equal(uvr_config_add_route(&config, checks[i].second, &error), 0);
    int code = uvr_config_check(&config, &place, &error);
    assert_null(place.file);
    if (code != (checks[i].words == NULL ? 0 : UV_EINVAL) ||
        (code != 0 && strstr(error.text, checks[i].words) == NULL)) {
      fail_msg("case %u: %d, %s", (unsigned)i, code, error.text);
    }
    uvr_config_clear(&config);
  }
}

/* The place of what a check finds wrong is that of the address. */
static void test_places_of_checks(void **state)
{
  (void)state;
  static const struct {
    const char *text;
    unsigned line, column;
  } cases[] = {
      {"\n  foo=" T, 2, 3},
      {"\n  " A "=tcp://x:y", 2, 13},
      {" " A "=" T "\n\n   " A "=" T, 3, 4},
  };
  for (size_t i = 0; i < COUNT(cases); i++) {
    uvr_config config = none();
    uvr_place place;
    uvrelay_error_t error = {0};
    assert_int_equal(add_text(&config, cases[i].text, &place, &error), 0);
    assert_int_equal(uvr_config_check(&config, &place, &error), UV_EINVAL);
    assert_string_equal(place.file, "file");
    assert_int_equal(place.line, cases[i].line);
    assert_int_equal(place.column, cases[i].column);
    uvr_config_clear(&config);
  }
}

static void test_twice_in_a_file(void **state)
{
  (void)state;
  uvr_config config = none();
  uvr_place place;
  uvrelay_error_t error = {0};
  char text[] = "\n" A "=" T;
  assert_int_equal(uvr_config_add_file(&config, "fi\x1ble", text, sizeof(text) - 1, &place, &error), 0);
  assert_int_equal(uvr_config_add_route(&config, A "=" T, &error), 0);
  assert_int_equal(uvr_config_check(&config, &place, &error), UV_EINVAL);
  assert_non_null(strstr(error.text, "given twice, first in line 2 of \"fi\\x1ble\""));
  uvr_config_clear(&config);
}

static void test_random(void **state)
{
  (void)state;
  static const char *const pieces[] = {"unix:///",
                                       "=",
                                       "tcp://127.0.0.1:",
                                       "1",
                                       "a",
                                       " ",
                                       "\t",
                                       "#",
                                       "\n",
                                       "\r\n",
                                       "?",
                                       "&",
                                       "max=3",
                                       "perm=0600",
                                       "\xC3\xA4",
                                       "\xC3",
                                       "\x01",
                                       "//./pipe/x",
                                       "@docker",
                                       "@",
                                       "=@docker?",
                                       "name=",
                                       "via=",
                                       "drain=",
                                       "\xEF\xBB\xBF",
                                       "=tcp://127.0.0.1:1\n",
                                       "unix:///b=unix:///c\n",
                                       "npipe:x"};
  uint32_t seed = 11;
  size_t good = 0;
  size_t bad = 0;
  for (int round = 0; round < 60000; round++) {
    char text[300];
    size_t used = 0;
    do {
      seed = seed * 1664525 + 1013904223;
      used += (size_t)snprintf(text + used, sizeof(text) - used, "%s", pieces[(seed >> 16) % COUNT(pieces)]);
    } while (seed >> 28 != 0 && used < 250);
    uvr_config config = none();
    uvr_place place;
    uvrelay_error_t error = {0};
    int code = add_text(&config, text, &place, &error);
    code = code == 0 ? uvr_config_check(&config, &place, &error) : code;
    good += code == 0;
    bad += code != 0;
    if (code != 0) {
      assert_int_equal(code, UV_EINVAL);
      assert_true(place.line >= 1 && place.column >= 1 && place.column <= used + 1);
      assert_true(error.text[0] != '\0');
    }
    uvr_config_clear(&config);
  }
  assert_true(good > 100 && bad > 1000);
}

/* A ~/ and variables, in files and on the command line. */
static const struct expanded {
  const char *text;
  const char *listen; /* NULL: it is refused, */
  const char *target; /* then with these words */
  unsigned column;    /* and here */
} expanded[] = {
    {"unix://~/a=" T, "unix:///home/me/a", T, 0},
    {"unix:~/a?max=2=unix:~/b?idle=1", "unix:/home/me/a?max=2", "unix:/home/me/b?idle=1", 0},
    {"unix://~/a=assuan://~/b", "unix:///home/me/a", "assuan:///home/me/b", 0},
    {"unix://$HOME/a=unix:${HOME}/b", "unix:///home/me/a", "unix:/home/me/b", 0},
    {"unix:///r/$UVR_ONE-${UVR_ONE}x.s=" T, "unix:///r/1-1x.s", T, 0},
    {A "=npipe:MSSQL$$X$UVR_ONE$$", A, "npipe:MSSQL$X1$", 0},
    {"$UVR_URL=" T, "unix:///a=b", T, 0},
    {A "~/b=" T, "unix:///a~/b", T, 0},
    {"unix:///~/b=" T, "unix:///~/b", T, 0},
    {A "=" T " # $UVR_NONE", A, T, 0},
    {"unix://$UVR_NONE/a=" T, NULL, "the variable \"UVR_NONE\", which is not set", 8},
    {"  unix:///\xC3\xA4 = unix:///b${UVR_NONE}", NULL, "the variable \"UVR_NONE\", which is not set", 24},
    {A "=unix://$UVR_EMPTY/b", NULL, "the variable \"UVR_EMPTY\", which is empty", 18},
    {A "=npipe:x${a\xE2\x80\xAE.b}", NULL, "the variable \"a\\xe2\\x80\\xae.b\", which is not set", 18},
    {A "=npipe:x$", NULL, "$$ for the $ itself", 18},
    {A "=npipe:x$-y", NULL, "$$ for the $ itself", 18},
    {A "=npipe:x$1", NULL, "$$ for the $ itself", 18},
    {A "=npipe:x${}", NULL, "$$ for the $ itself", 18},
    {A "=npipe:x${HOME", NULL, "$$ for the $ itself", 18},
    {"unix://~you/a=" T, NULL, "only ~/, your own home directory", 8},
    {"unix://~=" T, NULL, "only ~/", 8},
    {A "=via:unix://~/a", NULL, "home directory there is not known here", 22},
    {"unix:///$UVR_LONG$UVR_LONG=" T, NULL, "too long", 18},
};

static void set_variables(void)
{
  static char text[3000];
  memset(text, 'x', sizeof(text) - 1);
  assert_int_equal(uv_os_setenv("HOME", "/home/me/"), 0);
  assert_int_equal(uv_os_setenv("USERPROFILE", "/home/me/"), 0);
  assert_int_equal(uv_os_setenv("UVR_ONE", "1"), 0);
  assert_int_equal(uv_os_setenv("UVR_URL", "unix:///a=b"), 0);
  assert_int_equal(uv_os_setenv("UVR_EMPTY", ""), 0);
  assert_int_equal(uv_os_setenv("UVR_LONG", text), 0);
  (void)uv_os_unsetenv("UVR_NONE");
}

static void test_expansion(void **state)
{
  (void)state;
  set_variables();
  assert_int_equal(uv_os_setenv("HOME", "/home/me"), 0);
  for (size_t i = 0; i < COUNT(expanded); i++) {
    uvr_config config = none();
    uvr_place place;
    uvrelay_error_t error = {0};
    int code = add_text(&config, expanded[i].text, &place, &error);
    if (code == 0 && expanded[i].listen != NULL) {
      assert_string_equal(config.routes[0].listen, expanded[i].listen);
      assert_string_equal(config.routes[0].target, expanded[i].target);
    } else if (code == 0 || expanded[i].listen != NULL || strstr(error.text, expanded[i].target) == NULL ||
               place.column != expanded[i].column || place.line != 1) {
      fail_msg("%s: %d, %s at %u", expanded[i].text, code, error.text, place.column);
    }
    uvr_config_clear(&config);
  }
}

/* A file sets what serve's flags set, whatever its values look like. Text is expanded and outlives the file. */
static void test_settings(void **state)
{
  (void)state;
  uvr_serve_options settings = {.drain_ms = 5000, .control = true};
  uvr_config config = none();
  uvr_place place;
  uvrelay_error_t error = {0};
  config.settings = &settings;
  config.backslash = false;
  set_variables();
  int code = add_text(&config,
                      "eager = true\n"
                      "  via =  C:\\Tools\\$UVR_ONE\\uvrelay.exe mux # not this\n"
                      "log-file=C:\\x=//y.log\n"
                      "max=7\n"
                      "json # on\ndrain=0.5\ncontrol=off\nallow-remote=1\nverbose=on\nverbose=off\n" A "=" T "\n",
                      &place, &error);
  if (code != 0) {
    fail_msg("%s", error.text);
  }
  assert_true(settings.json && settings.eager && !settings.control && settings.allow_remote && !settings.verbose);
  assert_int_equal(settings.drain_ms, 500);
  assert_string_equal(settings.via, "C:\\Tools\\1\\uvrelay.exe mux");
  assert_string_equal(settings.log_file, "C:\\x=//y.log");
  assert_string_equal(config.via_place.file, "file");
  assert_int_equal(config.via_place.line, 2);
  assert_int_equal(config.via_place.column, 10);
  assert_int_equal(config.count, 1);
  assert_int_equal(config.routes[0].options.max, 7);
  /* A later file goes before an earlier one, but not before the command line. */
  settings.given = setting_bit(SERVE_EAGER);
  assert_int_equal(add_text(&config, "eager=false\nvia=//x/y z\nlog-file=~/l\n", &place, &error), 0);
  assert_true(settings.eager);
  assert_string_equal(settings.via, "//x/y z");
  assert_string_equal(settings.log_file, "/home/me/l");
  uvr_config_clear(&config);
  assert_null(config.texts);
}

/* A file's settings are checked even where no route uses them. */
static void test_settings_of_nobody(void **state)
{
  (void)state;
  uvr_config config = none();
  uvr_place place;
  uvrelay_error_t error = {0};
  assert_int_equal(add_text(&config, "eager=true\nvia=a\n", &place, &error), 0);
  assert_int_equal(add_text(&config, "eager=perhaps\n", &place, &error), UV_EINVAL);
  uvr_config_clear(&config);
}

/* The shell has expanded the variables of an argument; what is left is meant as it is written. */
static void test_expanded_argument(void **state)
{
  (void)state;
  uvr_config config = none();
  uvrelay_error_t error = {0};
  set_variables();
  assert_int_equal(uvr_config_add_route(&config, "unix://~/$UVR_ONE=npipe:a$$", &error), 0);
  assert_string_equal(config.routes[0].listen, "unix:///home/me/$UVR_ONE");
  assert_string_equal(config.routes[0].target, "npipe:a$$");
  assert_int_equal(uvr_config_add_route(&config, "unix://~x/a=" T, &error), UV_EINVAL);
  /* It would lead to /a if it were empty, as HOME may be. */
  assert_int_equal(uv_os_setenv("HOME", "home/me"), 0);
  assert_int_equal(uv_os_setenv("USERPROFILE", "home/me"), 0);
  assert_int_equal(uvr_config_add_route(&config, "unix://~/a=" T, &error), UV_EINVAL);
  assert_non_null(strstr(error.text, "home directory is not absolute"));
  uvr_config_clear(&config);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_splits),
      cmocka_unit_test(test_files),
      cmocka_unit_test(test_wrong),
      cmocka_unit_test(test_nul),
      cmocka_unit_test(test_options),
      cmocka_unit_test(test_far),
      cmocka_unit_test(test_checks),
      cmocka_unit_test(test_places_of_checks),
      cmocka_unit_test(test_twice_in_a_file),
      cmocka_unit_test(test_random),
      cmocka_unit_test(test_expansion),
      cmocka_unit_test(test_settings),
      cmocka_unit_test(test_route_names),
      cmocka_unit_test(test_guess),
      cmocka_unit_test(test_presets),
      cmocka_unit_test(test_each_preset),
      cmocka_unit_test(test_settings_of_nobody),
      cmocka_unit_test(test_expanded_argument),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

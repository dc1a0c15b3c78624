#!/usr/bin/env python3
"""Usage: test/portable.py

Checks that what is compiled for Windows asks a compiler for nothing that MSVC does not have: the public headers, src/ and
the tests' programs, but for what is Unix' own. Prints one line for each violation, and then exits with 1.

Two things are looked at. Words of GNU's C, and headers of POSIX, may appear only where the preprocessor has asked for
them, as in `#ifdef __GNUC__` or `#ifndef _WIN32`; names that Windows' own headers define, such as `small`, nowhere. And
clang, with the headers of MinGW-w64, must find no extension of GNU's in what is for Windows only: statement
expressions, arrays of no length, empty initializers, arrays of variable length and so on. What is for both systems is
compiled with the same flag by the preset clang. """
import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PLACES = ("include", "src", "test/unit", "test/peers", "test/native", "test/bench", "test/embed")
WINDOWS = re.compile(r"_win\.c$|/(win|peers|native)/[^/]*\.c$")
OTHERS = re.compile(r"_unix\.[ch]$|/unix/")

WORDS = re.compile(r"\b(__attribute__|__extension__|__builtin_\w+|__typeof__|typeof|__auto_type|__label__|__asm__|__int128"
                   r"|__thread|__alignof__|__sync_\w+|__atomic_\w+|alloca|strcasecmp|strncasecmp|strtok_r|usleep)\b")  # fmt: skip
HEADERS = re.compile(r'#\s*include\s*<(unistd|strings|dirent|pthread|getopt|alloca|poll|sched|fnmatch|ftw|err|libgen'
                     r"|sys/(?!stat\.|types\.|timeb\.|utime\.)\w+|netinet/\w+|arpa/\w+|netdb)\.h>")  # fmt: skip
CONDITION = re.compile(r"#\s*(if|ifdef|ifndef|elif|else|endif)\b(.*)")
ASKED = re.compile(r"__GNUC__|__clang__|__MINGW32__|_WIN32|_MSC_VER|__unix__|__linux__|__GLIBC__")

#: Names that Windows' SDK defines as macros, some of which MinGW-w64 does not: see rpcndr.h, minwindef.h and objbase.h.
MACROS = re.compile(r"\b(small|hyper|near|far|interface)\b")
FLAGS = ("--target=x86_64-w64-windows-gnu", "-fsyntax-only", "-std=c11", "-D_WIN32_WINNT=0x0A00", "-D__USE_MINGW_ANSI_STDIO=1",
         "-DWIN32_LEAN_AND_MEAN", "-D__X86INTRIN_H",  # as CMakeLists.txt says
         "-Wgnu", "-Wpedantic", "-Wvla", "-Wzero-length-array", "-Wc2x-extensions", "-Werror", "-Wno-ignored-attributes",
         "-Wno-macro-redefined")  # fmt: skip


def without_comments(text):
    """The text with comments and the contents of strings blanked, line by line as it was."""
    pattern = re.compile(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.DOTALL)
    return pattern.sub(lambda found: re.sub(r"[^\n]", " ", found[0]), text)


def words_of(path, text):
    """The violations of one file."""
    asked = []  # for each #if around: whether it asks which compiler or system this is
    for number, line in enumerate(without_comments(text).splitlines(), 1):
        if found := CONDITION.match(line.strip()):
            if found[1].startswith("if"):
                asked.append(bool(ASKED.search(found[2])))
            elif found[1] == "endif":
                asked.pop()
            elif found[1] == "elif":
                asked[-1] = asked[-1] or bool(ASKED.search(found[2]))
        elif not any(asked) and (found := WORDS.search(line) or HEADERS.search(line)):
            yield f"{path}:{number}: {found[1]} is not known to MSVC"
        elif found := MACROS.search(line):
            yield f"{path}:{number}: {found[1]} is a macro of Windows' headers"


def reads(source):
    """What clang finds in one source file."""
    places = [f"-I{ROOT / place}" for place in ("include", "src", "test/unit")]
    for name in ("libuv-1.50.0", "cmocka"):
        found = (ROOT / "build/windows/sources").glob(f"{name}-*/include")  # two, if it came from two archives
        places += ["-isystem", max(found)]
    done = subprocess.run(["clang", *FLAGS, *places, source], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          check=False)  # fmt: skip
    return "" if done.returncode == 0 else done.stdout


def main():
    files = [path for place in PLACES for path in sorted((ROOT / place).rglob("*.[ch]"))
             if not OTHERS.search(path.as_posix())]  # fmt: skip
    problems = [problem for path in files for problem in words_of(path.relative_to(ROOT), path.read_text())]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        problems += filter(None, pool.map(reads, [path for path in files if WINDOWS.search(path.as_posix())]))
    for problem in problems:
        print(problem)
    if not files or problems:
        sys.exit(1)


main()

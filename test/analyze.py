#!/usr/bin/env python3
"""Usage: test/analyze.py BUILD_DIRECTORY PATTERN...

Runs gcc's static analyzer on the files of src/ whose names match one of the patterns, each as it is compiled in the
build directory; `!` before a pattern leaves files out. Any finding is an error. One that is wrong is answered in the
code, by an assertion that says why it cannot happen. Leaks are left to LeakSanitizer, which the tests in build/asan run
with: gcc 12 also takes for leaked what is kept in a struct of the caller's, and no assertion can answer that."""

import concurrent.futures
import fnmatch
import json
import os
import pathlib
import shlex
import subprocess
import sys

SOURCE = pathlib.Path(__file__).resolve().parents[1] / "src"


def wanted(name, patterns):
    return any(fnmatch.fnmatch(name, pattern) for pattern in patterns if pattern[0] != "!") and not any(
        fnmatch.fnmatch(name, pattern[1:]) for pattern in patterns if pattern[0] == "!")


def commands(build, patterns):
    """Each file's command, without what may precede the compiler."""
    found = {}
    for entry in json.loads((build / "compile_commands.json").read_text()):
        file = pathlib.Path(entry["file"])
        if SOURCE in file.parents and wanted(file.name, patterns):
            words = shlex.split(entry["command"])
            while "gcc" not in os.path.basename(words[0]):
                words.pop(0)
            words[words.index("-o") + 1] = os.devnull
            found[file] = [*words, "-fanalyzer", "-Wno-analyzer-malloc-leak", "-Werror"]
    return found


def analyze(item):
    file, command = item
    result = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
                            cwd=SOURCE.parent)
    if result.returncode != 0:
        print(f"{file.relative_to(SOURCE.parent)}:\n{result.stdout}", flush=True)
    return result.returncode == 0


def main():
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    todo = commands(pathlib.Path(sys.argv[1]), sys.argv[2:])
    if not todo:
        sys.exit(f"analyze: {sys.argv[1]} compiles no such files of {SOURCE} by gcc")
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        if not all(list(pool.map(analyze, todo.items()))):
            sys.exit(1)


if __name__ == "__main__":
    main()

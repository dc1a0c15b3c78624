"""uvrelay facts on Linux: who runs it, and where."""

import os
import platform
import re
import subprocess

from programs import setting


def test_lines():
    run = subprocess.run([setting("UVRELAY"), "facts"], capture_output=True, text=True, check=True)
    lines = [line.split("=", 1) for line in run.stdout.splitlines()]
    assert lines[0] == ["facts", "1"] and run.stderr == ""
    found = dict(lines)
    assert re.fullmatch(r"\d+\.\d+\.\d+", found["version"])
    assert os.path.samefile(found["program"], setting("UVRELAY"))
    assert (found["system"], found["kernel"]) == (platform.system(), platform.release())
    assert found["uid"] == str(os.getuid())


def test_output_that_cannot_be_written():
    with open("/dev/full", "wb") as full:
        run = subprocess.run([setting("UVRELAY"), "facts"], stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert run.returncode == 1 and "standard output" in run.stderr

"""test/demo.sh, the first command that somebody runs, as in WSL: in the stand-in machine, in a clone whose path has a
blank. What it installs and builds is what the tests have built. (Under Wine alone it would need a prefix of its own.)"""

import os
import pathlib
import re
import shutil
import signal
import subprocess

import pytest
from programs import setting
from wsl_root import give

SOURCE = pathlib.Path(__file__).resolve().parents[2]
CLONE = "/home/user/my clone"
#: What has the demo's steps already done, in place of the commands by which it does them.
STUBS = {"bin/cmake": "#!/bin/sh\n", f"{CLONE}/deps/setup": "", f"{CLONE}/deps/node-win": ""}
NEEDED = ("cmake", "curl", "socat")
RUN = f"cd '{CLONE}' && WSLENV=NODE_SKIP_PLATFORM_CHECK NODE_SKIP_PLATFORM_CHECK=1 PATH=/home/user/bin:$PATH sh test/demo.sh"


@pytest.fixture
def clone(machine):
    """Gives the machine, with the clone in it."""
    files = {"test/demo.sh": SOURCE / "test/demo.sh", "test/e2e/http_pipe_server.js": SOURCE / "test/e2e/http_pipe_server.js",
             "build/demo/linux/uvrelay": setting("UVRELAY"), "build/demo/windows/uvrelay.exe": setting("UVRELAY_EXE"),
             "build/node-win/node.exe": setting("UVRELAY_NODE")}
    for name, file in files.items():
        target = machine.host(f"{CLONE}/{name}")
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(file, target)
        target.chmod(0o755)
    script = machine.windows_path(f"{CLONE}/test/e2e/http_pipe_server.js")
    stubs = {**STUBS, "bin/wslpath": f"#!/bin/sh\ncat <<'END'\n{script}\nEND\n"}
    for name, text in stubs.items():
        machine.write(name if name.startswith("/") else f"/home/user/{name}", text, 0o755)
    give(*machine.host("/home/user").rglob("*"))
    for program in NEEDED:
        assert machine.run(f"PATH=/home/user/bin:$PATH command -v {program}").code == 0, program
    return machine


def leaves_nothing(machine):
    return not machine.processes() and not [path for path in machine.host("/tmp").iterdir() if "demo" in path.name]


def test_demo(clone):
    done = clone.run(RUN, timeout=120)
    assert done.code == 0 and done.err == "", done
    answer = r"Node.js v\d+[.0-9]* for Windows_NT answers on \\\\.\\pipe\\uvrelay-demo-\d+"
    blocks = done.out.split("\n\n")
    assert [block[:2] for block in blocks[1:5]] == ["1.", "2.", "3.", "4."] and blocks[5].startswith("It works.")
    assert len(re.findall(answer, blocks[3])) == 1 and len(re.findall(answer, blocks[4])) == 2
    assert "directly, as this is WSL" in blocks[2] and "--via" not in done.out
    assert "both sides count the same bytes, with the same SHA-256" in blocks[3]
    # The greeting and the 50 MB: two connections, none of which failed, in one far end.
    assert re.search(r"far end: running, .* started 1 time", blocks[3])
    assert re.search(r" 0 +2 +0 +50000\d{3} ", blocks[3])
    # What it says to try next is there.
    for script in re.findall(r"sh (\S+\.sh)", blocks[5]):
        assert (SOURCE / script).exists(), script
    assert leaves_nothing(clone)


def test_a_step_that_fails_and_an_interruption(clone):
    """Neither leaves anything."""
    server = f"{CLONE}/build/node-win/node.exe"
    clone.write(server, "#!/bin/sh\necho 'no server today' >&2\nexit 3\n", 0o755)
    done = clone.run(RUN)
    assert done.code == 1 and "It works" not in done.out
    assert done.err.splitlines() == ["no server today", "test/demo.sh: Node.js has ended instead of listening; what it "
                                     "printed is above"]
    assert leaves_nothing(clone)
    clone.write(server, "#!/bin/sh\nexec sleep 300\n", 0o755)
    with clone.popen(RUN, stdout=subprocess.PIPE, text=True) as process:
        while not process.stdout.readline().startswith("  Windows programs run"):
            assert process.poll() is None
        # The shell is older than a copy of it that is about to become a command.
        demo = min(pid for pid, line in clone.pids().items() if line == "sh test/demo.sh")
        os.kill(demo, signal.SIGINT)
        assert process.wait(60) == 1
    assert leaves_nothing(clone)

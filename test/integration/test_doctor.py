"""uvrelay.exe doctor on Windows: what it says of pipes, sockets, the configuration and a far end."""

import json
import re
import subprocess

import pytest

import logschema
from programs import SOON, setting, unique_pipe, windows_command
from winpeers import PipeServer

EVERYBODY = "D:(A;;GA;;;WD)"


def run(*args):
    return subprocess.run(windows_command(setting("UVRELAY_EXE"), "doctor", *args), stdin=subprocess.DEVNULL,
                          capture_output=True, timeout=3 * SOON, check=False)


def examine(*args, code=None):
    done = run("--json", *args)
    assert done.stderr == b"", done
    checks = {check["check"]: check for check in logschema.check(json.loads(done.stdout), "doctor")}
    assert done.returncode == (1 if "bad" in {check["state"] for check in checks.values()} else 0), done
    assert code in (None, done.returncode), done
    return checks


def test_targets():
    listen = unique_pipe()
    with PipeServer("recv-end", sd=EVERYBODY) as server:
        checks = examine(f"{listen}={server.name}", code=0)
        assert list(checks) == ["program", "configuration", f"target of {listen}"]
        assert " for Windows, " in checks["program"]["text"]
        assert re.search(r"^connected to \S+ in [\d.]+ ms$", checks[f"target of {listen}"]["text"])
        server.finish()
    check = examine(f"{listen}={server.name}", code=1)[f"target of {listen}"]
    assert check["text"] == f"there is no pipe {server.name} (ERROR_FILE_NOT_FOUND, 2)"
    check = examine(f"{listen}=//./pipe/docker_engine-{listen[-6:]}", code=1)[f"target of {listen}"]
    assert check["remedy"] == "# start Docker Desktop in Windows"


def test_another_owner():
    with PipeServer("recv-end", sd=f"O:S-1-5-18{EVERYBODY}") as server:
        [check] = [check for name, check in examine(f"npipe:x={server.name}?owner=user", code=1).items()
                   if name.startswith("target")]
        assert "belongs to" in check["text"] and "owner=" in check["remedy"]


def test_a_far_end():
    program = setting("UVRELAY_EXE").replace("\\", "/")
    if setting("UVRELAY_RUN_EXE"):
        program = "Z:" + program
    checks = examine(f'--via="{program}" mux', "npipe:x=via:tcp://127.0.0.1:9", code=1)
    assert re.search(r" is ready after \d+ ms, and answers in [\d.]+ ms$", checks["far end"]["text"]), checks
    assert checks["target of //./pipe/x"]["text"].startswith("far end: ")
    checks = examine("--via=cmd.exe /c exit 3", "npipe:x=via:tcp://127.0.0.1:9", code=1)
    assert "exited at once with status 3" in checks["far end"]["text"]
    assert checks["target of //./pipe/x"]["text"] == "see far end above"


@pytest.mark.parametrize("args", [["--nonsense"], ["nonsense"]])
def test_wrong_usage(args):
    done = run(*args)
    assert done.returncode == 2 and done.stdout == b"" and done.stderr.startswith(b"uvrelay: ")


def test_text():
    done = run("npipe:x=tcp://127.0.0.1:9")
    lines = done.stdout.decode().splitlines()
    assert done.returncode == 1 and [line.split()[0] for line in lines[:3]] == ["ok", "ok", "bad"]
    assert lines[-1].startswith("1 check is bad.")

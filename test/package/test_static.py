"""That the static program needs nothing of the system but its kernel: see deps/musl.cmake. It is run in a root directory
where there is nothing else."""

import functools
import os
import re
import shutil
import socket
import subprocess
import threading

import pytest

from conftest import BUILD, compile_c, receive_all, run

PROGRAM = BUILD / "uvrelay"
PATIENCE = 30  # seconds


def needs(file):
    """What of the system a program needs at its start: the loader, and shared libraries."""
    headers = run(os.environ["OBJDUMP"], "-p", file)
    assert re.search(r"^ +LOAD ", headers, re.MULTILINE), headers
    return re.findall(r"^ +(INTERP|NEEDED) ", headers, re.MULTILINE)


@functools.cache
def other_root():
    """The command that runs a program with another root directory; None where that is not permitted."""
    for command in (["chroot"], ["unshare", "--map-root-user", "chroot"]):
        if shutil.which(command[0]) and subprocess.run([*command, "/", "/bin/true"], capture_output=True).returncode == 0:
            return command
    return None


@pytest.fixture
def alone(tmp_path):
    """The root directory, with the program."""
    if other_root() is None:
        pytest.skip("another root directory is not permitted here")
    root = tmp_path / "root"
    root.mkdir()
    shutil.copy(PROGRAM, root / "uvrelay")
    return root


def test_needs_nothing():
    assert needs(PROGRAM) == []


def test_a_need_is_noticed(tmp_path):
    """A program with addresses of its own choice has a loader, whether or not it needs a library."""
    text = "int main(void) { return 0; }"
    assert {"INTERP", "NEEDED"} <= set(needs(compile_c(tmp_path / "usual", text)))


def test_size(tmp_path):
    run("cmake", "--install", BUILD, "--component", "runtime", "--strip", "--prefix", tmp_path)
    installed = tmp_path / "bin/uvrelay"
    assert not re.search(r"\.symtab|\.debug", run(os.environ["OBJDUMP"], "-h", installed))
    assert installed.stat().st_size < 800 * 1024


def test_runs_alone(alone):
    assert run(*other_root(), alone, "/uvrelay", "--version").startswith("uvrelay ")


@pytest.mark.parametrize("host, hosts", [("127.0.0.1", None), ("some-name", "127.0.0.1 some-name\n"),
                                         ("Some-Name", "127.0.0.1 some-name\n"), ("Name", "127.0.0.1 Name\n")])
def test_relays_alone(alone, host, hosts):
    """To an address, and to a name, which needs one file of the system, where musl distinguishes upper and lower case."""
    if hosts:
        (alone / "etc").mkdir()
        (alone / "etc/hosts").write_text(hosts)
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(PATIENCE)
        port = server.getsockname()[1]

        def answer():
            client, _ = server.accept()
            with client:
                client.settimeout(PATIENCE)
                client.sendall(receive_all(client)[::-1])

        answering = threading.Thread(target=answer, daemon=True)
        answering.start()
        sent = os.urandom(100_000)
        done = subprocess.run([*other_root(), alone, "/uvrelay", f"tcp://{host}:{port}"], input=sent, timeout=PATIENCE,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)  # fmt: skip
        answering.join(PATIENCE)
    assert (done.returncode, done.stdout, done.stderr) == (0, sent[::-1], b"")

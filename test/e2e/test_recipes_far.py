"""The recipes for other computers over SSH, and for the direction from Windows to WSL, typed in a stand-in WSL machine as
docs/recipes.md has them. The other computer is the machine itself, at an SSH server of dropbear's that OpenSSH's client
logs in to; WSL's wsl.exe is the stand-in of test/peers, which leads to a real `uvrelay mux` in the machine."""

import json
import os
import re
import shutil
import socket
import subprocess
import threading

import pytest

import wsl_machine
from place import HERE, LONG, recipe, wait_for
from programs import SOON, peer, setting, uvrelay_exe, windows_command, windows_path
from recipes import Engine, UnixEngine, Wsl
from test_first_use import keys  # noqa: F401 (a fixture)
from test_ssh_agent import agent as ssh_agent  # noqa: F401 (a fixture)

APP = "/run/user/1000/app.sock"
ENGINE = "/run/docker.sock"
DISTRIBUTION = r"HKCU\Software\Microsoft\Windows\CurrentVersion\Lxss"
#: What the shell reads that dropbear starts, too; uvrelay.exe is found there, and started as by WSL.
BASHRC = "export PATH=$HOME/.local/bin:$PATH WSL_INTEROP=/run/WSL/8_interop\n"
SSH_CONFIG = """Host host winhost
  HostName 127.0.0.1
  Port 2222
  User user
  IdentityFile ~/.ssh/key
  StrictHostKeyChecking accept-new
"""


@pytest.fixture(scope="module")
def machine():
    if wsl_machine.why_not():
        pytest.skip(wsl_machine.why_not())
    environment = {"UVRELAY_TEST_FAR_END": windows_path(uvrelay_exe()),
                   "WSLENV": "UVRELAY_TEST_FAR_END:UVRELAY_TEST_FAR_END_ARGUMENTS"}
    with Wsl(environment=environment, own_system=True) as machine:
        yield machine


@pytest.fixture
def wsl(machine):
    yield machine
    machine.stop_serve()


@pytest.fixture(scope="module")
def ssh_server(machine):
    """An SSH server that the user of the machine logs in to without being asked anything."""
    machine.type_in("mkdir -m 700 ~/.ssh", "ssh-keygen -q -t ed25519 -N '' -f ~/.ssh/key",
                    "cp ~/.ssh/key.pub ~/.ssh/authorized_keys", "dropbearkey -t ed25519 -f ~/host-key 2>&1")
    machine.write("~/.ssh/config", SSH_CONFIG, 0o600)
    machine.write("~/.bashrc", BASHRC)
    with machine.popen(["/usr/sbin/dropbear", "-F", "-E", "-s", "-p", "127.0.0.1:2222", "-r", "/home/user/host-key",
                        "-P", "/home/user/pid"], stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
        wait_for(machine.host("~/pid").exists, "dropbear listens")
        yield server
        server.terminate()


def unix_engine(machine, path):
    """A web server at a Unix socket of the machine's."""
    outside = machine.host(path)
    outside.parent.mkdir(parents=True, exist_ok=True)
    server = UnixEngine(str(outside), Engine)
    outside.chmod(0o666)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    return server


@pytest.fixture(scope="module")
def engine(machine):
    with unix_engine(machine, ENGINE) as server:
        yield server
        server.shutdown()


GET = "curl -sS --unix-socket ~/.uvrelay/host-docker.sock http://localhost"


def use_engine(wsl):
    assert wsl.type_in(recipe("ssh-linux-use")) == "OK"
    assert wsl.type_in(f"{GET}/images/much/get | wc -c") == f"{len(Engine.MUCH)}\n"


def test_the_check_before_ssh(wsl, ssh_server):
    result = wsl.run(recipe("ssh-check"))
    assert (result.code, result.out) == (0, ""), result
    wsl.write("~/.bashrc", BASHRC + "echo hello from a start-up file\n")
    assert wsl.run(recipe("ssh-check")).out != ""
    wsl.type_in(recipe("ssh-linux"))
    assert wsl.run(f"{GET}/_ping --max-time 1").code != 0
    wait_for(lambda: "instead of uvrelay-mux/1" in wsl.log(), "the log says why")
    wsl.write("~/.bashrc", BASHRC)


def test_the_command_of_a_key(wsl, ssh_server, engine):
    """It lets the far end connect to no more than it says."""
    keys_file = wsl.host("~/.ssh/authorized_keys")
    before, line = keys_file.read_text(), recipe("ssh-allow")
    assert "ssh-ed25519 AAAA... me@here" in line
    wsl.write("~/.ssh/authorized_keys", line.replace("ssh-ed25519 AAAA... me@here", before.strip()), 0o600)
    try:
        wsl.type_in(recipe("ssh-linux"))
        use_engine(wsl)
        wsl.type_in("uvrelay serve --background --via 'ssh host uvrelay mux' unix:///tmp/x.sock=via:tcp://127.0.0.1:2222")
        assert wsl.run("curl -sS --max-time 10 --unix-socket /tmp/x.sock http://localhost").code != 0
        wait_for(lambda: "--allow" in wsl.log(), f"the log says why: {wsl.log()}")
    finally:
        wsl.write("~/.ssh/authorized_keys", before, 0o600)


def test_ssh_to_linux(wsl, ssh_server, engine):
    """One connection for all clients; when it has broken, the next client gets another one."""
    wsl.type_in(recipe("ssh-linux"))
    use_engine(wsl)
    tunnels = [pid for pid, line in wsl.pids().items() if line.startswith("ssh host")]
    assert len(tunnels) == 1, wsl.pids()
    os.kill(tunnels[0], 9)
    use_engine(wsl)


def test_ssh_by_socat(wsl, ssh_server, engine):
    wsl.start_listener(recipe("ssh-socat"), "~/.uvrelay/host-docker.sock")
    use_engine(wsl)


def test_ssh_to_windows(wsl, ssh_server, ssh_agent, keys):  # noqa: F811
    with wsl.agent(ssh_agent):
        wsl.type_in(recipe("ssh-windows"))
        assert wsl.type_in(recipe("ssh-windows-use")) == keys
    assert ["/home/user/.local/bin/uvrelay.exe", "mux"] in wsl.interop.started


# ---- from Windows ----


@pytest.fixture
def windows(wsl):
    """WSL is installed there, with uvrelay in the distribution; an application listens in WSL. Gives the port in place of
    that of the recipe, which may be taken."""
    shutil.copy(peer("wsl"), wsl.windows.system / "wsl.exe")
    wsl.run_windows("reg", "add", DISTRIBUTION, "/v", "DefaultDistribution", "/d", "{0}", "/f")
    # wsl.exe leads to a port here, from there to a socket of the machine's, and from there to uvrelay mux.
    wsl.start_listener('socat UNIX-LISTEN:/tmp/mux.sock,fork EXEC:"uvrelay mux" &', "/tmp/mux.sock")
    with socket.create_server(("127.0.0.1", 0)) as one, socket.create_server(("127.0.0.1", 0)) as other:
        port, free = one.getsockname()[1], other.getsockname()[1]
    carrier = subprocess.Popen(["socat", f"TCP-LISTEN:{port},fork,bind=127.0.0.1,reuseaddr",
                                f"UNIX-CONNECT:{wsl.host('/tmp/mux.sock')}"], stdin=subprocess.DEVNULL)
    wsl.typed_environment["UVRELAY_TEST_FAR_END_ARGUMENTS"] = f"tcp://127.0.0.1:{port}"
    routes = recipe("reverse")
    assert "127.0.0.1:8081 " in routes
    file = wsl.windows.roaming / "uvrelay/routes.conf"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(routes.replace("127.0.0.1:8081 ", f"127.0.0.1:{free} "))
    try:
        with unix_engine(wsl, APP) as server:
            yield free
            server.shutdown()
    finally:
        carrier.kill()
        carrier.wait()


def test_from_windows(wsl, windows, tmp_path):
    check, serve = recipe("reverse-use").splitlines()
    out = wsl.type_in(check)
    assert len(re.findall(r"unix:///run/user/1000/app\.sock", out)) == 2 and "wsl.exe -e uvrelay mux" in out, out
    errors = tmp_path / "errors"
    with errors.open("wb") as file, wsl.popen(f"exec {serve} -v", env=wsl.typed_environment, stdin=subprocess.DEVNULL,
                                              stderr=file) as running:
        try:
            wait_for(lambda: errors.read_bytes().count(b": listening") == 2 or running.poll() is not None, "it listens")
            done = subprocess.run(["curl", "-sS", "--max-time", str(LONG), f"http://127.0.0.1:{windows}/_ping"],
                                  capture_output=True, check=False, timeout=2 * LONG)
            assert done.stdout == b"OK", (done, errors.read_text())
            output = tmp_path / "client"
            with output.open("wb") as file:
                client = windows_command(setting("UVRELAY_NODE"), windows_path(HERE / "http_pipe_client.js"),
                                         r"\\.\pipe\linux-app", "/_ping", "/images/much/get")
                subprocess.run(client, stdin=subprocess.DEVNULL, stdout=file, stderr=file, check=False, timeout=LONG,
                               env={**os.environ, "NODE_SKIP_PLATFORM_CHECK": "1"})
            lines = output.read_text()
            answers = {answer["path"]: answer for answer in map(json.loads, lines.splitlines())} if "{" in lines else {}
            assert answers.get("/_ping", {}).get("start") == "OK", (lines, errors.read_text())
            assert answers["/images/much/get"]["length"] == len(Engine.MUCH)
        finally:
            running.terminate()
            running.wait(SOON)

"""Real programs on both sides of uvrelay serve: OpenSSH's agent, the GnuPG agent, and Redis with its own benchmark."""

import contextlib
import os
import pathlib
import re
import shutil
import subprocess
import threading
import time

import pytest
from assuanpeer import refused_port
from programs import Process
from serving import SANITIZED, Serve, connect, wait_for

#: How long Redis is put to work; a longer time is asked for by hand.
SECONDS = float(os.environ.get("UVRELAY_REDIS_SECONDS", 0))
LONG = 120


class Tools:
    """Runs programs with an environment and a home of their own."""

    def __init__(self, home):
        self.env = {**os.environ, "HOME": str(home), "LC_ALL": "C"}
        for name in ("SSH_AUTH_SOCK", "SSH_AGENT_PID", "SSH_ASKPASS", "GNUPGHOME", "GPG_AGENT_INFO"):
            self.env.pop(name, None)

    def run(self, *command, code=0, **options):
        """Runs a program to its end, gives what it wrote, and asserts its exit status."""
        options.setdefault("input", b"")
        done = subprocess.run(list(map(str, command)), env=self.env, timeout=LONG, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, **options)
        assert done.returncode == code, f"{command} ended with {done.returncode}: {done.stdout[:2000]!r}"
        return done.stdout.decode(errors="replace")

    def start(self, *command):
        return Process(command, stdin=subprocess.DEVNULL, env=self.env)


@pytest.fixture
def tools(tmp_path):
    return Tools(tmp_path)


def is_listening(address):
    try:
        connect(address).close()
    except OSError:
        return False
    return True


# ssh-agent

def test_ssh_agent(tmp_path, tools):
    with tools.start("ssh-agent", "-D", "-a", tmp_path / "agent") as agent:
        wait_for(lambda: (tmp_path / "agent").exists() or not agent.running, "ssh-agent is listening")
        with Serve(f"unix://{tmp_path}/relayed=unix://{tmp_path}/agent") as serve:
            tools.env["SSH_AUTH_SOCK"] = str(tmp_path / "relayed")
            use_ssh_agent(tmp_path, tools)
            assert not serve.matches("failed|error")
            serve.wait_closed(len(serve.matches("opened")))


def use_ssh_agent(tmp_path, tools):
    key, document = tmp_path / "key", tmp_path / "document"
    tools.run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "a test's key", "-f", key)
    assert "The agent has no identities." in tools.run("ssh-add", "-l", code=1)
    tools.run("ssh-add", key)
    key.unlink()  # from here on, only the agent can sign
    fingerprint = tools.run("ssh-keygen", "-l", "-f", f"{key}.pub").split()[1]
    document.write_bytes(bytes(range(256)) * 1000)
    tools.run("ssh-keygen", "-Y", "sign", "-f", f"{key}.pub", "-n", "file", document)
    allowed = tmp_path / "allowed_signers"
    allowed.write_text(f"somebody@example.org {(tmp_path / 'key.pub').read_text()}")
    assert 'Good "file" signature' in tools.run(
        "ssh-keygen", "-Y", "verify", "-f", allowed, "-I", "somebody@example.org", "-n", "file", "-s",
        f"{document}.sig", input=document.read_bytes())

    clients = [subprocess.Popen(["ssh-add", "-l"], env=tools.env, stdout=subprocess.PIPE) for _ in range(16)]
    try:
        for client in clients:
            assert fingerprint in client.communicate(timeout=LONG)[0].decode()
    finally:
        for client in clients:
            client.kill()
            client.wait()
    tools.run("ssh-add", "-d", f"{key}.pub")
    assert "The agent has no identities." in tools.run("ssh-add", "-l", code=1)


# gpg-agent

@contextlib.contextmanager
def gpg_agent(tmp_path, tools):
    """Gives the socket of a running agent that has a secret key."""
    home = tmp_path / "gpg"
    home.mkdir(mode=0o700)
    tools.env["GNUPGHOME"] = str(home)
    try:
        tools.run("gpg", "--batch", "--quiet", "--passphrase", "", "--quick-generate-key", "Somebody <s@example.org>",
                  "ed25519", "sign", "never")
        yield tools.run("gpgconf", "--list-dirs", "agent-socket").strip()
    finally:
        socket = pathlib.Path(tools.run("gpgconf", "--list-dirs", "agent-socket").strip())
        tools.run("gpgconf", "--kill", "all")
        with contextlib.suppress(OSError):
            socket.parent.rmdir()  # one in /run/user, if it was made


def test_gpg_agent(tmp_path, tools):
    with gpg_agent(tmp_path, tools) as socket, Serve(f"unix://{tmp_path}/S.gpg-agent=unix://{socket}") as serve:
        def ask_agent():
            return tools.run("gpg-connect-agent", "--no-autostart", "-S", tmp_path / "S.gpg-agent", "GETINFO version",
                             "KEYINFO --list", "/bye").splitlines()

        version, ok, key, last = ask_agent()
        assert version.startswith("D 2.") and ok == last == "OK" and key.startswith("S KEYINFO ")
        grip = key.split()[2]
        commands = [f"SIGKEY {grip}", f"SETHASH --hash=sha512 {'5A' * 64}", "PKSIGN", "/bye"]
        signed = tools.run("gpg-connect-agent", "--no-autostart", "--hex", "-S", tmp_path / "S.gpg-agent", *commands)
        assert "D[0000]  28 37 3A 73 69 67 2D 76  61 6C" in signed, signed  # (7:sig-val

        failures = []

        def work():
            try:
                for _ in range(3):
                    assert ask_agent()[0] == version
            except Exception as failure:
                failures.append(failure)

        threads = [threading.Thread(target=work) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(LONG)
        assert not failures
        serve.wait_closed(2 + 24)


# Redis

@contextlib.contextmanager
def redis(tmp_path, tools):
    """Gives the port of a Redis that keeps nothing. The package redis-tools is enough: its redis-check-rdb is the
    server, too, by another name, and brings no service to the system."""
    server = shutil.which("redis-server")
    if not server:
        checker = shutil.which("redis-check-rdb")
        assert checker, "there is no Redis: see deps/setup"
        server = tmp_path / "redis-server"
        server.symlink_to(checker)
    port = refused_port()
    command = [server, "--bind", "127.0.0.1", "--port", port, "--save", "", "--dir", tmp_path, "--maxclients", 1000]
    with tools.start(*command) as process:
        wait_for(lambda: is_listening(f"tcp://127.0.0.1:{port}") or not process.running, "Redis is listening")
        assert process.running, process.stdout
        yield port


def test_redis(tmp_path, tools):
    """Its benchmark, in rounds of different shapes, for the time wanted: no error, and Redis itself has seen none."""
    requests = 2000 if SANITIZED else 20000
    shapes = [("-t", "ping,set,get,incr,lpush,lrange_100", "-c", 50, "-n", requests),
              ("-t", "set,get", "-c", 50, "-P", 16, "-n", 2 * requests),
              ("-t", "set,get", "-c", 10, "-d", 60000, "-n", requests // 4),
              ("-t", "ping", "-c", 20, "-k", 0, "-n", requests // 10)]
    with redis(tmp_path, tools) as port, Serve(f"unix://{tmp_path}/redis=tcp://127.0.0.1:{port}",
                                               verbose=False) as serve:
        begin = time.monotonic()
        rounds = 0
        figures = {}
        while time.monotonic() - begin < SECONDS or rounds < len(shapes):
            shape = shapes[rounds % len(shapes)]
            told = tools.run("redis-benchmark", "-s", tmp_path / "redis", "--csv", *shape)
            assert not re.search("error|lost|closed", told, re.I), told
            lines = re.findall(r'^"([^"]+)","([\d.]+)"', told, re.M)
            assert lines, told
            for name, rate in lines:
                figures.setdefault((rounds % len(shapes), name), []).append(float(rate))
            rounds += 1
        statistics = tools.run("redis-cli", "-s", tmp_path / "redis", "info", "all")
        for (shape, name), rates in figures.items():
            print(f"{shapes[shape]}: {name}: {sum(rates) / len(rates):.0f} requests a second")
        print(f"{rounds} rounds in {time.monotonic() - begin:.1f} s")
        assert re.search(r"^rejected_connections:0\r?$", statistics, re.M)
        assert re.search(r"^unexpected_error_replies:0\r?$", statistics, re.M)
        assert int(re.search(r"^total_error_replies:(\d+)", statistics, re.M)[1]) == 0, statistics
        assert serve.stop() == ""

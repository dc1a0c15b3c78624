"""The first five minutes: somebody with a clean Debian in WSL and the two programs gets to the keys of the Windows
agent, to Docker and to gpg's agent, each in three commands; and what becomes of it later: setting it up again, starting
the computer again, another version, taking it all back.

The machine is the stand-in of test/lib/wsl_machine.py. On its Windows side are a real ssh-agent and a real gpg-agent,
behind the pipe and the socket file where Windows has them."""

import contextlib
import hashlib
import http.server
import re
import stat
import subprocess
import threading

import pytest

from agent_forward import PLAIN, AgentForward
from place import wait_for
from test_gpg_agent import USER as GPG_USER
from test_gpg_agent import agent as gpg_agent  # noqa: F401 (a fixture)
from test_ssh_agent import agent as ssh_agent  # noqa: F401 (a fixture)

SYSTEMD = "[boot]\nsystemd = true\n"
EACH = pytest.mark.parametrize("conf", ["", SYSTEMD], ids=["no-systemd", "systemd"])


# ---- the state of the machine's files ----


class State:
    """What is in the user's home and on drive C."""

    #: What programs write as they run: logs, sockets, what Wine and GnuPG keep.
    VOLATILE = re.compile(r".*(\.sock|~/\.local/state(/.*)?|/\.uvrelay/run(/.*)?|/AppData/Local/Temp(/.*)?|/Temp(/.*)?"
                          r"|/random_seed|/\.gnupg/(S\.|.*lock|trustdb|private-keys).*|/\.bash_history)")

    def __init__(self, machine):
        self.entries = {}
        for top in (machine.home, machine.windows.c):
            for path in sorted(top.rglob("*")):
                name = str(path).replace(str(machine.home), "~").replace(str(machine.windows.c), "/mnt/c")
                if not self.VOLATILE.fullmatch(name):
                    self.entries[name] = self._entry(path)

    @staticmethod
    def _entry(path):
        status = path.lstat()
        what = (stat.filemode(status.st_mode), status.st_uid)
        if stat.S_ISLNK(status.st_mode):
            return (*what, str(path.readlink()))
        if stat.S_ISREG(status.st_mode):
            return (*what, status.st_size, hashlib.sha256(path.read_bytes()).hexdigest(), status.st_mtime_ns)
        return what

    def changes(self, later, times=True):
        """The names of what is not the same later; `times`: files that were written again count."""
        def seen(entry):
            return entry if entry is None or times else entry[:4]
        names = sorted(self.entries.keys() | later.entries.keys())
        return [name for name in names if seen(self.entries.get(name)) != seen(later.entries.get(name))]


# ---- what is on the Windows side ----


@pytest.fixture
def keys(place, ssh_agent):  # noqa: F811
    """A key in the agent: how ssh-add tells it."""
    key = place.path / "key"
    place.run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "a key of Windows", "-f", key)
    place.env["SSH_AUTH_SOCK"] = str(ssh_agent)
    place.run("ssh-add", key)
    return place.run("ssh-add", "-l").decode()


@contextlib.contextmanager
def docker(machine):
    """What answers at Docker's pipe, as its engine answers a ping."""
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.end_headers()
            self.wfile.write(f"asked for {self.path}\n".encode())

        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        with machine.pipe("//./pipe/docker_engine?mode=message", f"tcp://127.0.0.1:{server.server_address[1]}"):
            yield
        server.shutdown()


@contextlib.contextmanager
def gpg(machine, agent):
    """gpg-agent's socket file where the Gpg4win of Windows has it, and the public key in the machine."""
    with AgentForward(agent.socket, PLAIN) as forward:
        file = machine.windows.profile / "AppData/Local/gnupg/S.gpg-agent"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(forward.socket_file())
        machine.write("~/public.asc", agent.gpg("--export"))
        assert machine.run("gpg --batch --quiet --no-autostart --import public.asc && rm public.asc").code == 0
        yield forward


# ---- three commands ----


def type_in(machine, *commands):
    """What a shell of the user's says to these commands; each must succeed."""
    result = machine.run("set -e\n" + "\n".join(commands))
    assert result.code == 0, f"{result}\n{log_of(machine)}"
    return result.out


def log_of(machine):
    logs = [path for path in (machine.host("~/.local/state/uvrelay/serve.log"), machine.path / "systemd.log") if path.exists()]
    return "\n".join(f"{path}: {path.read_text(errors='replace')[-3000:]}" for path in logs)


def serves(machine):
    """The numbers of the processes that serve, on Linux."""
    return [pid for pid, line in machine.pids().items() if re.match(r"\S*uvrelay serve\b", line)]


def fresh_shell(machine, command):
    """A new window, in whose ~/.bashrc is what setup has told."""
    return type_in(machine, 'eval "$(uvrelay env)"', command)


@EACH
def test_ssh_agent(make_machine, ssh_agent, keys, conf):  # noqa: F811
    machine = make_machine(conf)
    machine.install()
    with machine.agent(ssh_agent):
        out = type_in(machine, "uvrelay setup --yes ssh-agent", 'eval "$(uvrelay env)"', "ssh-add -l")
    assert out.endswith(keys), out


def test_from_the_folder_of_a_zip(machine, ssh_agent, keys):  # noqa: F811
    """Where uvrelay is not on PATH, what setup tells to type works nevertheless."""
    machine.install("~/Downloads/uvrelay 0.1.0")
    with machine.agent(ssh_agent):
        told = type_in(machine, "cd Downloads/uvrelay*", "./uvrelay setup --yes ssh-agent")
        [line] = set(re.findall("^ +(eval .*)$", told, re.M)) - {'eval "$(uvrelay env)"'}
        assert type_in(machine, line, "ssh-add -l") == keys
        machine.restart()
        assert type_in(machine, line, "ssh-add -l") == keys


def test_docker(machine):
    machine.install()
    with docker(machine):
        out = type_in(machine, "uvrelay setup --yes docker", 'eval "$(uvrelay env)"',
                      'curl -sS --unix-socket "${DOCKER_HOST#unix://}" http://localhost/_ping')
    assert out.endswith("asked for /_ping\n"), out


@EACH
def test_gpg_agent(make_machine, gpg_agent, conf):  # noqa: F811
    """gpg looks at a fixed place, which systemd's gpg-agent.socket holds."""
    machine = make_machine(conf)
    machine.install()
    with gpg(machine, gpg_agent) as forward:
        before = forward.let_in_count
        out = type_in(machine, "uvrelay setup --yes gpg-agent",
                      "gpg-connect-agent --no-autostart 'KEYINFO --list' /bye",
                      f"echo text | gpg --batch --no-autostart -u '{GPG_USER}' --clearsign | gpg --batch --verify 2>&1")
        assert len(re.findall("^S KEYINFO ", out, re.M)) == 1 and "Good signature" in out, out
        assert forward.let_in_count > before and forward.refused == 0


def test_all_at_once(make_machine, ssh_agent, keys, gpg_agent):  # noqa: F811
    machine = make_machine()
    machine.install()
    with machine.agent(ssh_agent), docker(machine), gpg(machine, gpg_agent):
        out = type_in(machine, "uvrelay setup --yes ssh-agent docker gpg-agent", 'eval "$(uvrelay env)"', "ssh-add -l",
                      'curl -sS --unix-socket "${DOCKER_HOST#unix://}" http://localhost/_ping',
                      "gpg-connect-agent --no-autostart 'KEYINFO --list' /bye")
    assert keys in out and "asked for /_ping" in out and "S KEYINFO" in out, out


# ---- later ----


@EACH
def test_again_and_back(make_machine, ssh_agent, keys, conf):  # noqa: F811
    """Setup again changes nothing; --dry-run never does; --remove takes all of it back."""
    machine = make_machine(conf)
    machine.install()
    with machine.agent(ssh_agent):
        clean = State(machine)
        type_in(machine, "uvrelay setup --dry-run ssh-agent")
        assert clean.changes(State(machine)) == []

        type_in(machine, "uvrelay setup --yes ssh-agent")
        first = State(machine)
        assert clean.changes(first) != []
        running = serves(machine)
        assert len(running) == 1
        type_in(machine, "uvrelay setup --yes ssh-agent")
        assert first.changes(State(machine)) == []
        assert serves(machine) == running

        type_in(machine, "uvrelay setup --yes --remove")
        assert clean.changes(State(machine), times=False) == []
        wait_for(lambda: not any("uvrelay" in line for line in machine.processes()), "nothing of it runs", 20)
        assert machine.run('eval "$(uvrelay env)"; ssh-add -l').code == 2

        # And it can be set up once more.
        assert fresh_shell(machine, "uvrelay setup --yes ssh-agent >&2; eval \"$(uvrelay env)\"; ssh-add -l") == keys


@EACH
def test_the_computer_is_started_again(make_machine, ssh_agent, keys, conf):  # noqa: F811
    machine = make_machine(conf)
    machine.install()
    with machine.agent(ssh_agent):
        type_in(machine, "uvrelay setup --yes ssh-agent")
        for _ in range(2):
            machine.restart()
            assert fresh_shell(machine, "ssh-add -l") == keys
        # Many windows at once, as terminals open after a start: one serve.
        machine.restart()
        shells = [machine.popen(["/bin/bash", "-l", "-c", 'eval "$(uvrelay env)"; ssh-add -l'], stdin=subprocess.DEVNULL,
                                stdout=subprocess.PIPE, text=True) for _ in range(4)]
        assert [shell.communicate(timeout=60)[0] for shell in shells] == [keys] * 4
        assert len(serves(machine)) == 1


@EACH
def test_another_version(make_machine, ssh_agent, keys, conf):  # noqa: F811
    """Both programs are replaced, and setup is run again: the new ones run."""
    machine = make_machine(conf)
    machine.install()
    old = machine.version
    new = old[:-1] + str((int(old[-1]) + 5) % 10)
    with machine.agent(ssh_agent):
        type_in(machine, "uvrelay setup --yes ssh-agent")
        machine.install(version=new)
        assert machine.run("uvrelay --version").out.split()[1] == new
        type_in(machine, "uvrelay setup --yes ssh-agent")
        assert fresh_shell(machine, "ssh-add -l") == keys
        [copy] = [path for path in machine.windows.c.rglob("uvrelay.exe")]
        assert copy.read_bytes() == machine.host("~/.local/bin/uvrelay.exe").read_bytes()
        assert old not in type_in(machine, "uvrelay status --json")
        done = State(machine)
        type_in(machine, "uvrelay setup --yes ssh-agent")
        assert done.changes(State(machine)) == []


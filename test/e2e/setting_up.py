"""What the tests of `uvrelay setup` share: machines with the two programs in ~/.local/bin, an agent, and what there is
in the end."""

import hashlib
import os
import stat
import subprocess

import pytest

from place import wait_for
from programs import setting

ROUTES = "~/.config/uvrelay/routes.conf"
UNIT = "~/.config/systemd/user/uvrelay.service"


@pytest.fixture
def systemd(make_machine):
    machine = make_machine("[boot]\nsystemd=true\n")
    machine.install()
    return machine


@pytest.fixture
def plain(make_machine):
    machine = make_machine()
    machine.install()
    return machine


class Agent:
    """OpenSSH's, with one key."""

    def __init__(self, directory):
        self.socket, self.comment = directory / "agent", "the key of Windows"
        self.process = subprocess.Popen(["ssh-agent", "-D", "-a", self.socket], stdin=subprocess.DEVNULL,
                                        stdout=subprocess.DEVNULL)
        key = directory / "key"
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", self.comment, "-f", key], check=True)
        wait_for(self.socket.exists, "the agent listens")
        subprocess.run(["ssh-add", "-q", key], env={**os.environ, "SSH_AUTH_SOCK": str(self.socket)}, check=True)


@pytest.fixture
def agent(tmp_path):
    agent = Agent(tmp_path)
    yield agent
    agent.process.kill()
    agent.process.wait()


def snapshot(machine, times=True):
    """All files of the user's and of the Windows user's local data, with what is in them."""
    found = {}
    for top in (machine.home, machine.host(machine.local_app_data)):
        for path in sorted([top, *top.rglob("*")]):
            status = path.lstat()
            what = (os.readlink(path) if path.is_symlink() else
                    hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "")
            # Each serve on Windows, that of the test's agent too, is listed in uvrelay/run.
            windows = top != machine.home and (path.is_dir() or "run" in path.parts)
            if not stat.S_ISSOCK(status.st_mode) and not windows:
                changed = status.st_mtime_ns if times and not path.is_dir() and path.suffix != ".log" else 0
                found[str(path.relative_to(top))] = (oct(status.st_mode), what, changed)
    return found


def set_up(machine, *words, **options):
    return machine.run(["/home/user/.local/bin/uvrelay", "setup", *words], **options)


def steps(result):
    """The numbered lines of the plan."""
    return [line.strip() for line in result.out.splitlines() if line[:2].isspace() and line[2:3].isdigit()]


def is_set_up(machine):
    """The Windows program is where Windows starts it fast, serve finds it, and the route is there."""
    copy = machine.host(machine.local_app_data) / "uvrelay/uvrelay.exe"
    link = machine.host("~/.uvrelay/uvrelay.exe")
    with open(setting("UVRELAY_EXE"), "rb") as file:
        assert copy.read_bytes() == file.read()
    assert os.readlink(link) == f"{machine.local_app_data}/uvrelay/uvrelay.exe"
    assert machine.host("~/.uvrelay").stat().st_mode & 0o777 == 0o700
    assert machine.host(ROUTES).stat().st_mode & 0o777 == 0o600
    assert "\n@ssh-agent\n" in machine.host(ROUTES).read_text()
    answer = machine.run('SSH_AUTH_SOCK=~/.uvrelay/ssh-agent.sock ssh-add -l')
    return answer.out + answer.err

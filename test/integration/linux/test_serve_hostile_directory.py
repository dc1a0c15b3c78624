"""uvrelay serve in a directory that another user can write to, and who may open its sockets. The other user is real, so
these tests need root; what they cannot time to the instant is in unit/unix/test_socket_place.c."""

import os
import pathlib
import stat
import subprocess
import sys
import tempfile
import time

import pytest
from programs import SOON
from serving import PROGRAM, SANITIZED, Serve

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")

OTHER = 65534
COUNT = 200
NOWHERE = "unix:///nonexistent/target"

#: Puts a link to the victim in the place of each socket as soon as it is there; prints how often it could.
EXCHANGE = """
import os, sys
directory, victim, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
os.setgroups([])
os.setgid(65534)
os.setuid(65534)
print("ready", flush=True)
done = 0
for number in range(count):
    path = f"{directory}/{number}"
    while True:
        try:
            os.rename(path, path + ".moved")
        except FileNotFoundError:
            if os.path.exists(directory + "/over"):
                print(done, flush=True)
                sys.exit()
            continue
        os.symlink(victim, path)
        done += 1
        break
print(done, flush=True)
"""

#: Connects as the other user.
ENTER = """
import os, socket, sys
os.setgroups([])
os.setgid(65534)
os.setuid(65534)
try:
    socket.socket(socket.AF_UNIX).connect(sys.argv[1])
except OSError as error:
    print(type(error).__name__)
else:
    print("connected")
"""


def mode(path):
    return stat.S_IMODE(os.lstat(path).st_mode)


def enter(path):
    return subprocess.run([sys.executable, "-ISc", ENTER, str(path)], capture_output=True, text=True, check=True,
                          timeout=SOON).stdout.strip()


@pytest.fixture
def shared():
    """A directory that everybody can write to, without the sticky bit."""
    with tempfile.TemporaryDirectory(prefix="uvrelay-test-", dir="/tmp") as name:
        os.chmod(name, 0o777)
        yield pathlib.Path(name)


def listen_many(directory):
    """Runs serve with many sockets there until they are made, or until one of them is refused."""
    routes = [f"unix://{directory}/{number}?perm=0666={NOWHERE}" for number in range(COUNT)]
    with subprocess.Popen([PROGRAM, "serve", "-v", *routes], stdin=subprocess.DEVNULL, stderr=subprocess.PIPE,
                          stdout=subprocess.DEVNULL, text=True, umask=0o077) as serve:
        for line in serve.stderr:
            if f"/{COUNT - 1}=" in line:
                serve.terminate()
        assert serve.wait(SOON) in (0, 1)


def attack(directory, victim):
    """Exchanges the sockets while serve makes them; gives how many were exchanged."""
    with subprocess.Popen([sys.executable, "-ISc", EXCHANGE, str(directory), str(victim), str(COUNT)],
                          stdout=subprocess.PIPE, text=True) as other:
        try:
            assert other.stdout.readline() == "ready\n"
            listen_many(directory)
            (directory / "over").touch()
            return int(other.communicate(timeout=SOON)[0])
        finally:
            other.kill()


def test_no_other_file_gets_the_permissions_of_a_socket(tmp_path, shared):
    """Someone who puts a link in the place of a new socket gains nothing: the file that it leads to stays as it is."""
    victim = tmp_path / "victim"
    victim.write_text("secret")
    victim.chmod(0o600)
    exchanged, end = 0, time.monotonic() + 4
    for number in range(3 if SANITIZED else 20):
        directory = shared / f"{number}"
        directory.mkdir()
        directory.chmod(0o777)
        exchanged += attack(directory, victim)
        assert mode(victim) == 0o600
        if exchanged > 0 and time.monotonic() > end:
            break
    assert exchanged > 0
    assert victim.read_text() == "secret"


@pytest.mark.parametrize("query, permissions, expected", [
    ("", 0o600, "PermissionError"),
    ("?perm=0660", 0o660, "PermissionError"),
    ("?perm=0666", 0o666, "connected"),
])
def test_who_may_connect(shared, back, query, permissions, expected):
    path = shared / "socket"
    with Serve(f"unix://{path}{query}={back.address}", umask=0o077):
        assert mode(path) == permissions
        assert enter(path) == expected
        assert os.stat(path).st_uid == 0


def test_what_another_user_has_put_there(shared):
    """A left-over socket of another user is replaced; a link to one is left alone, and so is what it leads to."""
    left = shared / "left"
    script = f"import os, socket; os.setuid({OTHER}); socket.socket(socket.AF_UNIX).bind({str(left)!r})"
    subprocess.run([sys.executable, "-ISc", script], check=True, timeout=SOON)
    link = shared / "link"
    os.symlink(left, link)
    os.lchown(link, OTHER, OTHER)
    result = subprocess.run([PROGRAM, "serve", f"unix://{link}={NOWHERE}"], stdin=subprocess.DEVNULL, timeout=SOON,
                            capture_output=True, text=True, check=False)
    assert result.returncode == 1 and "a symbolic link with this name exists" in result.stderr
    assert os.lstat(left).st_uid == OTHER
    with Serve(f"unix://{left}={NOWHERE}"):
        assert os.lstat(left).st_uid == 0 and mode(left) == 0o600
    assert not os.path.lexists(left) and os.path.islink(link)


def test_what_takes_the_place_of_the_socket_stays(shared):
    """At the end, too: what another user has put there is that user's."""
    path = shared / "socket"
    with Serve(f"unix://{path}={NOWHERE}") as serve:
        os.rename(path, shared / "moved")
        path.write_text("kept")
        os.chown(path, OTHER, OTHER)
        serve.stop()
    assert path.read_text() == "kept" and (shared / "moved").is_socket()


def test_a_sticky_directory_protects_the_socket(shared, back):
    os.chmod(shared, 0o1777)
    path = shared / "socket"
    script = f"import os; os.setuid({OTHER}); os.rename({str(path)!r}, {str(path) + '.moved'!r})"
    with Serve(f"unix://{path}={back.address}"):
        moved = subprocess.run([sys.executable, "-ISc", script], capture_output=True, text=True, timeout=SOON, check=False)
        assert "PermissionError" in moved.stderr
        assert path.is_socket()

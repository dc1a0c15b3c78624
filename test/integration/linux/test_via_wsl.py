"""serve on WSL: which uvrelay.exe is its far end, in which directory it is started and with which interop socket.

WSL is a fake: mounts of the program's own, on /run, /mnt and its table of mounts, which no other process sees; and
uvrelay.exe is a script that notes how it was started and is then the Linux program."""

import contextlib
import functools
import os
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile

import pytest

import serving
from hungfile import hung
from programs import SOON, unique_name
from serving import EchoServer, Serve, ask, connect, listener, refused, wait_for
from via import Via

PROGRAM = serving.PROGRAM
TABLE = r"C:\134 /mnt/c 9p rw,aname=drvfs;path=C:\;uid=1000,trans=fd 0 0"
README_PLACE = "mnt/c/Program Files/uvrelay"


@functools.cache
def namespace():
    """The command that gives a program mounts of its own; None where that is not permitted."""
    trial = 'mount --bind "$1" /run && mount --bind "$1" /mnt && mount --bind /dev/null /proc/$$/mounts'
    for flags in ("-rm", "-m"):
        command = [shutil.which("unshare") or "unshare", flags]
        with contextlib.suppress(OSError), tempfile.TemporaryDirectory(prefix="uvrelay-test-") as empty:
            if subprocess.run([*command, "/bin/sh", "-c", trial, "sh", empty], stdin=subprocess.DEVNULL,
                              capture_output=True, timeout=20, check=False).returncode == 0:
                return shlex.join(command)
    return None


class Wsl:
    """The fake. What is in `directory` as run and mnt, the program sees as /run and /mnt."""

    def __init__(self, directory):
        self.directory, self.notes, self.listen = directory, directory / "notes", f"unix://{directory}/front"
        self.sockets = {}
        for name in ("linux", "path", "run/WSL", README_PLACE):
            (directory / name).mkdir(parents=True)
        (directory / "mounts").write_text(TABLE + "\n")
        shutil.copy(PROGRAM, directory / "linux/uvrelay")
        self.program = directory / "in-wsl"
        self._script(self.program, f"""exec {namespace()} /bin/sh -c '
            mount=$1 directory=$2
            shift 2
            "$mount" --bind "$directory/run" /run && "$mount" --bind "$directory/mnt" /mnt &&
            "$mount" --bind "$directory/mounts" /proc/$$/mounts || exit 77
            [ ! -d "$directory/binfmt" ] || "$mount" --bind "$directory/binfmt" /proc/sys/fs/binfmt_misc || exit 77
            exec "$directory/linux/uvrelay" "$@"' sh {shlex.quote(shutil.which("mount"))} {directory} "$@"
            """)

    @staticmethod
    def _script(path, text, mode=0o755):
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(mode)

    def put(self, name, mode=0o755, then=""):
        """Puts a far end there. It notes to which socket its WSL_INTEROP leads, or that itself, and does `then`."""
        self._script(self.directory / name, f"""
            socket=$(readlink "$WSL_INTEROP") || socket=$WSL_INTEROP
            printf '%s|%s|%s|%s\\n' "$0" "$(pwd -P)" "$socket" "$*" >>{self.notes}
            {then}
            exec {PROGRAM} "$@"
            """, mode)

    def started(self, number=1):
        """How the first, second, … far end was started: its file, directory, interop socket and arguments."""
        def lines():
            return self.notes.read_text().splitlines()[number - 1:] if self.notes.exists() else []
        return wait_for(lines, f"a far end is started {number} times")[0].split("|")

    def interop(self, number):
        """Makes an interop socket and listens there. Gives its name."""
        path = self.directory / f"run/WSL/{number}_interop"
        self.sockets[number] = listener(path)
        return f"/run/WSL/{path.name}"

    def silence(self, *numbers):
        """Listens there no more; the socket stays."""
        for number in numbers:
            self.sockets.pop(number).close()


class ServeInWsl(Via):
    """Without --via, unless that is in the arguments."""

    def __init__(self, wsl, *args, env=None, **options):
        self.mark = unique_name("mark")
        environment = {"UVRELAY_TEST_MARK": self.mark, "PATH": f"{wsl.directory}/path:/usr/bin:/bin", **(env or {})}
        Serve.__init__(self, *args, env=environment, **options)


@pytest.fixture
def wsl(tmp_path, monkeypatch):
    if not namespace():
        pytest.skip("mounts of one's own are not permitted here")
    for name in ("WSL_INTEROP", "WSL_DISTRO_NAME"):
        monkeypatch.delenv(name, raising=False)
    fake = Wsl(tmp_path)
    monkeypatch.setattr(serving, "PROGRAM", str(fake.program))
    yield fake
    fake.silence(*list(fake.sockets))


@pytest.fixture
def back(tmp_path):
    with EchoServer(tmp_path / "back") as server:
        yield server


@pytest.fixture
def route(wsl, back):
    return f"{wsl.listen}=via:{back.address}"


def assert_relayed(wsl):
    with connect(wsl.listen) as client:
        ask(client)


def put_windows_program(wsl, name="path/uvrelay.exe"):
    """A program for Windows, which is a script to a shell that reads it in spite of that."""
    wsl.put(name)
    (wsl.directory / name).write_bytes(b"MZ\necho a script >&2\n" + bytes(100))


REGISTER = "sudo sh -c 'echo :WSLInterop:M::MZ::/init:PF > /proc/sys/fs/binfmt_misc/register'"
DISABLED = "disabled\ninterpreter /init\nflags: PF\noffset 0\nmagic 4d5a\n"


@pytest.mark.parametrize("status, own, why, remedy", [
    ("enabled", None, "there is no /proc/sys/fs/binfmt_misc/WSLInterop (systemd-binfmt removes it)", REGISTER),
    ("enabled", DISABLED, "because /proc/sys/fs/binfmt_misc/WSLInterop is disabled",
     "sudo sh -c 'echo 1 > /proc/sys/fs/binfmt_misc/WSLInterop'"),
    ("disabled", DISABLED, "because all handlers in /proc/sys/fs/binfmt_misc are disabled",
     "sudo sh -c 'echo 1 > /proc/sys/fs/binfmt_misc/status'"),
], ids=["missing", "disabled", "all-disabled"])
def test_without_a_handler_nothing_is_started(wsl, status, own, why, remedy):
    """/bin/sh would read the program as a script. What to type is said, and all of it once."""
    if not os.path.isdir("/proc/sys/fs/binfmt_misc"):
        pytest.skip("this kernel has no binfmt_misc")
    (wsl.directory / "binfmt").mkdir()
    (wsl.directory / "binfmt/status").write_text(f"{status}\n")
    if own:
        (wsl.directory / "binfmt/WSLInterop").write_text(own)
    put_windows_program(wsl)
    wsl.interop(1)
    with ServeInWsl(wsl, f"{wsl.listen}=//./pipe/x?timeout=1") as serve:
        with connect(wsl.listen) as client:
            assert client.recv(1) == b""
        [line] = [serve.wait_match("^uvrelay: .*Windows programs.*")[0]]
        assert line.startswith("uvrelay: far end: uvrelay.exe mux cannot be started: ")
        assert why in line and f"to fix it, type {remedy}" in line
        log = serve.stop()
        assert "a script" not in log
        assert log.count(remedy) == 1 and log.count(why) == 2, "the far end tells what to do, the client only why"


@pytest.mark.parametrize("stale", [False, True], ids=["none", "stale"])
def test_without_an_interop_socket_nothing_is_started(wsl, stale):
    """It is tried again as soon as somebody listens."""
    put_windows_program(wsl)
    if stale:
        wsl.interop(1)
        wsl.silence(1)
    with ServeInWsl(wsl, f"{wsl.listen}=//./pipe/x?timeout=1") as serve:
        with connect(wsl.listen) as client:
            assert client.recv(1) == b""
        serve.wait_match(r"^uvrelay: far end: uvrelay.exe mux cannot be started: nothing is listening at WSL_INTEROP \(not set"
                         r"\) or at another socket in /run/WSL that belongs to root or you: open a new WSL terminal, or "
                         r"type wsl.exe --shutdown in Windows and open WSL again; ")
        assert "a script" not in serve.stop()


def test_the_linux_disk_is_slow(wsl):
    put_windows_program(wsl)
    wsl.interop(1)
    with ServeInWsl(wsl, "--eager", f"{wsl.listen}=//./pipe/x?timeout=1") as serve:
        serve.wait_match(r'^uvrelay: warning: ".*path/uvrelay.exe" is on the Linux disk, from which Windows starts it '
                         r"slowly: uvrelay setup copies it")
        assert len(serve.matches("Linux disk")) == 1


def test_what_wsl_says_is_explained(wsl, route):
    wsl.put("path/uvrelay.exe", then="echo '<3>WSL (217 - ) ERROR: UtilAcceptVsock:273: accept4 failed 110' >&2; exit 1")
    wsl.interop(1)
    with ServeInWsl(wsl, "--eager", route) as serve:
        serve.wait_match(r"^uvrelay: far end: uvrelay.exe mux exited at once with status 1: .*accept4 failed 110; Windows "
                         r"did not answer WSL in time: type wsl.exe --shutdown in Windows, then open WSL again")


def test_the_far_end_inherits_one_descriptor_more(wsl, route):
    """The socket of WSL's, as number 3, and nothing else that serve has or was given."""
    wsl.put(f"{README_PLACE}/uvrelay.exe", then="ls /proc/$$/fd | tr '\\n' ' ' >&2; echo . >&2")
    wsl.interop(1)
    with open("/dev/null", "rb") as one, open("/dev/null", "rb") as other, ServeInWsl(
            wsl, route, pass_fds=(one.fileno(), other.fileno())) as serve:
        assert_relayed(wsl)
        has = set(serve.wait_match(r"far end: ([\d ]+)\.$")[1].split())
        assert has - {"10"} == {"0", "1", "2", "3"}  # 10 is the script's own


@pytest.mark.parametrize("places, directory", [
    ([README_PLACE], f"/{README_PLACE}"),
    (["path", README_PLACE], "/mnt/c"),
    (["linux", "path", README_PLACE], "/mnt/c"),
], ids=["readme", "path", "beside"])
def test_the_far_end_is_found(wsl, route, places, directory):
    for place in places:
        wsl.put(f"{place}/uvrelay.exe")
    interop = wsl.interop(1)
    with ServeInWsl(wsl, route) as serve:
        assert_relayed(wsl)
        file = f"/{places[0]}" if places[0].startswith("mnt") else f"{wsl.directory}/{places[0]}"
        assert wsl.started() == [f"{file}/uvrelay.exe", directory, interop, "mux"]
        serve.wait_match(r"^uvrelay: far end: uvrelay\.exe mux is ready$")


def test_there_is_none(wsl, route):
    sentence = refused(route, code=1, env={"PATH": "/usr/bin:/bin"})
    for place in (f"{wsl.directory}/linux", "PATH", f"/{README_PLACE}/uvrelay.exe"):
        assert place in sentence
    wsl.put("linux/uvrelay.exe", mode=0o644)
    sentence = refused(route, code=1, env={"PATH": "/usr/bin:/bin"})
    assert f"{wsl.directory}/linux/uvrelay.exe" in sentence and "the file is not executable: chmod +x makes it so" in sentence


def test_a_windows_pipe_goes_through_it(wsl):
    """The far end here is none of Windows: it says so."""
    wsl.put("linux/uvrelay.exe")
    wsl.interop(1)
    with ServeInWsl(wsl, f"{wsl.listen}=//./pipe/x") as serve:
        with connect(wsl.listen) as client:
            assert client.recv(1) == b""
        assert wsl.started()[3] == "mux"
        serve.wait_match(r"=via://\./pipe/x #1: closed .*: failed: far end: .*//\./pipe/x.* Windows")


def test_interop_sockets(wsl, route):
    """The one that is given, if somebody listens there; else that of a process that serve comes from; else the first
    one; else the highest. They are looked for at each start."""
    wsl.put("path/uvrelay.exe")
    numbers = [7, os.getpid(), 1, 10_000_000]
    names = [wsl.interop(number) for number in numbers]
    wsl.interop(20_000_000)
    wsl.silence(20_000_000)
    wsl.interop(9)
    with ServeInWsl(wsl, "--via", "uvrelay.exe mux", route, env={"WSL_INTEROP": names[0]}) as serve:
        for count, (number, name) in enumerate(zip(numbers, names), 1):
            assert_relayed(wsl)
            assert wsl.started(count)[2] == name
            wsl.silence(number)
            os.kill(serve.far_pid(count), signal.SIGKILL)
        assert_relayed(wsl)
        assert wsl.started(len(numbers) + 1)[2] == "/run/WSL/9_interop"


def test_nobody_listens(wsl, route):
    wsl.put("path/uvrelay.exe")
    wsl.interop(1)
    wsl.silence(1)
    with ServeInWsl(wsl, "--eager", route) as serve:
        assert wsl.started()[2] == "/dev/null", "where /init, which would look by itself, finds nobody"
        assert_relayed(wsl)
        warning = r"^uvrelay: warning: nothing is listening at WSL_INTEROP \(not set\) or at another socket in "
        serve.wait_match(warning)
        assert len(serve.matches(warning)) == 1


#: What WSL's /init does first: it connects to WSL_INTEROP and sends what is to be started, with all of the environment.
INIT = r"""
import os, socket, time
path = os.environ["WSL_INTEROP"]
assert os.access(path, os.F_OK)
interop = socket.socket(socket.AF_UNIX)
interop.connect(path)
interop.sendall(b"start")
"""


def test_a_socket_that_is_exchanged_meanwhile(wsl, route):
    """Between the look and the start another socket takes the place of the right one: nothing is sent to it."""
    name = wsl.interop(7)
    right, path = wsl.sockets[7], f"{wsl.directory}/run/WSL/7_interop"
    wsl.interop(8)
    (wsl.directory / "init.py").write_text(INIT)
    wsl.put("path/uvrelay.exe", then=f"mv /run/WSL/8_interop /run/WSL/7_interop && {sys.executable} -ISc "
            f"'exec(open(\"{wsl.directory}/init.py\").read())' || exit 3")
    with ServeInWsl(wsl, route, env={"WSL_INTEROP": name}):
        assert_relayed(wsl)
        assert os.path.exists(path) and not os.path.exists(f"{wsl.directory}/run/WSL/8_interop")
    assert received(right) == [b"", b"start"]
    assert received(wsl.sockets[8]) == []


def received(server):
    """What each client that has come has sent; all of them have gone."""
    texts = []
    server.setblocking(False)
    with contextlib.suppress(BlockingIOError):
        while True:
            with server.accept()[0] as client:
                client.settimeout(SOON)
                texts.append(client.recv(100))
    return texts


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make what belongs to another user")
@pytest.mark.parametrize("given", [False, True], ids=["in-the-directory", "in-the-environment"])
def test_sockets_of_other_users_are_not_used(wsl, route, given):
    """Neither theirs nor links of theirs to one of root's, even if WSL_INTEROP names them; and they are reported."""
    wsl.put("path/uvrelay.exe")
    name = wsl.interop(1)
    wsl.interop(5)
    os.rename(wsl.directory / "run/WSL/5_interop", wsl.directory / "run/5")
    os.symlink(f"{wsl.directory}/run/5", wsl.directory / "run/WSL/9_interop")
    for number in (1, 9):
        os.lchown(wsl.directory / f"run/WSL/{number}_interop", 65534, 65534)
    with ServeInWsl(wsl, "--eager", route, env={"WSL_INTEROP": name} if given else {}) as serve:
        assert wsl.started()[2] == "/dev/null"
        serve.wait_match(r"^uvrelay: warning: nothing is listening at WSL_INTEROP .* that belongs to root or you "
                         r"\(2 of other users are ignored\)")
    assert received(wsl.sockets[1]) == [] and received(wsl.sockets[5]) == []


def test_a_linux_command_is_started_as_ever(wsl, route):
    wsl.put("path/far-end")
    wsl.interop(1)
    with ServeInWsl(wsl, "--via", "far-end 'mux'", route):
        assert_relayed(wsl)
        assert wsl.started() == [f"{wsl.directory}/path/far-end", os.getcwd(), "", "mux"]


def test_a_drive_that_does_not_answer(wsl, back, route):
    """It holds up the start of the far end, but no other route."""
    wsl.put("path/uvrelay.exe")
    wsl.interop(1)
    with ServeInWsl(wsl, route, f"{wsl.listen}-2={back.address}") as serve:
        with hung(wsl.directory / "path/uvrelay.exe"), connect(wsl.listen) as client:
            serve.wait_match("=via:.* #1: opened by ")
            for _ in range(3):
                with connect(f"{wsl.listen}-2") as other:
                    ask(other)
        # The client has left; the next one is served.
        assert_relayed(wsl)


def test_stopped_while_a_drive_does_not_answer(wsl, route):
    wsl.put("path/uvrelay.exe")
    wsl.interop(1)
    with ServeInWsl(wsl, "--drain=0", route) as serve:
        with hung(wsl.directory / "path/uvrelay.exe"), connect(wsl.listen):
            serve.wait_match("=via:.* #1: opened by ")
            serve.stop()


# Socket files on a drive of Windows.

def test_a_socket_file_of_windows_in_json(wsl):
    wsl.interop(1)
    wsl.put("linux/uvrelay.exe")
    with ServeInWsl(wsl, "--json", f"{wsl.listen}=assuan:///mnt/c/Users/S.gpg-agent") as serve:
        assert " is on Windows and is opened there as via:assuan:" in serve.wait_event("note")["text"]


@pytest.mark.parametrize("prefix", ["", "via:"])
def test_a_socket_file_of_windows(wsl, prefix):
    """It is on Windows and is opened there as which the far end opens; that is said with -v."""
    wsl.interop(1)
    wsl.put("linux/uvrelay.exe")
    given = f"{prefix}assuan:///mnt/c/Users/Some%20Body/S.gpg-agent"
    with ServeInWsl(wsl, f"{wsl.listen}={given}?timeout=20") as serve:
        serve.wait_stderr(f"uvrelay: {given}?timeout=20 is on Windows and is opened there as "
                          "via:assuan:C:/Users/Some%20Body/S.gpg-agent?timeout=20\n")
        with connect(wsl.listen) as client:
            assert client.recv(1) == b""
        assert "far end: cannot connect to assuan:///C:/Users/Some%20Body/S.gpg-agent" in serve.wait_closed().reason
    assert wsl.started()[3] == "mux"


def test_a_unix_socket_on_a_drive_of_windows(wsl, back):
    with ServeInWsl(wsl, f"{wsl.listen}=unix:///mnt/c/x.sock", f"unix://{wsl.directory}/2={back.address}") as serve:
        serve.wait_stderr("warning: unix:///mnt/c/x.sock is on a Windows drive, whose Unix sockets do not work")
        assert serve.stderr.count("is on a Windows drive") == 1


def test_outside_of_wsl_it_is_a_file(tmp_path):
    with Serve(f"unix://{tmp_path}/s=assuan:///mnt/c/uvrelay-test-none") as serve:
        with connect(f"unix://{tmp_path}/s") as client:
            assert client.recv(1) == b""
        serve.wait_stderr("there is no socket file /mnt/c/uvrelay-test-none")
        assert "Windows" not in serve.stderr


@pytest.mark.parametrize("args, words", [
    (["-a", "/mnt/c/Users/x y/S.gpg-agent"], 'run uvrelay.exe -a "C:/Users/x y/S.gpg-agent"'),
    (["assuan:///mnt/c/x"], 'run uvrelay.exe -a "C:/x"'),
    (["unix:///mnt/c/x"], "on a Windows drive, whose Unix sockets do not work across WSL 2"),
    (["unix:///nonexistent"], "add -p to wait for it"),
])
def test_one_target_on_a_drive_of_windows(wsl, args, words):
    """Without serve there is no far end, so the program for Windows is to be run instead."""
    wsl.interop(1)
    done = subprocess.run([wsl.program, *args], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=SOON,
                          check=False)
    assert done.returncode == 1 and words in done.stderr and len(done.stderr.splitlines()) == 1

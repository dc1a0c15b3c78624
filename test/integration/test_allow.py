"""As linux/test_allow.py, for the Windows program, whose pipes know levels of impersonation."""

import contextlib

import pytest

from assuanpeer import AssuanServer
from programs import uvrelay_exe, windows_command, windows_path
from serving import EchoServer
from via import RawMux
from winpeers import PipeServer
from winserving import PipeTarget

EXE_MUX = windows_command(uvrelay_exe(), "mux")
LEVELS = ["anonymous", "identification", "impersonation", "delegation"]


@contextlib.contextmanager
def mux(*patterns, flags=()):
    with RawMux(*flags, *(f"--allow={pattern}" for pattern in patterns), command=EXE_MUX) as made:
        made.wait_greeting()
        yield made
        made.end()


def test_levels_of_impersonation():
    """No more than the pattern says, which is none unless it says so; the near end does not choose."""
    pipe = "//./pipe/nobody-is-here"
    with mux(f"{pipe}-0", f"{pipe}-1?impersonation=identification", f"{pipe}-3?impersonation=delegation",
             f"{pipe}-[03]?impersonation=impersonation") as far:
        for number, most in ((0, 2), (1, 1), (3, 3)):
            assert far.refusal(f"{pipe}-{number}")[0] == "ENOENT"
            for level, name in enumerate(LEVELS):
                request = f"{pipe}-{number}?impersonation={name}"
                if level <= most:
                    assert far.refusal(request)[0] == "ENOENT"
                else:
                    text = far.not_allowed(request)
                    assert f"impersonation={name}" in text and f"no more than {LEVELS[most]}" in text
    with mux(f"{pipe}-0") as far:
        text = far.not_allowed(f"{pipe}-0?impersonation=delegation")
        assert text == f"{pipe}-0 is not allowed with impersonation=delegation: the pattern {pipe}-0 allows no more than " \
                       "anonymous"
    with mux() as far:
        assert far.refusal(f"{pipe}-0?impersonation=delegation")[0] == "ENOENT"


def test_spellings_of_a_pipe():
    """Of this computer and of others; upper and lower case are the same to Windows."""
    with PipeTarget("byte") as target:
        name = target.address.removeprefix("//./pipe/")
        with mux(f"//./pipe/{name[:-1]}?") as far:
            stream = far.connect(f"npipe:{name.upper()}")
            target.accept().send(5)
            stream.receive(5)
            stream.reset()
            for host in ("localhost", "127.0.0.1", "10.evil.example"):
                far.not_allowed(f"//{host}/pipe/{name}")
            for other in (f"//./pipe/{name}x", f"//./pipe/x/{name}"):
                far.not_allowed(other)
            for bad in (f"//./pipe/../pipe/{name}", f"//./pipe/x/../{name}", f"//./{name}"):
                assert far.refusal(bad)[0] == "EINVAL"
        with mux("//10.*/pipe/*", "//./pipe/[!u]*") as far:
            far.not_allowed(f"//10.evil.example/pipe/{name}")
            far.not_allowed(f"//./pipe/{name}")
            far.not_allowed(f"//./pipe/{name.upper()}")


def test_a_name_is_no_address():
    with EchoServer(0) as back:
        port = back.address.rpartition(":")[2]
        with mux("tcp://127.0.0.1:*") as far:
            for host in ("127.0.0.1", "localhost", "[::ffff:127.0.0.1]"):
                if far.open(f"CONNECT tcp://{host}:{port}\n".encode()).line() != b"OK\n":
                    assert host.startswith("[")  # Windows has no such address where IPv6 sockets are IPv6 only
            far.not_allowed(f"tcp://127.0.0.2:{port}")
        with mux("tcp://10.*:*") as far:
            assert "does not lead to an allowed address" in far.not_allowed(f"tcp://localhost:{port}")


@pytest.mark.parametrize("upper", [False, True])
def test_socket_files(tmp_path, upper):
    """Compared by where they are; upper and lower case are the same."""
    def talk(connection):
        connection.sendall(b"hello")

    (tmp_path / "in").mkdir()
    (tmp_path / "out").mkdir()
    (tmp_path / "link").symlink_to("in")
    (tmp_path / "in" / "file-out").symlink_to("../out/file")
    (tmp_path / "in" / "directory-out").symlink_to("../out")
    top = windows_path(tmp_path).replace("\\", "/")
    with AssuanServer(talk) as server:
        for name in ("in", "out"):
            (tmp_path / name / "file").write_bytes(server.file())
        with mux(f"assuan:///{top.upper() if upper else top}/in/*") as far:
            assert far.connect(f"assuan:///{top}/in/file").receive(5) == b"hello"
            server.wait()
            far.not_allowed(f"assuan:///{top}/out/file")
            far.not_allowed(f"assuan:///{top}/in/file-out")
            far.not_allowed(f"assuan:///{top}/in/directory-out/file")
            far.not_allowed(f"assuan:///{top}/out/nothing")
            far.not_allowed(f"assuan:///{top}/in/../out/file")
            far.not_allowed(f"assuan:///{top}/in\\..\\out/file")
            assert far.refusal(f"assuan:///{top}/in/nothing")[0] == "ENOENT"
        with mux(f"assuan:///{top}/link/*") as far:
            assert far.connect(f"assuan:///{top}/link/file").receive(5) == b"hello"
            far.not_allowed(f"assuan:///{top}/out/file")


def test_files_of_others_are_not_even_opened():
    """With --allow-remote-files, a path of another computer must match as it is written, as opening a file there tells
    that computer the user's credentials. Here a pipe stands for it, whose only instance a look at the file would use."""
    with PipeServer("recv=5", "close") as server:
        with mux("assuan:////host/share/*", "//./pipe/*", flags=["--allow-remote-files"]) as far:
            assert "assuan:////host/share/*" in far.not_allowed(f"assuan://{server.name}")
            far.not_allowed("assuan:///" + server.name.replace("/", "\\"))
            far.connect(server.name).send(b"hello")
            assert server.event("recv")["bytes"] == 5
            server.finish()

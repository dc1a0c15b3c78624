"""Targets that are resolved where they are connected to: %LOCALAPPDATA% and its like in the path of a socket file,
%USERNAME% and a * in a pipe's name. By the program for one connection, by serve, and by mux, whose --allow looks at what
they stand for. (Which pipe a * finds is tested in test/unit/win/test_npipe_find.c, as Wine cannot list its pipes.)"""

import contextlib

import pytest

from assuanpeer import AssuanServer
from programs import Process, error_sentence, run_relay, under_wine, unique_name, uvrelay_exe, windows_command, windows_path
from serving import ask, connect, receive_all
from via import Via
from winpeers import PipeServer
from winserving import PipeClient, Serve

pytestmark = pytest.mark.skipif(not under_wine(), reason="only under Wine is it known what the variables are")

MUX = windows_command(uvrelay_exe(), "mux")
AGENT = "assuan:%LOCALAPPDATA%/gnupg/S.gpg-agent"


@contextlib.contextmanager
def agent(wine):
    """A server behind a socket file where gpg-agent has its own; gives the file's path for Windows."""
    run_relay("--version")  # Wine makes the directory
    directory = wine.local / "gnupg"
    directory.mkdir(exist_ok=True)
    with AssuanServer(lambda connection: connection.sendall(b"OK Pleased to meet you\n")) as server:
        (directory / "S.gpg-agent").write_bytes(server.file())
        yield f"C:/users/{wine.user}/AppData/Local/gnupg/S.gpg-agent"


@pytest.mark.parametrize("words", [[AGENT], ["-a", r"%LocalAppData%\gnupg\S.gpg-agent"],
                                   ["assuan:%USERPROFILE%/AppData/Local/gnupg/S.gpg-agent"],
                                   ["assuan:%appdata%/../Local/gnupg/S.gpg-agent"]])
def test_socket_file(private_wine, words):
    with agent(private_wine):
        result = run_relay("-ep", *words)
        assert (result.code, result.stdout, result.stderr) == (0, b"OK Pleased to meet you\n", "")


def test_messages_show_what_it_stands_for(private_wine):
    run_relay("--version")
    result = run_relay(AGENT)
    assert result.code == 1
    assert f"C:/users/{private_wine.user}/AppData/Local/gnupg/S.gpg-agent" in error_sentence(result.stderr)


def user_pipe(wine, **options):
    """A pipe with the user's name in it; and its name with a variable in that place."""
    run_relay("--version")
    name = unique_name("of")
    return (PipeServer("echo-end", name=f"//./pipe/{wine.user}-{name}", **options),
            f"//./pipe/%USERNAME%-{name}")


def test_pipe(private_wine):
    server, name = user_pipe(private_wine)
    with server:
        result = run_relay("-s", name.lower(), stdin=b"hello")
        assert (result.code, result.stdout, result.stderr) == (0, b"hello", "")


def test_serve(private_wine, tmp_path):
    server, name = user_pipe(private_wine, type="byte")
    one, two = f"//./pipe/{unique_name()}", f"//./pipe/{unique_name()}"
    with server, agent(private_wine) as path, Serve(f"{one}={AGENT}", f"{two}={name}") as serve:
        assert serve.routes == [f"{one}=assuan:///{path}", f"{two}={server.name}"]
        with PipeClient(one, "recv-end") as client:
            assert client.event("recv-end")["bytes"] == 23
        with PipeClient(two, "text=hello", "recv=5", "close") as client:
            client.finish()


def test_serve_does_not_lead_to_itself(private_wine):
    run_relay("--version")
    name = unique_name()
    user = private_wine.user
    result = run_relay("serve", f"npipe:{user}-{name}=npipe:%USERNAME%-{name}")
    assert result.code != 0 and "would be its own target" in result.stderr
    result = run_relay("serve", f"npipe:{name}-a=npipe:{name}-*")
    assert result.code != 0 and "would be its own target" in result.stderr


def test_via(private_wine, tmp_path):
    """To the near end, on Linux, they are addresses of Windows."""
    server, name = user_pipe(private_wine, type="byte")
    with server, agent(private_wine):
        with Via(f"unix://{tmp_path}/a={AGENT}", f"unix://{tmp_path}/b={name}", via=MUX):
            with connect(f"unix://{tmp_path}/a") as client:
                assert receive_all(client) == b"OK Pleased to meet you\n"
            with connect(f"unix://{tmp_path}/b") as client:
                ask(client)


@pytest.mark.parametrize("pattern, is_allowed", [("assuan:///C:/users/*/AppData/Local/gnupg/*", True),
                                                 ("assuan:///C:/users/*/AppData/Roaming/*", False)])
def test_allow(private_wine, tmp_path, pattern, is_allowed):
    with agent(private_wine), Via(f"unix://{tmp_path}/a={AGENT}", via=[*MUX, "--allow", pattern]) as serve:
        with connect(f"unix://{tmp_path}/a") as client:
            assert receive_all(client) == (b"OK Pleased to meet you\n" if is_allowed else b"")
        if not is_allowed:
            assert "is not allowed: the patterns are" in serve.wait_closed().reason


def test_allow_of_pipes(private_wine, tmp_path):
    server, name = user_pipe(private_wine, type="byte")
    with server:
        with Via(f"unix://{tmp_path}/a={name}", via=[*MUX, "--allow", server.name]):
            with connect(f"unix://{tmp_path}/a") as client:
                ask(client)
        with Via(f"unix://{tmp_path}/a={name}", via=[*MUX, "--allow", name]) as serve:
            with connect(f"unix://{tmp_path}/a") as client:
                assert receive_all(client) == b""
            assert f"{server.name} is not allowed" in serve.wait_closed().reason


def run_where(settings, target):
    """Where cmd.exe has set a variable so, as Wine gives a program its own values of some. Only late does cmd.exe get to
    see a percent sign of the target, which it would take for a variable of its own."""
    words = f"set PERCENT=%&& set {settings}&& {windows_path(uvrelay_exe())}".split()
    with Process(windows_command("cmd", "/d", "/v:on", "/c", *words, target.replace("%", "!PERCENT!"))) as process:
        process.close_stdin()
        return process.wait(), process.stderr


@pytest.mark.parametrize("settings, target, text", [
    ("LOCALAPPDATA=", "assuan:%LOCALAPPDATA%/gnupg/S.gpg-agent", "has the variable %LOCALAPPDATA%, which is not set"),
    ("LOCALAPPDATA=x", "assuan:%LOCALAPPDATA%/gnupg/S.gpg-agent", "not a whole path"),
    ("USERNAME=", "npipe:%USERNAME%", "has the variable %USERNAME%, which is not set"),
    ("USERNAME=a/b", "npipe:%USERNAME%", "a character that user names cannot have"),
    (r"LOCALAPPDATA=\\server\share", "assuan:%LOCALAPPDATA%/x", "may be a file on another computer"),
])
def test_refused(settings, target, text):
    code, errors = run_where(settings, target)
    assert code == 1 and text in errors, errors


def test_pipes_that_cannot_be_listed():
    """As Wine's."""
    result = run_relay("//./pipe/pageant.%USERNAME%.*")
    assert result.code == 1
    assert error_sentence(result.stderr).startswith("cannot list the pipes of this computer to find the one that")


@pytest.mark.parametrize("listen", ["npipe:a*", "npipe:%USERNAME%"])
def test_no_listener(listen):
    result = run_relay("serve", f"{listen}=tcp://127.0.0.1:1")
    assert result.code == 2 and "which only targets can have" in result.stderr

"""libassuan socket files, plain and Cygwin's, at a server on loopback that checks the nonce; and files that are
malformed, which are refused before anything is dialled."""

import os
import re
import time

import pytest

import bytestream
from assuanpeer import (AssuanServer, LoopbackServer, cygwin_file, plain_file, receive_all, receive_exactly,
                        refused_port)
from programs import SOON, Relay, error_sentence, run_relay, windows_path

FORMATS = pytest.mark.parametrize("cygwin", [False, True], ids=["plain", "cygwin"])
NONCE = bytes(range(0x41, 0x51))

#: Nonces with the bytes at which a careless reader stops or stumbles.
NASTY = [bytes(16), b"\n" * 16, b"\r\n\x1a\0" * 4, bytes(range(240, 256)), b"\0" + bytes(range(1, 16)),
         b" s 12345678-9 \n\n"]


@pytest.fixture
def socket_file(tmp_path):
    """Writes the file and gives the name by which uvrelay.exe knows it."""
    def write(content, name="S.gpg-agent"):
        path = tmp_path / name
        path.write_bytes(content)
        return windows_path(path)
    return write


def hello(connection):
    """As gpg-agent does: the server talks first, then the client, then it says goodbye and closes."""
    connection.sendall(b"OK Pleased to meet you\n")
    assert receive_exactly(connection, 4) == b"BYE\n"
    connection.sendall(b"OK closing connection\n")


@FORMATS
@pytest.mark.parametrize("nonce", NASTY, ids=range(len(NASTY)))
def test_conversation(cygwin, nonce, socket_file):
    with AssuanServer(hello, cygwin, nonce) as server:
        result = run_relay("-a", socket_file(server.file()), stdin=b"BYE\n")
        server.wait()
        assert (result.code, result.stderr) == (0, "")
        assert result.stdout == b"OK Pleased to meet you\nOK closing connection\n"


@FORMATS
@pytest.mark.parametrize("args", [["-ei", "-a"], ["-a", "-p"], ["--a", "-s"], ["-ep", "-a=true"]])
def test_with_other_flags(cygwin, args, socket_file):
    """-s means nothing for a socket and must do no harm."""
    def talk(connection):
        assert receive_exactly(connection, 5) == b"hello"

    with AssuanServer(talk, cygwin) as server:
        result = run_relay(*args, socket_file(server.file()), stdin=b"hello")
        server.wait()
        assert (result.code, result.stdout, result.stderr) == (0, b"", "")


@FORMATS
def test_forms_of_the_path(cygwin, socket_file):
    with AssuanServer(hello, cygwin) as server:
        path = socket_file(server.file(), "S.gpg-agent extra-ü")
        slashes = path.replace("\\", "/")
        forms = [["-a", path], ["-a", slashes], [f"assuan:///{slashes}"], ["-a", f"assuan:///{slashes}"]]
        for number, form in enumerate(forms, 1):
            result = run_relay(*form, stdin=b"BYE\n")
            assert (result.code, result.stderr) == (0, ""), form
            assert result.stdout.endswith(b"OK closing connection\n")
            server.wait(number)


@pytest.mark.parametrize("end", [b"", b"\0", b"\n"])
def test_ends_of_a_cygwin_file(end, socket_file):
    with AssuanServer(hello, cygwin=True, nonce=NONCE) as server:
        result = run_relay("-a", socket_file(cygwin_file(server.port, NONCE, end)), stdin=b"BYE\n")
        server.wait()
        assert (result.code, result.stderr) == (0, "")


@FORMATS
def test_bulk(cygwin, socket_file):
    """What comes right after the handshake, in the same packet, is the client's already."""
    def talk(connection):
        for piece in bytestream.chunks(5_000_000, 3):
            connection.sendall(piece)
        assert receive_exactly(connection, 3_000_000) == bytestream.data(3_000_000, 4)

    with AssuanServer(talk, cygwin) as server, Relay("-a", socket_file(server.file())) as relay:
        relay.write_in_thread(bytestream.chunks(3_000_000, 4), close=True)
        assert relay.wait() == 0 and relay.stderr == ""
        server.wait()
        assert (relay.out.count, relay.out.sha256) == (5_000_000, bytestream.sha256(5_000_000, 3))


@FORMATS
def test_half_close(cygwin, socket_file):
    def talk(connection):
        assert receive_all(connection) == b"question"
        connection.sendall(b"answer")

    with AssuanServer(talk, cygwin) as server:
        result = run_relay("-a", socket_file(server.file()), stdin=b"question")
        server.wait()
        assert (result.code, result.stdout, result.stderr) == (0, b"answer", "")


@FORMATS
def test_the_nonce_is_never_told(cygwin, socket_file):
    with AssuanServer(hello, cygwin, NONCE) as server:
        result = run_relay("-v", "-a", socket_file(server.file()), stdin=b"BYE\n")
        server.wait()
        assert result.code == 0 and "connected" in result.stderr
        text = result.stderr.lower()
        for form in [NONCE.decode(), NONCE.hex(), NONCE.hex(" "), NONCE.hex(":"), "44434241", "41424344"]:
            assert form.lower() not in text, "the nonce is on standard error"


@FORMATS
def test_a_server_that_hangs_up_on_the_nonce(cygwin, socket_file):
    """It has another nonce by now. With a plain file that looks like an end; with Cygwin's it is a failed handshake."""
    def talk(connection):
        receive_exactly(connection, 16)

    with LoopbackServer(talk) as server:
        content = (cygwin_file if cygwin else plain_file)(server.port, NONCE)
        result = run_relay("-a", socket_file(content), timeout=SOON)
        server.wait()
        assert result.code == (1 if cygwin else 0)
        assert result.stdout == b""
        if cygwin:
            error_sentence(result.stderr)


def test_a_cygwin_server_with_another_nonce(socket_file):
    """Its answer must be the nonce: otherwise it is somebody else."""
    def talk(connection):
        receive_exactly(connection, 16)
        connection.sendall(b"somebody else!!!")
        connection.sendall(bytes(12))
        receive_all(connection)

    with LoopbackServer(talk) as server:
        result = run_relay("-a", socket_file(cygwin_file(server.port, NONCE)), timeout=SOON)
        assert result.code == 1
        error_sentence(result.stderr)


def test_a_cygwin_server_that_is_silent(socket_file):
    with LoopbackServer(lambda connection: receive_all(connection)) as server:
        result = run_relay("--timeout=1", "-a", socket_file(cygwin_file(server.port, NONCE)), timeout=SOON)
        assert result.code == 1 and 1 <= result.seconds < SOON
        error_sentence(result.stderr)


WORDS = "01234567-89ABCDEF-01234567-89ABCDEF"


@pytest.mark.parametrize("content", [
    b"",
    b"\n" + NONCE,
    b"0\n" + NONCE,
    b"65536\n" + NONCE,
    b"99999999999999999999\n" + NONCE,
    b"-PORT\n" + NONCE,
    b"x\n" + NONCE,
    b" PORT\n" + NONCE,
    b"PORT",
    b"PORT\n",
    b"PORT\n" + NONCE[:15],
    b"PORT\n" + NONCE + b"x",
    b"PORTx\n" + NONCE,
    b"PORT" + NONCE,
    b"!<socket >",
    b"!<socket >s " + WORDS.encode(),
    b"!<socket >0 s " + WORDS.encode(),
    b"!<socket >65536 s " + WORDS.encode(),
    b"!<socket >PORT s ",
    b"!<socket >PORT s " + WORDS.encode()[:-1],
    b"!<socket >PORT s " + WORDS.encode() + b"0",
    b"!<socket >PORT s " + WORDS.encode()[:-9],
    b"!<socket >PORT s " + WORDS.encode() + b"-01234567",
    b"!<socket >PORT s " + WORDS.encode().replace(b"A", b"G"),
    b"!<socket >PORT s " + WORDS.encode().replace(b"-", b"_"),
    b"!<socket >PORT x " + WORDS.encode(),
    b"!<socket>PORT s " + WORDS.encode(),
    b"!<symlink>somewhere",
    b"%Assuan%\nsocket=/somewhere\n",
    b"MZ\x90\0" + bytes(5000),
    b"a long text\n" * 1000,
], ids=lambda content: repr(content[:32])[2:-1])
def test_malformed_files(content, socket_file):
    """PORT is one at which somebody listens: a refusal after dialling would be seen. Trying again would take
    longer than run_relay waits."""
    with LoopbackServer(lambda connection: None) as server:
        name = socket_file(content.replace(b"PORT", b"%d" % server.port))
        result = run_relay("-p", "--timeout=60", "-a", name)
        sentence = error_sentence(result.stderr)
        assert name in sentence or name.replace("\\", "/") in sentence
        assert (result.code, result.stdout) == (1, b"")
        assert server.clients == 0, "it was dialled"
        assert NONCE[:8].decode() not in result.stderr and WORDS[:8] not in result.stderr


def test_missing_file(tmp_path):
    name = windows_path(tmp_path / "absent")
    result = run_relay("-a", name)
    sentence = error_sentence(result.stderr)
    assert re.search(r"absent.*\(E[A-Z_]+(, \d+)?\)", sentence) and "-p" in sentence
    assert (result.code, result.stdout) == (1, b"")


def test_a_directory(tmp_path):
    result = run_relay("-a", windows_path(tmp_path))
    error_sentence(result.stderr)
    assert result.code == 1


@FORMATS
def test_refused_port(cygwin, socket_file):
    content = (cygwin_file if cygwin else plain_file)(refused_port(), NONCE)
    name = socket_file(content)
    result = run_relay("-a", name)
    sentence = error_sentence(result.stderr)
    assert "S.gpg-agent" in sentence and "(ECONNREFUSED)" in sentence and "-p" in sentence
    assert result.code == 1


# ---- with -p ----


@FORMATS
def test_p_the_file_appears_later(cygwin, tmp_path):
    path = tmp_path / "S.gpg-agent"
    with AssuanServer(hello, cygwin) as server, Relay("-p", "-a", windows_path(path)) as relay:
        relay.write(b"BYE\n")
        relay.close_stdin()
        time.sleep(1)
        assert relay.running
        complete = tmp_path / "complete"
        complete.write_bytes(server.file())
        os.rename(complete, path)
        assert relay.wait() == 0 and relay.stderr == ""
        server.wait()
        assert relay.stdout.endswith(b"OK closing connection\n")


@FORMATS
def test_p_the_server_appears_later(cygwin, socket_file):
    port = refused_port()
    with Relay("-p", "-a", socket_file((cygwin_file if cygwin else plain_file)(port, NONCE))) as relay:
        relay.write(b"BYE\n")
        relay.close_stdin()
        time.sleep(1)
        assert relay.running, relay.stderr
        with AssuanServer(hello, cygwin, NONCE, port) as server:
            assert relay.wait() == 0 and relay.stderr == ""
            server.wait()
            assert relay.stdout.endswith(b"OK closing connection\n")


def test_p_the_file_is_replaced_by_a_good_one(socket_file):
    """An agent that died left a file whose port refuses; the new agent writes a new one."""
    name = socket_file(plain_file(refused_port(), bytes(16)))
    with AssuanServer(hello) as server, Relay("-p", "-a", name) as relay:
        relay.write(b"BYE\n")
        relay.close_stdin()
        time.sleep(1)
        assert relay.running, relay.stderr
        socket_file(server.file())
        assert relay.wait() == 0 and relay.stderr == ""
        server.wait()


def test_p_and_timeout(tmp_path, socket_file):
    for name in [windows_path(tmp_path / "absent"), socket_file(plain_file(refused_port(), NONCE))]:
        result = run_relay("-p", "--timeout=1", "-a", name)
        sentence = error_sentence(result.stderr)
        assert "1 s" in sentence and "timeout" in sentence
        assert result.code == 1 and 1 <= result.seconds < SOON


REMOTE = ["//server/share/S", r"\\server\share\S", r"/\server\share\S", "//?/C:/S", r"\\.\C:\S", r"\\?\UNC\server\share\S",
          r"\??\UNC\server\share\S"]


@pytest.mark.parametrize("arguments", [*(["-a", path] for path in REMOTE), ["-p", "assuan:////server/share/S"],
                                       ["serve", "tcp://127.0.0.1:0=assuan:////server/share/S"]], ids=" ".join)
def test_files_of_other_computers(arguments):
    """To open one sends the user's credentials there."""
    result = run_relay(*arguments)
    sentence = error_sentence(result.stderr)
    assert result.code == 1 and "another computer" in sentence and "--allow-remote-files" in sentence, sentence


def test_files_of_other_computers_that_are_allowed():
    result = run_relay("--allow-remote-files", "-a", r"\\localhost\uvrelay-none\S")
    sentence = error_sentence(result.stderr)
    assert result.code == 1 and "another computer" not in sentence and "socket file" in sentence, sentence


@pytest.mark.parametrize("path", [r"\\?\C:\uvrelay\S", "/uvrelay/S"])
def test_files_of_this_computer(path):
    assert "there is no socket file" in error_sentence(run_relay("-a", path).stderr)

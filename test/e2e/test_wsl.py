"""The recipes of docs/recipes.md where uvrelay.exe is started as WSL starts it: see test/lib/wsl_init.py. In
test_wsl_*.py they are used as in the other files here, which start the program directly. Here is what differs in WSL: who
ends first, who is killed, and that only one direction moves at a time."""

import contextlib
import os
import re
import signal
import socket
import threading

import pytest

from place import is_listening, wait_for, without_owner
from programs import SOON, under_wine, unique_name, windows_path
from winpeers import PipeServer
from winserving import TcpTarget, at_once

IN_WSL = True
MUCH = 300_000


def test_exit_codes_and_messages_come_through(place):
    assert place.run("uvrelay.exe", "--version").startswith(b"uvrelay ")
    for words, code, message in ((["-zz", "//./pipe/x"], 2, "uvrelay: "),
                                 ([f"//./pipe/{unique_name('absent')}"], 1, "ERROR_FILE_NOT_FOUND, 2")):
        process = place.start("uvrelay.exe", *words)
        assert process.wait() == code and message in process.stderr.splitlines()[0]


class PipeOfRecipe:
    """A recipe, and the pipe that it leads to."""

    def __init__(self, place, name, *actions, **options):
        well_known, path = {"ssh-agent": ("openssh-ssh-agent", ".ssh/agent.sock"),
                            "docker": ("docker_engine", ".docker/engine.sock")}[name]
        self.place, self.path = place, place.path / "home" / path
        self.server = PipeServer(*actions, **options)
        try:
            place.start_recipe(name, self.path, {well_known: self.server.short_name, **without_owner()})
        except BaseException:
            self.server.kill()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.server.kill()

    def connect(self):
        client = socket.socket(socket.AF_UNIX)
        client.settimeout(SOON)
        client.connect(str(self.path))
        return client


def end_process(place, name, number):
    """Ends the process of the one connection that there is, by what is in its command line."""
    found = [pid for pid, command in place.processes() if any(re.search(name, word) for word in command)]
    assert len(found) == 1, (name, place.processes())
    os.kill(found[0], number)


def read_to_the_end(client):
    data = b""
    while piece := client.recv(65536):
        data += piece
    return data


BOTH = pytest.mark.parametrize("recipe", ["ssh-agent", "docker"])
EACH_TYPE = pytest.mark.parametrize("type", ["byte", "message"])


@BOTH
def test_the_server_ends_its_output_first(place, recipe):
    """Its client waits for that, and sends nothing, nor its own end."""
    with PipeOfRecipe(place, recipe, "text=the last word", "zero", "recv-end") as pipe, pipe.connect() as client:
        assert read_to_the_end(client) == b"the last word"
        place.wait_for_relays_to_end()
        pipe.server.finish()


@BOTH
@EACH_TYPE
def test_the_server_closes_first(place, recipe, type):
    with PipeOfRecipe(place, recipe, f"send={MUCH}", "close", type=type) as pipe, pipe.connect() as client:
        assert len(read_to_the_end(client)) == MUCH
        place.wait_for_relays_to_end()


@contextlib.contextmanager
def through_a_socket_file(place):
    """A client and its server, through the recipe of gpg-agent: at the server is a TCP connection."""
    gnupg, file = place.path / "gnupg", place.path / "S.gpg-agent"
    gnupg.mkdir(mode=0o700)
    place.env["GNUPGHOME"] = str(gnupg)
    path = place.run("gpgconf", "--list-dirs", "agent-socket").decode().strip()
    with TcpTarget(file, "plain") as target, socket.socket(socket.AF_UNIX) as client:
        place.start_recipe("gpg-agent", path, {"C:/Users/NAME/AppData/Local/gnupg/S.gpg-agent":
                                               windows_path(file).replace("\\", "/")})
        client.settimeout(SOON)
        client.connect(path)
        yield client, target.accept().socket


def test_the_server_of_a_socket_file_ends_first(place):
    with through_a_socket_file(place) as (client, server):
        server.sendall(b"OK closing connection\n")
        server.shutdown(socket.SHUT_WR)
        assert read_to_the_end(client) == b"OK closing connection\n"
        place.wait_for_relays_to_end()


def test_the_client_of_a_socket_file_ends_first(place):
    """All of it arrives, though its server is slow."""
    with through_a_socket_file(place) as (client, server):
        sender = threading.Thread(target=lambda: (client.sendall(bytes(20 * MUCH)), client.close()))
        sender.start()
        sender.join(1.5)
        assert len(read_to_the_end(server)) == 20 * MUCH
        sender.join()
        place.wait_for_relays_to_end()


@pytest.mark.skipif(not under_wine(), reason="looks for a process of the stand-in for WSL")
def test_the_linux_side_before_a_socket_file_is_killed(place):
    with through_a_socket_file(place) as (client, server):
        client.sendall(b"some")
        assert server.recv(4) == b"some"
        end_process(place, r"wsl_init\.py$", signal.SIGKILL)
        assert read_to_the_end(client) == b""
        with contextlib.suppress(ConnectionResetError):
            assert server.recv(1) == b""
        place.wait_for_relays_to_end()


@BOTH
@EACH_TYPE
def test_the_client_closes_first(place, recipe, type):
    """All that it has sent arrives. The end cannot be signalled to a pipe of the byte type: docker's relay ends with
    its server."""
    actions = [f"recv={MUCH}", "close"] if (recipe, type) == ("docker", "byte") else [f"recv={MUCH}", "recv-end"]
    with PipeOfRecipe(place, recipe, *actions, type=type) as pipe:
        with pipe.connect() as client:
            client.sendall(bytes(MUCH))
        pipe.server.finish()
        place.wait_for_relays_to_end()


@BOTH
@EACH_TYPE
def test_a_slow_server_gets_all(place, recipe, type):
    """It begins to read when the client has ended its input long ago: the relay must not end before."""
    with PipeOfRecipe(place, recipe, "await", f"recv={MUCH}", "close", type=type) as pipe, pipe.connect() as client:
        client.sendall(bytes(MUCH))
        client.shutdown(socket.SHUT_WR)
        with contextlib.suppress(socket.timeout):
            client.settimeout(1.5)
            client.recv(1)
        client.settimeout(SOON)
        pipe.server.go()
        assert pipe.server.event("recv")["bytes"] == MUCH
        assert read_to_the_end(client) == b""
        place.wait_for_relays_to_end()


@pytest.mark.skipif(not under_wine(), reason="looks for a process of the stand-in for WSL")
@BOTH
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_the_linux_side_is_ended(place, recipe, number):
    """WSL terminates the Windows program: the server sees that, and so does the client."""
    with PipeOfRecipe(place, recipe, "recv=4", "text=x", "recv-end") as pipe, pipe.connect() as client:
        client.sendall(b"some")
        assert client.recv(1) == b"x"
        end_process(place, r"wsl_init\.py$", number)
        assert read_to_the_end(client) == b""
        assert pipe.server.event("recv-end")["bytes"] == 0
        place.wait_for_relays_to_end()


@BOTH
def test_the_client_leaves_without_reading(place, recipe):
    """With much on the way to it."""
    with PipeOfRecipe(place, recipe, "try-send=100000000") as pipe:
        with pipe.connect() as client:
            client.recv(1)
        pipe.server.event("send")
        place.wait_for_relays_to_end()


def test_the_client_leaves_while_the_pipe_is_waited_for(place):
    """With -p, as users add it; the recipe of ssh-agent ends at the end of its input."""
    for number, nofork in enumerate(("", ",nofork")):
        path = place.path / f"absent-{number}.sock"
        place.listen(path, f"uvrelay.exe -p -ei -ep -s //./pipe/{unique_name('absent')}{nofork}")
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(path))
            wait_for(lambda: any("absent" in word for _, command in place.processes() for word in command
                                 if "socat" not in command[0]), "the relay runs", SOON)
        place.wait_for_relays_to_end()


def test_much_in_both_directions_through_serve(place):
    """Of two connections, whose server does not read before it has sent all: WSL moves one direction at a time, and
    would come to a standstill if either end of the carrier stopped to read."""
    path = place.path / "serve.sock"
    with PipeServer(f"send={20 * MUCH}", f"recv={20 * MUCH}", "close", type="byte", instances=2, at_once=2) as server:
        serve = place.start("uvrelay", "serve", "-v", "--via", "uvrelay.exe mux",
                            f"unix://{path}=npipe:{server.short_name}")
        wait_for(lambda: is_listening(path) or not serve.running, "serve is listening", SOON)

        def talk():
            with socket.socket(socket.AF_UNIX) as client:
                client.settimeout(3 * SOON)
                client.connect(str(path))
                return at_once(lambda: client.sendall(bytes(20 * MUCH)), lambda: len(read_to_the_end(client)))[1]
        assert at_once(talk, talk) == [20 * MUCH] * 2
        server.finish(SOON)

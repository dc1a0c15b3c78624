"""Names that are not ASCII, wherever a name comes from but the command line and the names of pipes, which
test_connecting.py has: the environment, a configuration file, and the path of the program itself."""

import shutil

import pytest

from assuanpeer import AssuanServer, receive_exactly
from programs import Relay, uvrelay_exe, windows_path
from serving import EchoServer, ask, connect
from winserving import Serve

NAME = "grün-жук-鳥"


@pytest.fixture
def place(tmp_path):
    directory = tmp_path / NAME
    directory.mkdir()
    return directory


def hello(connection):
    connection.sendall(b"OK\n")
    assert receive_exactly(connection, 4) == b"BYE\n"


def test_a_program_in_such_a_place(place):
    """It reads a file beside it, of which its message tells."""
    program = shutil.copy(uvrelay_exe(), place / f"{NAME}.exe")
    missing = windows_path(place / "missing").replace("\\", "/")
    with Relay("-a", missing, program=program) as relay:
        assert relay.wait() == 1
        assert NAME in relay.stderr and "ENOENT" in relay.stderr, relay.stderr


def test_a_variable_of_a_configuration_file(place):
    with AssuanServer(hello) as server:
        (place / "socket").write_bytes(server.file())
        routes = place / f"{NAME}.conf"
        routes.write_text("tcp://127.0.0.1:0=assuan:///${UVRELAY_TEST_PLACE}/socket\n")
        directory = windows_path(place).replace("\\", "/")
        variables = {"UVRELAY_TEST_PLACE": directory, "WSLENV": "UVRELAY_TEST_PLACE"}  # WSL passes on what this names
        with Serve(options=[f"--config={windows_path(routes)}"], env=variables) as serve:
            [listens] = serve.wait_lines(r"\S+: listening")
            assert f"{NAME}/socket" in listens
            with connect(listens.partition("=")[0]) as client:
                assert receive_exactly(client, 3) == b"OK\n"
                client.sendall(b"BYE\n")
                server.wait()


def test_a_far_end_in_such_a_place(place):
    program = shutil.copy(uvrelay_exe(), place / f"{NAME}.exe")
    with EchoServer(0) as echo, Serve(f"tcp://127.0.0.1:0=via:{echo.address}",
                                      options=["--via", f'"{windows_path(program)}" mux']) as serve:
        with connect(serve.listens[0]) as client:
            ask(client)

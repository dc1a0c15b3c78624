"""What does not answer: a name server, or the drive of a socket file. It delays no connection that does not need it."""

import contextlib
import pathlib
import time

import pytest

from hungfile import hung
from nameserver import NO_SUCH_NAME, NameServer
from serving import PROGRAM, AssuanTarget, EchoServer, Serve, ask, connect, echo as echo_to, ends, wait_for
from via import Via

pytestmark = pytest.mark.sanitized

#: A look-up that is not answered takes far longer; one in /etc/hosts takes no time.
AT_ONCE = 10


@pytest.fixture
def echo(tmp_path):
    with EchoServer(0) as server:
        yield server


def names(count):
    return [f"no-{number}.example.test" for number in range(count)]


def routes(directory, names_, via=""):
    return [f"unix://{directory}/{name}={via}tcp://{name}:80" for name in names_]


def timed_ask(directory, name):
    start = time.monotonic()
    with connect(f"unix://{directory}/{name}") as client:
        ask(client)
    return time.monotonic() - start


def test_a_silent_name_holds_up_no_other_route(tmp_path, echo):
    silent = names(6)
    with NameServer() as server, Serve("--drain=0", *routes(tmp_path, silent), f"unix://{tmp_path}/echo={echo.address.replace('127.0.0.1', 'localhost')}",
                                       wrap=server.wrap):
        clients = [connect(f"unix://{tmp_path}/{name}") for name in silent for _ in range(10)]
        for name in silent:
            wait_for(lambda: server.queries(name), f"{name} is looked up")
        for _ in range(3):
            assert timed_ask(tmp_path, "echo") < AT_ONCE
        # Each name is looked up once: the address of either family is asked for.
        assert [server.queries(name) for name in silent] == [2] * len(silent)
        for client in clients:
            client.close()


def test_who_gives_up_is_told_why(tmp_path):
    name, = names(1)
    with NameServer() as server, Serve("--timeout=0.3", *routes(tmp_path, [name]), wrap=server.wrap) as serve:
        for number in (1, 2, 3):
            with connect(f"unix://{tmp_path}/{name}") as client:
                ends(client)
            line = serve.wait_match(r"failed: (.*)$", number)[1]
            assert "gave up on" in line and "name server" in line
        assert server.queries(name) == 2  # the first look-up still runs, and the others wait for it


def test_a_failure_is_remembered_for_a_moment(tmp_path):
    name, = names(1)
    with NameServer(NO_SUCH_NAME) as server, Serve(*routes(tmp_path, [name]), wrap=server.wrap) as serve:
        start = time.monotonic()
        count = 0
        while time.monotonic() - start < 1:
            with connect(f"unix://{tmp_path}/{name}") as client:
                ends(client)
            count += 1
        assert count > 5
        serve.wait_match(r"failed: cannot find the host of", 1)
        assert server.queries(name) <= 4
        # Later it is looked up again.
        before = server.queries(name)

        def asked_again():
            with connect(f"unix://{tmp_path}/{name}") as client:
                ends(client)
            return server.queries(name) > before

        wait_for(asked_again, f"{name} is looked up again")


def test_a_name_in_upper_case_takes_no_longer(tmp_path):
    """glibc needs no second look-up in lower case, musl does."""
    with NameServer(NO_SUCH_NAME) as server, Serve(f"unix://{tmp_path}/s=tcp://No.example.test:80",
                                                   wrap=server.wrap) as serve:
        with connect(f"unix://{tmp_path}/s") as client:
            ends(client)
        serve.wait_match(r"failed: cannot find the host of")
        assert server.queries("No.example.test") == 2
        assert server.queries("no.example.test") == (0 if b"libc.so.6" in pathlib.Path(PROGRAM).read_bytes() else 2)


def test_a_silent_name_holds_up_nobody_at_the_far_end(tmp_path, echo):
    silent = names(12)
    with NameServer() as server, Via("--drain=0", *routes(tmp_path, silent, "via:"),
                                     f"unix://{tmp_path}/echo=via:{echo.address}",
                                     f"unix://{tmp_path}/name=via:{echo.address.replace('127.0.0.1', 'localhost')}", wrap=server.wrap):
        clients = [connect(f"unix://{tmp_path}/{name}") for name in silent for _ in range(3)]
        for name in silent:
            wait_for(lambda: server.queries(name), f"{name} is looked up")
        for _ in range(3):
            assert timed_ask(tmp_path, "echo") < AT_ONCE
            assert timed_ask(tmp_path, "name") < AT_ONCE
        assert [server.queries(name) for name in silent] == [2] * len(silent)
        for client in clients:
            client.close()


# ---- files ----


@contextlib.contextmanager
def hung_file(path):
    path.write_bytes(b"1\\n" + bytes(16))
    with hung(path):
        yield f"assuan://{path}"


@contextlib.contextmanager
def hung_files(directory, count):
    with contextlib.ExitStack() as stack:
        yield [stack.enter_context(hung_file(directory / f"hung-{number}")) for number in range(count)]


@pytest.mark.parametrize("through", ["", "via:"])
def test_hung_files_hold_up_nobody(tmp_path, echo, through):
    count = 6
    with hung_files(tmp_path, count) as addresses, AssuanTarget(tmp_path / "back", echo_to, cygwin=False) as good, Via(
            "--drain=0", "--timeout=30", f"unix://{tmp_path}/echo={through}{echo.address}",
            f"unix://{tmp_path}/good={through}{good.address}",
            f"unix://{tmp_path}/name={through}{echo.address.replace('127.0.0.1', 'localhost')}",
            *(f"unix://{tmp_path}/{number}={through}{addresses[number]}" for number in range(count))) as serve:
        clients = [connect(f"unix://{tmp_path}/{number}") for number in range(count) for _ in range(5)]
        serve.wait_match(rf"{count - 1}={through}.*: opened by ", 5)
        for _ in range(3):
            for name in ("echo", "good", "name"):
                assert timed_ask(tmp_path, name) < AT_ONCE
        for client in clients:
            client.close()


def test_who_gives_up_on_a_hung_file_is_told_why(tmp_path):
    with hung_file(tmp_path / "hung") as address, Serve("--timeout=0.3", "--drain=0",
                                                        f"unix://{tmp_path}/front={address}") as serve:
        for number in (1, 2):
            with connect(f"unix://{tmp_path}/front") as client:
                ends(client)
            assert "the drive" in serve.wait_match(r"failed: (.*)$", number)[1]

"""What `uvrelay.exe serve` refuses, with which words and which exit status; and the config file."""

import re
import socket

import pytest

from assuanpeer import refused_port
from programs import SOON, error_sentence, run_relay, unique_pipe, windows_path
from winpeers import PipeServer
from winserving import PipeClient, Serve, TcpTarget, connect, listen_address, pipe_of

NOBODY = "tcp://127.0.0.1:9"


@pytest.fixture
def target():
    with TcpTarget() as target:
        yield target


def refused(*args, code, timeout=SOON):
    """Runs serve, which must end at once with one sentence; gives that sentence."""
    result = run_relay("serve", *args, timeout=timeout)
    assert (result.code, result.stdout) == (code, b""), result.stderr
    return error_sentence(result.stderr)


# ---- refusals ----


@pytest.mark.parametrize("route, words", [
    ("unix:///tmp/uvrelay-test.sock=tcp://127.0.0.1:9", ["unix:", "Windows"]),
    ("fd://3=tcp://127.0.0.1:9", ["fd:", "Windows"]),
    ("fd://name=tcp://127.0.0.1:9", ["fd:", "Windows"]),
    ("tcp://127.0.0.1:0=unix:///tmp/uvrelay-test.sock", ["unix:", "Windows"]),
    ("assuan:///C:/x=tcp://127.0.0.1:9", ["assuan:"]),
    ("npipe:////HOST/pipe/x=tcp://127.0.0.1:9", ["//HOST/pipe/x", "another computer"]),
])
def test_what_is_not_listened_on_or_connected_to(route, words):
    result = run_relay("serve", route)
    assert result.code in (1, 2)
    sentence = error_sentence(result.stderr)
    assert all(word in sentence for word in words), sentence


@pytest.mark.parametrize("route, words", [
    ("abstract:x=tcp://127.0.0.1:9", ["abstract:", "Linux"]),
    ("tcp://127.0.0.1:0=abstract:x", ["abstract:", "Linux"]),
])
def test_abstract_sockets_are_linux(route, words):
    sentence = error_sentence(run_relay("serve", route).stderr)
    assert all(word in sentence for word in words), sentence


@pytest.mark.parametrize("front, target", [
    ("npipe:NAME", "//./pipe/NAME"),
    ("npipe:NAME", "//./PIPE/name"),
    ("npipe:NAME", r"\\.\pipe\Name"),
    ("npipe:NAME", "//localhost/pipe/NAME"),
    ("npipe:NAME", "//127.0.0.1/pipe/name"),
    ("npipe:NAME-Ä", "npipe:name-ä"),
    ("tcp://127.0.0.1:PORT", "tcp://[::ffff:127.0.0.1]:PORT"),
    ("tcp://127.0.0.1:PORT", "tcp://localhost:PORT"),
    ("tcp://[::1]:PORT", "tcp://[0:0:0:0:0:0:0:1]:PORT"),
])
def test_its_own_target_in_another_spelling(front, target):
    port, name = str(refused_port()), unique_pipe("Ring").rpartition("/")[2]
    front, target = (text.replace("PORT", port).replace("NAME", name).replace("name", name.lower())
                     .replace("Name", name.capitalize()) for text in (front, target))
    sentence = refused(f"{front}={target}", code=2)
    assert "would be its own target" in sentence, sentence


def test_pipes_that_lead_to_each_other():
    one, two = unique_pipe("one"), unique_pipe("two")
    sentence = refused(f"{one}={two.upper().replace('PIPE', 'pipe')}", f"{two}={one}", code=2)
    assert "would be relayed in a loop" in sentence and sentence.count(one) == 2, sentence


@pytest.mark.parametrize("address", ["tcp://0.0.0.0:0", "tcp://[::]:0", "tcp://192.0.2.1:9", "tcp://224.0.0.1:9"])
def test_other_computers_are_refused(address):
    sentence = error_sentence(run_relay("serve", f"{address}={NOBODY}").stderr)
    assert address in sentence and "--allow-remote" in sentence, sentence


@pytest.mark.parametrize("address", ["tcp://0.0.0.0:0", "tcp://[::]:0"])
def test_allow_remote(address, target):
    if ":]" in address and not socket.has_ipv6:
        pytest.skip("no IPv6")
    with Serve(f"{address}={target.address}", options=["--allow-remote"]) as serve:
        port = int(serve.address.rpartition(":")[2])
        with socket.create_connection(("::1" if "[" in address else "127.0.0.1", port), SOON) as client:
            client.sendall(b"\0" * 8)
            assert target.accept().socket.recv(1) == b"\0"


@pytest.mark.parametrize("address", ["tcp://localhost:0", "tcp://127.0.0.2:0", "tcp://[::1]:0"])
def test_loopback_addresses(address, target):
    with Serve(f"{address}={target.address}") as serve:
        host, _, port = serve.address.removeprefix("tcp://").rpartition(":")
        with socket.create_connection((host.strip("[]"), int(port)), SOON) as client:
            client.sendall(b"hello")
            assert target.accept().socket.recv(5) == b"hello"


def test_localhost_is_both_families(target):
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        pytest.skip("there is no IPv6 here")
    with Serve(f"tcp://localhost:0={target.address}") as serve:
        port = int(serve.address.rpartition(":")[2])
        for host in ("127.0.0.1", "::1") * 2:
            with socket.create_connection((host, port), SOON) as client:
                client.sendall(b"hello")
                assert target.accept().socket.recv(5) == b"hello"
        # The port is taken on one address by now, and would be its own target.
        assert "EADDRINUSE" in refused(f"tcp://localhost:{port}={NOBODY}", code=1)
    assert "own target" in refused(f"tcp://localhost:{port}=tcp://[::1]:{port}", code=2)
    for host, family in (("127.0.0.1", socket.AF_INET), ("::1", socket.AF_INET6)):
        with socket.create_server((host, port), family=family):
            assert "EADDRINUSE" in refused(f"tcp://localhost:{port}={NOBODY}", code=1)
    with Serve(f"tcp://localhost:{port}={target.address}"):
        pass


def test_a_name_is_refused_to_listen_on():
    sentence = error_sentence(run_relay("serve", f"tcp://example.invalid:0={NOBODY}").stderr)
    assert "example.invalid" in sentence


@pytest.fixture
def first_instances():
    """Skips where the system itself lets somebody else make one more instance of a pipe, as Wine before 10 does."""
    with PipeServer("close", instances=0) as server:
        with PipeServer("close", name=server.name, instances=0, first=1, wait=False) as other:
            if other.wait_any("listening", "failed")["event"] != "failed":
                pytest.skip("this system knows no first instance of a pipe")


@pytest.mark.usefixtures("first_instances")
@pytest.mark.parametrize("type", ["byte", "message"])
def test_a_pipe_in_use(type):
    """Somebody else's: it must not become one more instance of that pipe, and the other's goes on."""
    with PipeServer("text=mine", "close", type=type, instances=0) as server:
        sentence = refused(f"npipe://{server.name}={NOBODY}", code=1)
        assert server.name in sentence, sentence
        assert re.search(r"in use|already|listens", sentence), sentence
        with PipeClient(server.name, "recv=4") as client:
            client.finish()
        server.finish()


@pytest.mark.usefixtures("first_instances")
def test_its_own_pipe_in_use(target):
    """The first serve goes on, and its clients do not notice."""
    with Serve(f"{listen_address('byte')}={target.address}") as first:
        sentence = refused(f"{first.address}={NOBODY}", code=1)
        assert pipe_of(first.address) in sentence
        for _ in range(3):
            with connect(first, "byte") as client:
                client.send(5)
                target.accept().receive(5)


def test_a_pipe_twice_in_one_command():
    address = listen_address("byte")
    sentence = refused(f"{address}={NOBODY}", f"{address}={NOBODY}", code=2)
    assert address in sentence


def test_a_port_in_use():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        sentence = refused(f"tcp://127.0.0.1:{port}={NOBODY}", code=1)
        assert f"tcp://127.0.0.1:{port}" in sentence and "EADDRINUSE" in sentence


def test_all_or_nothing(target):
    """The first route could listen, the second can't: none does."""
    port, pipe = refused_port(), unique_pipe()
    with PipeServer("recv-end", instances=1) as server:
        refused(f"tcp://127.0.0.1:{port}={target.address}", f"{pipe}={target.address}",
                f"{server.name}={target.address}", code=1)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), SOON)
    with Serve(f"tcp://127.0.0.1:{port}={target.address}", f"{pipe}={target.address}") as serve:
        assert len(serve.listens) == 2


@pytest.mark.parametrize("route, words", [
    (f"tcp://127.0.0.1:0?eof=marker={NOBODY}", ["eof", "tcp"]),
    (f"tcp://127.0.0.1:0={NOBODY}?eof=marker", ["eof", "tcp"]),
    (f"tcp://127.0.0.1:0?mode=message={NOBODY}", ["mode", "tcp"]),
    (f"tcp://127.0.0.1:0={NOBODY}?mode=message", ["mode"]),
    ("tcp://127.0.0.1:0=npipe:x?mode=message", ["mode"]),
    ("tcp://127.0.0.1:0=npipe:x?perm=0600", ["perm"]),
    (f"npipe:uvrelay-x?perm=0600={NOBODY}", ["perm"]),
    (f"tcp://127.0.0.1:0?perm=0600={NOBODY}", ["perm"]),
    (f"tcp://127.0.0.1:0?impersonation=identification={NOBODY}", ["impersonation"]),
    (f"npipe:uvrelay-x?mode=stream={NOBODY}", ["mode", "stream"]),
    (f"npipe:uvrelay-x?eof=no={NOBODY}", ["eof", "no"]),
    (f"npipe:uvrelay-x?colour=blue={NOBODY}", ["colour"]),
    (f"npipe:uvrelay-x?linger=x={NOBODY}", ["linger", "x"]),
    (f"npipe:uvrelay-x?linger=-1={NOBODY}", ["linger", "-1"]),
    (f"npipe:uvrelay-x?idle=100000={NOBODY}", ["idle", "100000"]),
    (f"npipe:uvrelay-x?max=0={NOBODY}", ["max", "0"]),
    (f"npipe:uvrelay-x?max=x={NOBODY}", ["max", "x"]),
    (f"npipe:uvrelay-x?={NOBODY}", []),
    (f"npipe:uvrelay-x?linger={NOBODY}", ["linger"]),
    (f"npipe:uvrelay-x?linger=1&linger=2&={NOBODY}", []),
    ("tcp://127.0.0.1:0=tcp://127.0.0.1:9?timeout=", ["timeout"]),
    ("tcp://127.0.0.1:0=npipe:x?impersonation=all", ["impersonation", "all"]),
    ("tcp://127.0.0.1:0", ["="]),
    ("=tcp://127.0.0.1:9", []),
    ("tcp://127.0.0.1:0=", []),
    ("tcp://127.0.0.1=tcp://127.0.0.1:9", ["tcp://127.0.0.1"]),
    ("tcp://127.0.0.1:65536=tcp://127.0.0.1:9", ["65536"]),
    ("tcp://127.0.0.1:0=tcp://127.0.0.1:0", []),
    ("gopher://127.0.0.1:0=tcp://127.0.0.1:9", ["gopher"]),
    ("tcp://127.0.0.1:0=gopher://127.0.0.1:9", ["gopher"]),
    ("npipe:=tcp://127.0.0.1:9", []),
    ("tcp://127.0.0.1:0=fd://3", ["fd"]),
], ids=lambda value: value if isinstance(value, str) else "")
def test_wrong_routes(route, words):
    sentence = refused(route, code=2)
    assert all(word in sentence for word in words), sentence


@pytest.mark.parametrize("args, words", [
    ([], ["LISTEN=TARGET"]),
    (["--colour=blue", f"tcp://127.0.0.1:0={NOBODY}"], ["colour"]),
    (["--linger=x", f"tcp://127.0.0.1:0={NOBODY}"], ["linger"]),
    (["--drain=x", f"tcp://127.0.0.1:0={NOBODY}"], ["drain"]),
    (["--status=0", f"tcp://127.0.0.1:0={NOBODY}"], ["status"]),
    (["--config=Z:\\absent\\file"], ["absent"]),
])
def test_wrong_usage(args, words):
    result = run_relay("serve", *args)
    assert (result.code, result.stdout) == (2, b"")
    first = result.stderr.split("\n")[0]
    assert first.startswith("uvrelay: ") and all(word in first for word in words), result.stderr


def test_help():
    for flag in ("-h", "--help", "-help"):
        result = run_relay("serve", flag)
        assert (result.code, result.stderr) == (0, "")
        usage = result.stdout.decode()
        assert "LISTEN=TARGET" in usage and "--drain" in usage and max(map(len, usage.splitlines())) <= 80


# ---- the config file ----


def test_config(tmp_path, target):
    pipe = unique_pipe()
    file = tmp_path / "uvrelay ü.conf"
    file.write_bytes("\ufeff# comment\r\n\r\n  linger=3 # three\r\n"
                     f"tcp://127.0.0.1:0={target.address}\r\n\t{pipe}?mode=message={target.address} # x\r\n"
                     .encode())
    with Serve(f"{listen_address('byte')}={target.address}", options=[f"--config={windows_path(file)}"],
               verbose=False) as serve:
        with PipeClient(pipe, "send=5", "await", mode="message") as client:
            target.accept().receive(5)
            client.write(b"\n")
            client.finish()
        assert serve.running


@pytest.mark.parametrize("text, line, words", [
    ("tcp://127.0.0.1:0\n", 1, []),
    ("# fine\r\ncolour=blue\r\n", 2, ["colour"]),
    (f"\n\ntcp://127.0.0.1:0?eof=marker={NOBODY}\n", 3, ["eof"]),
    ("linger=1\nlinger=x\n", 2, ["linger"]),
])
def test_config_errors(tmp_path, text, line, words):
    file = tmp_path / "x.conf"
    file.write_text(text, newline="")
    result = run_relay("serve", f"--config={windows_path(file)}")
    assert result.code == 2
    sentence = error_sentence(result.stderr)
    place = re.search(r"x\.conf:(\d+):(\d+): ", sentence)
    assert place and int(place[1]) == line, sentence
    assert all(word in sentence for word in words), sentence

"""Routes whose clients would come back to them: the same place in another spelling, routes that lead to each other, and
what only shows when a name or a file is looked up. One client of such a route would become as many as there may be."""

import contextlib
import os
import pathlib
import socket

import pytest
from assuanpeer import refused_port
from programs import unique_name
from serving import Serve, ask, connect, ends, listener, refused

pytestmark = pytest.mark.sanitized

#: A host that is not an address in our eyes, and that a look-up finds to be 127.0.0.1 on every machine.
NAME = "0x7f.0.0.1"


def own_address():
    """An IPv4 address of this computer that is not of the loopback network, or None."""
    with contextlib.closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as probe:
        try:
            probe.connect(("192.0.2.1", 9)) # sends nothing
        except OSError:
            return None
        address = probe.getsockname()[0]
    return None if address.startswith("127.") else address


@pytest.mark.parametrize("front, target", [
    ("tcp://127.0.0.1:PORT", "tcp://127.0.0.1:PORT"),
    ("tcp://127.0.0.1:PORT", "tcp://localhost:PORT"),
    ("tcp://localhost:PORT", "tcp://LOCALHOST:PORT"),
    ("tcp://127.0.0.1:PORT", "tcp://[::ffff:127.0.0.1]:PORT"),
    ("tcp://127.0.0.1:PORT", "tcp://[::FFFF:7f00:1]:PORT"),
    ("tcp://127.0.0.1:PORT", "tcp://0.0.0.0:PORT"),
    ("tcp://127.1.2.3:PORT", "tcp://127.1.2.3:PORT"),
    ("tcp://[::1]:PORT", "tcp://[0:0:0:0:0:0:0:1]:PORT"),
    ("tcp://[::1]:PORT", "tcp://[0000::0.0.0.1]:PORT"),
    ("tcp://[::1]:PORT", "tcp://[::]:PORT"),
    ("tcp://[::1]:PORT", "tcp://localhost:PORT"),
    ("tcp://localhost:PORT", "tcp://127.0.0.1:PORT"),
    ("tcp://localhost:PORT", "tcp://[::1]:PORT"),
    ("tcp://localhost:PORT", "tcp://[::]:PORT"),
    ("tcp://localhost:PORT", "tcp:0.0.0.0:PORT"),
    ("tcp://0.0.0.0:PORT", "tcp://127.0.0.1:PORT"),
    ("tcp://0.0.0.0:PORT", "tcp://127.9.9.9:PORT"),
    ("tcp://0.0.0.0:PORT", "tcp://localhost:PORT"),
    ("tcp://0.0.0.0:PORT", "tcp://OWN:PORT"),
    ("tcp://[::]:PORT", "tcp://[::1]:PORT"),
])
def test_a_port_in_another_spelling(front, target):
    if "OWN" in target and own_address() is None:
        pytest.skip("this computer has no address but loopback's")
    port = str(refused_port())
    target = target.replace("PORT", port).replace("OWN", own_address() or "")
    line = refused("--allow-remote", f"{front.replace('PORT', port)}={target}", code=2)
    assert line == f"{target.replace('tcp:0', 'tcp://0')} would be its own target"


@pytest.mark.parametrize("front, target", [
    ("tcp://127.0.0.1:PORT", "tcp://127.0.0.2:PORT"),
    ("tcp://127.0.0.1:PORT", "tcp://[::1]:PORT"),
    ("tcp://[::1]:PORT", "tcp://127.0.0.1:PORT"),
    ("tcp://[::]:PORT", "tcp://127.0.0.1:PORT"),
    ("tcp://127.0.0.1:PORT", "tcp://[::ffff:127.0.0.2]:PORT"),
])
def test_another_place_with_the_same_port(front, target):
    """It is no ring: where the target does not listen, only its client sees that."""
    port = str(refused_port())
    route = f"{front}={target}".replace("PORT", port)
    with Serve("--allow-remote", route) as serve, connect(route.split("=")[0].replace("[::]", "[::1]")) as client:
        ends(client)
        serve.wait_closed()
        serve.wait_match(r"failed: .*ECONNREFUSED")
        assert len(serve.matches(r"#\d+: opened")) == 1


@pytest.mark.parametrize("spelling", ["same", "doubled", "dotted", "link", "link to the directory"])
def test_a_socket_in_another_spelling(tmp_path, spelling):
    (tmp_path / "sockets").mkdir()
    path, link = tmp_path / "sockets" / "s", tmp_path / "link"
    if spelling == "link":
        link.symlink_to(path)
    elif spelling == "link to the directory":
        link.symlink_to(tmp_path / "sockets")
    other = {"same": path, "doubled": f"{tmp_path}//sockets/s", "dotted": f"{tmp_path}/sockets/../sockets/./s",
             "link": link, "link to the directory": link / "s"}[spelling]
    assert refused(f"unix://{path}=unix://{other}", code=2) == f"unix://{other} would be its own target"
    assert not os.path.lexists(path)


@pytest.mark.parametrize("where", ["tcp", "unix", "abstract"])
def test_a_socket_that_was_passed_on(tmp_path, where):
    name = f"abstract:{unique_name('passed')}"
    with contextlib.closing(listener({"tcp": 0, "unix": tmp_path / "s", "abstract": name}[where])) as passed:
        target = {"tcp": f"tcp://localhost:{passed.getsockname()[1] if where == 'tcp' else 0}",
                  "unix": f"unix://{tmp_path}/s", "abstract": name}[where]
        assert refused(f"fd://3={target}", code=2, sockets=[passed]) == f"{target} would be its own target"


def test_two_routes_that_lead_to_each_other(tmp_path):
    port = refused_port()
    there, back = f"unix://{tmp_path}/a=tcp://localhost:{port}", f"tcp://127.0.0.1:{port}=unix://{tmp_path}/a"
    for first, second in ((there, back), (back, there)):
        line = refused(first, second, code=2)
        assert line == f"a client of {second} would be relayed in a loop, because {first} leads back there"
        assert not os.path.lexists(tmp_path / "a")


def test_a_longer_ring(tmp_path):
    routes = [f"unix://{tmp_path}/{i}=unix://{tmp_path}/{(i + 1) % 5}" for i in range(5)]
    line = refused(*routes, code=2)
    assert line == f"a client of {routes[4]} would be relayed in a loop, because {routes[3]} leads back there"
    assert os.listdir(tmp_path) == []


def test_a_chain_is_no_ring(tmp_path, back):
    routes = [f"unix://{tmp_path}/{i}=unix://{tmp_path}/{i + 1}" for i in range(5)]
    with Serve(*routes, f"unix://{tmp_path}/5={back.address}"), connect(f"unix://{tmp_path}/0") as client:
        ask(client)


def test_a_name_that_leads_back(tmp_path):
    """Whether it does shows when it is looked up, for each client again; the client is sent away, and nothing more."""
    port, name = refused_port(), NAME
    with Serve(f"tcp://127.0.0.1:{port}=tcp://{name}:{port}") as serve:
        for _ in range(3):
            with connect(f"tcp://127.0.0.1:{port}") as client:
                ends(client)
        serve.wait_closed(3)
        assert len(serve.matches(r"#\d+: opened")) == 3
        assert len(serve.matches(r"failed: .*its own target")) == 3


def test_names_that_lead_in_a_ring():
    one, two = refused_port(), refused_port()
    with Serve(f"tcp://127.0.0.1:{one}=tcp://{NAME}:{two}", f"tcp://127.0.0.1:{two}=tcp://{NAME}:{one}") as serve:
        for _ in range(3):
            with connect(f"tcp://127.0.0.1:{one}") as client:
                ends(client)
        serve.wait_closed(6)
        assert len(serve.matches(r"#\d+: opened")) == 6
        assert len(serve.matches(r"failed: .*would be relayed in a loop")) == 3


def test_a_socket_file_that_leads_back(tmp_path):
    port = refused_port()
    file = tmp_path / "S.gpg-agent"
    file.write_bytes(b"%d\n" % port + bytes(16))
    with Serve(f"tcp://127.0.0.1:{port}=assuan://{file}") as serve, connect(f"tcp://127.0.0.1:{port}") as client:
        ends(client)
        serve.wait_closed()
        serve.wait_match(r"would be its own target")
        assert len(serve.matches(r"#\d+: opened")) == 1


def test_what_the_far_end_connects_to_is_elsewhere(tmp_path):
    """The same spelling there is another place: at worst this one, but that this end cannot know."""
    port = refused_port()
    program = pathlib.Path(os.environ["UVRELAY"])
    with Serve(f"--via={program} mux", f"tcp://127.0.0.1:{port}=via:tcp://127.0.0.1:{port}") as serve:
        serve.wait_match("listening")

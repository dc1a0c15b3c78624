"""A running serve reads its configuration again: what has not changed goes on, listeners stay, and an error changes
nothing."""

import os
import signal
import socket

import pytest
from reloading import can_connect, done
from serving import ask, connect, ends, listener, wait_for
from via import MUX

pytestmark = pytest.mark.sanitized

NOBODY = "tcp://127.0.0.1:9"


# What changes.

def test_nothing_changes(config, path, back):
    config.write(f"unix://{path}={back.address}")
    with config.serve() as serve:
        with connect(f"unix://{path}") as client:
            ask(client)
            inode = path.stat().st_ino
            assert config.reload() == done(unchanged=1)
            assert path.stat().st_ino == inode
            ask(client)
            with connect(f"unix://{path}") as second:
                ask(second)
                assert config.routes()[f"unix://{path}"]["total"] == 2
        assert "closed" not in serve.stderr.split("read again")[0]


def test_a_route_more_and_one_less(config, path, tmp_path, back):
    first, second = tmp_path / "1", tmp_path / "2"
    config.write("drain=60", f"unix://{first}={back.address}", f"unix://{path}={back.address}")
    with config.serve() as serve, connect(f"unix://{first}") as client, connect(f"unix://{path}") as stays:
        ask(client)
        ask(stays)
        assert config.reload("drain=60", f"unix://{path}={back.address}", f"unix://{second}={back.address}") == done(
            unchanged=1, new=1, gone=1)
        wait_for(lambda: not first.exists(), "the first one listens no more")
        with connect(f"unix://{second}") as third:
            ask(third)
        ask(client)  # it has 60 s
        ask(stays)
        assert config.home.status()[0]["draining_routes"] == 1
        client.close()
        wait_for(lambda: config.home.status()[0]["draining_routes"] == 0, "it is gone")
        assert list(config.routes()) == [f"unix://{path}", f"unix://{second}"]
        assert serve.matches("interrupted") == []


def test_what_is_gone_has_so_long(config, path, tmp_path, back):
    config.write("drain=0.3", f"unix://{path}={back.address}", f"unix://{tmp_path}/2={back.address}")
    with config.serve(), connect(f"unix://{path}") as client:
        ask(client)
        config.reload("drain=0.3", f"unix://{tmp_path}/2={back.address}")
        ends(client)


@pytest.mark.parametrize("listen", ["unix://{}", "tcp://127.0.0.1:0", "abstract:{}"])
def test_another_target(config, path, back, other, listen):
    """The listener stays the same, a port that was chosen, too. Connections end in their time."""
    listen = listen.format(path)
    config.write("drain=60", f"{listen}={back.address}")
    with config.serve() as serve:
        where = serve.listen()
        with connect(where) as client:
            ask(client)
            assert config.reload("drain=60", f"{listen}={other.address}?timeout=3") == done(changed=1)
            assert list(config.routes()) == [where]
            with connect(where) as second:
                ask(second)
                ask(client)
            assert other.total == 1
            assert config.routes()[where]["target"] == other.address


@pytest.mark.parametrize("before, after", [("", "?perm=0666"), ("?perm=0666", ""), ("", "?peer-uid=user")])
def test_a_listener_that_is_made_anew(config, path, back, before, after):
    config.write("drain=60", f"unix://{path}{before}={back.address}")
    with config.serve(), connect(f"unix://{path}") as client:
        ask(client)
        assert config.reload("drain=60", f"unix://{path}{after}={back.address}") == done(changed=1)
        assert path.stat().st_mode & 0o777 == (0o666 if "0666" in after else 0o600)
        with connect(f"unix://{path}") as second:
            ask(second)
        ask(client)


def test_localhost_instead_of_its_address(config, back):
    """Both have the same port, of which one must be let go first."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    config.write(f"tcp://127.0.0.1:{port}={back.address}")
    with config.serve():
        for listen in (f"tcp://localhost:{port}", f"tcp://127.0.0.1:{port}"):
            assert config.reload(f"{listen}={back.address}") == done(changed=1)
            with connect(f"tcp://127.0.0.1:{port}") as client:
                ask(client)


def test_routes_that_change_places(config, tmp_path, back, other):
    one, two = f"unix://{tmp_path}/1", f"unix://{tmp_path}/2"
    config.write(f"{one}={back.address}", f"{two}={other.address}")
    with config.serve():
        assert config.reload(f"{two}={back.address}", f"{one}={other.address}") == done(changed=2)
        routes = config.routes()
        assert (routes[one]["target"], routes[two]["target"]) == (other.address, back.address)
        for where in (one, two):
            with connect(where) as client:
                ask(client)


def test_routes_whose_order_is_turned_round(config, tmp_path, back):
    """Neither before nor after is it a ring; nor is it one on the way, in whatever order the lines are."""
    one, two, three = (f"unix://{tmp_path}/{number}" for number in "123")
    before = [f"{one}={two}", f"{two}={three}", f"{three}={back.address}"]
    after = [f"{three}={two}", f"{two}={one}", f"{one}={back.address}"]
    config.write(*before)
    with config.serve():
        for lines in (after, before, after[::-1], before[::-1]):
            assert config.reload(*lines) == done(changed=3)
            assert {f"{listen}={route['target']}" for listen, route in config.routes().items()} == set(lines)
            for where in (one, two, three):
                with connect(where) as client:
                    ask(client)


@pytest.mark.parametrize("before, after", [
    (["1=back", "2=1"], ["2=back", "1=2"]),
    (["1=2", "2=back"], ["1=back", "2=1"]),
    (["1=3"], ["1=back", "3=1"]),
], ids=["turned", "turned-back", "new"])
def test_routes_that_go_back_in_turn(config, tmp_path, back, before, after):
    """What is made again leads to what another route has led from meanwhile."""

    def lines(routes):
        ends = (route.split("=") for route in routes)
        return [f"unix://{tmp_path}/{one}={back.address if two == 'back' else f'unix://{tmp_path}/{two}'}"
                for one, two in ends]

    config.write(*lines(before))
    with listener(tmp_path / "busy"), config.serve() as serve:
        config.reload(*lines(after), f"unix://{tmp_path}/busy={back.address}", code=1)
        assert sorted(f"{listen}={route['target']}" for listen, route in config.routes().items()) == lines(before)
        serve.wait_stderr("nothing was changed by the reload\n")
        assert "in a loop" not in serve.stderr, serve.stderr


def test_the_directory_of_a_new_route(config, path, tmp_path, back):
    config.write(f"unix://{path}={back.address}")
    with config.serve():
        config.reload(f"unix://{path}={back.address}", f"unix://{tmp_path}/a/b/s={back.address}")
        assert can_connect(tmp_path / "a" / "b" / "s")


def test_a_far_end_that_is_needed_now(config, path, tmp_path, back):
    config.write(f"unix://{path}={back.address}")
    with config.serve():
        config.reload(f"via={' '.join(MUX)}", f"unix://{path}={back.address}", f"unix://{tmp_path}/2=via:{back.address}")
        with connect(f"unix://{tmp_path}/2") as client:
            ask(client)
            assert config.home.status()[0]["far_end"]["state"] == "running"
            assert "need a restart" not in config.reload()
            ask(client)


def test_the_far_end_of_a_reload_that_has_failed(config, path, tmp_path, back):
    """It was not needed so far: the next reload may name another one."""
    config.write(f"unix://{path}={back.address}")
    with config.serve(), listener(tmp_path / "busy"):
        before = config.home.status()
        routes = [f"unix://{path}={back.address}", f"unix://{tmp_path}/2=via:{back.address}"]
        for command in ("/bin/false", "/bin/true"):
            text = config.reload(f"via={command}", *routes, f"unix://{tmp_path}/busy={back.address}", code=1)
            assert "another program is listening" in text
            assert "far_end" not in config.home.status()[0] and "far_end" not in before[0]
        assert "cannot find" in config.reload("via=/nonexistent/x", *routes, code=1)
        assert config.reload(routes[0]) == done(unchanged=1)
        assert config.reload(f"via={' '.join(MUX)}", *routes) == done(unchanged=1, new=1)
        with connect(f"unix://{tmp_path}/2") as client:
            ask(client)
        assert config.home.status()[0]["far_end"]["command"] == " ".join(MUX)
        assert config.reload("via=/bin/false", *routes) == f"{done(unchanged=2)}; changes to via need a restart"


def test_the_far_end_stays(config, path, tmp_path, back):
    config.write(f"via={' '.join(MUX)}", "drain=60", f"unix://{path}=via:{back.address}")
    with config.serve(), connect(f"unix://{path}") as client:
        ask(client)
        before = config.home.status()[0]["far_end"]["pid"]
        text = config.reload("via=/bin/false", "json=true", "eager=true", "window-total=2M", "control=off",
                             f"log-file={tmp_path}/log", "drain=60", f"unix://{path}=via:{back.address}?idle=50")
        assert text == (f"{done(changed=1)}; changes to via, eager, window-total, json, control, log-file need a restart")
        ask(client)
        with connect(f"unix://{path}") as second:
            ask(second)
        assert config.home.status()[0]["far_end"]["pid"] == before


def test_settings_that_apply(config, path, back):
    config.write(f"unix://{path}={back.address}")
    with config.serve(verbose=False) as serve:
        assert config.reload("verbose=true", "status=50ms", f"unix://{path}={back.address}") == done(unchanged=1)
        serve.wait_match(r"^ +open +total", 2)
        with connect(f"unix://{path}") as client:
            ask(client)
        serve.wait_match(r"#1: closed after")
        assert config.reload(f"unix://{path}={back.address}") == done(unchanged=1)
        with connect(f"unix://{path}") as client:
            ask(client)
        assert config.routes()[f"unix://{path}"]["total"] == 2 and serve.matches("#2: ") == []


# What fails, and changes nothing.

def refusals(path, back, tmp_path):
    good = f"unix://{path}={back.address}"
    return {
        "nonsense": ([good, "nonsense"], ":2:1: "),
        "twice": ([good, good], "twice"),
        "no-route": (["# nothing"], "no route"),
        "target": ([f"unix://{path}=tcp://x"], ":1:"),
        "owner": (["owner=user", f"unix://{path}={NOBODY}"], ":2:1: "),
        "directory": ([f"unix://{path}={NOBODY}", "unix:///dev/null/s=" + NOBODY], ":2:1: "),
        "busy": ([f"unix://{path}={NOBODY}?idle=5", f"unix://{tmp_path}/busy={NOBODY}"], "another program is listening"),
        "far-end": ([f"unix://{path}={NOBODY}", "via=/nonexistent/x", f"unix://{tmp_path}/2=via:{NOBODY}"], ":2:5: "),
        "ring": ([f"unix://{path}=unix://{tmp_path}/2", f"unix://{tmp_path}/2=unix://{path}"], "come back to it"),
        "anew-and-busy": ([f"unix://{path}?perm=0666={NOBODY}", f"unix://{tmp_path}/busy={NOBODY}"],
                          "another program is listening"),
    }


@pytest.mark.parametrize("kind", list(refusals("", type("", (), {"address": ""}), "")))
def test_an_error_changes_nothing(config, path, tmp_path, back, kind):
    lines, expected = refusals(path, back, tmp_path)[kind]
    with listener(tmp_path / "busy"):
        config.write(f"unix://{path}={back.address}")
        with config.serve() as serve, connect(f"unix://{path}") as client:
            ask(client)
            text = config.reload(*lines, code=1)
            assert expected in text and text.endswith(": nothing was changed by the reload"), text
            serve.wait_stderr("nothing was changed by the reload\n")
            assert serve.stderr.count("nothing was changed by the reload\n") == 1, serve.stderr
            ask(client)
            with connect(f"unix://{path}") as second:
                ask(second)
            assert path.stat().st_mode & 0o777 == 0o600
            assert list(config.routes()) == [f"unix://{path}"] and not (tmp_path / "2").exists()
            assert config.reload(f"unix://{path}={back.address}") == done(unchanged=1)
            ask(client)


def test_a_listener_that_goes_back(config, tmp_path, path, back):
    """One listener is made anew, another one cannot be: both are as they were."""
    one, two = tmp_path / "1", tmp_path / "d" / "2"
    two.parent.mkdir()
    config.write("drain=60", f"unix://{one}={back.address}", f"unix://{two}={back.address}")
    with config.serve(), connect(f"unix://{one}") as client:
        ask(client)
        two.unlink()  # somebody takes its place
        with listener(two):
            text = config.reload("drain=60", f"unix://{one}?perm=0666={back.address}",
                                 f"unix://{two}?perm=0666={back.address}", code=1)
            assert "another program is listening there" in text
            assert one.stat().st_mode & 0o777 == 0o600
            with connect(f"unix://{one}") as second:
                ask(second)
            ask(client)


@pytest.mark.parametrize("others", [True, False])
def test_a_listener_that_cannot_go_back(config, tmp_path, path, back, others):
    """It is said that it is lost; and a serve of which no route is left ends, so that it can be started again."""
    one = tmp_path / "d" / "1"
    one.parent.mkdir()
    rest = [f"unix://{path}={back.address}"] if others else []
    config.write(f"unix://{one}={back.address}", *rest)
    with config.serve() as serve:
        one.parent.rename(tmp_path / "moved")
        (tmp_path / "d").write_text("a file")
        text = config.reload(f"unix://{one}?perm=0666={back.address}", *rest, code=1)
        assert text.endswith(": the reload was undone, but 1 route could not be restored: the log says why"), text
        serve.wait_match(f"cannot listen on unix://{one}: not a directory")
        if others:
            assert list(config.routes()) == [f"unix://{path}"]
            (tmp_path / "d").unlink()
            assert config.reload() == done(unchanged=1, new=1)
            assert can_connect(one) and can_connect(path)
        else:
            serve.ended(1)


def test_a_file_that_is_gone(config, path, back):
    config.write(f"unix://{path}={back.address}")
    with config.serve():
        config.file.unlink()
        assert "cannot read the file" in config.reload(code=1)
        with connect(f"unix://{path}") as client:
            ask(client)


def test_standard_input(config, path, back):
    config.write(f"unix://{path}={back.address}")
    with open(config.file, "rb") as text, config.home.serve("--config=-", stdin=text) as serve:
        assert "nothing to read again" in config.reload()
        with connect(f"unix://{path}") as client:
            ask(client)
        serve.send_signal(signal.SIGHUP)
        serve.ended(0)
    with open(config.file, "rb") as text, config.home.serve(
            "--config=-", "--config", config.file.with_name("other"), stdin=text, wait=False) as serve:
        serve.ended(2)


def test_a_pipe(config, path, back):
    """As of --config=<(COMMAND): to read it once more would wait for a writer, and hold up all."""
    fifo = config.file.with_name("fifo")
    os.mkfifo(fifo)
    config.write(f"unix://{path}={back.address}")
    with config.home.serve("--config", fifo, wait=False) as serve:
        fifo.write_text(config.file.read_text())
        serve.wait_match(r".*: listening")
        text = config.reload(code=1)
        assert text.endswith('/fifo" is not a regular file: restart uvrelay serve: nothing was changed by the reload'), text
        serve.send_signal(signal.SIGHUP)
        with connect(f"unix://{path}") as client:
            ask(client)
        serve.stop()

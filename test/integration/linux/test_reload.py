"""A running serve reads its configuration again: what has not changed goes on, listeners stay, and an error changes
nothing. By SIGHUP, by `uvrelay reload`, by several at once; and as systemd sees it."""

import contextlib
import os
import pathlib
import pty
import re
import signal
import socket
import subprocess
import threading

import bytestream
import pytest
from control import Home
from programs import SOON
from serving import PROGRAM, SANITIZED, EchoServer, Target, ask, connect, echo, ends, listener, swap, wait_for
from via import MUX

pytestmark = pytest.mark.sanitized

NOBODY = "tcp://127.0.0.1:9"


class Config:
    """A configuration file, and the serve that reads it."""

    def __init__(self, directory, *lines):
        self.file, self.home = directory / "routes.conf", Home(directory / "home")
        self.write(*lines)

    def write(self, *lines):
        self.file.write_text("".join(f"{line}\n" for line in lines))

    def serve(self, *args, **options):
        return self.home.serve("--config", self.file, *args, **options)

    def reload(self, *lines, code=0):
        if lines:
            self.write(*lines)
        return self.home.reload(code)

    def routes(self):
        return {route["listen"]: route for route in self.home.status()[0]["routes"]}


@pytest.fixture
def config(tmp_path):
    return Config(tmp_path)


@pytest.fixture
def other(tmp_path):
    with EchoServer(tmp_path / "back2") as server:
        yield server


def done(unchanged=0, changed=0, new=0, gone=0):
    return (f"the configuration was read again: {unchanged} route{'s' if unchanged != 1 else ''} unchanged, "
            f"{changed} changed, {new} new, {gone} gone")


def can_connect(path):
    try:
        connect(f"unix://{path}").close()
    except OSError:
        return False
    return True


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
        assert serve.matches("cut") == []


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
        assert "ring" not in serve.stderr, serve.stderr


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
            assert "another program listens" in text
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
        before = config.home.status()[0]["far_end"]["process"]
        text = config.reload("via=/bin/false", "json=true", "eager=true", "window-total=2M", "control=off",
                             f"log-file={tmp_path}/log", "drain=60", f"unix://{path}=via:{back.address}?idle=50")
        assert text == (f"{done(changed=1)}; changes to via, eager, window-total, json, control, log-file need a restart")
        ask(client)
        with connect(f"unix://{path}") as second:
            ask(second)
        assert config.home.status()[0]["far_end"]["process"] == before


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
        "busy": ([f"unix://{path}={NOBODY}?idle=5", f"unix://{tmp_path}/busy={NOBODY}"], "another program listens"),
        "far-end": ([f"unix://{path}={NOBODY}", "via=/nonexistent/x", f"unix://{tmp_path}/2=via:{NOBODY}"], ":2:5: "),
        "ring": ([f"unix://{path}=unix://{tmp_path}/2", f"unix://{tmp_path}/2=unix://{path}"], "come back to it"),
        "anew-and-busy": ([f"unix://{path}?perm=0666={NOBODY}", f"unix://{tmp_path}/busy={NOBODY}"],
                          "another program listens"),
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
            assert "another program listens there" in text
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
        assert text.endswith(": the reload was undone, but 1 route could not be made again: the log says why"), text
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
        assert text.endswith('/fifo" is no ordinary file: restart it: nothing was changed by the reload'), text
        serve.send_signal(signal.SIGHUP)
        with connect(f"unix://{path}") as client:
            ask(client)
        serve.stop()


# Signals, and systemd.

def test_sighup(config, path, tmp_path, back):
    config.write(f"unix://{path}={back.address}")
    with config.serve() as serve, connect(f"unix://{path}") as client:
        ask(client)
        config.write(f"unix://{path}={back.address}", f"unix://{tmp_path}/2={back.address}")
        serve.send_signal(signal.SIGHUP)
        serve.wait_match(re.escape(done(unchanged=1, new=1)))
        assert can_connect(tmp_path / "2")
        ask(client)


def test_sighup_while_it_stops(config, path, back):
    """It is no second signal, which would cut what is open."""
    config.write("drain=60", f"unix://{path}={back.address}")
    with config.serve() as serve, connect(f"unix://{path}") as client:
        ask(client)
        serve.send_signal(signal.SIGTERM)
        wait_for(lambda: not path.exists(), "it does not listen any more")
        serve.send_signal(signal.SIGHUP)
        assert "it is stopping" in config.reload(code=1)
        ask(client)
        client.close()
        serve.ended(0)


def test_sighup_without_a_file(path, back, tmp_path):
    """It ends, as it always has."""
    with Home(tmp_path / "home").serve(f"unix://{path}={back.address}") as serve:
        serve.send_signal(signal.SIGHUP)
        serve.ended(0)


def test_the_terminal_goes(config, path, back):
    """Then SIGHUP is no request."""
    config.write(f"unix://{path}={back.address}")
    child, terminal = pty.fork()
    if child == 0:
        with contextlib.suppress(OSError):
            os.execve(PROGRAM, [PROGRAM, "serve", f"--config={config.file}"], {**os.environ, **config.home.env})
        os._exit(127)
    wait_for(lambda: can_connect(path), "it listens")
    config.write(f"unix://{path}={back.address}", "idle=50")
    os.kill(child, signal.SIGHUP)  # the terminal is still there
    wait_for(lambda: "read again" in os.read(terminal, 4096).decode(), "it was a request")
    os.close(terminal)
    _, status = os.waitpid(child, 0)
    assert os.WIFEXITED(status) and os.WEXITSTATUS(status) == 0
    assert not path.exists()


def test_what_systemd_is_told(config, path, back):
    config.write(f"unix://{path}={back.address}")
    with config.serve() as serve:
        config.reload()
        config.reload("nonsense", code=1)
        lines = wait_for(lambda: [] if serve._notify.lines().count("READY=1") < 3 else serve._notify.lines(), "READY=1")
        assert lines[0] == "READY=1"
        for at in (1, 4):
            assert lines[at] == "RELOADING=1" and re.fullmatch(r"MONOTONIC_USEC=\d{6,}", lines[at + 1])
            assert lines[at + 2] == "READY=1"


def test_one_of_several(config, path, tmp_path, back):
    config.write(f"unix://{path}={back.address}")
    with config.serve() as serve, config.home.serve(f"unix://{tmp_path}/2={back.address}") as without:
        answer = config.home.run("reload", serve.pid)
        assert answer.returncode == 0 and answer.stdout == f"uvrelay: process {serve.pid}: {done(unchanged=1)}\n"
        answer = config.home.run("reload")
        assert answer.returncode == 0 and answer.stdout.count("\n") == 2
        assert f"process {without.pid}: it has no configuration file" in answer.stdout
        answer = config.home.run("reload", 1)
        assert answer.returncode == 1 and "as process 1:" in answer.stderr


def test_two_at_once(config, path, back):
    """Listeners are made anew each time; nobody is left without an answer."""
    config.write(f"unix://{path}={back.address}")
    with config.serve() as serve:
        stop = threading.Event()

        def change():
            turn = 0
            while not stop.is_set():
                turn += 1
                temporary = config.file.with_name("next")
                temporary.write_text(f"unix://{path}?perm=0{600 + turn % 2 * 66}={back.address}\n")
                temporary.replace(config.file)
                stop.wait(0.005)

        changer = threading.Thread(target=change)
        changer.start()
        try:
            several = [subprocess.Popen([PROGRAM, "reload"], env={**os.environ, **config.home.env},
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE) for _ in range(20)]
            for _ in range(50):
                serve.send_signal(signal.SIGHUP)
            for one in several:
                output, errors = one.communicate(timeout=SOON)
                assert one.returncode == 0 and b"read again" in output, (output, errors)
        finally:
            stop.set()
            changer.join()
        config.reload()
        with connect(f"unix://{path}") as client:
            ask(client)


def test_it_stops_meanwhile(config, path, back):
    for _ in range(5):
        config.write(f"unix://{path}={back.address}")
        with config.serve() as serve, connect(f"unix://{path}") as client:
            ask(client)
            config.write(f"unix://{path}?perm=0666={back.address}", f"unix://{path}2={back.address}")
            serve.send_signal(signal.SIGHUP)
            serve.send_signal(signal.SIGTERM)
            client.close()
            serve.ended(0)
            assert not path.exists() and not pathlib.Path(f"{path}2").exists()


# What must hold.

@pytest.fixture
def streams(tmp_path):
    with Target(tmp_path / "t1", echo) as one, Target(tmp_path / "t2", echo) as two:
        yield one, two


def test_under_traffic(config, path, tmp_path, streams):
    """While bytes flow both ways, the configuration changes again and again: no connection fails, no byte is lost."""
    size, rounds = 2_000_000 if SANITIZED else 20_000_000, 12
    back, other = streams
    stays, changes = f"unix://{path}", f"unix://{tmp_path}/2"
    config.write("drain=60", f"{stays}={back.address}", f"{changes}={back.address}")
    with config.serve(verbose=False) as serve:
        failures, turns, stop = [], [0], threading.Event()

        def come_and_go(where):
            while not stop.is_set():
                try:
                    with connect(where) as client:
                        assert swap(client, 50_000, 5) == bytestream.sha256(50_000, 5)
                    turns[0] += 1
                except (AssertionError, OSError) as failure:
                    failures.append((where, failure))
                    return

        def stream(where):
            with connect(where) as client:
                if swap(client, size, 7) != bytestream.sha256(size, 7):
                    failures.append((where, "other bytes"))

        threads = [threading.Thread(target=come_and_go, args=(where,)) for where in (stays, changes)]
        long = [threading.Thread(target=stream, args=(where,)) for where in (stays, changes)]
        for thread in [*threads, *long]:
            thread.start()
        for turn in range(rounds):
            assert config.reload("drain=60", f"{stays}={back.address}",
                                 f"{changes}={[other, back][turn % 2].address}") == done(unchanged=1, changed=1)
        for thread in long:
            thread.join(60)
        stop.set()
        for thread in threads:
            thread.join(SOON)
        assert not failures and not any(thread.is_alive() for thread in [*threads, *long]), failures
        assert turns[0] >= 2
        one = config.routes()[stays]
        assert one["failed"] == 0 and one["to_target"] == one["to_client"] >= size
        assert serve.matches("failed|reset|broke") == []


def memory(pid):
    return int(re.search(r"VmRSS:\s+(\d+)", pathlib.Path(f"/proc/{pid}/status").read_text())[1])


def test_a_thousand_routes(config, tmp_path):
    lines = [f"unix://{tmp_path}/s{number}={NOBODY}" for number in range(1000)]
    config.write(*lines)
    with config.serve(verbose=False) as serve:
        assert config.reload() == done(unchanged=1000)
        changed = [f"{line}?idle=9" if number % 2 else line for number, line in enumerate(lines)]
        assert config.reload(*changed) == done(unchanged=500, changed=500)
        assert config.reload(*lines[:10]) == done(unchanged=5, changed=5, gone=990)
        wait_for(lambda: serve.descriptors() < 100, "the others are gone")
        assert config.reload(*lines) == done(unchanged=10, new=990)


def test_nothing_leaks(config, path, tmp_path, back):
    """However often: with routes that stay, change, are made anew, come and go, and errors."""
    stays, rounds = f"unix://{path}={back.address}", 60 if SANITIZED else 1000

    def lines(turn):
        return [stays, f"unix://{tmp_path}/2={[back.address, NOBODY][turn % 2]}",
                f"unix://{tmp_path}/3?perm=0{600 + turn % 2 * 66}={back.address}",
                f"unix://{tmp_path}/x{turn % 3}={back.address}", *(["nonsense"] if turn % 7 == 6 else [])]

    config.write(*lines(0))
    with config.serve(verbose=False) as serve, connect(f"unix://{path}") as client:
        def turn_over(turns):
            for turn in turns:
                config.write(*lines(turn))
                answer = config.home.ask(serve, b"reload\n")
                assert answer.startswith(b"ok\n" if turn % 7 != 6 else b"error "), answer
            config.reload(*lines(0))
            ask(client)

        turn_over(range(1, 22))
        descriptors, used = serve.descriptors(), memory(serve.pid)
        turn_over(range(1, rounds))
        wait_for(lambda: serve.descriptors() <= descriptors, "all descriptors are closed")
        assert SANITIZED or memory(serve.pid) < used + 2048

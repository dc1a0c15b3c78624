"""Who has a running serve read its configuration again: SIGHUP, systemd, `uvrelay reload`, several at once; and what must
hold under traffic and after many times."""

import contextlib
import os
import pathlib
import pty
import re
import signal
import subprocess
import threading

import bytestream
import pytest
from control import Home
from programs import SOON, unique_name
from reloading import can_connect, done
from serving import PROGRAM, SANITIZED, Target, ask, connect, echo, swap, wait_for

pytestmark = pytest.mark.sanitized

NOBODY = "tcp://127.0.0.1:9"


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
        lines = [line for line in lines if not line.startswith("STATUS=")]
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
    """Listeners are made again each time; no caller is left without an answer."""
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


def test_a_thousand_routes(config):
    """Without files: each is made by a child process, which the sanitizers make slow."""
    name = unique_name("many")
    lines = [f"abstract:{name}-{number}={NOBODY}" for number in range(1000)]
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

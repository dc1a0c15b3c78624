"""`uvrelay.exe serve` is asked how it is doing, reads its configuration again, and goes on without a console: as on Linux,
at a pipe of the user's own."""

import subprocess
import tempfile
import threading

import pytest
import logschema
from programs import SOON, unique_pipe, uvrelay_exe, windows_command, windows_path
from winserving import Client, PipeClient, Serve, TcpTarget, connect

NOBODY = "tcp://127.0.0.1:9"


def run(*args):
    """To files, not pipes: Wine passes a process's own standard error on to what it starts, whatever that asks for."""
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
        done = subprocess.run(windows_command(uvrelay_exe(), *args), stdout=output, stderr=errors, timeout=SOON,
                              stdin=subprocess.DEVNULL, check=False)
        for file, name in ((output, "stdout"), (errors, "stderr")):
            file.seek(0)
            setattr(done, name, file.read().decode().replace("\r\n", "\n"))
        return done


def status():
    done = run("status", "--json")
    return logschema.check_lines(done.stdout, "status") if done.returncode == 0 else []


def reload(code=0):
    done = run("reload")
    assert done.returncode == code, done
    return (done.stderr if code else done.stdout).strip()


@pytest.fixture
def target():
    with TcpTarget() as target:
        yield target


@pytest.fixture
def file(tmp_path):
    return tmp_path / "routes.conf"


def exchange(client, end, count=1000, seed=3):
    client.send(count, seed)
    end.receive(count, seed)
    end.send(count, seed + 1)
    client.receive(count, seed + 1)


def test_status_and_its_end(private_wine, target, file):
    nobody = run("status")
    assert nobody.returncode == 1 and "no uvrelay serve" in nobody.stderr
    assert "uvrelay.exe setup --logon" in nobody.stderr and "systemctl" not in nobody.stderr
    pipe = unique_pipe()
    file.write_text(f"{pipe}={target.address}\ntcp://127.0.0.1:0={target.address}\n")
    with Serve(options=(f"--config={windows_path(file)}",)) as serve:
        serve.wait_lines(r"\S+: listening", 2)
        one, = status()
        assert one["configurations"] == [windows_path(file)]
        assert [route["listen"] for route in one["routes"]][0] == pipe
        assert "route" in run("status").stdout and run("env").stdout.startswith("# ")
        directory = private_wine.local / "uvrelay" / "run"
        assert [entry.name for entry in directory.iterdir()] == [str(one["pid"])]
        serve.kill()
        serve.wait()
        assert status() == []
        (directory / "4242").touch()  # as after a loss of power
        assert status() == [] and list(directory.iterdir()) == []


def test_reload(private_wine, target, file):
    """Connections go on, pipes are taken over, and an error changes nothing."""
    first, second, third = unique_pipe("1"), unique_pipe("2"), unique_pipe("3")
    lines = ["drain=60", f"{first}={target.address}", f"{second}={target.address}"]
    file.write_text("".join(f"{line}\n" for line in lines))
    with Serve(options=(f"--config={windows_path(file)}",)) as serve:
        serve.wait_lines(r"\S+: listening", 2)
        with Client("byte", first) as client:
            end = target.accept()
            exchange(client, end)
            file.write_text(f"drain=60\n{first}={target.address}\n{second}={NOBODY}\n{third}={target.address}\n")
            assert reload().endswith("1 route unchanged, 1 changed, 1 new, 0 gone")
            routes = {route["listen"]: route for route in status()[0]["routes"]}
            assert list(routes) == [first, second, third] and routes[second]["target"] == NOBODY
            assert routes[first]["open"] == 1
            exchange(client, end)
            file.write_text(f"{first}={target.address}\nnonsense\n")
            assert "nothing was changed by the reload" in reload(1)
            file.write_text(f"drain=60\n{first}={target.address}\n{second}?mode=message={target.address}\n")
            assert reload().endswith("1 route unchanged, 1 changed, 0 new, 1 gone")  # it is made anew
            with PipeClient(second, "send=3") as other:
                target.accept().receive(3)
                other.finish()
            exchange(client, end)


@pytest.mark.parametrize("listener", ["tcp", "byte"])
def test_reload_under_traffic(private_wine, target, file, listener):
    """Bytes that are under way arrive, all of them, while the route changes again and again."""
    size = 3_000_000
    listen = "tcp://127.0.0.1:0" if listener == "tcp" else unique_pipe()
    text = f"drain=60\n{listen}={target.address}\n"
    file.write_text(text)
    with Serve(options=(f"--config={windows_path(file)}",)) as serve:
        serve.listens = [serve.wait_lines(r"\S+: listening")[0].split("=")[0]]
        with connect(serve, listener) as client:
            end = target.accept()
            failures = []

            def stream():
                try:
                    client.send(size, 3)
                    client.receive(size, 4)
                except BaseException as failure:
                    failures.append(failure)

            thread = threading.Thread(target=stream)
            thread.start()
            for turn in range(4):
                file.write_text(f"{text}idle={100 + turn}\n")
                assert reload().endswith("1 changed, 0 new, 0 gone")
            end.receive(size, 3)
            end.send(size, 4)
            thread.join(SOON)
            assert not failures and not thread.is_alive(), failures


def test_background(private_wine, target, file):
    pipe = unique_pipe()
    file.write_text(f"{pipe}={target.address}\n")
    for _ in range(2):  # the second one finds that it runs
        done = run("serve", "--background", "-v", f"--config={windows_path(file)}")
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    one, = status()
    with PipeClient(pipe, "send=5") as client:
        target.accept().receive(5)
        client.finish()
    log = private_wine.local / "uvrelay" / "serve.log"
    assert f"{pipe}={target.address}: listening" in log.read_text()
    file.write_text("nonsense\n")
    for config, text in ((file, "nonsense"), (file.with_name("absent"), "cannot read the file")):
        done = run("serve", "--background", f"--config={windows_path(config)}", f"{pipe}2={target.address}")
        assert done.returncode == 2 and text in done.stderr, done
    subprocess.run(windows_command("taskkill", "/F", "/PID", one["pid"]), check=True, capture_output=True,
                   timeout=SOON)
    assert status() == []

"""uvrelay.exe serve with routes to Linux: the far end is `wsl.exe -e uvrelay mux`, of Windows' own directory, unless
--via names another one; and the file in the usual place is read. WSL's program is one of test/peers; as Wine has no Linux
behind it, its far end is uvrelay.exe, which says that it cannot reach a Unix socket."""

import shutil
import socket

import pytest

from programs import Relay, peer, run_relay, subprocess, unique_pipe, uvrelay_exe, windows_command, windows_path
from winserving import PipeClient, Serve, TcpTarget

KEY = r"HKCU\Software\Microsoft\Windows\CurrentVersion\Lxss"


@pytest.fixture
def wsl(private_wine, monkeypatch):
    """WSL is installed, with a distribution."""
    shutil.copy(peer("wsl"), private_wine.system / "wsl.exe")
    subprocess.run(windows_command("reg", "add", KEY, "/v", "DefaultDistribution", "/d", "{0}", "/f"), check=True,
                   capture_output=True)
    monkeypatch.setenv("UVRELAY_TEST_FAR_END", windows_path(uvrelay_exe()))
    return private_wine


def test_routes_to_linux(wsl):
    one, two = unique_pipe(), unique_pipe()
    with TcpTarget() as target, Serve(f"{one}=via:{target.address}", f"{two}=unix:///run/user/1000/agent.sock") as serve:
        with PipeClient(one, "text=hello", "recv=3", "close") as client:
            end = target.accept()
            assert end.socket.recv(5) == b"hello"
            end.socket.sendall(b"bye")
            client.finish()
        serve.wait_stderr("far end: wsl.exe -e uvrelay mux started")
        with PipeClient(two, "recv-end") as client:
            assert client.event("recv-end")["bytes"] == 0
        serve.wait_stderr("cannot connect to unix:///run/user/1000/agent.sock: Unix sockets can be reached only from Linux")


def test_one_in_the_current_directory_is_not_meant(private_wine, tmp_path):
    shutil.copy(peer("wsl"), tmp_path / "wsl.exe")
    with Relay("serve", f"{unique_pipe()}=unix:///a", cwd=tmp_path) as serve:
        assert serve.wait() == 2 and "the Windows directory has no wsl.exe" in serve.stderr


@pytest.mark.parametrize("target, begin", [
    ("unix:///a", 'cannot connect to "unix:///a": Unix sockets can be reached only from Linux, not from Windows; run uvrelay there'),
    ("abstract:a", 'cannot connect to "abstract:a": abstract sockets exist only on Linux; run uvrelay there'),
    ("via:tcp://127.0.0.1:1", '"via:tcp://127.0.0.1:1" goes through a far end: ')])
def test_without_wsl(private_wine, target, begin):
    result = run_relay("serve", f"{unique_pipe()}={target}")
    assert result.code == 2 and begin in result.stderr
    assert "WSL is not installed here" in result.stderr and "--via=COMMAND" in result.stderr


def test_without_a_distribution(private_wine):
    """wsl.exe is there on most computers, whether or not WSL is installed."""
    shutil.copy(peer("wsl"), private_wine.system / "wsl.exe")
    result = run_relay("serve", f"{unique_pipe()}=unix:///a")
    assert result.code == 2 and "this user has no WSL distribution (wsl --install" in result.stderr


def test_eager(private_wine):
    result = run_relay("serve", "--eager", f"{unique_pipe()}=tcp://127.0.0.1:1")
    assert result.code == 2 and "WSL is not installed here" in result.stderr


def test_no_uvrelay_in_wsl(wsl, monkeypatch):
    monkeypatch.setenv("UVRELAY_TEST_WSL_SAYS", "<3>WSL (9) ERROR: CreateProcessCommon:640: execvpe(uvrelay) failed: No such file")
    pipe = unique_pipe()
    with Serve(f"{pipe}=unix:///a") as serve, PipeClient(pipe, "recv-end"):
        serve.wait_stderr("WSL finds no uvrelay without a login shell: put the Linux program into /usr/local/bin")


def test_via_goes_before_it(wsl):
    with Relay("serve", "--via=nowhere.exe", f"{unique_pipe()}=unix:///a") as serve:
        assert serve.wait() == 1 and "nowhere.exe" in serve.stderr


def test_one_connection():
    result = run_relay("unix:///run/a.sock")
    assert "Unix sockets can be reached only from Linux, not from Windows; run uvrelay there (in WSL: wsl.exe -e uvrelay TARGET)" in result.stderr


def test_the_usual_file(private_wine):
    """%APPDATA%\\uvrelay\\routes.conf, with variables of Windows in it."""
    run_relay("--version")  # Wine makes the directory
    directory = private_wine.roaming / "uvrelay"
    directory.mkdir()
    pipe, log = unique_pipe(), private_wine.local / "serve.log"
    (directory / "routes.conf").write_text(f"log-file=$LOCALAPPDATA\\serve.log\r\nverbose=on\r\n{pipe}=tcp://127.0.0.1:$PORT\r\n")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        with Relay("serve", env={"PORT": str(port)}) as serve:
            listener.settimeout(20)
            with PipeClient(pipe, "text=hello", "recv=3", "close", "sleep=1") as client:
                connection, _ = listener.accept()
                with connection:
                    assert connection.recv(5) == b"hello"
                    connection.sendall(b"bye")
                client.finish()
            assert serve.running and "listening" in log.read_text()

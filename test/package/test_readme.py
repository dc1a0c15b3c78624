"""The example program of README.md, word for word: built by CMake and by pkg-config from what is installed, and used."""

import os
import re
import shlex
import socket
import subprocess
import threading

import pytest

from conftest import BUILD, SOURCE, WINDOWS, ZIG, receive_all, run

PATIENCE = 30  # seconds


def example(name):
    [text] = re.findall(rf"<!-- example: {name} -->\n```\w+\n(.*?)```\n", (SOURCE / "README.md").read_text(), re.DOTALL)
    return text


def echo(server):
    """Answers one client with what it sent, once it has ended its input."""
    client, _ = server.accept()
    with client:
        client.settimeout(PATIENCE)
        client.sendall(receive_all(client))


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as sample:
        return sample.getsockname()[1]


def connect(port, program, receives=262144):
    """The program has no way to say that it listens. `receives`: bytes that the system takes for us."""
    for _ in range(PATIENCE * 20):
        assert program.poll() is None, program.communicate()
        try:
            client = socket.socket()
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receives)
            client.settimeout(PATIENCE)
            client.connect(("127.0.0.1", port))
            return client
        except ConnectionRefusedError:
            client.close()
            threading.Event().wait(0.05)
    raise TimeoutError("the program does not listen")


def use(program):
    """One client of the program, whose target echoes."""
    sent = os.urandom(1_000_000)
    port = free_port()
    with socket.create_server(("127.0.0.1", 0)) as target:
        target.settimeout(PATIENCE)
        threading.Thread(target=echo, args=(target,), daemon=True).start()
        command = shlex.split(os.environ.get("UVRELAY_RUN_EXE", "")) if WINDOWS else []
        command += [program, str(port), f"tcp://127.0.0.1:{target.getsockname()[1]}"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as running:
            try:
                with connect(port, running) as client:
                    client.sendall(sent)
                    client.shutdown(socket.SHUT_WR)
                    received = b""
                    while part := client.recv(65536):
                        received += part
                assert received == sent
            finally:
                running.kill()
                running.wait()
            assert running.stderr.read() == b""


def early_answer(server, size):
    """Answers one client while it still sends, then ends, and closes without having read all."""
    client, _ = server.accept()
    with client:
        client.settimeout(PATIENCE)
        client.recv(1)
        client.sendall(bytes(size))
        client.shutdown(socket.SHUT_WR)
        threading.Event().wait(1)  # by then it has all left


def upload(client):
    try:
        while True:
            client.sendall(bytes(65536))
    except OSError:
        pass


def use_early_answer(program):
    """As of a web server that refuses an upload: the answer arrives whole although the client still sends, and does not
    read before everybody else is done."""
    size = 1_000_000
    port = free_port()
    with socket.create_server(("127.0.0.1", 0)) as target:
        target.settimeout(PATIENCE)
        answering = threading.Thread(target=early_answer, args=(target, size), daemon=True)
        answering.start()
        command = [program, str(port), f"tcp://127.0.0.1:{target.getsockname()[1]}"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as running:
            try:
                with connect(port, running, receives=8192) as client:
                    threading.Thread(target=upload, args=(client,), daemon=True).start()
                    answering.join()
                    threading.Event().wait(0.5)
                    received = 0
                    while part := client.recv(65536):
                        received += len(part)
                assert received == size
            finally:
                running.kill()
                running.wait()


def cmake_cached(name):
    return re.search(rf"^{name}:\w+=(.*)$", (BUILD / "CMakeCache.txt").read_text(), re.MULTILINE)[1]


def test_by_cmake(tmp_path):
    run("cmake", "--install", BUILD, "--prefix", tmp_path / "prefix")
    (tmp_path / "bridge.c").write_text(example("bridge"))
    (tmp_path / "CMakeLists.txt").write_text(example("cmake"))
    toolchain = [f"-DCMAKE_TOOLCHAIN_FILE={cmake_cached('CMAKE_TOOLCHAIN_FILE')}"] if WINDOWS else []
    run("cmake", "-S", tmp_path, "-B", tmp_path / "build", "-G", "Ninja", *toolchain,
        f"-DCMAKE_PREFIX_PATH={tmp_path / 'prefix'}", "-DCMAKE_FIND_ROOT_PATH_MODE_PACKAGE=BOTH")  # fmt: skip
    run("cmake", "--build", tmp_path / "build")
    use(tmp_path / ("build/bridge.exe" if WINDOWS else "build/bridge"))


@pytest.mark.skipif(ZIG, reason="its linker does not know -l:FILE")
def test_by_pkg_config(tmp_path):
    run("cmake", "--install", BUILD, "--prefix", tmp_path / "prefix")
    (tmp_path / "bridge.c").write_text(example("bridge"))
    environment = {**os.environ, "PKG_CONFIG_LIBDIR": str(tmp_path / "prefix/lib/pkgconfig")}
    flags = run("pkg-config", "--cflags", "--libs", "uvrelay", env=environment).split()
    run(os.environ["CC"], tmp_path / "bridge.c", *flags, "-o", tmp_path / "bridge")
    if not WINDOWS:
        use(tmp_path / "bridge")
        use_early_answer(tmp_path / "bridge")

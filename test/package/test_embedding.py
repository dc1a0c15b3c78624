"""The examples of docs/embedding.md, word for word: built by CMake and pkg-config from what is installed, and used."""

import contextlib
import os
import pathlib
import re
import shlex
import signal
import socket
import subprocess
import tempfile
import threading

import pytest

from conftest import BUILD, SOURCE, WINDOWS, ZIG, receive_all, run

PAGE = SOURCE / "docs/embedding.md"
PATIENCE = 30  # seconds


def example(name):
    [text] = re.findall(rf"<!-- example: {name} -->\n```\w+\n(.*?)```\n", PAGE.read_text(), re.DOTALL)
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


@pytest.fixture(scope="module")
def prefix():
    with tempfile.TemporaryDirectory(prefix="uvrelay-test-") as path:
        run("cmake", "--install", BUILD, "--prefix", path)
        yield pathlib.Path(path)


def compile_(prefix, program, text):
    """By the compiler and what pkg-config says, with warnings; gives the program."""
    program = program.with_suffix(".exe" if WINDOWS else "")
    program.with_suffix(".c").write_text(text)
    environment = {**os.environ, "PKG_CONFIG_LIBDIR": str(prefix / "lib/pkgconfig")}
    flags = run("pkg-config", "--cflags", "--libs", "uvrelay", env=environment).split()
    warnings = ["-Wall", "-Wextra", "-Wpedantic", "-Werror"]
    run(os.environ["CC"], *warnings, program.with_suffix(".c"), *flags, "-o", program)
    return program


def launched(program, *args, **options):
    command = shlex.split(os.environ.get("UVRELAY_RUN_EXE", "")) if WINDOWS else []
    return subprocess.Popen([*command, program, *args], stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options)


by_pkg_config = pytest.mark.skipif(ZIG, reason="its linker does not know -l:FILE")


def configure(build, source, *settings):
    toolchain = [f"-DCMAKE_TOOLCHAIN_FILE={cmake_cached('CMAKE_TOOLCHAIN_FILE')}"] if WINDOWS else []
    run("cmake", "-S", source, "-B", build, "-G", "Ninja", *toolchain, *settings)


def test_every_example_is_tested():
    names = re.findall(r"<!-- example: ([\w-]+) -->", PAGE.read_text())
    used = set(re.findall(r'example\("([\w-]+)"\)', pathlib.Path(__file__).read_text()))
    assert len(names) == len(set(names)) >= 8 and set(names) == used
    assert len(re.findall(r"^```\w", PAGE.read_text(), re.MULTILINE)) == len(names), "no block is without a name"


def test_by_cmake(tmp_path, prefix):
    (tmp_path / "route.c").write_text(example("route"))
    (tmp_path / "CMakeLists.txt").write_text(example("cmake"))
    configure(tmp_path / "build", tmp_path, f"-DCMAKE_PREFIX_PATH={prefix}", "-DCMAKE_FIND_ROOT_PATH_MODE_PACKAGE=BOTH")
    run("cmake", "--build", tmp_path / "build")
    use_route(tmp_path / ("build/route.exe" if WINDOWS else "build/route"))


@pytest.mark.skipif(WINDOWS, reason="the same as on Linux; that the sources can be built so is in test_subproject.py")
def test_by_fetch_content(tmp_path):
    """It configures; test_subproject.py builds a program so."""
    (tmp_path / "third_party").mkdir()
    (tmp_path / "third_party/uvrelay").symlink_to(SOURCE)
    (tmp_path / "route.c").write_text(example("route"))
    (tmp_path / "CMakeLists.txt").write_text(example("fetch"))
    configure(tmp_path / "build", tmp_path, f"-DUVRELAY_DOWNLOADS={cmake_cached('UVRELAY_DOWNLOADS')}")
    assert "route" in run("ninja", "-C", tmp_path / "build", "-t", "targets", "all")


@pytest.mark.skipif(WINDOWS, reason="the shell's commands are for Linux")
def test_the_first_steps(tmp_path, prefix):
    """The commands as they stand there, but for those that build what is built already."""
    start = example("start").splitlines()
    building = [line for line in start if line.startswith(("sh deps/setup", "cmake "))]
    assert start[:4] == building and len(start) == 8
    options = re.findall(r"-D (\w+)", building[1])
    text = (SOURCE / "CMakeLists.txt").read_text()
    assert options and all(f"option({option} " in text for option in options)
    (tmp_path / "uvrelay-library").symlink_to(prefix)
    (tmp_path / "route.c").write_text(example("route"))
    with socket.create_server(("127.0.0.1", 0)) as target:
        commands = "\n".join(["set -e", *start[4:-1], f"exec ./route tcp://127.0.0.1:0 {place(target)}"])
        with launched("/bin/sh", "-c", commands, cwd=tmp_path, env={**os.environ, "HOME": str(tmp_path)}) as running:
            serve_with(running, target)


def place(target):
    return f"tcp://127.0.0.1:{target.getsockname()[1]}"


def use_route(program):
    with socket.create_server(("127.0.0.1", 0)) as target:
        with launched(program, "tcp://127.0.0.1:0", place(target)) as running:
            serve_with(running, target)


def serve_with(running, target):
    """The program relays; it reports a target that is gone; and ends by Ctrl-C with nothing left on its loop."""
    try:
        port = int(re.fullmatch(rb"listening on tcp://127.0.0.1:(\d+)\r?\n", running.stdout.readline())[1])
        target.settimeout(PATIENCE)
        answering = threading.Thread(target=echo, args=(target,), daemon=True)
        answering.start()
        with connect(port, running) as client:
            client.sendall(b"hello")
            client.shutdown(socket.SHUT_WR)
            assert receive_all(client) == b"hello"
        answering.join()
        target.close()
        with connect(port, running) as client:
            with contextlib.suppress(ConnectionResetError):
                assert client.recv(1) == b""
        assert b"client 2: cannot connect to tcp://127.0.0.1:" in running.stderr.readline()
        if not WINDOWS:
            running.send_signal(signal.SIGINT)
            assert running.wait(PATIENCE) == 0
    finally:
        running.kill()
        running.wait()


@by_pkg_config
def test_bridge(tmp_path, prefix):
    program = compile_(prefix, tmp_path / "bridge", example("bridge"))
    use(program)
    if not WINDOWS:
        use_early_answer(program)


@by_pkg_config
def test_route_refuses(tmp_path, prefix):
    """What is wrong is said in one sentence, and nothing is left on the loop."""
    program = compile_(prefix, tmp_path / "route", example("route"))
    with launched(program, "tcp://192.0.2.1:0", "tcp://127.0.0.1:1") as running:
        out, err = running.communicate(timeout=PATIENCE)
    assert running.returncode == 1 and out == b"" and err.count(b"\n") == 1 and b"192.0.2.1" in err


def talk(program, text):
    with socket.create_server(("127.0.0.1", 0)) as target:
        target.settimeout(PATIENCE)
        threading.Thread(target=echo, args=(target,), daemon=True).start()
        with launched(program, place(target), stdin=subprocess.PIPE) as running:
            out, err = running.communicate(text, timeout=PATIENCE)
    assert (running.returncode, out) == (0, text), err
    lines = err.decode().splitlines()
    assert lines[0].startswith("log: connecting to tcp://127.0.0.1:") and lines[-1] == "0 blocks are left"
    with launched(program, "nonsense", stdin=subprocess.PIPE) as running:
        out, err = running.communicate(b"", timeout=PATIENCE)
    assert (running.returncode, out) == (1, b"") and err.decode().splitlines()[-1] == "0 blocks are left"


@by_pkg_config
def test_talk(tmp_path, prefix):
    talk(compile_(prefix, tmp_path / "talk", example("talk")), os.urandom(300_000))


@pytest.mark.skipif(WINDOWS, reason="libuv has no such descriptor on Windows")
def test_own_loop(tmp_path, prefix):
    """The program of `talk`, with that loop in the place of libuv's."""
    text = example("own-loop") + example("talk").replace("uv_run(loop, UV_RUN_DEFAULT)", "run(loop)")
    assert text.count("run(loop);") == 2
    talk(compile_(prefix, tmp_path / "talk", text), os.urandom(300_000))


@by_pkg_config
def test_ask(tmp_path, prefix):
    program = compile_(prefix, tmp_path / "ask", example("ask"))
    name = f"//./pipe/uvrelay-test-ask-{os.getpid()}"
    with contextlib.ExitStack() as stack:
        if WINDOWS:
            from winpeers import PipeServer  # needs what only that build sets

            server = stack.enter_context(PipeServer("recv-end", "text=answer", "close", name=name))
            name = server.name
        running = stack.enter_context(launched(program, name, "hello"))
        out, err = running.communicate(timeout=PATIENCE)
        if WINDOWS:
            assert (running.returncode, out, err) == (0, b"answer", b"")
            server.finish()
        else:
            assert (running.returncode, out, err.count(b"\n")) == (1, b"", 1) and b"Windows" in err

"""The recipes for databases, serial ports and Discord, typed in a stand-in WSL machine as docs/recipes.md has them, by
serve and without it. MariaDB's client talks to its server, gdb to gdbserver; for Discord a program of this file answers
another one, and for a virtual machine's console a peer does."""

import contextlib
import json
import os
import pathlib
import pty
import re
import select
import socket
import socketserver
import struct
import subprocess
import tempfile
import threading

import pytest

import wsl_machine
from place import LONG, recipe, wait_for
from programs import SOON
from recipes import Wsl
from winpeers import PipeServer

RUNTIME = "/home/user/runtime"
PASSWORD = "not so secret"


@pytest.fixture(scope="module")
def wsl():
    """A machine that serves the routes of these recipes, as somebody has it who has followed them all."""
    if wsl_machine.why_not():
        pytest.skip(wsl_machine.why_not())
    routes = recipe("mysql") + recipe("serial") + recipe("discord")
    with Wsl(routes=routes, environment={"XDG_RUNTIME_DIR": RUNTIME}) as wsl:
        out = wsl.type_in(recipe("serve"))
        assert len(re.findall(r"//\./pipe/(?:MySQL|vm-serial|discord-ipc-0)\b", out)) == 3, out
        yield wsl


# ---- MySQL ----


@pytest.fixture(scope="module")
def directory():
    with tempfile.TemporaryDirectory(prefix="uvr-", dir="/tmp") as path:
        yield pathlib.Path(path)


@pytest.fixture(scope="module")
def database(directory):
    """MariaDB's server, with one account; gives its port."""
    data = directory / "mariadb"
    with socket.create_server(("127.0.0.1", 0)) as sample:
        port = sample.getsockname()[1]
    install = ["mariadb-install-db", "--no-defaults", f"--datadir={data}", "--auth-root-authentication-method=normal",
               "--skip-test-db", *(["--user=root"] if os.geteuid() == 0 else [])]
    subprocess.run(install, check=True, capture_output=True, timeout=LONG, stdin=subprocess.DEVNULL)
    start = data / "start.sql"
    start.write_text(f"CREATE OR REPLACE USER somebody@'127.0.0.1' IDENTIFIED BY '{PASSWORD}';\n"
                     "CREATE DATABASE shop;\nGRANT ALL ON shop.* TO somebody@'127.0.0.1';\n")
    server = subprocess.Popen(
        ["mariadbd", "--no-defaults", f"--datadir={data}", f"--port={port}", "--bind-address=127.0.0.1",
         f"--socket={data}/s", f"--pid-file={data}/pid", f"--init-file={start}", "--skip-name-resolve",
         "--max-allowed-packet=64M", *(["--user=root"] if os.geteuid() == 0 else [])],
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=(data / "log").open("wb"))
    try:
        wait_for(lambda: b"ready for connections" in (data / "log").read_bytes() or server.poll() is not None,
                 "mariadbd is ready")
        assert server.poll() is None, (data / "log").read_text()
        yield port
    finally:
        server.kill()
        server.wait()


def use_database(wsl, port):
    wsl.write("~/.my.cnf", f'[client]\nuser=somebody\npassword="{PASSWORD}"\nmax_allowed_packet=64M\n', 0o600)
    with wsl.pipe("//./pipe/MySQL", f"tcp://127.0.0.1:{port}"):
        assert re.fullmatch(r"VERSION\(\)\n\d+\.\d+\.\d+-MariaDB\S*\n", wsl.type_in(recipe("mysql-use")))
        mariadb = "mariadb --socket=$HOME/.uvrelay/mysql.sock --batch --skip-column-names shop"
        wsl.write("~/much.sql", "CREATE OR REPLACE TABLE t (x LONGTEXT); INSERT INTO t VALUES ('" + "much " * 600_000 + "');")
        out = wsl.type_in(f"{mariadb} <much.sql", f"{mariadb} -e 'SELECT x FROM t' | sha256sum",
                          f"{mariadb} -e \"SELECT CONCAT(REPEAT('much ', 600000), '\\n')\" --raw | head -n 1 | sha256sum",
                          f"{mariadb} -e 'SELECT LENGTH(x) FROM t'")
        first, second, length = out.splitlines()
        assert first == second and length == "3000000"
        wrong = wsl.run(f"{mariadb} --user=nobody -e 'SELECT 1'")
        assert wrong.code == 1 and "Access denied for user 'nobody'" in wrong.err, wrong


def test_mysql_by_serve(wsl, database):
    use_database(wsl, database)


# ---- a serial port ----


class Terminal:
    """A terminal at the serial port."""

    def __init__(self, wsl):
        self.master, slave = pty.openpty()
        self.process = wsl.popen(recipe("serial-console"), stdin=slave, stdout=slave, stderr=slave, start_new_session=True)
        os.close(slave)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        os.close(self.master)

    def type(self, keys):
        os.write(self.master, keys)

    def take(self, text):
        """Reads until it shows the text."""
        seen = b""
        while text not in seen:
            ready, _, _ = select.select([self.master], [], [], SOON)
            assert ready, f"no {text!r} in {seen!r}"
            seen += os.read(self.master, 4096)


def test_serial_console(wsl):
    """A terminal comes first and waits for the machine; another one waits until the first has left, by Ctrl-]."""
    with Terminal(wsl) as first:
        wait_for_open(wsl, "serial", 1)
        with PipeServer("text=login: ", "recv=5", "text=Welcome.", "recv-end", name="//./pipe/vm-serial", type="byte",
                        repeat=2) as machine:
            first.take(b"login: ")
            with Terminal(wsl) as second:
                wait_for_open(wsl, "serial", 2)
                for terminal in (first, second):
                    if terminal is second:
                        terminal.take(b"login: ")
                    terminal.type(b"root\r")
                    terminal.take(b"Welcome.")
                    terminal.type(b"\x1d")
                    assert terminal.process.wait(SOON) == 0
            machine.finish()
    wait_for_open(wsl, "serial", 0)


def wait_for_open(wsl, name, count):
    """Until so many connections of the route are open."""
    def now():
        status = json.loads(wsl.type_in("uvrelay status --json"))
        return [route["open"] for route in status["routes"] if route["name"] == name]
    wait_for(lambda: now() == [count], f"{name} has {count} connections, as {now()}")


PROGRAM = """
int total;
void add(int number) { total += number; }
int main(void) { for (int i = 1; i <= 10; i++) add(i); return 0; }
"""
#: What somebody types into gdb. The last line ends the program that is debugged.
TYPED = "break add if number == 5\ncontinue\nprint total\nprint/x total * 100\nfinish\nprint total\nkill\n"


@pytest.fixture(scope="module")
def kernel(wsl, directory):
    """A program with debugging information, in place of a kernel."""
    program = directory / "vmlinux"
    subprocess.run(["gcc", "-g", "-O0", "-static", "-no-pie", "-x", "c", "-", "-o", program], input=PROGRAM, text=True,
                   check=True)
    wsl.write("~/vmlinux", program.read_bytes(), 0o755)
    # On a machine with other work to do, its two seconds may be over before the pipe is there.
    wsl.write("~/.gdbinit", "set remotetimeout 60\n")
    return program


@contextlib.contextmanager
def stub(wsl, program):
    """What a machine with a stub has at its serial port."""
    server = subprocess.Popen(["gdbserver", "--once", "127.0.0.1:0", program], stdin=subprocess.DEVNULL,
                              stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    try:
        port = re.search(r"Listening on port (\d+)", first_lines(server))[1]
        with wsl.pipe("//./pipe/vm-serial", f"tcp://127.0.0.1:{port}"):
            yield
    finally:
        server.kill()
        server.wait()
        server.stderr.close()


def first_lines(server):
    text = ""
    while "Listening on port" not in text:
        line = server.stderr.readline()
        assert line, f"gdbserver has ended: {text}"
        text += line
    return text


def debug(wsl, kernel, command, waits):
    gdb = wsl.popen(f"{command.rstrip()} 2>&1", stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        waits()
        with stub(wsl, kernel):
            out, _ = gdb.communicate(TYPED, timeout=LONG)
    finally:
        gdb.kill()
        gdb.wait()
    assert re.findall(r"\$\d+ = (\S+)", out) == ["10", "0x3e8", "15"], out
    assert "Inferior 1 (Remote target) killed" in out or "killed]" in out, out


def test_gdb_by_serve(wsl, kernel):
    debug(wsl, kernel, recipe("serial-gdb"), lambda: wait_for_open(wsl, "serial", 1))
    wait_for_open(wsl, "serial", 0)


def test_gdb_alone(wsl, kernel):
    """gdb starts uvrelay.exe, which waits for the pipe."""
    started = len(wsl.interop.started)
    debug(wsl, kernel, recipe("serial-gdb-alone"), lambda: wait_for(
        lambda: len(wsl.interop.started) > started, "gdb has started uvrelay.exe"))
    wait_for(lambda: not any("vm-serial" in line and "uvrelay.exe" in line for line in wsl.processes()),
             "uvrelay.exe ends with gdb")


# ---- Discord ----


FRAMES = 300
HANDSHAKE, FRAME, CLOSE = 0, 1, 2

#: A program that shows what it does in Discord.
GAME = f"""
import json, os, socket, struct, sys

def receive(count):
    data = b""
    while len(data) < count:
        piece = client.recv(count - len(data))
        if not piece:
            sys.exit("Discord has gone")
        data += piece
    return data

def ask(opcode, what):
    text = json.dumps(what).encode()
    client.sendall(struct.pack("<II", opcode, len(text)) + text)
    opcode, length = struct.unpack("<II", receive(8))
    return opcode, json.loads(receive(length))

client = socket.socket(socket.AF_UNIX)
client.settimeout({LONG})
client.connect(os.environ["XDG_RUNTIME_DIR"] + "/discord-ipc-0")
opcode, answer = ask({HANDSHAKE}, {{"v": 1, "client_id": "1234"}})
assert (opcode, answer["evt"]) == ({FRAME}, "READY"), answer
for number in range({FRAMES}):
    details = "x" * (number * 7 % 3000)
    opcode, answer = ask({FRAME}, {{"cmd": "SET_ACTIVITY", "nonce": str(number),
                                   "args": {{"pid": os.getpid(), "activity": {{"details": details}}}}}})
    assert (opcode, answer["nonce"], answer["data"]["details"]) == ({FRAME}, str(number), details), answer
client.sendall(struct.pack("<II", {CLOSE}, 2) + b"{{}}")
print("shown")
"""


class Discord(socketserver.StreamRequestHandler):
    """Answers as Discord's desktop program does: READY to the handshake, then each frame with its nonce."""

    def handle(self):
        while len(header := self.rfile.read(8)) == 8:
            opcode, length = struct.unpack("<II", header)
            what = json.loads(self.rfile.read(length))
            if opcode == CLOSE:
                self.server.closed += 1
                return
            if opcode == HANDSHAKE:
                assert (what["v"], what["client_id"]) == (1, "1234")
                answer = {"cmd": "DISPATCH", "evt": "READY", "data": {"v": 1}, "nonce": None}
            else:
                answer = {"cmd": what["cmd"], "evt": None, "data": what["args"]["activity"], "nonce": what["nonce"]}
            text = json.dumps(answer).encode()
            self.wfile.write(struct.pack("<II", FRAME, len(text)) + text)


@pytest.fixture
def discord(wsl):
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Discord) as server:
        server.daemon_threads, server.closed = True, 0
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        with wsl.pipe("//./pipe/discord-ipc-0", f"tcp://127.0.0.1:{server.server_address[1]}"):
            yield server
        server.shutdown()


def show(wsl, discord):
    wsl.write("~/game.py", GAME)
    assert wsl.type_in("python3 game.py") == "shown\n"
    wait_for(lambda: discord.closed == 1, "the end of it has arrived")


def test_discord_by_serve(wsl, discord):
    show(wsl, discord)


# ---- the same by socat: the last tests here, as serve's sockets are in the way ----


def test_mysql_by_socat(wsl, database):
    wsl.stop_serve()
    wsl.start_listener(recipe("mysql-socat"), "~/.uvrelay/mysql.sock")
    use_database(wsl, database)


def test_discord_by_socat(wsl, discord):
    wsl.stop_serve()
    wsl.start_listener(recipe("discord-socat"), f"{RUNTIME}/discord-ipc-0")
    show(wsl, discord)

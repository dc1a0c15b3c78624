"""Each call of the system and of libuv fails once, in each way that it can: of the program alone, of `serve` and of
`mux`. It ends with one sentence and a status that is not 0, or goes on and loses at most the connection that needed the
call, and says so; it never crashes, never hangs, and leaves nothing behind.

There are some thousand calls and ways. A sample of them is run here, another one each time; its seed is printed, and
FAULT_SEED repeats it. With FAULT_ALL=1 all are run. FAULT_ONLY=NUMBER:WAY is one."""

import contextlib
import os
import pathlib
import random
import re
import shutil
import signal
import socket
import subprocess
import threading
import time

import pytest
from assuanpeer import AssuanServer
from programs import SOON, setting, unique_name
from serving import SANITIZED, NotifySocket, connect, wait_for

pytestmark = pytest.mark.sanitized

PROGRAM = str(pathlib.Path(setting("UVRELAY_BUILD")) / "fault" / "uvrelay")
DATA = bytes(range(256)) * 80
PATIENCE = float(os.environ.get("FAULT_PATIENCE", SOON))
SAMPLE = 15 if SANITIZED else 40
SEED = int(os.environ.get("FAULT_SEED", random.randrange(1 << 32)))
#: What a call returns whose peer has left: that is an end, and no failure.
LEFT = (32, 104, 107)


class Fault:
    """What the program says about the call that was to fail."""

    def __init__(self, at, way, report):
        self.at, self.way, self.report = at, way, report
        self.environment = {"FAULT": f"{at}:{way}", "FAULT_REPORT": str(report)}
        self._text = ""
        report.unlink(missing_ok=True)

    @property
    def text(self):
        if not self._text and self.report.exists():
            self._text = self.report.read_text()
        return self._text

    def close(self):
        """What comes to the report from here on is another fault's."""
        self._text = self.text or " "

    @property
    def reached(self):
        return bool(self.text.strip())

    @property
    def ways(self):
        return int(re.search(r"of (\d+)\)$", self.text.strip()).group(1))

    @property
    def fired(self):
        return self.reached and self.way < self.ways

    @property
    def harmless(self):
        return not self.fired or "fails with" not in self.text

    @property
    def peer_left(self):
        return self.fired and int(re.search(r"(-?\d+) \(way", self.text).group(1)) in LEFT

    @property
    def mute(self):
        """It can't say what it would."""
        return self.fired and "standard error" in self.text and not self.harmless

    def __str__(self):
        return f"FAULT={self.at}:{self.way} {self.text.strip()}"


def each(tmp_path, run):
    """Runs it for a sample of the calls, or for all."""
    def once(at, way):
        fault = Fault(at, way, tmp_path / "report")
        try:
            begin = time.monotonic()
            run(fault)
            if time.monotonic() - begin > 1:
                print(f"{time.monotonic() - begin:.1f} s: {fault}")
        except BaseException:
            print(f"What was made to fail: {fault}")
            raise
        fault.close()
        return fault

    if "FAULT_ONLY" in os.environ:
        once(*map(int, os.environ["FAULT_ONLY"].split(":")))
        return
    if os.environ.get("FAULT_ALL"):
        at, count = 1, 0
        while (fault := once(at, 0)).reached:
            for way in range(1, fault.ways):
                once(at, way)
            at, count = at + 1, count + fault.ways
        print(f"{count} faults in {at - 1} calls")
        return
    print(f"FAULT_SEED={SEED}")
    numbers = random.Random(SEED)
    last, fired = 40, 0
    for _ in range(SAMPLE):
        fault = once(numbers.randrange(1, last + 1), way := numbers.randrange(12))
        if fault.reached and not fault.fired:
            fault = once(fault.at, way % fault.ways)
        fired += fault.fired
        if fault.reached and fault.at > last * 2 // 3:
            last = last * 2
        elif not fault.reached:
            last = max(20, fault.at)
    assert fired > SAMPLE // 6


def send_back(connection):
    with contextlib.suppress(OSError):
        while piece := connection.recv(65536):
            connection.sendall(piece)


@contextlib.contextmanager
def echo(family, where):
    """A server that sends back what it gets, to any number of clients."""
    listener = socket.socket(family)
    listener.bind(where)
    listener.listen()

    def serve(connection):
        with connection:
            send_back(connection)

    def work():
        with contextlib.suppress(OSError):
            while True:
                threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()

    threading.Thread(target=work, daemon=True).start()
    try:
        yield listener
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()


def check_lines(text, fault):
    """All that is said are sentences of its own."""
    for line in text.splitlines():
        assert re.match(r"uvrelay: \S.{8,}", line), f"{fault}: not a sentence: {line!r} in {text!r}"


# The program alone.


def through_pipes(tmp_path, command, environment):
    done = subprocess.run(command, input=DATA, capture_output=True, env=environment, timeout=SOON)
    return done.returncode, done.stdout, done.stderr.decode()


def through_files(tmp_path, command, environment):
    (tmp_path / "in").write_bytes(DATA)
    with (tmp_path / "in").open("rb") as into, (tmp_path / "out").open("wb") as out:
        done = subprocess.run(command, stdin=into, stdout=out, stderr=subprocess.PIPE, env=environment, timeout=SOON)
    return done.returncode, (tmp_path / "out").read_bytes(), done.stderr.decode()


def through_socket(tmp_path, command, environment):
    ours, theirs = socket.socketpair()
    with ours:
        ours.settimeout(SOON)
        process = subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=subprocess.PIPE, env=environment)
        theirs.close()
        got = b""
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            ours.sendall(DATA)
            ours.shutdown(socket.SHUT_WR)
        with contextlib.suppress(ConnectionResetError):
            while piece := ours.recv(65536):
                got += piece
        return process.wait(SOON), got, process.communicate(timeout=SOON)[1].decode()


@pytest.mark.parametrize("through", [through_pipes, through_files, through_socket])
@pytest.mark.parametrize("target", ["tcp", "name", "unix"])
def test_alone(tmp_path, through, target):
    family, where = (socket.AF_UNIX, str(tmp_path / "s")) if target == "unix" else (socket.AF_INET, ("127.0.0.1", 0))
    with echo(family, where) as server:
        port = 0 if target == "unix" else server.getsockname()[1]
        address = {"tcp": f"tcp://127.0.0.1:{port}", "name": f"tcp://localhost:{port}", "unix": f"unix://{where}"}

        def run(fault):
            command = [PROGRAM, address[target]]
            code, out, err = through(tmp_path, command, {**os.environ, **fault.environment})
            what = f"{fault}: status {code}, {len(out)} of {len(DATA)} bytes, {err!r}"
            assert DATA.startswith(out), what
            check_lines(err, fault)
            if code == 0:
                assert (out == DATA and err == "") or fault.peer_left, what
            else:
                assert code in (1, 2) and err.count("\n") == 1 and not fault.harmless, what

        each(tmp_path, run)


@pytest.mark.parametrize("args", [["-v"], ["-p", "--timeout=30ms"], []], ids=lambda args: " ".join(args) or "none")
def test_alone_without_a_server(tmp_path, args):
    """It ends with one sentence in any case."""
    def run(fault):
        done = subprocess.run([PROGRAM, *args, f"unix://{tmp_path}/none"], input=DATA, capture_output=True,
                              env={**os.environ, **fault.environment}, timeout=SOON)
        lines = done.stderr.decode().splitlines()
        what = f"{fault}: status {done.returncode}, {lines}"
        assert done.returncode in (1, 2) and done.stdout == b"", what
        if fault.mute:
            return
        assert lines and all(re.match(r"uvrelay: \S.{8,}", line) for line in lines), what
        assert len(lines) == 1 or args == ["-v"], what

    each(tmp_path, run)


# Serve.


def ask(address):
    """What comes back of DATA, and whether that was the end."""
    got = b""
    with contextlib.suppress(OSError), connect(address) as client:
        client.sendall(DATA)
        client.shutdown(socket.SHUT_WR)
        while piece := client.recv(65536):
            got += piece
    return got


def leave_over(path):
    """A socket's file on which no process listens."""
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(path)


class Server:
    def __init__(self, tmp_path, fault, args, environment=None):
        self.log = tmp_path / "log"
        self.fault = fault
        with self.log.open("wb") as log:
            self.process = subprocess.Popen([PROGRAM, "serve", *args], stdin=subprocess.DEVNULL, stderr=log,
                                            env={**os.environ, **(environment or fault.environment)})

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    @property
    def lines(self):
        return self.log.read_text().splitlines()

    def __str__(self):
        return f"{self.fault}: status {self.process.poll()}, {self.lines}"

    def listens(self, address):
        """Whether it does; if not, it has ended with one sentence."""
        def known():
            if self.process.poll() is not None:
                return "ended"
            with contextlib.suppress(OSError):
                connect(address).close()
                return "listens"
            return None

        if wait_for(known, f"listening: {self}") == "listens":
            return True
        self.check_refusal()
        return False

    def check_refusal(self):
        assert self.process.returncode in (1, 2) and not self.fault.harmless, str(self)
        assert len(self.lines) == 1, str(self)
        check_lines("\n".join(self.lines), self.fault)

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        try:
            assert self.process.wait(SOON) == 0, str(self)
        except subprocess.TimeoutExpired:
            pytest.fail(f"it does not stop: {self}")


def inode(path):
    return os.stat(path).st_ino if os.path.exists(path) else None


def check_serve(tmp_path, fault, args, addresses, environment=None):
    """Routes listen there; nothing of their files may be left but what was there before, if it was refused."""
    paths = [one.removeprefix("unix://") for one in addresses if one.startswith("unix://")]
    before = {path: inode(path) for path in paths}
    with Server(tmp_path, fault, args, environment) as serve:
        if serve.listens(addresses[-1]):
            for address in addresses:
                count = len(serve.lines)
                got = ask(address)
                if got != DATA:
                    assert DATA.startswith(got), str(serve)
                    assert not fault.harmless, f"{address}: {len(got)} bytes: {serve}"
                    wait_for(lambda count=count: len(serve.lines) > count or fault.peer_left or fault.mute,
                             f"a word of what was lost: {serve}", PATIENCE)
            assert wait_for(lambda: serve.process.poll() is not None or ask(addresses[0]) == DATA,
                            f"all works again: {serve}")
            if serve.process.poll() is not None:  # the last listener was there, and what comes after it has failed
                serve.check_refusal()
            else:
                serve.process.send_signal(signal.SIGUSR1)
                with contextlib.suppress(AssertionError):  # what fails may be the writing of the table
                    wait_for(lambda: any("last error" in line for line in serve.lines), "the table", 1)
                serve.stop()
        left = [path for path in paths if os.path.exists(path) and inode(path) != before[path]]
        assert not left or "cannot remove" in str(serve), f"a file is left behind: {serve}"
        check_lines("\n".join(line for line in serve.lines if not line.startswith(("route", " "))), fault)


def test_serve(tmp_path):
    """Unix sockets, of which one replaces what was left over, and one needs directories; and a configuration file."""
    paths = [str(tmp_path / name) for name in ("first", "new/er/second")]
    (tmp_path / "config").write_text(f"idle = 60\nunix://{paths[0]}?perm=0666=unix://{tmp_path}/target # one\n")
    with echo(socket.AF_UNIX, str(tmp_path / "target")):
        def run(fault):
            leave_over(paths[0])
            shutil.rmtree(tmp_path / "new", ignore_errors=True)
            check_serve(tmp_path, fault, [f"--config={tmp_path}/config", f"unix://{paths[1]}=unix://{tmp_path}/target"],
                        [f"unix://{path}" for path in paths])

        each(tmp_path, run)


@contextlib.contextmanager
def free_port():
    """One of loopback, which no other process gets, in both families."""
    with socket.socket() as four, socket.socket(socket.AF_INET6) as six:
        for one in (four, six):
            one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        four.bind(("127.0.0.1", 0))
        six.bind(("::1", four.getsockname()[1]))
        yield four.getsockname()[1]


def test_serve_of_all_kinds(tmp_path):
    """Ports, an abstract socket, socket files, names that are looked up; and systemd is notified."""
    name = unique_name("fault")
    with echo(socket.AF_INET, ("127.0.0.1", 0)) as target, AssuanServer(send_back) as assuan, \
            free_port() as port, contextlib.closing(NotifySocket()) as notify:
        (tmp_path / "assuan").write_bytes(assuan.file())
        targets = [f"tcp://localhost:{target.getsockname()[1]}", f"assuan://{tmp_path}/assuan"]
        addresses = [f"tcp://localhost:{port}", f"abstract:{name}"]

        def run(fault):
            check_serve(tmp_path, fault, [f"{one}={to}" for one, to in zip(addresses, targets)],
                        [f"tcp://127.0.0.1:{port}", f"tcp://[::1]:{port}", f"abstract:{name}"],
                        {**fault.environment, **notify.environment})
            notify.lines()

        each(tmp_path, run)


@pytest.mark.parametrize("end", ["near", "far"])
def test_via(tmp_path, end):
    """Over a far end, which is started again where it has ended."""
    path = str(tmp_path / "front")
    with echo(socket.AF_UNIX, str(tmp_path / "target")):
        def run(fault):
            # The far end is this program, too; only one of the two is to fail, and the far end only the first time.
            once = tmp_path / "once"
            once.unlink(missing_ok=True)
            faulty = " ".join(f"{name}={value}" for name, value in fault.environment.items())
            far = tmp_path / "far"
            far.write_text("#!/bin/sh\n" + {
                "near": f"exec env -u FAULT {PROGRAM} mux\n",
                "far": f"if mkdir {once} 2>/dev/null; then exec env {faulty} {PROGRAM} mux; fi\n"
                       f"exec {PROGRAM} mux\n"}[end])
            far.chmod(0o700)
            args = [f"--via={far}", f"unix://{path}=via:unix://{tmp_path}/target"]
            environment = fault.environment if end == "near" else {"UVRELAY_NOTHING": ""}
            with contextlib.suppress(OSError):
                once.rmdir()
            check_serve(tmp_path, fault, args, [f"unix://{path}"], environment)
            with contextlib.suppress(OSError):
                once.rmdir()

        each(tmp_path, run)

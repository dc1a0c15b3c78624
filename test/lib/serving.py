"""`uvrelay serve` on Linux: the program, what it listens on, its clients, and what it relays to: all plain sockets.

Whatever is made here is ended by its `with`; a program that was started so must end by SIGTERM with status 0 and
without a word of a sanitizer's, unless the test has failed already.
"""

import collections
import concurrent.futures
import contextlib
import hashlib
import json
import os
import pathlib
import re
import selectors
import signal
import socket
import struct
import subprocess
import sys
import threading
import time

import bytestream
import logschema
from assuanpeer import AssuanServer
from programs import SOON, Process, setting, unique_name

PROGRAM = setting("UVRELAY")
#: Whether this is a build with sanitizers, which is some times slower and larger.
SANITIZED = "san" in pathlib.Path(setting("UVRELAY_BUILD")).name

#: Starts a program with the descriptors of a list as 3, 4, … and its own process id in LISTEN_PID, as systemd does.
_ACTIVATE = """
import fcntl, os, sys
given = [fcntl.fcntl(int(number), fcntl.F_DUPFD, 200) for number in sys.argv[1].split(",") if number]
for place, number in enumerate(given, 3):
    os.dup2(number, place)
os.closerange(3 + len(given), 1024)
os.environ.setdefault("LISTEN_PID", str(os.getpid()))
os.execv(sys.argv[2], sys.argv[2:])
"""


def wait_for(condition, what, timeout=SOON):
    """Waits until the condition gives something true, and gives it; fails the test if it doesn't."""
    end = time.monotonic() + timeout
    while not (found := condition()):
        assert time.monotonic() < end, f"{what}: not after {timeout} s"
        time.sleep(0.01)
    return found


class NotifySocket:
    """What systemd has at NOTIFY_SOCKET. Abstract, unless there is a path."""

    def __init__(self, path=None):
        self._path, name = path, str(path or "@" + unique_name("notify"))
        self.environment = {"NOTIFY_SOCKET": name}
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(name.replace("@", "\0", 1))
        self._socket.setblocking(False)
        self._lines = []

    def lines(self):
        """All lines that have come so far."""
        with contextlib.suppress(BlockingIOError):
            while True:
                self._lines += self._socket.recv(4096).decode().splitlines()
        return self._lines

    def close(self):
        self._socket.close()
        if self._path:
            os.unlink(self._path)


class Serve(Process):
    """uvrelay serve with these arguments; it listens when constructed, unless wait=False.

    `sockets` are passed on as by systemd, with `names`, a list. `env` may replace what would be set for them. `wrap` is
    what precedes the command; the process must stay the same. """

    def __init__(self, *args, verbose=True, wait=True, sockets=(), names=None, env=None, wrap=(), **options):
        command, environment = [*wrap, PROGRAM, "serve", *(["-v"] if verbose else []), *args], {}
        if sockets:
            numbers = [one.fileno() for one in sockets]
            command = [sys.executable, "-ISc", _ACTIVATE, ",".join(map(str, numbers)), *command]
            options["pass_fds"] = numbers
            environment["LISTEN_FDS"] = str(len(numbers))
            if names:
                environment["LISTEN_FDNAMES"] = ":".join(names)
        self._notify = NotifySocket() if wait else None
        if self._notify:
            environment.update(self._notify.environment)
        options.setdefault("stdin", subprocess.DEVNULL)
        super().__init__(command, env={**environment, **(env or {})}, **options)
        if wait:
            try:
                wait_for(lambda: "READY=1" in self._notify.lines() or not self.running, "uvrelay serve is ready")
                assert self.running, f"{self.command} ended with {self.wait()}: {self.stderr}"
            except BaseException:
                self.kill()
                raise

    def __exit__(self, failure, *_):
        try:
            if failure is None and self.popen.returncode is None:
                self.stop()
            if failure is None and logschema.is_log(self.stderr):
                logschema.check_lines(self.stderr)
        finally:
            if failure is not None:
                print(f"{self.command[-6:]} wrote: {self.stderr[-5000:]}")
            self.kill()

    def kill(self):
        super().kill()
        if self._notify:
            self._notify.close()
            self._notify = None

    def send_signal(self, number):
        os.kill(self.pid, number)

    def stop(self, number=signal.SIGTERM, timeout=SOON):
        """Ends it by a signal, which must be an orderly end."""
        self.send_signal(number)
        return self.ended(0, timeout)

    def ended(self, expected, timeout=SOON):
        """Waits for its end, and gives what it wrote to standard error."""
        code = self.wait(timeout)
        assert code == expected, f"{self.command} ended with {code}: {self.stderr}"
        assert "Sanitizer" not in self.stderr and "runtime error" not in self.stderr, self.stderr
        assert self.stdout == b""
        return self.stderr

    def listen(self, number=0):
        """Where the route of this number listens, as the log has it: with the port that was chosen."""
        found = wait_for(lambda: re.findall(r"^uvrelay: (?:[\w.-]+: )?(\S+?)=[a-z]+:\S*: listening$", self.stderr, re.M)[number:],
                         f"route {number} listens in {self.stderr!r}")
        return found[0]

    def connect(self, number=0):
        return connect(self.listen(number))

    def matches(self, pattern):
        return list(re.finditer(pattern, self.stderr, re.M))

    def wait_match(self, pattern, count=1, timeout=SOON):
        """Waits until the pattern is in the log so many times; gives the last of these matches."""
        return wait_for(lambda: self.matches(pattern)[count - 1:], f"{pattern!r} in {self.stderr[-2000:]!r}",
                        timeout)[0]

    def wait_closed(self, count=1, timeout=SOON):
        """Waits until so many connections are over, and gives what the log says of the last."""
        return Closed(*self.wait_match(
            r"#(\d+): closed after (\d+) ms: (.*); (\d+) bytes? to the target, "
            r"(\d+) bytes? to the client(?: \(client: .*\))?$", count,
            timeout).groups())

    def events(self, name=None):
        """With --json: the objects of the log."""
        all_ = [json.loads(line) for line in self.stderr.split("\n")[:-1]]
        return [event for event in all_ if name in (None, event["event"])]

    def wait_event(self, name, count=1, timeout=SOON):
        return wait_for(lambda: self.events(name)[count - 1:], f"{name} in {self.stderr!r}", timeout)[0]

    def port(self):
        """Where it listens, as tcp://127.0.0.1:PORT, without a log: what is listening in its process."""
        inodes = {os.readlink(f"/proc/{self.pid}/fd/{number}") for number in os.listdir(f"/proc/{self.pid}/fd")}
        with open("/proc/net/tcp") as file:
            for line in file:
                fields = line.split()
                if fields[3] == "0A" and f"socket:[{fields[9]}]" in inodes:
                    return f"tcp://127.0.0.1:{int(fields[1].partition(':')[2], 16)}"
        raise AssertionError("it listens nowhere")

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.pid}/fd"))


class Closed(collections.namedtuple("Closed", "number duration reason to_target to_client")):
    """A connection's end, as the log has it."""

    __slots__ = ()

    @property
    def bytes(self):
        return int(self.to_target), int(self.to_client)


def refused(*args, code, **options):
    """Runs uvrelay serve, which must refuse: gives its one sentence. For wrong usage it tells how to get help, too."""
    with Serve(*args, wait=False, **options) as serve:
        lines = serve.ended(code).splitlines()
    if code == 2 and lines[-1:] == ["Try: uvrelay serve --help"]:
        lines.pop()
    assert len(lines) == 1 and lines[0].startswith("uvrelay: "), f"not one line of an error: {lines}"
    return lines[0].removeprefix("uvrelay: ")


def connect(address, timeout=SOON):
    """A client of unix:///PATH, abstract:NAME or tcp://HOST:PORT."""
    if address.startswith(("unix://", "abstract:")):
        client = socket.socket(socket.AF_UNIX)
        where = address.removeprefix("unix://").replace("abstract:", "\0", 1)
    else:
        host, _, port = address.removeprefix("tcp://").rpartition(":")
        client = socket.socket(socket.AF_INET6 if "[" in host else socket.AF_INET)
        where = (host.strip("[]"), int(port))
    client.settimeout(timeout)
    try:
        client.connect(where)
    except OSError:
        client.close()
        raise
    return client


def listens(path):
    """Its file is there before anybody can connect to it."""
    try:
        connect(f"unix://{path}").close()
    except OSError:
        return False
    return True


def listener(where, backlog=128):
    """A listening socket at a path, at abstract:NAME, or at a port of loopback."""
    family = socket.AF_INET if isinstance(where, int) else socket.AF_UNIX
    made = socket.socket(family)
    if family == socket.AF_INET:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    made.bind(("127.0.0.1", where) if family == socket.AF_INET else str(where).replace("abstract:", "\0", 1))
    made.listen(backlog)
    return made


def receive_exactly(connection, count):
    data = b""
    while len(data) < count:
        piece = connection.recv(count - len(data))
        assert piece, f"the connection ended after {data[:200]!r}"
        data += piece
    return data


def receive_all(connection):
    return b"".join(iter(lambda: connection.recv(1 << 16), b""))


def ask(connection, data=b"hello"):
    """Asserts that an echo comes. Large data is sent while the echo is received, so that both always go on."""
    if len(data) <= 65536:
        connection.sendall(data)
        assert receive_exactly(connection, len(data)) == data
        return
    sender = threading.Thread(target=connection.sendall, args=[data])
    sender.start()
    try:
        assert receive_exactly(connection, len(data)) == data
    finally:
        sender.join()


def slowest(connection, count=20):
    """How long the slowest of some answers over it takes."""
    most = 0
    for _ in range(count):
        begin = time.monotonic()
        ask(connection)
        most = max(most, time.monotonic() - begin)
    return most


def ends(connection, data=b""):
    """Sends this, unless it comes too late, and waits for the connection's end, orderly or not; fails the test if it
    doesn't come."""
    with contextlib.suppress(ConnectionError):
        if data:
            connection.sendall(data)
        while connection.recv(1 << 16):
            pass


def vanish(connection):
    """Closes a connection so that the other side can know that it will neither send nor read: a TCP one by a reset."""
    if connection.family != socket.AF_UNIX:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def echo(connection):
    while piece := connection.recv(1 << 16):
        connection.sendall(piece)


def swap(connection, size, seed):
    """Sends the stream of this seed and, at the same time, receives all; gives the hash of it."""
    failures = []

    def send():
        try:
            for piece in bytestream.chunks(size, seed):
                connection.sendall(piece)
            connection.shutdown(socket.SHUT_WR)
        except OSError as failure:
            failures.append(failure)

    sender = threading.Thread(target=send)
    sender.start()
    hash_ = hashlib.sha256()
    while piece := connection.recv(1 << 18):
        hash_.update(piece)
    sender.join(SOON)
    assert not failures and not sender.is_alive(), failures
    return hash_.hexdigest()


class Front:
    """What is listened on, in each of the ways there are. Of what is passed on, the second is meant."""

    KINDS = ["unix", "tcp", "fd-name", "fd-number"]

    def __init__(self, kind, directory):
        self.sockets, self.names, self._where = [], None, None
        path = directory / "front"
        if kind == "unix":
            self.address = f"unix://{path}"
        elif kind == "tcp":
            self.address = "tcp://127.0.0.1:0"
        else:
            self.sockets = [listener(0), listener(path if kind == "fd-name" else 0)]
            if kind == "fd-name":
                self.address, self.names, self._where = "fd://front", ["other", "front"], f"unix://{path}"
            else:
                self.address, self._where = "fd://4", "tcp://127.0.0.1:%d" % self.sockets[1].getsockname()[1]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for one in self.sockets:
            one.close()

    def serve(self, target, *args, **options):
        return Serve(*args, f"{self.address}={target}", sockets=self.sockets, names=self.names, **options)

    def connect(self, serve):
        return connect(self._where or serve.listen())


class Target:
    """Calls talk(connection) for each client, in a thread of its own. wait() reports what fails there."""

    KINDS = ["unix", "tcp", "assuan", "cygwin"]

    def __init__(self, where, talk, backlog=128):
        self._listener, self._talk = listener(where, backlog), talk
        self.address = (f"tcp://127.0.0.1:{self._listener.getsockname()[1]}" if isinstance(where, int)
                        else where if str(where).startswith("abstract:") else f"unix://{where}")
        self.clients, self.failure = 0, None
        self._connections, self._changed = set(), threading.Condition()
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def _accept(self):
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with self._changed:
                self._connections.add(connection)
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection):
        failure = None
        try:
            connection.settimeout(SOON)
            self._talk(connection)
        except Exception as error:  # reported by wait()
            failure = error
        with self._changed:
            self._connections.discard(connection)
            connection.close()
            self.clients += 1
            self.failure = self.failure or failure
            self._changed.notify_all()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._thread.join(SOON)
        self._listener.close()
        with self._changed:
            for connection in self._connections:
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)

    @property
    def open(self):
        with self._changed:
            return len(self._connections)

    def wait(self, clients=1):
        """Waits until so many clients were served, and fails the test if one of them went wrong."""
        with self._changed:
            assert self._changed.wait_for(lambda: self.clients >= clients, SOON), "no client, or one that stays"
        if self.failure:
            raise self.failure


class AssuanTarget(AssuanServer):
    """The same behind a socket file; one client after the other."""

    def __init__(self, path, talk, cygwin):
        super().__init__(talk, cygwin=cygwin)
        path.write_bytes(self.file())
        self.address = f"assuan://{path}"


def target(kind, talk, directory):
    if kind in ("assuan", "cygwin"):
        return AssuanTarget(directory / "back", talk, kind == "cygwin")
    return Target(0 if kind == "tcp" else directory / "back", talk)


class EchoServer:
    """Echoes to any number of clients from one thread, and counts them."""

    def __init__(self, where, backlog=4096):
        self._listener = listener(where, backlog)
        self._listener.setblocking(False)
        self.address = (f"tcp://127.0.0.1:{self._listener.getsockname()[1]}" if isinstance(where, int)
                        else f"unix://{where}")
        self.total = self.open = self.most = 0
        self._wake, self._woken = socket.socketpair()
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._listener, selectors.EVENT_READ)
        self._selector.register(self._woken, selectors.EVENT_READ)
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self):
        while True:
            for key, _ in self._selector.select():
                if key.fileobj is self._woken:
                    return
                if key.fileobj is self._listener:
                    self._accept()
                else:
                    self._echo(key.fileobj)

    def _accept(self):
        with contextlib.suppress(BlockingIOError):
            while True:
                connection, _ = self._listener.accept()
                connection.settimeout(SOON)
                self._selector.register(connection, selectors.EVENT_READ)
                self.total += 1
                self.open += 1
                self.most = max(self.most, self.open)

    def _echo(self, connection):
        """What is echoed here is short: it is always taken at once."""
        try:
            piece = connection.recv(1 << 16)
            if piece:
                connection.sendall(piece)
                return
        except OSError:
            pass
        self._selector.unregister(connection)
        self.open -= 1
        connection.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._wake.close()
        self._thread.join(SOON)
        for key in list(self._selector.get_map().values()):
            key.fileobj.close()
        self._selector.close()


def all_at_once(directory, calls):
    """Runs checks that mostly wait, each with a place of its own."""
    with concurrent.futures.ThreadPoolExecutor(len(calls)) as pool:
        for name in calls:
            (directory / name).mkdir()
        done = {name: pool.submit(call, directory / name) for name, call in calls.items()}
        failures = {name: future.exception() for name, future in done.items() if future.exception()}
    for name, failure in failures.items():
        raise AssertionError(f"{list(failures)}; the first") from failure


class Pair:
    """A kind of what is listened on, with a kind of target."""

    def __init__(self, front, back, directory):
        self.front, self.back, self._directory = front, back, directory

    @contextlib.contextmanager
    def relaying(self, talk, *args):
        """Gives the program, the target, and a function that connects."""
        with Front(self.front, self._directory) as front, target(self.back, talk, self._directory) as back:
            with front.serve(back.address, *args) as serve:
                yield serve, back, lambda: front.connect(serve)


#: With sanitizers each kind is once on each side.
PAIRS = [(front, back) for i, front in enumerate(Front.KINDS) for j, back in enumerate(Target.KINDS)
         if (i + j) % 4 == 0 or not SANITIZED]

"""Starting programs, collecting what they print, and never leaving one behind.

Windows programs are started through the command in UVRELAY_RUN_EXE ("wine"), or directly where it is empty (WSL).
Under Wine a Windows program is an ordinary Linux process, with the very process id that Popen gives, so its memory
and its time on the processor can be read from /proc.
"""

import atexit
import contextlib
import hashlib
import itertools
import os
import pathlib
import re
import shlex
import subprocess
import threading
import time

#: How long anything may take that is expected to happen at once, on a machine with other work to do.
SOON = 20

#: What uvrelay --wrong prints, with a line's end as on Linux.
SAID_OF_WRONG_FLAG = 'uvrelay: unknown flag "--wrong": --help lists all flags\nTry: uvrelay --help\n'

_started = []
_numbers = itertools.count(1)


def setting(name):
    """The value of an environment variable that CMake sets for each test."""
    try:
        return os.environ[name]
    except KeyError:
        raise RuntimeError(f"{name} is not set: run the tests with ctest, which sets it") from None


def under_wine():
    return setting("UVRELAY_RUN_EXE").split()[:1] == ["wine"]


def windows_command(program, *args):
    return [*shlex.split(setting("UVRELAY_RUN_EXE")), str(program), *map(str, args)]


def windows_path(path):
    """The name by which Windows programs know a file of ours."""
    if under_wine():
        return "Z:" + str(path).replace("/", "\\")
    return subprocess.run(["wslpath", "-w", str(path)], check=True, capture_output=True, text=True).stdout.strip()


def uvrelay_exe():
    return pathlib.Path(setting("UVRELAY_EXE"))


def peer(name):
    return pathlib.Path(setting("UVRELAY_PEERS")) / f"{name}.exe"


def times_slept(pid):
    """How often the threads of a process have gone to sleep: a process that wakes up goes to sleep again. The kernel's
    workers for io_uring, which libuv uses, are listed as threads, too, but it is the kernel that wakes them, to end
    them."""
    total = 0
    for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # it has ended in the meantime
            status = (task / "status").read_text()
            if not status.startswith("Name:\tiou-"):
                total += int(re.search(r"^voluntary_ctxt_switches:\s+(\d+)", status, re.M)[1])
    return total


def outcome(connection, timeout=SOON):
    """All that still comes over a socket, and "reset" or "end"."""
    data = bytearray()
    connection.settimeout(timeout)
    try:
        while piece := connection.recv(65536):
            data += piece
    except ConnectionResetError:
        return bytes(data), "reset"
    return bytes(data), "end"


def read_slowly(connection):
    """In pieces, with pauses for the first of them; gives what outcome gives."""
    data = b""
    for _ in range(20):
        time.sleep(0.02)
        data += connection.recv(20_000)
    rest, how = outcome(connection)
    return data + rest, how


def unique_name(what="test"):
    return f"uvrelay-{what}-{os.getpid()}-{next(_numbers)}"


def unique_pipe(what="test"):
    return f"//./pipe/{unique_name(what)}"


class Collector:
    """Reads a pipe in a thread of its own: counts, hashes and times what comes, and keeps the first `keep` bytes."""

    def __init__(self, file, keep=4 << 20):
        self._file, self._keep = file, keep
        self._hash = hashlib.sha256()
        self._kept = bytearray()
        self._changed = threading.Condition()
        self.count = 0
        self.first_time = self.last_time = self.end_time = None
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self):
        while True:
            try:
                piece = os.read(self._file.fileno(), 1 << 18)
            except (OSError, ValueError):
                piece = b""
            with self._changed:
                now = time.monotonic()
                if piece:
                    self.first_time = self.first_time or now
                    self.last_time = now
                    self.count += len(piece)
                    self._hash.update(piece)
                    if len(self._kept) < self._keep:
                        self._kept += piece[:self._keep - len(self._kept)]
                else:
                    self.end_time = now
                self._changed.notify_all()
            if not piece:
                return

    @property
    def data(self):
        with self._changed:
            return bytes(self._kept)

    @property
    def sha256(self):
        with self._changed:
            return self._hash.hexdigest()

    def wait_count(self, count, timeout=SOON):
        """Waits until at least `count` bytes have come; fails the test if they don't."""
        with self._changed:
            self._changed.wait_for(lambda: self.count >= count or self.end_time, timeout)
            assert self.count >= count, f"{self.count} bytes came of {count} within {timeout} s: {self._kept[:200]!r}"

    def wait_end(self, timeout=SOON):
        with self._changed:
            if not self._changed.wait_for(lambda: self.end_time, timeout):
                raise AssertionError(f"no end of output within {timeout} s; it is open in: {holders(self._file)}")


def holders(file):
    """The processes that have this pipe open, other than this one: their ids and commands."""
    found, pipe = [], os.readlink(f"/proc/self/fd/{file.fileno()}")
    for process in pathlib.Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # it has ended, or is another user's
            if int(process.name) != os.getpid() and pipe in map(os.readlink, (process / "fd").iterdir()):
                command = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace").strip()
                found.append((int(process.name), command))
    return found


class Process:
    """A program with collected output. As a context manager it ends the program if it still runs."""

    def __init__(self, command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=None, collect=True, **popen):
        environment = {**os.environ, **(env or {})}
        self.command = list(map(str, command))
        self.start_time = time.monotonic()
        self.popen = subprocess.Popen(self.command, stdin=stdin, stdout=stdout, stderr=subprocess.PIPE,
                                      env=environment, bufsize=0, **popen)
        _started.append(self.popen)
        self.stdin = self.popen.stdin
        self.err = Collector(self.popen.stderr)
        #: The threads that read our files.
        self.readers = {self.popen.stderr: self.err.thread}
        self.out = self.collect() if collect and self.popen.stdout else None

    def collect(self, **options):
        """Collects standard output from now on."""
        collector = Collector(self.popen.stdout, **options)
        self.readers[self.popen.stdout] = collector.thread
        return collector

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.kill()

    @property
    def pid(self):
        return self.popen.pid

    @property
    def running(self):
        return self.popen.poll() is None

    @property
    def stderr(self):
        return self.err.data.decode("utf-8", "replace").replace("\r\n", "\n")

    @property
    def stdout(self):
        return self.out.data

    def write(self, pieces):
        """Writes bytes, or the pieces of an iterable, to standard input."""
        for piece in [pieces] if isinstance(pieces, (bytes, bytearray)) else pieces:
            view = memoryview(piece)
            while view:
                view = view[self.stdin.write(view):]

    def write_in_thread(self, pieces, close=False):
        """The same in a thread; a reader that goes away ends it. Gives an object whose `written` counts."""
        return _Writer(self, pieces, close)

    def close_stdin(self):
        self.stdin.close()

    def wait(self, timeout=SOON):
        """Waits for the exit; gives the exit status. Fails the test if it takes too long."""
        try:
            code = self.popen.wait(timeout)
        except subprocess.TimeoutExpired:
            told = self.stderr[-1000:]
            raise AssertionError(f"{self.command} still runs after {timeout} s; stderr: {told}") from None
        self.end_time = time.monotonic()
        self.err.wait_end()
        if self.out:
            self.out.wait_end()
        return code

    def wait_stderr(self, text, timeout=SOON):
        end = time.monotonic() + timeout
        while text not in self.stderr:
            assert time.monotonic() < end, f"{text!r} is not on stderr after {timeout} s: {self.stderr!r}"
            time.sleep(0.01)

    def kill(self):
        if self.running:
            self.popen.kill()
        self.popen.wait()
        for file in filter(None, (self.popen.stdin, self.popen.stdout, self.popen.stderr)):
            reader = self.readers.get(file)
            if reader:
                reader.join(1)
            # A thread that still reads it, because another process has it open, might read the next file of that number.
            if not (reader and reader.is_alive()):
                file.close()

    def resident_kib(self):
        for line in pathlib.Path(f"/proc/{self.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1])
        raise AssertionError(f"{self.command} has ended")

    def processor_seconds(self):
        fields = pathlib.Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class _Writer:
    def __init__(self, process, pieces, close):
        self.written, self.error = 0, None
        self._process, self._pieces, self._close = process, pieces, close
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self):
        try:
            for piece in self._pieces:
                view = memoryview(piece)
                while view:
                    count = self._process.stdin.write(view)
                    self.written += count
                    view = view[count:]
            if self._close:
                self._process.close_stdin()
        except (OSError, ValueError) as error:
            self.error = error

    def join(self, timeout=SOON):
        self._thread.join(timeout)
        assert not self._thread.is_alive(), f"still writing after {timeout} s; {self.written} bytes were taken"


class Relay(Process):
    """uvrelay.exe with the arguments given."""

    def __init__(self, *args, program=None, **options):
        super().__init__(windows_command(program or uvrelay_exe(), *args), **options)


class Result:
    def __init__(self, process):
        self.code = process.popen.returncode
        self.stderr = process.stderr
        self.stdout = process.stdout if process.out else b""
        self.seconds = process.end_time - process.start_time


def run_relay(*args, stdin=b"", timeout=SOON, **options):
    """Runs uvrelay.exe to its end with these bytes, or a file, on standard input."""
    feed = isinstance(stdin, (bytes, bytearray))
    with Relay(*args, stdin=subprocess.PIPE if feed else stdin, **options) as relay:
        writer = relay.write_in_thread([stdin], close=True) if feed else None
        relay.wait(timeout)
        if writer:
            writer.join()
        return Result(relay)


def error_sentence(stderr):
    """The one line of an error, whose form is always the same: asserts it and gives what follows the name. For wrong usage
    a line that tells how to get help may follow."""
    lines = stderr.splitlines()
    if len(lines) == 2 and lines[1].startswith("Try: uvrelay "):
        lines.pop()
    assert len(lines) == 1 and lines[0].startswith("uvrelay: "), f"not one line of an error: {stderr!r}"
    return lines[0].removeprefix("uvrelay: ")


@atexit.register
def _end_all():
    for popen in _started:
        if popen.poll() is None:
            popen.kill()
            popen.wait()

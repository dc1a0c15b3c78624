"""The Windows side of the stand-in WSL machine of wsl_machine.py: who listens at WSL's interop sockets and starts Windows
programs."""

import contextlib
import os
import pathlib
import select
import socket
import struct
import subprocess
import sys
import threading

from programs import SOON, peer, windows_command

HERE = pathlib.Path(__file__).resolve().parent
#: What of the test's environment a Windows program started from the machine gets, beside Wine's: none of what could
#: lead it to something of Linux.
KEPT = ("PATH", "HOME", "USER", "LOGNAME", "LC_ALL", "TMPDIR")
BY_SIGNAL = 256  # what test/peers/unix/wsl_machine_init.c adds a signal to


def _receive(connection, length):
    data = b""
    while len(data) < length:
        piece = connection.recv(length - len(data))
        if not piece:
            raise ConnectionError("the request has ended early")
        data += piece
    return data


class Request:
    """What /init asks for, and its standard descriptors."""

    def __init__(self, connection):
        (length,) = struct.unpack("<I", _receive(connection, 4))
        texts = [os.fsdecode(text) for text in _receive(connection, length).split(b"\0")[:-1]]
        self.file, self.directory, count, *rest = texts
        self.environment = dict(entry.split("=", 1) for entry in rest[:int(count)])
        self.words = rest[int(count):]
        connection.sendall(struct.pack("<I", 0))
        _, self.standard, _, _ = socket.recv_fds(connection, 1, 3)

    def close(self):
        for descriptor in self.standard:
            os.close(descriptor)


class Interop:
    """Listens at the sockets, and starts what it is asked for.

    `host_path` and `windows_path` give, for a path of the machine, the host's path and the one that Windows knows."""

    def __init__(self, prefix, host_path, windows_path):
        self._prefix, self._host_path, self._windows_path = prefix, host_path, windows_path
        self._listeners, self._held, self._others = [], [], []
        #: The programs that were started, each as the words of its command line, the file first.
        self.started = []
        self._running, self._lock = set(), threading.Lock()

    # ---- the sockets ----

    def listen(self, path, hangs=False):
        """Makes the socket. One that hangs takes connections and says nothing."""
        with contextlib.suppress(FileNotFoundError):
            path.unlink()
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(str(path))
        listener.listen(64)
        path.chmod(0o777)
        self._listeners.append(listener)
        threading.Thread(target=self._accept, args=(listener, hangs), daemon=True).start()

    @staticmethod
    def leave(path):
        """Leaves a socket there on which no process listens."""
        with contextlib.suppress(FileNotFoundError):
            path.unlink()
        with socket.socket(socket.AF_UNIX) as left:
            left.bind(str(path))
        path.chmod(0o777)

    def listen_as(self, uid, path):
        """The same by a process of another user, who does not answer, either. Takes root."""
        code = ("import os, socket, sys\ns = socket.socket(socket.AF_UNIX)\ns.bind(sys.argv[1])\ns.listen(64)\n"
                "os.chmod(sys.argv[1], 0o777)\nprint(flush=True)\nsys.stdin.read()")
        with contextlib.suppress(FileNotFoundError):
            path.unlink()
        other = subprocess.Popen(["setpriv", f"--reuid={uid}", f"--regid={uid}", "--clear-groups", sys.executable,
                                  "-IS", "-c", code, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self._others.append(other)
        assert other.stdout.readline(), f"user {uid} cannot listen at {path}"

    def stop_listening(self):
        """No process listens from now on; the files stay. What runs goes on."""
        for listener in self._listeners:
            # accept() in the other thread ends by this, but not by close().
            with contextlib.suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            listener.close()
        for other in self._others:
            other.stdin.close()
            other.wait(SOON)
            other.stdout.close()
        self._listeners, self._others = [], []

    def close(self):
        """Ends what still runs, too."""
        self.stop_listening()
        for connection in self._held:
            connection.close()
        self._held = []
        with self._lock:
            running = list(self._running)
        for process in running:
            process.kill()

    def _accept(self, listener, hangs):
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            if hangs:
                self._held.append(connection)
            else:
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    # ---- starting programs ----

    def _serve(self, connection):
        with connection, contextlib.suppress(OSError, struct.error, ValueError):
            connection.settimeout(SOON)
            request = Request(connection)
            try:
                process = self._start(request)
            finally:
                request.close()
            try:
                self._watch(connection, process)
            finally:
                process.kill()
                process.wait()
                with self._lock:
                    self._running.discard(process)

    def _start(self, request):
        program = [self._windows_path(request.file), *request.words[1:]]
        self.started.append([request.file, *request.words[1:]])
        command = [sys.executable, "-IS", HERE / "wsl_init.py", f"--name={request.file}",
                   *windows_command(peer("wsl_host")), "--", *program]
        directory = self._host_path(request.directory)
        environment = {name: value for name, value in os.environ.items() if name in KEPT or name.startswith("WINE")}
        environment |= {"WINEPREFIX": str(self._prefix), **request.environment}
        process = subprocess.Popen(list(map(str, command)), env=environment,
                                   cwd=directory if os.path.isdir(directory) else "/", stdin=request.standard[0],
                                   stdout=request.standard[1], stderr=request.standard[2], start_new_session=True)
        with self._lock:
            self._running.add(process)
        return process

    @staticmethod
    def _watch(connection, process):
        """Until the program has ended or /init has, and it must."""
        ended = os.pidfd_open(process.pid)
        try:
            poll = select.poll()
            poll.register(ended, select.POLLIN)
            poll.register(connection, select.POLLIN)
            if ended in dict(poll.poll()):
                code = process.wait()
                connection.sendall(struct.pack("<I", code if code >= 0 else BY_SIGNAL - code))
        finally:
            os.close(ended)

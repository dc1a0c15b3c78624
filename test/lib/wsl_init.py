"""The Linux half of a stand-in for WSL's interop: what WSL's /init does as the process in whose place a Windows program
seems to run, when the program was started without a terminal.

    wsl_init.py [--name=NAME] WSL_HOST... -- PROGRAM [ARGUMENT...]

NAME is what messages call the program. WSL_HOST... starts test/peers/wsl_host.c, the Windows half, which starts PROGRAM. Between the two are four connections:
standard input, output and error, and control. What WSL does, and this does as well:

- One thread moves all bytes, 4 KiB at a time, by blocking calls: while one stream can't be written to, none moves.
- The end of standard input is passed on. That of the program's output is not: the connection ends only when the program
  has ended, and this process never closes its own standard output before it ends itself.
- The program's exit code is the one of this process, after all output was passed on.
- If this process ends before, the program is terminated with exit code 1. It ends by SIGINT, by any signal that nobody
  ignores, and by SIGPIPE when the reader of its output is gone.
- The Windows half is in no process group and no session of this process.
- A program that cannot be started has the error number that WSL gives it, and a missing connection is "accept4 failed".
"""

import contextlib
import errno
import os
import select
import signal
import socket
import struct
import subprocess
import sys

CHUNK = 4096
ACCEPT_SECONDS = 10
FILE_NOT_FOUND, ELEVATION_REQUIRED = 2, 740


def write_all(fd, data):
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view):]


def start(command, program):
    """Starts the Windows half; gives the connections for standard input, output and error, and control."""
    with socket.create_server(("127.0.0.1", 0), backlog=4) as listener:
        listener.settimeout(ACCEPT_SECONDS)
        subprocess.Popen([*command, str(listener.getsockname()[1]), *program], stdin=subprocess.DEVNULL,
                         stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
        connections = [listener.accept()[0] for _ in range(4)]
    for connection in connections:
        connection.settimeout(None)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connections


def receive_number(control):
    """Of 32 bits; None: the connection has ended."""
    data = b""
    while len(data) < 4:
        piece = control.recv(4 - len(data))
        if not piece:
            return None
        data += piece
    return struct.unpack("<I", data)[0]


class Interop:
    def __init__(self, command, program, name):
        self.name, self.started, self.code = name, False, 1
        wake, waker = self._wake = socket.socketpair()
        waker.setblocking(False)
        signal.set_wakeup_fd(waker.fileno())
        signal.signal(signal.SIGINT, lambda *_: None)
        *self.streams, self.control = start(command, program)
        to_program, output, error = (stream.fileno() for stream in self.streams)
        self.sinks = {0: to_program, output: 1, error: 2}
        self.polled = {*self.sinks, self.control.fileno(), wake.fileno()}

    def run(self):
        """Gives the exit code."""
        while self.polled:
            poll = select.poll()
            for fd in self.polled:
                poll.register(fd, select.POLLIN)
            ready = {fd for fd, _ in poll.poll()}
            for fd in sorted(self.sinks.keys() & ready):
                self.move(fd)
            if self._wake[0].fileno() in ready or (self.control.fileno() in ready and not self.listen()):
                return 1
            if self.control.fileno() not in self.polled:
                self.end_input()
        return self.code

    def move(self, fd):
        try:
            data = os.read(fd, CHUNK)
        except OSError as failure:
            complain(f"read failed: {failure}")
            data = None
        if not data:
            self.polled.discard(fd)
            if data == b"" and fd == 0:
                self.shut_down()
            return
        try:
            write_all(self.sinks[fd], data)
        except OSError as failure:  # the data is lost, and reading goes on
            complain(f"write failed: {failure}")

    def listen(self):
        """Takes what control says. Returns whether to go on."""
        number = receive_number(self.control)
        if number is not None and not self.started:
            self.started = True
            if number != 0:
                code = {FILE_NOT_FOUND: errno.ENOENT, ELEVATION_REQUIRED: errno.EACCES}.get(number, errno.EINVAL)
                say(f"{self.name}: {os.strerror(code)}")
            return number == 0
        if number is not None:
            self.code = number & 0xFF
        self.polled.discard(self.control.fileno())
        return True

    def end_input(self):
        """The program has ended: only its output is still moved."""
        self.shut_down()
        self.polled -= {0, self._wake[0].fileno()}

    def shut_down(self):
        with contextlib.suppress(OSError):
            self.streams[0].shutdown(socket.SHUT_WR)


def say(text):
    with contextlib.suppress(OSError):
        os.write(2, f"{text}\n".encode())


def complain(text):
    say(f"wsl_init: {text}")


def main():
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # Python ignores it
    split = sys.argv.index("--")
    command, program = sys.argv[1:split], sys.argv[split + 1:]
    name = command.pop(0).removeprefix("--name=") if command[0].startswith("--name=") else program[0]
    try:
        interop = Interop(command, program, name)
    except TimeoutError:
        say(f"<3>WSL ({os.getpid()} - ) ERROR: UtilAcceptVsock:271: accept4 failed {errno.ETIMEDOUT}")
        os._exit(1)
    os._exit(interop.run())


if __name__ == "__main__":
    main()

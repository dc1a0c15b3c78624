"""A server on loopback, and one that plays a libassuan socket: it writes the socket file and checks the nonce.

Plain: the file is "PORT\\n" and 16 bytes; the client sends those 16 bytes first. Cygwin: the file is a line with the
port and the nonce as four little-endian words in hexadecimal; the client sends the 16 bytes, gets them back, sends
its credentials (three words: process, user, group), gets the server's, and then talks.
"""

import contextlib
import os
import random
import socket
import struct
import threading

from programs import SOON


class LoopbackServer:
    """Accepts one client after the other in a thread and calls talk(connection) for each."""

    def __init__(self, talk, port=0, family=socket.AF_INET):
        self._talk = talk
        self._listener = socket.create_server(("::1" if family == socket.AF_INET6 else "127.0.0.1", port),
                                              family=family)
        self.port = self._listener.getsockname()[1]
        self.clients, self.failure = 0, None
        self._done = threading.Condition()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self):
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            failure = None
            try:
                with connection:
                    connection.settimeout(SOON)
                    self._talk(connection)
            except Exception as error:  # reported by wait()
                failure = error
            with self._done:
                self.clients += 1
                self.failure = self.failure or failure
                self._done.notify_all()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(SOON)

    def wait(self, clients=1):
        """Waits until so many clients were served, and fails the test if one of them went wrong."""
        with self._done:
            assert self._done.wait_for(lambda: self.clients >= clients, SOON), "no client, or one that stays"
        if self.failure:
            raise self.failure


def receive_exactly(connection, count):
    data = b""
    while len(data) < count:
        piece = connection.recv(count - len(data))
        assert piece, f"the connection ended after {len(data)} bytes of {count}"
        data += piece
    return data


def receive_all(connection):
    return b"".join(iter(lambda: connection.recv(1 << 16), b""))


def refused_port():
    """A port of loopback on which no process listens. It is none of those that the system gives to processes that ask
    for any, so no other test gets it meanwhile."""
    while True:
        with contextlib.suppress(OSError), socket.create_server(("127.0.0.1", random.randrange(10000, 30000))) as listener:
            return listener.getsockname()[1]


def plain_file(port, nonce):
    return b"%d\n" % port + nonce


def cygwin_file(port, nonce, end=b"\0"):
    words = "-".join(f"{word:08X}" for word in struct.unpack("<4I", nonce))
    return f"!<socket >{port} s {words}".encode() + end


class AssuanServer(LoopbackServer):
    """Checks the nonce as the format wants it, then calls talk(connection)."""

    def __init__(self, talk, cygwin=False, nonce=None, port=0):
        self.cygwin, self.nonce = cygwin, nonce or os.urandom(16)
        self._after = talk
        super().__init__(self._greet, port)

    def _greet(self, connection):
        assert receive_exactly(connection, 16) == self.nonce, "not the nonce of the file"
        if self.cygwin:
            connection.sendall(self.nonce)
            self.credentials = struct.unpack("<3I", receive_exactly(connection, 12))
            connection.sendall(struct.pack("<3I", os.getpid(), 1000, 1000))
        self._after(connection)

    def file(self):
        return (cygwin_file if self.cygwin else plain_file)(self.port, self.nonce)

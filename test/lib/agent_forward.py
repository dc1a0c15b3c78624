"""A TCP server before an agent's Unix socket, in the forms that Windows programs know: as it is, behind a libassuan
socket file, and behind one of Cygwin's, of which servers there are two kinds: Cygwin's own and libassuan's. It checks
what a client must send first, as they do, and lets no other client in."""

import os
import socket
import socketserver
import struct
import threading

PLAIN, CYGWIN, CYGWIN_BY_LIBASSUAN = "plain", "cygwin", "cygwin-by-libassuan"


def _receive(connection, count):
    data = b""
    while len(data) < count:
        piece = connection.recv(count - len(data))
        if not piece:
            break
        data += piece
    return data


def _pump(source, sink):
    try:
        while piece := source.recv(65536):
            sink.sendall(piece)
        sink.shutdown(socket.SHUT_WR)
    except OSError:
        pass


class _Handler(socketserver.BaseRequestHandler):
    def handle(self):
        forward = self.server.forward
        self.request.settimeout(60)
        if not forward.let_in(self.request):
            forward.refused += 1
            return
        forward.let_in_count += 1
        with socket.socket(socket.AF_UNIX) as agent:
            agent.settimeout(60)
            agent.connect(forward.agent_socket)
            up = threading.Thread(target=_pump, args=(self.request, agent), daemon=True)
            up.start()
            _pump(agent, self.request)
            # The agent has closed; its client may still have to learn that.
            up.join(60)


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True


class AgentForward:
    """Listens on a port of the loopback interface until its end as a context manager."""

    def __init__(self, agent_socket, form=None):
        self.agent_socket, self.form = str(agent_socket), form
        self.nonce = os.urandom(16)
        self.let_in_count = self.refused = 0
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.forward = self
        self.port = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(20)

    def socket_file(self, nonce=None):
        """The contents of the file by which clients find this server, with the right nonce or another."""
        nonce = nonce or self.nonce
        if self.form == PLAIN:
            return b"%d\n" % self.port + nonce
        words = "-".join(f"{word:08X}" for word in struct.unpack("<4I", nonce))
        return f"!<socket >{self.port} s {words}\0".encode()

    def let_in(self, connection):
        if self.form and _receive(connection, 16) != self.nonce:
            return False
        if self.form in (CYGWIN, CYGWIN_BY_LIBASSUAN):
            # Process, user and group; libassuan leaves one out.
            credentials = struct.pack("<3I", os.getpid(), os.getuid(), os.getgid())
            if self.form == CYGWIN_BY_LIBASSUAN:
                credentials = credentials[:8]
            connection.sendall(self.nonce)
            if len(_receive(connection, len(credentials))) != len(credentials):
                return False
            connection.sendall(credentials)
        return True

"""A name server of the test's own, and programs that ask it: in mounts of their own, with an /etc/resolv.conf that
names it. So the system's resolver is tested as it is, and no other process sees it."""

import contextlib
import functools
import os
import pathlib
import shlex
import shutil
import socket
import struct
import subprocess
import tempfile
import threading

import pytest

from programs import SOON

#: A query that is not answered holds its look-up for longer than any test takes.
OPTIONS = "options timeout:30 attempts:3"

NO_SUCH_NAME = 3


@functools.cache
def own_mounts():
    """The command that gives a program mounts of its own; None where that is not permitted."""
    for flags in ("-m", "-rm"):
        command = [shutil.which("unshare") or "unshare", flags]
        with contextlib.suppress(OSError):
            if subprocess.run([*command, "mount", "--bind", "/dev/null", "/etc/resolv.conf"], stdin=subprocess.DEVNULL,
                              capture_output=True, timeout=20, check=False).returncode == 0:
                return command
    return None


class NameServer:
    """Counts the queries for each name, and answers none, or with `code` that there is none."""

    def __init__(self, code=None):
        self._code, self._queries, self._lock = code, {}, threading.Lock()
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        # Each process has an address of its own in 127.0.0.0/8.
        self.address = "127.{}.{}.{}".format(*struct.pack(">I", os.getpid() % (1 << 22) + (1 << 22))[1:])
        try:
            self._socket.bind((self.address, 53))
        except OSError as error:
            self._socket.close()
            pytest.skip(f"no name server of one's own is permitted here: {error}")
        if own_mounts() is None:
            self._socket.close()
            pytest.skip("mounts of one's own are not permitted here")
        self._directory = tempfile.TemporaryDirectory(prefix="uvrelay-test-")
        conf = pathlib.Path(self._directory.name) / "resolv.conf"
        conf.write_text(f"nameserver {self.address}\n{OPTIONS}\n")
        #: What precedes a command that is to use it. The process stays the same.
        self.wrap = [*own_mounts(), "/bin/sh", "-ec", f'mount --bind {shlex.quote(str(conf))} /etc/resolv.conf; exec "$@"',
                     "sh"]
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self):
        while True:
            query, client = self._socket.recvfrom(1000)
            if not query:
                return  # from __exit__
            with self._lock:
                name = self._name(query)
                self._queries[name] = self._queries.get(name, 0) + 1
            if self._code is not None:
                with contextlib.suppress(OSError):
                    self._socket.sendto(query[:2] + struct.pack(">HHHHH", 0x8180 | self._code, 1, 0, 0, 0) + query[12:],
                                        client)

    @staticmethod
    def _name(query):
        labels, at = [], 12
        while query[at]:
            labels.append(query[at + 1:at + 1 + query[at]].decode())
            at += 1 + query[at]
        return ".".join(labels)

    def queries(self, name):
        with self._lock:
            return self._queries.get(name, 0)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._socket.sendto(b"", self._socket.getsockname())
        self._thread.join(SOON)
        self._socket.close()
        self._directory.cleanup()

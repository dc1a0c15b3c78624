"""Tests that need several users: who runs them, and somebody else. Only root can become another user."""

import os
import pwd
import shutil
import subprocess

import pytest

from programs import SOON

OWN = os.geteuid()
#: A user who is not the one that runs the tests, and has a name.
OTHER = 65534 if OWN != 65534 else 1


def name_of(uid):
    """The user's name, or, as a container may not know it, the number."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def told(uid):
    """The user as messages tell."""
    return f"user {uid}" if name_of(uid) == str(uid) else f"{name_of(uid)} (uid {uid})"


OWN_NAME, OTHER_NAME = name_of(OWN), name_of(OTHER)

as_root = pytest.mark.skipif(OWN != 0 or not shutil.which("setpriv"), reason="only root may be another user")

ASK = """
import os, socket, sys
client = socket.socket(socket.AF_UNIX)
client.settimeout(20)
client.connect(sys.argv[1].replace("abstract:", "\\0", 1))
got = b""
try:
    client.sendall(b"hello")
    client.shutdown(socket.SHUT_WR)
    while piece := client.recv(4096):
        got += piece
except OSError:
    pass
print(os.getpid(), got.decode())
"""


def ask_as(uid, where, *flags):
    """Talks to a socket as another user. Gives its process, and what came back."""
    done = subprocess.run(["setpriv", *(flags or (f"--reuid={uid}", "--clear-groups")), "/usr/bin/python3", "-c", ASK,
                           str(where)], stdout=subprocess.PIPE, timeout=SOON, check=True, text=True)
    pid, _, got = done.stdout.rstrip("\n").partition(" ")
    return int(pid), got

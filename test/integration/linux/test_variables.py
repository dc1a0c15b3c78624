"""Addresses with a variable of Windows, or a * for the rest of a pipe's name, on Linux: they need a far end, to which they
are passed on as they are written."""

import subprocess

import pytest

from programs import setting
from serving import connect, receive_all, refused
from via import Via

#: As they are written, and as they are shown.
TARGETS = [("assuan:%LOCALAPPDATA%/gnupg/S.gpg-agent",) * 2, ("Assuan:%UserProfile%\\x", "assuan:%UserProfile%\\x"),
           ("//./pipe/pageant.%USERNAME%.*",) * 2, ("npipe:%username%", "//./pipe/%username%"), ("//./pipe/a*",) * 2]


@pytest.mark.parametrize("target, shown", TARGETS)
def test_one_connection(target, shown):
    run = subprocess.run([setting("UVRELAY"), target], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    assert (run.returncode, run.stdout) == (1, "")
    assert f"cannot connect to {shown}: " in run.stderr and "run uvrelay.exe there" in run.stderr


@pytest.mark.parametrize("target, shown", TARGETS)
def test_without_a_far_end(tmp_path, target, shown):
    sentence = refused(f"unix://{tmp_path}/front={target}", code=2)
    assert "run uvrelay.exe there" in sentence and "--via" in sentence


@pytest.mark.parametrize("target, shown", TARGETS)
def test_a_far_end_gets_it_as_it_is(tmp_path, target, shown):
    """One on Linux says that it cannot, and shows what it has got."""
    with Via(f"unix://{tmp_path}/front={target}") as serve:
        with connect(f"unix://{tmp_path}/front") as client:
            assert receive_all(client) == b""
        assert f"cannot connect to {shown}: " in serve.wait_closed().reason


@pytest.mark.parametrize("target", ["assuan:%TEMP%/x", "assuan:%LOCALAPPDATA%", "//./pipe/*", "//./pipe/a*b", "//host/pipe/a*"])
def test_wrong(tmp_path, target):
    sentence = refused(f"unix://{tmp_path}/front={target}", code=2)
    assert target in sentence

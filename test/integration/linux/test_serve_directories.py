"""Missing directories of sockets that are listened on: they are made for this user alone, unless another user could put
something else in their place; those that exist stay as they are; after a start that fails nothing is left."""

import os
import pathlib
import stat
import subprocess
import sys
import tempfile

import pytest
from programs import SOON
from serving import Serve, ask, refused
from users import OTHER, as_root

pytestmark = pytest.mark.sanitized

NOWHERE = "unix:///nonexistent/target"


def mode(path):
    return stat.S_IMODE(os.lstat(path).st_mode)


def tree(path):
    return sorted(str(one.relative_to(path)) for one in path.rglob("*"))


@pytest.fixture
def open_directory():
    """A directory in /tmp, whose permissions a test may widen."""
    with tempfile.TemporaryDirectory(prefix="uvrelay-test-", dir="/tmp") as name:
        yield pathlib.Path(name)


@pytest.mark.parametrize("mask", [0o000, 0o022, 0o177])
def test_they_are_made(tmp_path, back, mask):
    with Serve(f"unix://{tmp_path}/a/b//c/../s={back.address}", wrap=["sh", "-c", f'umask {mask:o}; exec "$@"', "sh"],
               verbose=True) as serve:
        with serve.connect() as client:
            ask(client)
        assert [mode(tmp_path / name) for name in ("a", "a/b", "a/b/c")] == [0o700] * 3
        assert stat.S_ISSOCK(os.lstat(tmp_path / "a" / "b" / "s").st_mode)
    assert tree(tmp_path / "a") == ["b", "b/c"]


def test_several_routes_share_them(tmp_path, back):
    with Serve(*(f"unix://{tmp_path}/a/{name}/s={back.address}" for name in "xyz")) as serve:
        with serve.connect(2) as client:
            ask(client)


def test_those_that_exist_stay_as_they_are(open_directory):
    for name, permissions in (("a", 0o755), ("a/b", 0o711)):
        (open_directory / name).mkdir()
        (open_directory / name).chmod(permissions)
    with Serve(f"unix://{open_directory}/a/b/c/s={NOWHERE}"):
        assert [mode(open_directory / name) for name in ("a", "a/b", "a/b/c")] == [0o755, 0o711, 0o700]


def test_a_directory_that_exists_is_taken_whoever_can_write_to_it(open_directory):
    open_directory.chmod(0o777)
    with Serve(f"unix://{open_directory}/s={NOWHERE}"):
        assert mode(open_directory) == 0o777


def test_links_of_this_user(tmp_path, back):
    (tmp_path / "real").mkdir()
    (tmp_path / "relative").symlink_to("real/further")
    (tmp_path / "absolute").symlink_to(tmp_path / "real")
    with Serve(f"unix://{tmp_path}/relative/s={back.address}", f"unix://{tmp_path}/absolute/x/s={back.address}") as serve:
        with serve.connect(1) as client:
            ask(client)
        assert tree(tmp_path / "real") == ["further", "further/s", "x", "x/s"]


def test_links_that_lead_round(tmp_path):
    (tmp_path / "a").symlink_to("b/x")
    (tmp_path / "b").symlink_to("a/x")
    sentence = refused(f"unix://{tmp_path}/a/s={NOWHERE}", code=1)
    assert "ELOOP" in sentence and tree(tmp_path) == ["a", "b"], sentence


def test_a_file_in_the_way(tmp_path):
    (tmp_path / "file").touch()
    sentence = refused(f"unix://{tmp_path}/file/x/s={NOWHERE}", code=1)
    assert "ENOTDIR" in sentence or "not a directory" in sentence, sentence
    assert tree(tmp_path) == ["file"]


@pytest.mark.parametrize("permissions", [0o777, 0o775, 0o757, 0o770])
def test_where_others_can_write_nothing_is_made(open_directory, permissions):
    (open_directory / "a").mkdir()
    (open_directory / "a").chmod(permissions)
    sentence = refused(f"unix://{open_directory}/a/b/c/s={NOWHERE}", code=1)
    for word in (f'"{open_directory}/a/b"', f'"{open_directory}/a" can be written to by other users', "create it yourself"):
        assert word in sentence, sentence
    assert sentence.endswith("create it yourself, or choose another place"), sentence
    assert tree(open_directory / "a") == []


def test_a_sticky_directory_is_safe(open_directory, back):
    open_directory.chmod(0o1777)
    with Serve(f"unix://{open_directory}/a/s={back.address}") as serve, serve.connect() as client:
        ask(client)
        assert mode(open_directory / "a") == 0o700


@as_root
def test_a_directory_of_another_user(open_directory):
    open_directory.chmod(0o1777)
    (open_directory / "theirs").mkdir(0o700)
    os.chown(open_directory / "theirs", OTHER, -1)
    sentence = refused(f"unix://{open_directory}/theirs/a/s={NOWHERE}", code=1)
    assert f'"{open_directory}/theirs" belongs to another user' in sentence, sentence
    assert tree(open_directory / "theirs") == []


@as_root
def test_a_link_of_another_user(open_directory, tmp_path):
    """It leads to a directory of our own, but could lead elsewhere in the next moment."""
    open_directory.chmod(0o1777)
    (open_directory / "link").symlink_to(tmp_path)
    os.lchown(open_directory / "link", OTHER, -1)
    sentence = refused(f"unix://{open_directory}/link/a/s={NOWHERE}", code=1)
    assert f'"{open_directory}/link" is a link of another user' in sentence, sentence
    assert tree(tmp_path) == []


#: Makes a directory as another user for each line of its input, after a moment of up to 8 ms.
RIVAL = """
import os, sys, time
os.setgroups([])
os.setgid(65534)
os.setuid(int(sys.argv[1]))
for number, path in enumerate(sys.stdin):
    time.sleep(number % 17 / 2000)
    try:
        os.mkdir(path.rstrip("\\n"), 0o777)
    except FileExistsError:
        pass
    print("tried", flush=True)
"""


@as_root
def test_a_rival_for_the_name(open_directory):
    """Another user tries to create the directory in the same moment. If theirs is there first, it is refused."""
    open_directory.chmod(0o1777)
    with subprocess.Popen([sys.executable, "-ISc", RIVAL, str(OTHER)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                          text=True) as rival:
        for number in range(40):
            path = open_directory / str(number)
            rival.stdin.write(f"{path}\n")
            rival.stdin.flush()
            with Serve(f"unix://{path}/x/s={NOWHERE}", wait=False) as serve:
                assert rival.stdout.readline() == "tried\n"
                if os.stat(path).st_uid == OTHER:
                    assert "belongs to another user" in serve.ended(1)
                else:
                    serve.wait_match("listening$")
        rival.stdin.close()
        rival.wait(SOON)
    owners = {os.stat(path).st_uid for path in open_directory.iterdir()}
    assert tree(open_directory).count("x") == 0 and owners <= {OTHER, os.geteuid()}


def test_after_a_start_that_fails_nothing_is_left(tmp_path):
    (tmp_path / "kept").mkdir()
    (tmp_path / "file").touch()
    sentence = refused(f"unix://{tmp_path}/a/b/s={NOWHERE}", f"unix://{tmp_path}/kept/c/s={NOWHERE}",
                       f"unix://{tmp_path}/file={NOWHERE}", code=1)
    assert str(tmp_path / "file") in sentence
    assert tree(tmp_path) == ["file", "kept"]


def test_none_is_made_right_in_the_root_directory():
    sentence = refused(f"unix:///uvrelay-none/a/s={NOWHERE}", code=1)
    assert '"/uvrelay-none"' in sentence and "ENOENT" in sentence, sentence
    assert not os.path.exists("/uvrelay-none")


def test_a_directory_that_cannot_be_made():
    sentence = refused(f"unix:///proc/uvrelay/a/s={NOWHERE}", code=1)
    assert sentence.startswith('cannot create the directory "/proc/uvrelay"') and "ENOENT" in sentence, sentence


@pytest.mark.parametrize("path", ["/" + "x" * 100, "/" + "x/" * 50 + "s"])
def test_long_names(tmp_path, path):
    """A path that is too long for a socket is refused before anything is made."""
    refused(f"unix://{tmp_path}{path}/s={NOWHERE}", code=2)
    assert tree(tmp_path) == []

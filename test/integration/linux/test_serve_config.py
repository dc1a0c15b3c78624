"""The command line of uvrelay serve, its files of routes, and the options of routes by name."""

import os
import re
import stat
import subprocess
import time

import pytest
from programs import SOON
from serving import PROGRAM, Serve, ask, connect, refused

pytestmark = pytest.mark.sanitized

NOWHERE = "unix:///nonexistent/target"


def write(tmp_path, text):
    file = tmp_path / "routes.conf"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    return file


def mode(path):
    return stat.S_IMODE(os.lstat(path).st_mode)


# Files that are right.

@pytest.mark.parametrize("text", [
    "{one}\n{two}\n",
    "{one}\n{two}",
    "{one}\r\n{two}\r\n",
    "\ufeff{one}\n{two}\n",
    "\ufeff# a comment\r\n\r\n  {one}  \r\n\t{two}\t\r\n",
    "# first\n{one} # and behind\n#{one}\n   # indented\n\n \t \n{two}\t# last",
    "# nä: \U0001f600\n{one}\n{two}\n",
    "{one}\n\n\n" + "# long " + "x" * 20000 + "\n{two}\n",
    "#" + "\n" * 5000 + "{one}\n{two}\n",
])
def test_a_file(tmp_path, path, back, text):
    one, two = (f"unix://{path}{number}={back.address}" for number in (1, 2))
    with Serve("--config", write(tmp_path, text.format(one=one, two=two))) as serve:
        assert [serve.listen(number) for number in (0, 1)] == [f"unix://{path}1", f"unix://{path}2"]
        for number in (0, 1):
            with serve.connect(number) as client:
                ask(client)


def test_standard_input(path, back):
    read, send = os.pipe()
    os.write(send, f"# by a pipe\nunix://{path}={back.address}\n".encode())
    os.close(send)
    with Serve("--config=-", stdin=read) as serve, serve.connect() as client:
        os.close(read)
        ask(client)


def test_standard_input_may_be_non_blocking(path, back):
    """As another process that has it, too, may have left it."""
    read, send = os.pipe()
    os.set_blocking(read, False)
    with Serve("--config=-", stdin=read, wait=False) as serve:
        for part in ("# by a pipe\n", f"unix://{path}=", f"{back.address}\n"):
            time.sleep(0.1)
            os.write(send, part.encode())
        os.close(send)
        serve.wait_match("listening$")
        assert not os.get_blocking(read)
        os.close(read)
        with serve.connect() as client:
            ask(client)


def test_several_files_and_arguments(tmp_path, path, back):
    files = []
    for number in (1, 2):
        files.append(tmp_path / f"{number}.conf")
        files[-1].write_text(f"unix://{path}{number}={back.address}\n")
    with Serve(f"--config={files[0]}", "-config", files[1], f"unix://{path}3={back.address}") as serve:
        assert sorted(serve.listen(number) for number in range(3)) == [f"unix://{path}{end}" for end in (1, 2, 3)]


def test_a_hash_inside_a_word_is_no_comment(tmp_path, back):
    with Serve("--config", write(tmp_path, f"unix://{tmp_path}/a#b={back.address}\n")):
        assert (tmp_path / "a#b").is_socket()


def test_options_for_all_routes_of_a_file(tmp_path, path):
    text = f"perm=0660\n\tmax=7 # a comment\nunix://{path}1={NOWHERE}\nunix://{path}2?perm=0644={NOWHERE}\n"
    with Serve("--config", write(tmp_path, text)):
        assert (mode(f"{path}1"), mode(f"{path}2")) == (0o660, 0o644)


def test_a_file_goes_before_the_command_line_and_a_route_before_both(tmp_path, path):
    text = f"perm=0660\nunix://{path}1={NOWHERE}\nunix://{path}2?perm=0620={NOWHERE}\n"
    with Serve("--perm=0640", "--config", write(tmp_path, text), f"unix://{path}3={NOWHERE}"):
        assert [mode(f"{path}{number}") for number in (1, 2, 3)] == [0o660, 0o620, 0o640]


# What stands for something else, and forms that others write.

def test_the_home_directory_and_variables(tmp_path, back):
    text = "unix://~/file-home=BACK\nunix:${UVR_HERE}/file-variable=BACK\nunix:///$$=tcp:127.0.0.1:1\n"
    text = text.replace("BACK", back.address).replace("///$$", f"//{tmp_path}/$$")
    here = {"HOME": str(tmp_path), "UVR_HERE": str(tmp_path)}
    write(tmp_path, text)
    with Serve("--config=~/routes.conf", f"unix:~/argument={back.address}", env=here):
        assert {"$", "argument", "file-home", "file-variable"} <= set(os.listdir(tmp_path))
        for name in ("argument", "file-home", "file-variable"):
            with connect(f"unix://{tmp_path}/{name}") as client:
                ask(client)


def test_a_variable_that_is_not_set(tmp_path):
    file = write(tmp_path, f"# first\n unix://${{UVR_NOWHERE}}/x={NOWHERE}\n")
    sentence = refused("--config", file, code=2)
    assert sentence.startswith(f"{file}:2:9: ") and "UVR_NOWHERE" in sentence and "$$" in sentence


def test_times_with_a_unit(tmp_path, path, back):
    with Serve("--drain=500ms", "--idle=1m", "--status=2h", "--timeout=1.5m", f"unix:{path}?linger=3s={back.address}") as serve:
        assert serve.listen() == f"unix://{path}"
        with serve.connect() as client:
            ask(client)


@pytest.mark.parametrize("flag", ["drain", "status", "idle", "timeout", "linger"])
@pytest.mark.parametrize("value", ["-1s", "5 s", "1e3", "25h", "18446744073709551617h", "1m30s", "s"])
def test_times_that_are_none(path, flag, value):
    sentence = refused(f"--{flag}={value}", f"unix://{path}={NOWHERE}", code=2)
    assert f'"{value}"' in sentence and "90s" in sentence


# Files that are wrong.

BAD_LINES = [
    ("nonsense", 1, "nonsense"),
    ("   nonsense", 4, "nonsense"),
    ("unix:///a=nonsense:b", None, "nonsense"),
    ("  unix:///a?colour=red=unix:///b", None, "colour"),
    ("unix:///a=unix:///b?max=0", None, "max"),
    ("colour=red", 1, "colour"),
    ("\tcolour=red", 2, "colour"),
    ("perm=9999", None, "9999"),
    ("max=", None, "max"),
    ("max=1000001", None, "1000001"),
    ("timeout=-1", None, "-1"),
    ("unix:///a=unix:///b unix:///c=unix:///d", None, ""),
    ("=unix:///b", None, ""),
    ("unix:///a=", None, ""),
    ("unix:///a", None, ""),
    ("drain=x", None, "drain"),
    ("eager=perhaps", None, "eager"),
    (" via = a ${UVR_NOWHERE}", 10, "UVR_NOWHERE"),
    ("log-file=", None, "log-file"),
    ("config=other", None, "config"),
    ("-v", None, "-v"),
    ("unix:///a=fd://3", None, "fd://3"),
    ("x" * 5000, None, ""),
]


@pytest.mark.parametrize("line, column, word", BAD_LINES)
def test_a_wrong_line_is_told_with_its_place(tmp_path, path, line, column, word):
    good = f"unix://{path}={NOWHERE}"
    file = write(tmp_path, f"# comment\r\n\r\n{good}\r\n{line}\n{good}2\n")
    sentence = refused("--config", file, code=2)
    found = re.match(rf"{re.escape(str(file))}:4:(\d+): (.*)", sentence)
    assert found and word in found[2], sentence
    assert 1 <= int(found[1]) <= len(line) + 1 and column in (None, int(found[1])), sentence
    assert os.listdir(tmp_path) == ["routes.conf"]


@pytest.mark.parametrize("line", [
    b"unix:///a\xff=unix:///b", b"# only a comment, but \xc3\x28 here", b"unix:///a\0=unix:///b",
    "ä nonsense".encode("utf-16")])
def test_what_is_not_utf_8(tmp_path, line):
    file = write(tmp_path, b"# comment\n" + line + b"\n")
    with Serve("--config", file, wait=False) as serve:
        assert serve.wait() == 2
        assert serve.stderr.startswith(f"uvrelay: {file}:") and serve.stderr.count("\n") == 1, serve.stderr
        assert not re.search("[\0-\x09\x0b-\x1f\ufffd]", serve.stderr)


def test_the_line_counts_in_each_file(tmp_path, path):
    (tmp_path / "good.conf").write_text(f"unix://{path}={NOWHERE}\n")
    file = write(tmp_path, "\n\n\n\n nonsense\n")
    assert refused("--config", tmp_path / "good.conf", "--config", file, code=2).startswith(f"{file}:5:2: ")


def test_a_wrong_line_of_standard_input():
    read, send = os.pipe()
    os.write(send, b"\n nonsense\n")
    os.close(send)
    sentence = refused("--config=-", code=2, stdin=read)
    os.close(read)
    assert re.match(r"(-|standard input|<stdin>):2:2: ", sentence), sentence


@pytest.mark.parametrize("make, word", [
    (lambda path: None, "ENOENT"),
    (lambda path: path.mkdir(), "EISDIR"),
    (lambda path: path.symlink_to(path), "ELOOP"),
])
def test_a_file_that_cannot_be_read(path, make, word):
    make(path)
    sentence = refused("--config", path, code=2)
    assert str(path) in sentence and word in sentence, sentence


@pytest.mark.parametrize("text", ["", "\n\n", "# nothing\n", "\ufeff", "perm=0600\n"])
def test_a_file_without_routes(tmp_path, text):
    sentence = refused("--config", write(tmp_path, text), code=2)
    assert "route" in sentence, sentence


def test_a_huge_file_is_refused_or_read(tmp_path, path, back):
    """1 MB of comments are no reason to fail; what never ends must not be read forever."""
    text = ("# " + "x" * 78 + "\n") * 12500 + f"unix://{path}={back.address}\n"
    with Serve("--config", write(tmp_path, text)) as serve, serve.connect() as client:
        ask(client)
    with Serve("--config=/dev/zero", wait=False) as serve:
        assert serve.wait() == 2


# The command line.

@pytest.mark.parametrize("args, words", [
    (["--nonsense"], ["--nonsense"]),
    (["--drian=5", "a"], ["--drian", "drain"]),
    (["unix:///a"], ["unix:///a", "LISTEN=TARGET"]),
    (["unix:///a=unix:///b", "--", "-v"], ["-v", "before"]),
    (["unix:///a=unix:///b", "--nonsense"], ["--nonsense"]),
    (["--drain=soon", "unix:///a=unix:///b"], ["soon", "--drain"]),
    (["--drain=-1", "unix:///a=unix:///b"], ["-1", "--drain"]),
    (["--status=0", "unix:///a=unix:///b"], ["--status"]),
    (["--status", "unix:///a=unix:///b"], ["--status"]),
    (["--json=maybe", "unix:///a=unix:///b"], ["json"]),
    (["--config="], ["--config"]),
    (["--config"], ["config"]),
    (["--perm=0999", "unix:///a=unix:///b"], ["perm", "0999"]),
    (["--perm=01000", "unix:///a=unix:///b"], ["perm", "01000"]),
    (["--max=0", "unix:///a=unix:///b"], ["max"]),
    (["--eof=perhaps", "unix:///a=unix:///b"], ["eof", "perhaps"]),
    (["--mode=stream", "unix:///a=unix:///b"], ["mode", "stream"]),
    (["--impersonation=all", "unix:///a=unix:///b"], ["impersonation", "all"]),
    (["unix:///a=unix:///b=unix:///c\n"], []),
    ([""], []),
    (["="], []),
    (["//./pipe/x=npipe:y?impersonation=all"], ["impersonation", "all"]),
])
def test_wrong_usage(args, words):
    sentence = refused(*args, code=2)
    for word in words:
        assert word in sentence, sentence


@pytest.mark.parametrize("flag", ["-h", "--help", "-help"])
def test_help(flag):
    done = subprocess.run([PROGRAM, "serve", flag], capture_output=True, timeout=SOON, stdin=subprocess.DEVNULL)
    assert (done.returncode, done.stderr) == (0, b"")
    for word in (b"LISTEN=TARGET", b"--config", b"--drain", b"--status", b"--json", b"--allow-remote"):
        assert word in done.stdout


def test_the_help_of_all_tells_of_serve():
    done = subprocess.run([PROGRAM, "--help"], capture_output=True, timeout=SOON, stdin=subprocess.DEVNULL)
    assert done.returncode == 0 and b"uvrelay serve" in done.stdout


@pytest.mark.parametrize("name", ["a=b", "a=unix", "a=x:y", "a b", "ä\U0001f600", "a'b\"c", "a%20b", "a&b"])
def test_odd_names(tmp_path, back, name):
    with Serve(f"unix://{tmp_path}/{name}={back.address}", wait=False) as serve:
        if "=x:" in name:
            assert serve.ended(2)
            return
        serve.wait_stderr("listening\n")
        with connect(f"unix://{tmp_path}/{name}") as client:
            ask(client)


@pytest.mark.parametrize("args", [["//./pipe/x=unix:///t"], ["npipe:x=unix:///t"]])
def test_a_named_pipe_is_for_windows(args):
    assert "Windows" in refused(*args, code=1)


def test_a_target_that_is_a_named_pipe_is_refused_at_the_start(path):
    words = refused(f"unix://{path}=//./pipe/x", code=2)
    assert "Windows" in words and "--via" in words
    assert not path.exists()


# The options of a route that are wrong. Each is reported by its name; nothing is listened on.

@pytest.mark.parametrize("listen, target, words", [
    ("?colour=red", "", ["colour", "timeout", "perm"]),
    ("", "?colour=red", ["colour"]),
    ("?Timeout=1", "", ["Timeout"]),
    ("?", "", []),
    ("?timeout", "", ["timeout", "no value"]),
    ("?timeout=", "", ["timeout"]),
    ("?=1", "", []),
    ("?timeout=1&", "", []),
    ("?&timeout=1", "", []),
    ("?timeout=1&&max=2", "", []),
    ("?timeout=1?max=2", "", ["timeout"]),
    ("?timeout=1&timeout=2", "", ["timeout", "twice"]),
    ("?timeout=1", "?timeout=2", ["timeout", "twice"]),
    ("?max=3", "?max=3", ["max", "twice"]),
    ("?timeout=0", "", ["timeout", "seconds"]),
    ("?timeout=-1", "", ["timeout", "-1"]),
    ("?timeout=1S", "", ["timeout", "1S"]),
    ("?timeout=1e3", "", ["timeout", "1e3"]),
    ("?timeout= 1", "", ["timeout"]),
    ("?timeout=86401", "", ["timeout", "86401"]),
    ("?timeout=99999999999999999999999", "", ["timeout"]),
    ("?idle=never", "", ["idle", "never", "off"]),
    ("?linger=x", "", ["linger"]),
    ("?max=0", "", ["max"]),
    ("?max=-1", "", ["max"]),
    ("?max=1000001", "", ["max"]),
    ("?max=4294967297", "", ["max"]),
    ("?max=off", "", ["max"]),
    ("?max=1.5", "", ["max"]),
    ("?perm=0", "", ["perm"]),
    ("?perm=1777", "", ["perm"]),
    ("?perm=0o600", "", ["perm"]),
    ("?perm=rw", "", ["perm", "rw"]),
    ("?perm=688", "", ["perm"]),
    ("", "?perm=0600", ["perm"]),
    ("?mode=byte", "", ["mode", "pipe"]),
    ("", "?mode=byte", ["mode"]),
    ("?impersonation=anonymous", "", ["impersonation"]),
    ("", "?impersonation=anonymous", ["impersonation", "pipe"]),
    ("?eof=marker", "", ["eof", "pipe"]),
    ("", "?eof=marker", ["eof", "pipe"]),
    ("?eof=yes", "", ["eof", "yes"]),
    ("?eof=AUTO", "", ["eof"]),
    ("?" + "x" * 4000, "", []),
    ("?timeout=" + "1" * 300, "", []),
])
def test_a_wrong_option_is_refused(path, listen, target, words):
    sentence = refused(f"unix://{path}{listen}={NOWHERE}{target}", code=2)
    for word in words:
        assert word in sentence, sentence
    assert os.listdir(path.parent) == []


@pytest.mark.parametrize("listen", ["tcp://127.0.0.1:0", "fd://3"])
def test_permissions_are_of_a_socket_file(listen):
    sentence = refused(f"{listen}?perm=0600={NOWHERE}", code=2)
    assert "perm" in sentence and listen in sentence


@pytest.mark.parametrize("listen, target", [
    ("?timeout=0.001&linger=86400&idle=off&max=1000000&perm=0600&eof=none", "?eof=none"),
    ("?timeout=off&linger=off", "?idle=1"),
    ("?eof=auto", "?eof=auto&max=1"),
    ("", "?timeout=2.5"),
])
def test_a_right_option_is_taken(path, listen, target):
    with Serve(f"unix://{path}{listen}={NOWHERE}{target}") as serve:
        serve.wait_stderr("listening\n")
        assert serve.stderr == f"uvrelay: unix://{path}={NOWHERE}: listening\n"

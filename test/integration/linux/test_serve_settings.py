"""The settings of uvrelay serve in files: what each does there, which of two holds, and the file in the usual place,
which is read when neither a route nor a file is given."""

import json
import re
import subprocess

import pytest
from programs import SOON
from serving import PROGRAM, Serve, ask, connect, refused
from via import MUX

pytestmark = pytest.mark.sanitized


def write(file, text):
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    return file


def test_what_a_file_sets(tmp_path, path, back):
    file = write(tmp_path / "c", f"json = on\nverbose = true # and this\nunix://{path}={back.address}\n")
    with Serve("--config", file, verbose=False) as serve:
        serve.wait_event("listening")
        with connect(f"unix://{path}") as client:
            ask(client)
        serve.wait_event("closed")


def test_the_table_again_and_again(tmp_path, path, back):
    file = write(tmp_path / "c", f"status=50ms\nunix://{path}={back.address}\n")
    with Serve("--config", file, verbose=False) as serve:
        serve.wait_match(r"^ +open +total", count=3)


def test_a_far_end_from_a_file(tmp_path, path, back):
    """Its command is expanded: a ~/, variables, and what is in them stays one word."""
    home = tmp_path / "my home"
    write(home / "bin" / "far", f"#!/bin/sh\nexec {MUX[0]} \"$@\"\n").chmod(0o755)
    file = write(tmp_path / "c", "via = ~/bin/far ${UVR_WORD} '--allow=*' \"--window-total=${UVR_SIZE}\"\neager=true\n"
                                 f"unix://{path}=via:{back.address}\n")
    with Serve("--config", file, env={"HOME": str(home), "UVR_WORD": "mux", "UVR_SIZE": "1M"}) as serve:
        serve.wait_match("far end.* is ready|ready$")
        with connect(f"unix://{path}") as client:
            ask(client)


def test_a_far_end_that_cannot_be_found_has_its_place(tmp_path, path):
    file = write(tmp_path / "c", f"unix://{path}=via:unix:///x\n  via = /nonexistent/far mux\n")
    sentence = refused("--config", file, code=1)
    assert sentence.startswith(f"{file}:2:9: ") and "/nonexistent/far" in sentence, sentence


def test_other_computers(tmp_path):
    """A setting holds for all routes, whichever file it is in."""
    one = write(tmp_path / "1", "allow-remote=true\n")
    two = write(tmp_path / "2", "tcp://0.0.0.0:0=unix:///nonexistent\n")
    assert "allow-remote" in refused("--config", two, code=1)
    with Serve("--config", two, "--config", one):
        pass


def test_the_command_line_goes_before_files_and_a_later_file_before_an_earlier_one(tmp_path, path, back):
    one = write(tmp_path / "1", f"json=true\nvia=/nonexistent/1\nunix://{path}=via:{back.address}\n")
    two = write(tmp_path / "2", f"json=false\nvia=/nonexistent/2\n")
    both = ("--config", one, "--config", two)
    assert f"{two}:2:5: " in refused(*both, code=1)
    assert "/nonexistent/3" in refused(*both, "--via=/nonexistent/3", code=1)
    with Serve(*both, "--json", "--via", " ".join(MUX)) as serve:
        serve.wait_event("listening")


def test_an_error_is_json_if_the_file_says_so(tmp_path):
    file = write(tmp_path / "c", "json=true\nnonsense\n")
    with Serve("--config", file, wait=False, verbose=False) as serve:
        error = json.loads(serve.ended(2))
    assert error["event"] == "error" and error["text"].startswith(f"{file}:2:1: "), error


# Names.

def test_the_log_calls_a_route_by_its_name(tmp_path, path, back):
    file = write(tmp_path / "c", f"unix://{path}1?name=first={back.address}\n")
    with Serve("--config", file, f"unix://{path}2={back.address}?name=the-2nd") as serve:
        with serve.connect(1) as client:
            ask(client)
        serve.wait_match(r"^uvrelay: the-2nd #1: opened by process")
        serve.wait_match(r"^uvrelay: the-2nd #1: closed after")
        assert f"uvrelay: first: unix://{path}1={back.address}: listening\n" in serve.stderr


@pytest.mark.parametrize("name", ["", "-x", "a b", "ä", "x" * 64, "a/b"])
def test_a_bad_name(path, name):
    sentence = refused(f"unix://{path}?name={name}=unix:///x", code=2)
    assert "name" in sentence and "63 letters, digits" in sentence, sentence


def test_a_name_twice(tmp_path, path):
    file = write(tmp_path / "c", f"unix://{path}1?name=x=unix:///x\n unix://{path}2?name=x=unix:///x\n")
    sentence = refused("--config", file, code=2)
    assert sentence.startswith(f"{file}:2:2: ") and "first in line 1" in sentence, sentence


# The file in the usual place.

@pytest.mark.parametrize("below, env", [
    (".config/uvrelay", {"HOME": "{}", "XDG_CONFIG_HOME": ""}),
    ("xdg/uvrelay", {"HOME": "/nonexistent", "XDG_CONFIG_HOME": "{}/xdg"}),
    ("xdg/uvrelay", {"HOME": "{}", "XDG_CONFIG_HOME": "{}/xdg/"}),
    (".config/uvrelay", {"HOME": "{}/", "XDG_CONFIG_HOME": "xdg"}),
])
def test_the_usual_file(tmp_path, path, back, below, env):
    write(tmp_path / below / "routes.conf", f"unix://{path}={back.address}\n")
    env = {name: value.format(tmp_path) for name, value in env.items()}
    with Serve("--drain=1", env=env) as serve, serve.connect() as client:
        ask(client)


def test_the_usual_file_is_not_read_besides_others(tmp_path, path, back):
    write(tmp_path / ".config" / "uvrelay" / "routes.conf", "nonsense\n")
    env = {"HOME": str(tmp_path), "XDG_CONFIG_HOME": ""}
    with Serve(f"unix://{path}={back.address}", env=env) as serve, serve.connect() as client:
        ask(client)
    assert "routes.conf:1:1: " in refused(code=2, env=env)


def test_no_usual_file(tmp_path):
    env = {"HOME": str(tmp_path), "XDG_CONFIG_HOME": ""}
    sentence = refused(code=2, env=env)
    for word in ("no route is given", f"{tmp_path}/.config/uvrelay/routes.conf", "uvrelay setup", "--config=FILE",
                 "LISTEN=TARGET"):
        assert word in sentence, sentence
    assert list(tmp_path.iterdir()) == []


def test_the_usual_file_without_routes(tmp_path):
    file = write(tmp_path / "uvrelay" / "routes.conf", "# later\n")
    sentence = refused(code=2, env={"XDG_CONFIG_HOME": str(tmp_path)})
    assert "no route is given" in sentence and str(file) in sentence, sentence


def test_the_usual_file_that_cannot_be_read(tmp_path):
    (tmp_path / "uvrelay" / "routes.conf").mkdir(parents=True)
    sentence = refused(code=2, env={"XDG_CONFIG_HOME": str(tmp_path)})
    assert str(tmp_path) in sentence and "EISDIR" in sentence, sentence


def test_the_flags_of_files_are_those_of_the_command_line():
    """Each long flag is a setting or option of a file, but for those that only make sense before a file is read."""
    usage = subprocess.run([PROGRAM, "serve", "--help"], capture_output=True, timeout=SOON, text=True, check=True).stdout
    flags = set(re.findall(r"(?<=[ ,])--([a-z-]+)(?==|,| )", "\n".join(
        line for line in usage.splitlines() if re.match("  -", line))))
    with Serve("--config=/dev/stdin", wait=False, verbose=False, stdin=subprocess.PIPE) as serve:
        serve.popen.stdin.write(b"colour=red\n")
        serve.popen.stdin.close()
        listed = re.search(r"a file can have (.*)$", serve.ended(2).strip())[1]
    assert set(re.split(", | and ", listed)) == flags - {"background", "check", "config", "help", "version"}

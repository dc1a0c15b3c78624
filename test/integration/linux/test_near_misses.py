"""Command lines that are nearly right: each gets what was probably meant, written out to be copied.

Wrong usage is one sentence, and a line that tells how to get help; status 2, and nothing is connected to or made."""

import os
import subprocess

import pytest

PROGRAM = os.environ["UVRELAY"]
SOON = 30


def refuse(*args, status=2, cwd=None, stdin=""):
    """The sentence that a command line is refused with, and the lines after it."""
    result = subprocess.run([PROGRAM, *args], input=stdin, capture_output=True, text=True, timeout=SOON, check=False,
                            cwd=cwd)
    assert (result.returncode, result.stdout) == (status, ""), result
    first, *rest = result.stderr.splitlines()
    assert first.startswith("uvrelay: "), first
    return first.removeprefix("uvrelay: "), rest


@pytest.mark.parametrize("args, meant", [
    (["server"], "uvrelay serve"),
    (["Serve"], "uvrelay serve"),
    (["SERVE"], "uvrelay serve"),
    (["srve"], "uvrelay serve"),
    (["statsu"], "uvrelay status"),
    (["muxx"], "uvrelay mux"),
    (["docter"], "uvrelay doctor"),
    (["setup-ssh"], "uvrelay setup ssh-agent"),
    (["setup-", "--yes"], "uvrelay setup --yes"),
    (["server", "unix:///a=tcp://b:1"], "uvrelay serve unix:///a=tcp://b:1"),
    (["server", "unix:///a?max=1&idle=5=tcp://b:1", "-v"], 'uvrelay serve "unix:///a?max=1&idle=5=tcp://b:1" -v'),
    (["server", "a$b"], "uvrelay serve ..."),
    (["server", "x" * 300], "uvrelay serve ..."),
])
def test_a_mistyped_command(args, meant):
    sentence, rest = refuse(*args)
    assert sentence.startswith(f'there is no command "{args[0]}": ')
    assert sentence.endswith(f": did you mean {meant}?")
    assert rest == ["Try: uvrelay --help"]


def test_a_mistyped_command_behind_flags():
    assert refuse("-v", "server") == ('there is no command "server": did you mean uvrelay serve?',
                                      ["Try: uvrelay --help"])


@pytest.mark.parametrize("flag, meant", [
    ("--serve", "serve is a command, not a flag: write uvrelay serve a=b"),
    ("-serve", "serve is a command, not a flag: write uvrelay serve a=b"),
    ("--Status", "status is a command, not a flag: write uvrelay status a=b"),
])
def test_a_command_written_as_a_flag(flag, meant):
    assert refuse(flag, "a=b") == (meant, ["Try: uvrelay --help"])


@pytest.mark.parametrize("word", ["ssh-agent", "@ssh-agent"])
def test_a_preset_without_serve(word):
    sentence, rest = refuse(word)
    assert "uvrelay serve @ssh-agent" in sentence and "uvrelay setup ssh-agent" in sentence
    assert rest == ["Try: uvrelay --help"]


def test_help_on_a_mistyped_command():
    assert refuse("help", "srve") == ('there is no command "srve" to help with: write uvrelay help serve',
                                      ["Try: uvrelay --help"])


@pytest.mark.parametrize("args, again", [
    ([], "uvrelay --help"),
    (["--nonsense"], "uvrelay --help"),
    (["serve"], "uvrelay serve --help"),
    (["serve", "--nonsense"], "uvrelay serve --help"),
    (["serve", "unix:///s=tcp://h:1", "--idle=x"], "uvrelay serve --help"),
], ids=" ".join)
def test_wrong_usage_is_one_sentence(args, again):
    _, rest = refuse(*args)
    assert rest == [f"Try: {again}"]


def test_wrong_usage_of_mux_is_one_line():
    """Its standard error is in the log of serve, which shows the last line as the reason."""
    assert refuse("mux", "--nonsense")[1] == []


# Routes.

@pytest.mark.parametrize("args, meant", [
    (["unix:///a", "tcp://b:1"], "unix:///a=tcp://b:1"),
    (["unix:///a->tcp://b:1"], "unix:///a=tcp://b:1"),
    (["unix:///a", "=", "tcp://b:1"], "unix:///a=tcp://b:1"),
    (["unix:///a?max=1", "tcp://b:1"], '"unix:///a?max=1=tcp://b:1"'),
    (["/run/a", "/run/b"], "unix:///run/a=unix:///run/b"),
    (["8080", "80"], "tcp://127.0.0.1:8080=tcp://127.0.0.1:80"),
    (["UNIX-LISTEN:/tmp/s,fork", 'EXEC:"npiperelay.exe -ei -s //./pipe/docker_engine",nofork'],
     "unix:/tmp/s=//./pipe/docker_engine"),
    (["unix:///a=tcp://b:1", "unix:///c", "tcp://d:1"], "unix:///c=tcp://d:1"),
])
def test_a_route_that_is_none(args, meant):
    sentence, _ = refuse("serve", *args)
    assert " is not a route: write " in sentence and sentence.endswith((" " + meant)), sentence


def test_a_route_with_its_sides_mixed_up():
    sentence, _ = refuse("serve", "//./pipe/x=unix:///nonexistent/s", status=1)
    assert sentence.startswith("cannot listen on //./pipe/x: named pipes exist only on Windows")
    assert sentence.endswith("LISTEN comes first: did you mean unix:///nonexistent/s=//./pipe/x?")


@pytest.mark.parametrize("route, meant", [
    ("unix:///a=tcp://b:1?idel=5", "there is no option \"idel\": did you mean idle?"),
    ("unix:///a=localhost:80", "write tcp://localhost:80"),
    ("unix:///a=pipe:x", "write //./pipe/x"),
    ("unix:///a=http://h/x", "write tcp://h:80"),
    ("UNIX-LISTEN:/a,fork=tcp://b:1", "write unix:/a"),
    ("8080=tcp://b:1", "write tcp://127.0.0.1:8080"),
])
def test_an_address_of_a_route(route, meant):
    assert refuse("serve", route)[0].endswith(meant)


@pytest.mark.parametrize("args, meant", [
    (["-L", "8080:h:80", "host"], 'write uvrelay serve --via="ssh HOST uvrelay mux" tcp://127.0.0.1:8080=via:tcp://h:80'),
    (["serve", "unix:///a", "->", "tcp://b:1"], "write LISTEN=TARGET in one word, unix:///a=tcp://b:1"),
    (["serve", "unix:///a", "tcp://b"], 'write LISTEN=TARGET in one word, "unix:///a=tcp://b"'),
    (["serve", "->"], "write LISTEN=TARGET in one word"),
    (["-d", "TCP:h:80"], "-v logs events"),
    (["-T5"], ": --help lists all flags"),
])
def test_flags_of_other_programs(args, meant):
    assert refuse(*args)[0].endswith(meant)


def test_a_line_of_a_file(tmp_path):
    file = tmp_path / "routes.conf"
    file.write_text("# mine\n  socat UNIX-LISTEN:/tmp/s,fork TCP:h:80\n")
    assert refuse("serve", f"--config={file}") == (
        f'{file}:2:3: "socat UNIX-LISTEN:/tmp/s,fork TCP:h:80" is not a route: write unix:/tmp/s=TCP:h:80', [])

"""What uvrelay serve makes of the command of its far end: how it is found and started, what is reported of each that is
wrong, when it is started again, how it is ended."""

import contextlib
import itertools
import os
import pathlib
import re
import signal
import socket
import time

import pytest

from programs import SOON
from serving import PROGRAM, EchoServer, Serve, all_at_once, ask, connect, ends, refused, wait_for
from via import Via, alive, far_end

#: How a line of a far end's begins in the log.
SAYS = r"^uvrelay: far end: "

#: A far end that is right until it is asked to end.
RUNS = "child = subprocess.Popen(MUX)\nchild.wait()\n"


@pytest.fixture
def route(path, back):
    return f"unix://{path}=via:{back.address}"


@pytest.fixture
def script(tmp_path):
    return tmp_path / "far"


def waiting(path, timeout=SOON):
    """A client, whose connection needs the far end."""
    client = connect(f"unix://{path}", timeout)
    client.sendall(b"hello")
    return client


# How it is found.

def test_not_found(route):
    for command in ("/nonexistent/uvrelay mux", "uvrelay-that-is-nowhere mux", "nonexistent/uvrelay"):
        sentence = refused("--via", command, route, code=1)
        assert command.split()[0] in sentence and "--via" not in sentence.split(command.split()[0])[0], sentence
        assert re.search(r"ENOENT|not found|is no |there is no", sentence), sentence


def test_not_executable(route, script):
    far_end(script, RUNS, mode=0o644)
    sentence = refused("--via", f"{script} mux", route, code=1)
    assert str(script) in sentence and re.search("EACCES|execut", sentence), sentence


def test_a_directory(route, tmp_path):
    sentence = refused("--via", f"{tmp_path} mux", route, code=1)
    assert str(tmp_path) in sentence and re.search("EACCES|EISDIR|directory|execut", sentence), sentence


def elf(machine=None, loader=None, type_=None):
    """A program of the system, with another number in its header, or another loader."""
    data = bytearray(pathlib.Path("/bin/sh").read_bytes())
    if machine:
        data[18] = machine
    if type_:
        data[16] = type_
    if loader:
        place = data.index(b"/ld-linux")
        data[place:place + len(loader)] = loader
    return bytes(data)


#: Files that are executable and that the system does not start, and what is said of each.
NO_PROGRAMS = {
    "empty": (b"", "it is empty"),
    "far.exe": (b"MZ" + bytes(500), "it is for Windows"),
    "foreign": (lambda: elf(machine=183 if os.uname().machine == "x86_64" else 62),
                "another kind of computer .(ARM64|x86-64)"),
    "object": (lambda: elf(type_=1), "not a complete program"),
    "loader": (lambda: elf(loader=b"/ld-none-"), r"it needs \S*/ld-none-\S*, which does not exist"),
    "binary": (b"\x1f\x8b" + bytes(100), "neither a program for Linux nor a script"),
    "interpreter": (b"#!/nonexistent/python -I\n", 'names the interpreter "/nonexistent/python", which does not exist'),
    "returns": (b"#!/bin/sh\r\nexec true\r\n", "carriage returns"),
    "nameless": (b"#!\nexec true\n", "has no interpreter")}


@pytest.mark.parametrize("name", NO_PROGRAMS)
def test_a_file_that_is_no_program(route, tmp_path, name):
    """It is refused at the start, and not tried forever."""
    if name == "far.exe" and os.path.exists("/proc/sys/fs/binfmt_misc/WSLInterop"):
        pytest.skip("WSL starts programs for Windows")
    content, text = NO_PROGRAMS[name]
    script = tmp_path / name
    script.write_bytes(content if isinstance(content, bytes) else content())
    script.chmod(0o755)
    sentence = refused("--via", f"{script} mux", route, code=1)
    assert f'"{script}"' in sentence and re.search(text, sentence), sentence


@pytest.mark.parametrize("command, here", [
    (r"C:\uvrelay\uvrelay.exe mux", "/mnt/c/uvrelay/uvrelay.exe"),
    (r'"D:\Program Files\uvrelay.exe" mux', "/mnt/d/Program Files/uvrelay.exe"),
    ("'c:/x y/uvrelay.exe' mux", "/mnt/c/x y/uvrelay.exe"), ("C:/uvrelay.exe", "/mnt/c/uvrelay.exe")])
def test_a_path_of_windows(route, command, here):
    sentence = refused("--via", command, route, code=1)
    assert "a Windows path" in sentence and f'"{here}"' in sentence, sentence


def test_a_script_without_a_first_line_of_its_own(route, path, script):
    """A shell reads it, as from any other shell."""
    script.write_text(f"exec {PROGRAM} mux\n")
    script.chmod(0o755)
    with Via(route, via=[str(script)]), waiting(path) as client:
        assert client.recv(5) == b"hello"


def test_a_text_that_is_no_script(route, path, script):
    """That cannot be seen at the start. It is reported, and not tried again until another client comes."""
    script.write_text("Dear reader,\n")
    script.chmod(0o755)
    with Via("--timeout=1", route, via=[str(script)]) as serve:
        for number in (1, 2):
            with waiting(path) as client:
                ends(client)
            reason = serve.wait_match(rf"#{number}: closed .*$")[0]
            assert re.search("exited at once with status 127, because it does not begin with #!, so /bin/sh has read it: "
                             ".*Dear: not found", reason), reason
            assert len(serve.matches(r"started \(process")) == number
        serve.wait_match("Dear: not found; the next client starts it again")


def test_a_program_that_is_replaced_by_none(route, path, script):
    far_end(script, RUNS)
    with Via("--timeout=1", route, via=[str(script)]) as serve:
        script.write_text("#!/nonexistent/interpreter\n")
        with waiting(path) as client:
            ends(client)
        serve.wait_match(r"cannot be started: .*names the interpreter .*which does not exist; the next client starts it")
        far_end(script, RUNS)
        with waiting(path) as client:
            assert client.recv(5) == b"hello"
        assert len(re.findall(r"^uvrelay: far end: .* cannot be started", serve.stop(), re.MULTILINE)) == 1


@pytest.mark.parametrize("command", ["", "  ", "'unclosed", '"unclosed', "uvrelay 'mux"])
def test_a_command_that_is_none(route, command):
    sentence = refused("--via", command, route, code=2)
    assert "--via" in sentence, sentence


@pytest.mark.parametrize("target", ["npipe:x", "//./pipe/x", "via:tcp://127.0.0.1:9", "assuan:///C:/x/S.gpg-agent"])
def test_a_target_that_needs_a_far_end_and_has_none(path, target):
    if os.path.exists("/proc/sys/fs/binfmt_misc/WSLInterop"):
        pytest.skip("in WSL there is a default")
    sentence = refused(f"unix://{path}={target}", code=2)
    assert "--via" in sentence and not path.exists(), sentence


@pytest.mark.parametrize("target", ["via:via:tcp://127.0.0.1:9", "via:", "via:nonsense", "via:fd://3"])
def test_a_target_that_is_none(path, target):
    refused("--via", f"{PROGRAM} mux", f"unix://{path}={target}", code=2)


def test_found_on_the_path(route, path, tmp_path):
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "far-uvrelay").symlink_to(PROGRAM)
    with Via(route, via="far-uvrelay mux", env={"PATH": f"/nonexistent:{tmp_path / 'bin'}"}):
        with waiting(path) as client:
            assert client.recv(5) == b"hello"


@pytest.mark.parametrize("line, words", [
    ('''{0} a "b c" 'd e' f''', ["a", "b c", "d e", "f"]),
    (r"""{0} "a'b" 'c"d' e\ f "g\"h" """, ["a'b", 'c"d', "e f", 'g"h']),
    ("""{0} $HOME '*' ; `x` #y ~ a"b"c ''""", ["$HOME", "*", ";", "`x`", "#y", "~", "abc", ""]),
    ("""  {0}\tä\t  "\u20ac" """, ["ä", "€"]),
    (""" '{0}' """, [])])
def test_quoting(route, path, tmp_path, line, words):
    """Blanks and quotes; no shell, no variables. The program's own path has a blank."""
    script = tmp_path / "a far end"
    words_file = str(tmp_path / "words")
    far_end(script, f"open({words_file!r}, 'wb').write(b'\\0'.join(map(os.fsencode, sys.argv[1:])))\n{RUNS}")
    quoted = str(script) if "'{0}'" in line else f'"{script}"'
    with Via(route, via=line.format(quoted)):
        with waiting(path) as client:
            assert client.recv(5) == b"hello"
    text = (tmp_path / "words").read_bytes().decode()
    assert (text.split("\0") if words else [text]) == (words or [""])


# What it says.

def test_its_standard_error_comes_with_a_prefix(route, path, script):
    """Line by line, the last one without its end, too; what is not to be printed is escaped."""
    via = far_end(script, "os.write(2, b'one\\ntwo \\x1b[31m\\x07\\r\\n\\nthr')\n"
                  "time.sleep(0.1)\nos.write(2, b'ee\\n')\n" + RUNS + "os.write(2, b'last')")
    with Via(route, via=via, verbose=False) as serve:
        with waiting(path) as client:
            assert client.recv(5) == b"hello"
        serve.wait_match(SAYS + "three$")
        text = serve.stop()
    assert "\x1b" not in text and "\x07" not in text
    lines = [line for line in re.findall(r"^uvrelay: far end: (.*)$", text, re.M) if line]
    assert lines[0] == "one" and lines[1].startswith("two ") and lines[2:] in (["three", "last"], ["three"]), text


def test_utf16_on_its_standard_error(route, path, script):
    """wsl.exe writes UTF-16, unless it is asked not to, and the program that it starts UTF-8."""
    via = far_end(script, "child = subprocess.Popen(MUX)\n"
                  "text = 'wsl: Gr\u00f6\u00dfe \u6ca1\u4e0a\x1b[0m\\r\\n'\n"
                  "for byte in text.encode('utf-16-le'): os.write(2, bytes([byte]))\n"
                  "os.write(2, b'bash: gr\\xc3\\xbcn\\n')\n"
                  "os.write(2, 'held \u4e0a\\n'.encode('utf-16-le')[:-1])\n"
                  "child.wait()\n")
    with Via(route, via=via, verbose=False) as serve:
        with waiting(path) as client:
            assert client.recv(5) == b"hello"
        for line in (r"wsl: Gr\u00f6\u00dfe \u6ca1\u4e0a\\x1b\[0m", r"bash: gr\u00fcn", r"held \u4e0a"):
            serve.wait_match(SAYS + line + "$")


def test_wsl_is_told_to_write_utf8(route, path, script):
    via = far_end(script, "os.write(2, b'[%s]\\n' % os.environ.get('WSL_UTF8').encode())\nos.execv(MUX[0], MUX)\n")
    with Via(route, via=via, verbose=False) as serve:
        with waiting(path) as client:
            assert client.recv(5) == b"hello"
        serve.wait_match(SAYS + r"\[1\]$")


def test_a_flood_on_its_standard_error_stops_nothing(route, path, script):
    via = far_end(script, "child = subprocess.Popen(MUX)\n"
                  "for i in range(20000): os.write(2, b'line %d of many that nobody reads\\n' % i)\nchild.wait()\n")
    with Via(route, via=via) as serve:
        with waiting(path) as client:
            assert client.recv(5) == b"hello"
            for _ in range(20):
                ask(client)
        serve.wait_match(SAYS + "line 0 of many")


WRONG = {
    "status": ("sys.stderr.write('first\\nout of order\\n'); sys.exit(3)",
               r"exited at once with status 3: out of order; .* 0\.1 s$"),
    "status-0": ("sys.exit(0)", r"exited at once with status 0.*; .* 0\.1 s$"),
    "killed": ("os.kill(os.getpid(), 9)", r"(exited|killed) at once .*signal 9.*$"),
    "garbage": ("os.write(1, b'hello\\r\\n\\x1b[0m'); time.sleep(100)",
                r'says "hello\\r\\n.*" instead of uvrelay-mux/1'),
    "binary": ("os.write(1, bytes(range(128, 256)) * 100); time.sleep(100)", r'says ".*" instead of uvrelay-mux/1'),
    "version": ("os.write(1, b'uvrelay-mux/2\\n'); time.sleep(100)", r"speaks uvrelay-mux/2, not uvrelay-mux/1"),
    "rubbish-later": ("os.write(1, GREETING + b'rubbish ' * 100); time.sleep(100)", r"violated the yamux"),
    "closed": ("os.close(1); time.sleep(100)", r"(ended|closed|exited)")}


def check_that_it_is_told(place, address, text, pattern):
    path, script = place / "front", place / "far"
    route, command = f"unix://{path}=via:{address}", far_end(script, text)
    with Via("--timeout=0.6", "--drain=0", route, via=command, verbose=False) as serve:
        with waiting(path) as client:
            begin = time.monotonic()
            ends(client)
            assert 0.5 < time.monotonic() - begin < SOON
        serve.wait_match(rf"{SAYS}{re.escape(command[0])}.*{pattern}")
        serve.wait_match(rf"^uvrelay: {re.escape(route)} #1: ")
        out = serve.stop()
    lines = [line for line in out.splitlines() if str(script) in line and line.startswith("uvrelay: far end: ")
             and not re.search(r": the same \d+ times in ", line)]
    assert 1 <= len(lines) <= 2, f"the same is told once, and what is left at the end: {out}"
    for line in out.splitlines():
        assert line.startswith("uvrelay: ") and line.isprintable() and len(line) < 2000, out


def test_a_wrong_one_is_told(tmp_path, back):
    """Each in a line of its own, once; its client waits until its timeout and learns of it, too; nothing is left of it;
    and a line is a line."""
    all_at_once(tmp_path, {name: lambda place, wrong=wrong: check_that_it_is_told(place, back.address, *wrong)
                           for name, wrong in WRONG.items()})


def test_one_that_says_nothing(route, path, script):
    with Via("--timeout=0.5", route, via=far_end(script, "time.sleep(100)")) as serve:
        with waiting(path) as client:
            begin = time.monotonic()
            ends(client)
            assert 0.4 < time.monotonic() - begin < SOON
        assert len(serve.far_ends()) == 1 and not serve.matches("is ready")


def test_one_that_never_reads(route, path, script):
    """Its clients' bytes fill what there is, and no more."""
    via = far_end(script, "os.write(1, GREETING); time.sleep(100)")
    with Via("--timeout=0.5", "--drain=0", route, via=via) as serve:
        clients = [connect(f"unix://{path}") for _ in range(5)]
        for client in clients:
            client.settimeout(0.1)
            with contextlib.suppress(TimeoutError, ConnectionError):
                client.sendall(bytes(1 << 20))
            client.settimeout(SOON)
        for client in clients:
            ends(client)
            client.close()
        assert serve.far_ends()


# When it is started again.

def test_the_delay_doubles(route, path, script):
    """0.1 s, 0.2 s, 0.4 s…: and what is the same is reported once."""
    via = far_end(script, f"open({str(script.with_name('starts'))!r}, 'a').write('%f\\n' % time.time()); sys.exit(3)")
    with Via("--drain=0", route, via=via, verbose=False) as serve:
        with waiting(path):
            starts = wait_for(lambda: [float(line) for line in times(script)] if len(times(script)) >= 5 else None,
                              "five starts")
        delays = [b - a for a, b in itertools.pairwise(starts)]
        for delay, least in zip(delays, (0.1, 0.2, 0.4, 0.8)):
            assert least * 0.9 < delay < least + 3, delays
        assert len(serve.matches(SAYS + ".*exited at once with status 3")) == 1


def times(script):
    file = script.with_name("starts")
    return file.read_text().splitlines() if file.exists() else []


def test_another_failure_is_told_again(route, path, script):
    starts = script.with_name("starts")
    via = far_end(script, f"open({str(starts)!r}, 'a').write('x')\nsys.exit(3 + os.path.getsize({str(starts)!r}) % 2)")
    with Via("--drain=0", route, via=via, verbose=False) as serve:
        with waiting(path):
            serve.wait_match(SAYS + ".*with status 3")
            serve.wait_match(SAYS + ".*with status 4")


def test_a_client_waits_until_it_is_right(route, path, script):
    """The third start is the one that works; no byte is lost, and from then on the delay is short again."""
    starts = script.with_name("starts")
    via = far_end(script, f"open({str(starts)!r}, 'a').write('x')\n"
                  f"if os.path.getsize({str(starts)!r}) < 3: sys.exit(1)\n{RUNS}")
    with Via(route, via=via) as serve:
        with waiting(path) as client:
            assert client.recv(5) == b"hello"
            os.kill(serve.far_pid(3), signal.SIGKILL)
            ends(client)
        with waiting(path) as client:
            assert client.recv(5) == b"hello"
        assert serve.matches(r"starting it again in (\S+) s")[-1][1] == "0.1"


def test_the_program_appears_later(route, path, tmp_path):
    """It is there at the start, then gone for a while, as when it is replaced."""
    program = tmp_path / "far-uvrelay"
    program.symlink_to(PROGRAM)
    with Via(route, via=f"{program} mux") as serve:
        with waiting(path) as client:
            assert client.recv(5) == b"hello"
        program.unlink()
        os.kill(serve.far_pid(), signal.SIGKILL)
        with waiting(path) as client:
            time.sleep(0.4)
            program.symlink_to(PROGRAM)
            assert client.recv(5) == b"hello"


# How it is ended.

IGNORES = "for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP): signal.signal(number, signal.SIG_IGN)\n"


STAYS = {
    "reads-nothing": "os.write(1, GREETING)\nwhile True: time.sleep(1)",
    "stays": RUNS + "while True: time.sleep(1)",
    "starts-another": RUNS + "subprocess.run(['sleep', '100'])",
    "has-closed-its-output": "child = subprocess.Popen(MUX)\nos.close(0), os.close(1)\nwhile True: time.sleep(1)"}


def check_that_it_is_killed(place, address, text):
    with Via("--timeout=0.3", "--drain=0", f"unix://{place}/front=via:{address}",
             via=far_end(place / "far", IGNORES + text)) as serve:
        with waiting(place / "front") as client, contextlib.suppress(OSError):
            client.recv(5)
        pid = serve.far_pid()
        assert serve.far_ends()
        begin = time.monotonic()
        serve.stop()
        assert time.monotonic() - begin < SOON and not alive(pid)


def test_one_that_does_not_end_is_killed(tmp_path, back):
    """It ignores the end of its input, and signals; Via looks at what is left."""
    all_at_once(tmp_path, {name: lambda place, text=text: check_that_it_is_killed(place, back.address, text)
                           for name, text in STAYS.items()})


#: Notes when it is stopped, and which signals come.
NOTES = ("def note(what):\n"
         "  open(os.path.dirname(sys.argv[0]) + '/notes', 'a').write('%s %f\\n' % (what, time.time()))\n"
         "signal.signal(signal.SIGTERM, lambda *_: (note('signal'), os._exit(0)))\n" + RUNS + "note('input')\n")


def stopped(place, address, text, seconds, signals=1):
    """Stops serve with this far end, by so many signals. Gives how long it took, its log, and the notes."""
    via = far_end(place / "far", NOTES + text)
    with Via("--drain=0", "--eager", f"unix://{place}/front=via:{address}", via=via) as serve:
        serve.wait_match(r"far end: .* is ready")
        begin = time.monotonic()
        for _ in range(signals - 1):
            serve.send_signal(signal.SIGTERM)
            serve.wait_match("stopping: ")
        text = serve.stop()
        took = time.monotonic() - begin
    lines = [line.split() for line in (place / "notes").read_text().splitlines()] if (place / "notes").exists() else []
    assert took < seconds + SOON / 2
    return took, text, {what: float(at) for what, at in lines}


def slow_one(place, address):
    took, log, notes = stopped(place, address, "time.sleep(3)\n", 3)
    assert took >= 3 and list(notes) == ["input"]
    assert re.search("^uvrelay: warning: the far end .* has not exited yet: it will be killed in a few seconds, "
                     "or at once by another signal$", log, re.M), log


def one_that_ends_by_a_signal(place, address):
    _, _, notes = stopped(place, address, "time.sleep(100)\n", 5)
    assert list(notes) == ["input", "signal"] and 4 < notes["signal"] - notes["input"] < 8


def one_that_is_frozen(place, address):
    took, _, notes = stopped(place, address, "os.kill(os.getpid(), signal.SIGSTOP)\n", 6)
    assert took > 5 and list(notes) == ["input"]


def a_second_signal(place, address):
    took, _, notes = stopped(place, address, "time.sleep(100)\n", 0, signals=2)
    assert took < 4 and "signal" not in notes


def test_it_has_five_seconds_to_end(tmp_path, back):
    """Then it gets SIGTERM, and then SIGKILL; at once when serve gets another signal."""
    all_at_once(tmp_path, {case.__name__: lambda place, case=case: case(place, back.address) for case in
                           (slow_one, one_that_ends_by_a_signal, one_that_is_frozen, a_second_signal)})


def test_a_wrong_one_is_killed_before_the_next(route, path, script):
    """Of those that say the wrong thing and stay, there is never more than one."""
    far = far_end(script, IGNORES + "os.write(1, b'hello\\n')\nwhile True: time.sleep(1)")
    with Via("--drain=0", route, via=far) as serve, waiting(path):
        first, second = serve.far_pid(1), serve.far_pid(2)
        assert not alive(first) and serve.far_ends() == [second]


def test_it_inherits_nothing(route, path, back, script):
    """No listener, no client, no other descriptor of serve's: those would keep sockets alive."""
    names = script.with_name("names")
    via = far_end(script, f"open({str(names)!r}, 'w').write(' '.join(os.readlink('/proc/self/fd/' + n) for n in "
                  "os.listdir('/proc/self/fd') if int(n) > 2 and os.path.exists('/proc/self/fd/' + n)))\n" + RUNS)
    with Via(route, f"tcp://127.0.0.1:0=via:{back.address}", via=via, verbose=True) as serve:
        with waiting(path) as client, serve.connect(1) as other:
            assert client.recv(5) == b"hello"
            ask(other)
    assert "socket:" not in names.read_text() and "pipe:" not in names.read_text(), names.read_text()


def test_it_has_no_share_in_serves_signals_mask(route, path, script):
    """SIGTERM ends a far end as any program: nothing is blocked or ignored there."""
    masks = script.with_name("masks")
    via = far_end(script, f"open({str(masks)!r}, 'w').write(open('/proc/self/status').read())\n{RUNS}")
    with Via(route, via=via):
        with waiting(path) as client:
            assert client.recv(5) == b"hello"
    found = dict(re.findall(r"^(Sig\w+):\s+(\w+)$", masks.read_text(), re.M))
    assert int(found["SigBlk"], 16) == 0, found
    term, pipe = 1 << (signal.SIGTERM - 1), 1 << (signal.SIGPIPE - 1)
    # Python ignores SIGPIPE itself.
    assert int(found["SigIgn"], 16) & ~pipe & (term | 0xFF) == 0, found


# JSON

def test_json(route, path, script):
    via = far_end(script, "os.write(2, b'a word\\n')\n" + RUNS)
    with Via("--json", route, via=via) as serve:
        with connect(f"unix://{path}") as client:
            ask(client)
            started = serve.wait_event("far-end-started")
            assert started["command"] == str(script) and alive(started["pid"])
            assert serve.wait_event("far-end-says")["text"] == "a word"
            assert serve.wait_event("far-end-ready")["command"] == str(script)
            assert serve.wait_event("opened")["target"].startswith("via:unix:")
            os.kill(started["pid"], signal.SIGKILL)
            ends(client)
        down = serve.wait_event("far-end-down")
        assert down["text"] and down["retry_ms"] == 100, down
        assert serve.wait_event("closed")["reason"] == "failed"


def test_plain_routes_need_no_far_end(path, tmp_path, script):
    """A command that is never needed is never started."""
    starts = script.with_name("starts")
    via = far_end(script, f"open({str(starts)!r}, 'w')")
    with EchoServer(tmp_path / "plain") as plain, Via(f"unix://{path}={plain.address}", via=via) as serve:
        with connect(f"unix://{path}") as client:
            ask(client)
        assert serve.far_ends() == [] and not starts.exists()


def test_the_same_file_of_config(path, back, tmp_path):
    config = tmp_path / "routes"
    config.write_text(f"timeout=5\nunix://{path}=via:{back.address}\n")
    with Via("--config", config) as serve:
        with waiting(path) as client:
            assert client.recv(5) == b"hello"
        assert serve.far_pid()


def test_serve_is_ready_before_the_far_end_is(path, back, script):
    """With --eager, too: a far end that never speaks keeps no route from listening."""
    route, via = f"unix://{path}=via:{back.address}", far_end(script, "time.sleep(100)")
    with Via("--eager", "--drain=0", route, via=via) as serve:
        assert isinstance(serve, Serve) and path.exists()
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(path))
        serve.far_pid()

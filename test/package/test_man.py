"""The manual pages of the program: they are made without a warning, lead to pages that exist, and describe the flags,
options, settings and presets that the program has, all of them and no others.

What the program has is found out from what it prints and accepts, in the preset `linux` and in `windows`; that the
pages are in order, in `linux` only, which makes them."""

import itertools
import json
import os
import re
import shlex
import shutil
import subprocess

import pytest

from conftest import BUILD, SOURCE, WINDOWS, run

MAN = SOURCE / "docs/man"
PAGES = sorted(path.stem for path in MAN.glob("*.[0-9].md"))
COMMANDS = ("serve", "mux", "setup", "env", "status", "reload", "doctor", "presets", "facts")
UNKNOWN = "--no-such-flag"

#: Values for what the pages call by these words.
SAMPLES = {
    "COMMAND": "true" if not WINDOWS else "cmd.exe", "FILE": "x.conf", "LEVEL": "anonymous", "MODE": "byte",
    "NAME": "fish", "NUMBER": "5", "OCTAL": "0600", "PATTERN": "unix:///run/*", "SECONDS": "5", "SIZE": "1M",
    "WHO": "any",
}  # fmt: skip

same_for_both = pytest.mark.skipif(WINDOWS, reason="it is the same as in the program for Linux")
linux_only = pytest.mark.skipif(WINDOWS, reason="the pages are made by the build for Linux")


def program(*arguments, environment=None, stdin="", **options):
    """Runs it to its end: its exit status, and what it printed."""
    run_exe = shlex.split(os.environ.get("UVRELAY_RUN_EXE", "")) if WINDOWS else []
    command = [*run_exe, BUILD / ("uvrelay.exe" if WINDOWS else "uvrelay")]
    environment = {**os.environ, "GNUPGHOME": "", **(environment or {})}
    result = subprocess.run([*command, *arguments], input=stdin.encode(), env=environment, timeout=60,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options)  # fmt: skip
    return result.returncode, result.stdout.decode(), result.stderr.decode()


def sections(text):
    """Each heading of a page but its first one, and the text up to the next heading of its kind or above."""
    found = {}
    headings = list(re.finditer(r"^(##+) (.*)$", text, re.MULTILINE))
    for i, heading in enumerate(headings):
        below = (later.start() for later in headings[i + 1 :] if len(later[1]) <= len(heading[1]))
        found[heading[2]] = text[heading.end() : next(below, len(text))]
    return found


def page(name):
    return sections((MAN / f"{name}.md").read_text())


def terms(text):
    """The items of a section's list that have a tag: each tag's words in code, and its description."""
    for tag, description in re.findall(r"^- (.*)\\\n((?:  .*\n|\n(?=  ))*)", text, re.MULTILINE):
        yield re.findall(r"`([^`]+)`", tag), description


def flags_section(command):
    if command in ("", "serve", "mux"):
        return page("uvrelay.1" if command == "" else f"uvrelay-{command}.1")["Options"]
    return page("uvrelay.1")[f"uvrelay {command}"]


def described_flags(command):
    """Each flag that the command's page describes, with its value: {"--idle": "=SECONDS", "-v": ""}. Those that only
    the program of the other system has are left out."""
    found = {}
    for words, description in terms(flags_section(command)):
        if "On Windows only." in description and not WINDOWS:
            continue
        for word in words:
            if flag := re.fullmatch(r"(--?[A-Za-z][a-z-]*)(\[?=.*)?", word):
                assert flag[1] not in found, f"{command} {flag[1]} is described twice"
                found[flag[1]] = flag[2] or ""
    return found


def listed_flags(command):
    """Each flag that --help lists, in the same form."""
    status, printed, _ = program(*filter(None, [command]), "--help")
    assert status == 0
    found = {}
    for line in re.findall(r"^  (--?[A-Za-z].*?)(?:  |$)", printed, re.MULTILINE):
        for name, value in re.findall(r"(--?[A-Za-z][a-z-]*)(\[?=[^, ]+)?", line):
            found[name] = value
    return found


@pytest.mark.parametrize("command", ["", *COMMANDS])
def test_each_flag_of_the_help_is_described(command):
    described, listed = described_flags(command), listed_flags(command)
    assert listed or command in ("reload", "facts")
    assert listed.keys() - described.keys() == set()
    for name, value in listed.items():
        assert bool(value) == bool(described[name]), f"{command} {name}"


@same_for_both
@pytest.mark.parametrize("command", ["", *COMMANDS])
def test_each_described_flag_is_one(command, tmp_path):
    """The program takes it, and complains of what follows, or shows the help or the version."""
    flags = described_flags(command)
    assert flags
    for name, value in flags.items():
        word = value.strip("[]=")
        sample = f"={SAMPLES.get(word, {'--absent': 'wait', '--eof': 'auto'}.get(name, word))}" if word else ""
        if name in ("--help", "-h", "--version", "-V"):
            status, printed, error = program(*filter(None, [command]), name)
            assert status == 0 and printed and not error, f"{command} {name}"
        else:
            words = [*filter(None, [command]), f"{name}{sample}", UNKNOWN]
            status, _, error = program(*words, environment={"HOME": str(tmp_path)})
            assert status == 2 and UNKNOWN in error, f"{command} {name}{sample}: {error}"


def is_line(line):
    """Whether a file of routes may have this line."""
    route = f"{'npipe:x' if WINDOWS else 'unix:///tmp/x'}=via:tcp://127.0.0.1:1"
    return program("serve", "--check", "--config=-", "--via=" + SAMPLES["COMMAND"], stdin=f"{line}\n{route}\n")[0] == 0


def is_option(option, side):
    """Whether a route may have this option after its listener, or its target."""
    pipe = "//./pipe/x" if WINDOWS else "unix:///tmp/x"
    port = "tcp://127.0.0.1:1"
    route = f"{pipe}?{option}={port}" if side == "listener" else f"{port}={pipe}?{option}"
    return program("serve", "--check", "--via=" + SAMPLES["COMMAND"], route)[0] == 0


def described_options():
    """Options of routes: {"idle": description}, and how each is written with a value."""
    for words, description in terms(page("uvrelay-routes.conf.5")["Options"].partition("\n### ")[0]):
        [word] = words
        name, value = word.split("=")
        sample = {"absent": "wait", "eof": "auto"}.get(name) or SAMPLES[value]
        yield name, f"{name}={sample}", description


def described_settings():
    return {word for words, _ in terms(page("uvrelay-routes.conf.5")["Settings"]) for word in words}


def test_options_of_routes():
    sides = {"listener", "target"}
    for name, sample, description in described_options():
        description = " ".join(description.split())
        allowed = {side for side in sides if f"After a {side} only." in description} or sides
        if name in ("impersonation", "mode", "perm", "peer-uid") and WINDOWS != (name in ("impersonation", "mode")):
            continue  # for pipes only, or for Unix sockets only
        assert {side for side in sides if is_option(sample, side)} == allowed, name


@same_for_both
def test_lines_of_files():
    """Each flag of serve is an option or a setting on the page exactly if a file may have it."""
    options = {name: sample for name, sample, _ in described_options()}
    values = listed_flags("serve")
    assert not is_line("name=x"), "the page says so"
    possible = set()
    for flag, value in values.items():
        name = flag.removeprefix("--")
        sample = options.get(name) or name + (f"={SAMPLES.get(value.strip('='), value.strip('='))}" if value else "")
        if flag.startswith("--") and is_line(sample):
            possible.add(name)
    assert possible == (options.keys() - {"name"}) | described_settings()


def test_presets(tmp_path):
    """Their listeners, targets and variables."""
    home = str(tmp_path)
    status, printed, _ = program("presets", "--json", environment={"HOME": home})
    assert status == 0
    text = page("uvrelay-routes.conf.5")["Presets"]
    linux, _, windows = text.partition("\nOn Windows")
    described = {words[0]: dict(re.findall(r"(Target|Listener|Variable): `([^`]+)`", description))
                 for words, description in terms(windows if WINDOWS else linux)}  # fmt: skip
    had = {}
    for line in printed.splitlines():
        preset = json.loads(line)
        listen = preset["listen"].replace(f"unix://{home}/", "~/")
        had["@" + preset["name"]] = {"Target": preset["target"], "Listener": listen, "Variable": preset["variable"]}
    if not WINDOWS:
        assert had["@gpg-agent"].pop("Variable") is None
        del had["@gpg-agent"]["Listener"]  # which depends on the system, as the page says
    assert described == had


def blocks(path):
    """The blocks of code, without the fence's word."""
    return re.findall(r"^```\w*\n(.*?)^```$", path.read_text(), re.MULTILINE | re.DOTALL)


def check(*arguments, **options):
    """What `serve --check` prints of good routes. A program that exists here stands for the far end."""
    status, printed, error = program(*arguments, "--via=" + SAMPLES["COMMAND"], "--check", **options)
    assert (status, error) == (0, ""), arguments
    return printed


def file_examples():
    """Examples that are files of routes, or lines of one."""
    for path in (MAN / "uvrelay-routes.conf.5.md", SOURCE / "docs/configuration.md"):
        for number, text in enumerate(blocks(path)):
            if re.search(r"^(@|\S+ ?= ?\S)", text, re.MULTILINE) and not re.search(r"^uvrelay", text, re.MULTILINE):
                yield pytest.param(text, id=f"{path.stem}-{number}")


@pytest.mark.parametrize("text", file_examples())
def test_examples_of_files(text, tmp_path):
    """`serve --check` finds no fault in them, those for the other system excepted, and as many routes as there are."""
    if ("npipe:" in text or "APPDATA" in text) != WINDOWS:
        pytest.skip("it is for the other system")
    added = "npipe:added" if WINDOWS else "unix:///tmp/added"
    (tmp_path / "file").write_text(f"{text}\n{added}=via:tcp://127.0.0.1:1?owner=any\n")
    environment = {"HOME": str(tmp_path), "XDG_RUNTIME_DIR": str(tmp_path)}
    printed = check("serve", f"--config={tmp_path / 'file'}", environment={} if WINDOWS else environment)
    assert printed.count("\n") == 1 + len(re.findall(r"^(?:@|\S*:.*=)", text, re.MULTILINE))


def command_examples():
    """Commands of serve that the pages and the guide show."""
    paths = [*MAN.glob("*.md"), SOURCE / "docs/configuration.md"]
    for text in itertools.chain(*map(blocks, paths)):
        for command in re.findall(r"^(uvrelay(?:\.exe)? serve .*)$", text.replace("\\\n", ""), re.MULTILINE):
            yield pytest.param(command.rstrip(" &"), id=re.sub(r"\W+", "-", command))


@pytest.mark.parametrize("command", command_examples())
def test_examples_of_commands(command, tmp_path):
    first, *words = shlex.split(command.replace("$HOME", str(tmp_path)))
    if (first == "uvrelay.exe") != WINDOWS or words == ["serve", "--background"] or words == ["serve", "--check"]:
        pytest.skip("it is for the other system, or reads the user's file")
    for number, file in enumerate(re.findall(r"--config=(\S+)", command)):
        (tmp_path / file).write_text(f"tcp://127.0.0.1:{number + 1}=tcp://127.0.0.1:9\n")
    assert " = " in check(*words, cwd=tmp_path)


@linux_only
@pytest.mark.parametrize("name", PAGES)
def test_made_without_a_warning(name):
    run("cmake", "--build", BUILD, "--target", "manual_pages")
    path = BUILD / f"docs/man/man{name[-1]}/{name}"
    warnings = [line for line in run("groff", "-t", "-man", "-ww", "-z", "-Tutf8", path).splitlines() if line]
    # That pandoc writes .PP after .SH means nothing; a version that is not released has no date.
    known = r"skipping paragraph macro: PP after S[HS]|cannot parse date, using it verbatim: TH unreleased"
    lint = subprocess.run(["mandoc", "-Tlint", path], stdout=subprocess.PIPE, text=True)
    assert warnings + [line for line in lint.stdout.splitlines() if not re.search(known, line)] == []

    environment = {**os.environ, "MANWIDTH": "80", "LC_ALL": "C.UTF-8", "MANPAGER": "cat"}
    result = subprocess.run(["man", "--warnings", "-l", path], env=environment, text=True, stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE)  # fmt: skip
    assert result.returncode == 0 and result.stderr == ""
    text = re.sub(".\b", "", result.stdout)
    assert [line for line in text.splitlines() if len(line) > 80 or line.endswith("\N{HYPHEN}")] == []
    assert [line for line in text.splitlines() if re.search(r"\]\(|`[^`]*`\B|\*\*|\\$", line) and "eval" not in line
            and not line.endswith(" \\")] == []  # fmt: skip
    for heading in ("NAME", "SYNOPSIS", "DESCRIPTION", "EXAMPLES", "SEE ALSO"):
        assert re.search(f"^{heading}$", text, re.MULTILINE), heading
    for referred, section in re.findall(r"(uvrelay[\w.-]*)\((\d)\)", text):
        assert f"{referred}.{section}" in PAGES
    assert run("lexgrog", path).count(" - ") == 1


@linux_only
def test_every_text_gets_into_the_page():
    """Nothing of a page is lost on the way, tags of lists and blocks of code included."""
    for name in PAGES:
        source = (MAN / f"{name}.md").read_text()
        made = (BUILD / f"docs/man/man{name[-1]}/{name}").read_text()
        plain = re.sub(r"\\f\[?[A-Z]*\]?|\\&|\\e|\\\[\w+\]|\\\(\w\w|\W", "", made)
        for code in re.findall(r"`([^`\n]+)`", re.sub(r"^```.*?^```", "", source, flags=re.MULTILINE | re.DOTALL)):
            assert re.sub(r"\W", "", code) in plain, f"{name}: {code}"


def write_project(directory):
    """One that makes nothing but the pages."""
    (directory / "CMakeLists.txt").write_text(f"""
        cmake_minimum_required(VERSION 3.25)
        project(uvrelay VERSION 7.8.9 LANGUAGES NONE)
        add_custom_target(docs)
        add_subdirectory("{MAN}" man)""")


@linux_only
def test_date_and_version(tmp_path):
    """They are those of CHANGELOG.md, or SOURCE_DATE_EPOCH. Nothing else depends on when and where pages are made."""
    write_project(tmp_path)
    (tmp_path / "CHANGELOG.md").write_text("# Changes\n\n## [7.8.9] - 2031-02-03\n\n## [7.8.8] - 2030-01-01\n")
    made = {}
    for build, epoch in (("a", None), ("b", None), ("c", "86400")):
        environment = {name: value for name, value in os.environ.items() if name != "SOURCE_DATE_EPOCH"}
        environment |= {"SOURCE_DATE_EPOCH": epoch} if epoch else {}
        directory = tmp_path / build
        run("cmake", "-G", "Ninja", "-S", tmp_path, "-B", directory, env=environment)
        run("ninja", "-C", directory, "man/man1/uvrelay-mux.1", env=environment)
        made[build] = (directory / "man/man1/uvrelay-mux.1").read_text()
    assert re.search(r'^\.TH "UVRELAY-MUX" "1" "2031-02-03" "uvrelay 7\.8\.9"', made["a"], re.MULTILINE)
    assert made["b"] == made["a"]
    assert made["c"] == made["a"].replace("2031-02-03", "1970-01-02")


@linux_only
def test_without_pandoc(tmp_path):
    """The rest is built all the same, and it is said what is missing."""
    write_project(tmp_path)
    printed = run("cmake", "-G", "Ninja", "-S", tmp_path, "-B", tmp_path / "build", "-D", "UVRELAY_PANDOC=")
    assert "pandoc is missing" in printed and "apt-get install pandoc" in " ".join(printed.split())
    run("ninja", "-C", tmp_path / "build", "docs")


def test_the_tools_are_there():
    assert WINDOWS or all(shutil.which(tool) for tool in ("pandoc", "mandoc", "man", "groff", "lexgrog"))

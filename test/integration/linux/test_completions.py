"""The completions for bash, zsh and fish, in these shells. Their flags are those of the help texts, and what they offer
the program takes."""

import os
import pathlib
import re
import shutil
import subprocess

import pytest

from completing import SHELLS, SOURCE, lay_out
from serving import wait_for

PROGRAM = os.environ["UVRELAY"]
SOON = 30
COMMANDS = re.findall(r'\{"(\w+)", uvr_cli_\w+\}', (SOURCE / "src/cli/commands.c").read_text())
#: Good values of flags for which the shells offer none, or files.
VALUES = {"timeout": "5", "linger": "1", "idle": "5", "max": "3", "drain": "5", "status": "5", "via": "uvrelay mux",
          "config": "routes.conf", "log-file": "log", "windows-program": "uvrelay.exe", "allow": "unix:///run/x",
          "owner": "user", "peer-uid": "user"}  # fmt: skip


@pytest.fixture(scope="module", params=list(SHELLS))
def shell(request, tmp_path_factory):
    if shutil.which(request.param.split()[0]) is None:
        pytest.fail(f"{request.param} is missing: deps/setup installs it")
    prefix = tmp_path_factory.mktemp("completions")
    lay_out(prefix, PROGRAM)
    cwd = prefix / "cwd"
    (cwd / "directory").mkdir(parents=True)
    (cwd / "routes.conf").write_text("")
    (cwd / "a b.sock").write_text("")
    opened = SHELLS[request.param](prefix, prefix / "home", cwd)
    opened.cwd = cwd
    opened.name = request.param
    yield opened
    opened.close()
    shutil.rmtree(prefix)


def run(*args):
    return subprocess.run([PROGRAM, *args], capture_output=True, text=True, timeout=SOON, check=False)


def usage(command):
    return run(*command, "--help").stdout


def flags_of(text):
    """The flags that a help text tells of, and those of them that take a value."""
    lines = re.findall(r"^  (-[\w-]+(?:\[?=\w+\]?)?(?:, -[\w-]+(?:=\w+)?)*)", text, re.MULTILINE)
    flags = [flag for line in lines for flag in line.split(", ")]
    with_value = {flag.split("=")[0] for flag in flags if re.match(r"[\w-]+=", flag)}
    return {re.split(r"[\[=]", flag)[0] for flag in flags}, with_value


def plain(words):
    return {word.removesuffix("=") for word in words}


@pytest.mark.parametrize("command", [[], *([name] for name in COMMANDS)], ids=lambda words: " ".join(words) or "none")
def test_flags(shell, command):
    wanted, with_value = flags_of(usage(command))
    wanted.add("--help")
    assert command in (["reload"], ["facts"]) or len(wanted) > 1
    if command == ["doctor"]:
        with_value = flags_of(usage(["serve"]))[1]
    line = " ".join(["uvrelay", *command, ""])
    one, two = shell.offers(f"{line}-"), shell.offers(f"{line}--")
    offered = plain(one | two)
    assert wanted - offered == set(), "flags that are not offered"
    assert plain(two) >= {flag for flag in wanted if flag.startswith("--")}
    for flag in sorted(offered):
        bare = flag.lstrip("-")
        takes = flag in with_value or flag + "=" in one | two
        value = f"={VALUES.get(bare) or sample(shell, line, flag)}" if takes else ""
        if flag in ("--version", "-V", "--help"):
            done = run(*command, flag)
        else:
            done = run(*command, flag + value, "--help")
        assert (done.returncode, done.stderr) == (0, ""), (flag, value)
        assert flag in wanted or command == ["doctor"], f"{flag} is not in the help text"


def sample(shell, line, flag):
    values = shell.offers(f"{line}{flag}=")
    assert values, f"no value is offered for {flag}"
    return sorted(values)[0].split("=")[-1]


def test_setup_on_windows(shell):
    text = re.search(r"static const char usage\[\] = (.*?);\n", (SOURCE / "src/cli/setup/setup_win.c").read_text(),
                     re.DOTALL)[1]
    wanted, _ = flags_of("".join(re.findall(r'"(.*?)"\n', text + "\n")).replace("\\n", "\n"))
    assert "--logon" in wanted
    assert plain(shell.offers("uvrelay.exe setup --")) == wanted


@pytest.mark.parametrize("command, flag", [
    ([], "impersonation"), ([], "owner"), (["serve"], "impersonation"), (["serve"], "mode"), (["serve"], "eof"),
    (["serve"], "absent"), (["serve"], "control"), (["serve"], "perm"), (["serve"], "owner"), (["serve"], "peer-uid"),
    (["serve"], "log-size"), (["serve"], "window-total"), (["mux"], "window-total"), (["env"], "shell"),
    (["doctor"], "mode"),
])
def test_values(shell, command, flag):
    """They are offered behind = and as the next word, and the program takes each."""
    line = " ".join(["uvrelay", *command, f"--{flag}"])
    values = {word.split("=")[-1] for word in shell.offers(f"{line}=")}
    assert len(values) >= 2 and shell.offers(f"{line} ") == values
    for value in values:
        done = run(*command, f"--{flag}={value}", "--help")
        assert (done.returncode, done.stderr) == (0, ""), value


def test_values_are_all(shell):
    """Those that the program names in its refusal."""
    names = set(re.findall(r"\w+", run("env", "--shell=x").stderr.split(" one of ")[1].split("\n")[0]))
    assert {word.split("=")[-1] for word in shell.offers("uvrelay env --shell=")} == names - {"also", "and"}
    levels = {word.split("=")[-1] for word in shell.offers("uvrelay --impersonation=")}
    assert levels == {"anonymous", "identification", "impersonation", "delegation"}


def test_commands(shell):
    offered = shell.offers("uvrelay ")
    assert {*COMMANDS, "help", "version"} <= offered
    assert {"unix:///", "tcp://", "assuan:///", "abstract:"} <= offered
    assert {word for word in offered if ":" not in word} == {*COMMANDS, "help", "version"}
    assert {*COMMANDS} <= shell.offers("uvrelay help ")
    assert shell.offers("uvrelay help serve ") == set()
    assert shell.after_tab("uvrelay ser").rstrip(" ") == "uvrelay serve"


def presets():
    return set(re.findall(r"^@([\w-]+):", run("presets").stdout, re.MULTILINE))


def test_presets(shell):
    names = presets()
    assert len(names) >= 5
    routes = {f"@{name}" for name in names}
    assert {word for word in shell.offers("uvrelay serve @")} == routes
    assert routes <= shell.offers("uvrelay serve ")
    assert routes <= shell.offers("uvrelay serve -v --max=3 @docker ")
    assert routes <= shell.offers("uvrelay doctor ")
    assert shell.offers("uvrelay setup ") == names
    assert names <= shell.offers("uvrelay setup docker ")
    for listen in ("unix:///tmp/s", "tcp://127.0.0.1:2375"):
        assert shell.offers(f"uvrelay serve {listen}=@") == {f"{listen}=@{name}" for name in names}
    assert shell.after_tab("uvrelay serve unix:///tmp/s=@doc").rstrip(" ") == "uvrelay serve unix:///tmp/s=@docker"
    assert shell.after_tab("uvrelay serve @doc").rstrip(" ") == "uvrelay serve @docker"
    assert shell.after_tab("uvrelay setup doc").rstrip(" ") == "uvrelay setup docker"


def test_presets_of_a_program_by_its_path(shell):
    """The program that is typed is asked; of nothing that is no plain path."""
    home = pathlib.Path(shell.env["HOME"])
    (home / "a b").mkdir()
    (home / "a b/uvrelay").symlink_to(PROGRAM)
    (home / "uvrelay").symlink_to(PROGRAM)
    routes = {f"@{name}" for name in presets()}
    for command in ("~/uvrelay", f"{home}/uvrelay", f"{home}/a\\ b/uvrelay", "../home/uvrelay"):
        assert shell.offers(f"{command} serve @") == routes, command
    witness = home / "witness"
    for command in (f"$(touch {witness})/uvrelay", f"'$(touch {witness})'/uvrelay"):
        if shell.name != "fish":
            shell.offers(f"{command} serve @")
            assert not witness.exists(), command


def test_addresses(shell):
    listeners = {word for word in shell.offers("uvrelay serve ") if not word.startswith("@")}
    assert listeners == {"unix:///", "tcp://", "abstract:", "fd://"}
    targets = {word for word in shell.offers("uvrelay serve unix:///s=") if "=@" not in word}
    assert targets == {f"unix:///s={scheme}" for scheme in ("unix:///", "tcp://", "abstract:", "assuan:///", "via:",
                                                           "//./pipe/")}
    assert "unix:///s=via:tcp://" in shell.offers("uvrelay serve unix:///s=via:")
    assert "//./pipe/" in shell.offers("uvrelay.exe serve ") and "unix:///" not in shell.offers("uvrelay.exe serve ")
    assert "//./pipe/" in shell.offers("uvrelay.exe ")
    assert shell.after_tab("uvrelay serve unix:///s=abs") == "uvrelay serve unix:///s=abstract:"
    assert shell.after_tab("uvrelay serve abs") == "uvrelay serve abstract:"


def without_flags(offered, line=""):
    """zsh offers flags where nothing else can be."""
    return offered if line.endswith("-") else {word for word in offered if not word.startswith("-")}


def test_nothing_behind_a_target(shell):
    for line in ("uvrelay tcp://h:1 ", "uvrelay tcp://h:1 -", "uvrelay -v tcp://h:1 --", "uvrelay presets ",
                 "uvrelay status ", "uvrelay env ", "uvrelay facts ", "uvrelay mux ", "uvrelay version "):
        assert without_flags(shell.offers(line), line) == set(), line
    assert "--timeout" in plain(shell.offers("uvrelay --impersonation anonymous --"))


def test_files(shell):
    """Paths of addresses are names of files; a directory goes on with a slash, a listener with =."""
    here = shell.cwd
    for scheme in ("unix://", "unix:", "assuan://"):
        assert shell.after_tab(f"uvrelay {scheme}{here}/rou").rstrip(" ") == f"uvrelay {scheme}{here}/routes.conf"
        assert shell.after_tab(f"uvrelay serve tcp://127.0.0.1:0={scheme}{here}/dir") == (
            f"uvrelay serve tcp://127.0.0.1:0={scheme}{here}/directory/")
    assert shell.after_tab(f"uvrelay serve unix://{here}/rou") == f"uvrelay serve unix://{here}/routes.conf"
    assert shell.after_tab("uvrelay -a rou").rstrip(" ") == "uvrelay -a routes.conf"
    for flag in ("--config=", "--config ", "--log-file="):
        assert shell.after_tab(f"uvrelay serve {flag}rou").rstrip(" ") == f"uvrelay serve {flag}routes.conf"


def test_the_home_directory(shell):
    home = pathlib.Path(shell.env["HOME"])
    (home / "agent.sock").touch()
    assert shell.after_tab("uvrelay unix:~/age").rstrip(" ") == "uvrelay unix:~/agent.sock"


def test_a_blank_in_a_file(shell):
    if shell.name != "fish":
        assert shell.after_tab(f"uvrelay unix://{shell.cwd}/a").rstrip(" ") == (
            f"uvrelay unix://{shell.cwd}/a\\ b.sock")
    assert f"unix://{shell.cwd}/a b.sock" in {word.replace("\\", "") for word in shell.offers(
        f"uvrelay unix://{shell.cwd}/a")} or shell.name == "zsh"


def test_in_quotes(shell):
    if shell.name != "fish":
        line = "uvrelay serve 'unix:///tmp/s=@dock"
        assert shell.after_tab(line).rstrip(" '") == "uvrelay serve 'unix:///tmp/s=@docker"
        line = f'uvrelay "unix://{shell.cwd}/rou'
        assert shell.after_tab(line).rstrip(' "') == f'uvrelay "unix://{shell.cwd}/routes.conf'


OPTIONS = {"timeout", "linger", "idle", "max", "eof", "name"}
OF_LISTENERS = OPTIONS | {"perm", "mode", "peer-uid"}
OF_TARGETS = OPTIONS | {"impersonation", "absent", "owner"}
QUERIES = [("'unix:///s?", OF_LISTENERS), ("'@docker?", OF_TARGETS), ("'unix:///s=tcp://h:1?", OF_TARGETS),
           ("'unix:///s=@docker?max=3&", OF_TARGETS), ("'unix:///s?perm=0600&", OF_LISTENERS),
           ("'unix:///s?perm=0600=tcp://h:1?", OF_TARGETS)]  # fmt: skip


@pytest.mark.parametrize("word, names", QUERIES, ids=[word for word, _ in QUERIES])
def test_options_of_routes(shell, word, names):
    offered = shell.offers(f"uvrelay serve {word}")
    assert {re.split(r"[?&]", found)[-1].removesuffix("=") for found in offered} == names
    for value in ("byte", "message"):
        assert any(found.endswith(value) for found in shell.offers("uvrelay serve 'unix:///s?mode="))


def test_options_are_taken():
    """What is offered behind an address is an option of the program's."""
    listen, target = "unix:///tmp/uvrelay-none", "unix:///tmp/uvrelay-target"
    values = {"timeout": "5", "linger": "5", "idle": "5", "max": "3", "eof": "none", "name": "x", "perm": "0600",
              "peer-uid": "user", "absent": "wait", "owner": "user", "impersonation": "anonymous"}  # fmt: skip
    for name, value in values.items():
        at_listener = name in ("perm", "peer-uid")
        if name == "impersonation":
            target = "via://./pipe/uvrelay-none"
        route = f"{listen}?{name}={value}={target}" if at_listener else f"{listen}={target}?{name}={value}"
        assert run("serve", "--check", f"--via={PROGRAM} mux", route).returncode == 0, route


def test_owners_are_a_list(shell):
    if shell.name == "zsh":
        assert shell.after_tab("uvrelay serve --owner=user,sys").rstrip(" ,") == "uvrelay serve --owner=user,system"
    else:
        assert "--owner=user,system" in {word if word.startswith("--") else f"--owner={word}"
                                         for word in shell.offers("uvrelay serve --owner=user,s")}
    assert shell.after_tab("uvrelay serve --mod").rstrip("=") + "=" == "uvrelay serve --mode="


def test_reload_offers_processes(shell):
    """Those that serve."""
    assert without_flags(shell.offers("uvrelay reload ")) == set()
    command = [PROGRAM, "serve", f"unix://{shell.cwd}/served.sock=tcp://127.0.0.1:1"]
    with subprocess.Popen(command, env=shell.env, stderr=subprocess.DEVNULL) as serve:
        try:
            wait_for(lambda: "routes" in subprocess.run([PROGRAM, "status", "--json"], env=shell.env, check=False,
                                                         capture_output=True, text=True).stdout, "serve answers")
            assert without_flags(shell.offers("uvrelay reload ")) == {str(serve.pid)}
            assert without_flags(shell.offers(f"uvrelay reload {serve.pid} ")) == set()
        finally:
            serve.terminate()

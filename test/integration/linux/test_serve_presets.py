"""Presets in routes, what uvrelay presets says of them, and what uvrelay serve --check says of routes."""

import json
import os
import re
import stat
import subprocess

import pytest
import logschema
from programs import SOON
from serving import PROGRAM, Serve, ask, connect, refused
from users import OTHER, as_root
from via import MUX

pytestmark = pytest.mark.sanitized

NAMES = ["ssh-agent", "docker", "gpg-agent", "gpg-ssh", "pageant"]
FAR = " ".join(MUX)


def run(*args, env=None, wrap=()):
    done = subprocess.run([*wrap, PROGRAM, *args], capture_output=True, timeout=SOON, stdin=subprocess.DEVNULL, text=True,
                          env={**os.environ, **(env or {})})
    return done.returncode, done.stdout, done.stderr


def check(*args, env=None, wrap=()):
    """What --check says of each route."""
    code, out, err = run("serve", "--check", "--json", *args, env=env, wrap=wrap)
    assert (code, err) == (0, ""), (code, err)
    return logschema.check_lines(out, "check")


def presets(env=None):
    code, out, err = run("presets", "--json", env=env)
    assert (code, err) == (0, "")
    return {one["name"]: one for one in logschema.check_lines(out, "preset")}


# The command.

def test_the_table(tmp_path):
    code, out, err = run("presets", env={"HOME": str(tmp_path)})
    assert (code, err) == (0, "")
    assert re.findall("^@([a-z-]+): ", out, re.M) == NAMES
    for word in (f"unix://{tmp_path}/.uvrelay/ssh-agent.sock", "//./pipe/openssh-ssh-agent?owner=user,system,admins",
                 f"SSH_AUTH_SOCK={tmp_path}/.uvrelay/ssh-agent.sock", f"DOCKER_HOST=unix://{tmp_path}/.uvrelay/docker.sock"):
        assert word in out, out


def test_the_table_in_json(tmp_path):
    found = presets({"HOME": str(tmp_path)})
    assert list(found) == NAMES
    assert found["docker"]["value"] == f"unix://{tmp_path}/.uvrelay/docker.sock"
    assert found["gpg-agent"]["variable"] is None


def test_the_table_without_a_home_directory():
    """What can't be found out is reported in its place."""
    code, out, err = run("presets", env={"HOME": "nowhere", "GNUPGHOME": ""})
    assert (code, err) == (0, "") and out.count("home directory") == len(NAMES), out


@pytest.mark.parametrize("args, word", [(["x"], "no argument"), (["--jsn"], "--json"), (["--json=x"], "true or false")])
def test_wrong_usage_of_presets(args, word):
    code, out, err = run("presets", *args)
    assert code == 2 and out == "" and err.startswith("uvrelay: ") and word in err and "uvrelay presets --help" in err, err


def test_help_of_presets():
    for flag in ("--help", "-h", "help"):
        code, out, err = run("presets", flag)
        assert (code, err) == (0, "") and "@ssh-agent" in out and all(len(line) <= 80 for line in out.splitlines())


# In routes.

@pytest.mark.parametrize("name", NAMES)
def test_each_preset_is_what_the_table_says(tmp_path, name):
    env = {"HOME": str(tmp_path), "GNUPGHOME": ""}
    told = presets(env)[name]
    assert check(f"--via={FAR}", f"@{name}", env=env) == [{
        "listen": told["listen"], "target": told["target"], "name": name, "preset": name, "far_end": FAR}]


def test_a_preset_is_served(tmp_path, back):
    """Its directory is made, and its name is in the log. A target of Windows' is refused by this far end, in one word."""
    with Serve(f"--via={FAR}", "@ssh-agent", env={"HOME": str(tmp_path)}) as serve:
        path = tmp_path / ".uvrelay" / "ssh-agent.sock"
        assert stat.S_IMODE(os.stat(path.parent).st_mode) == 0o700 and stat.S_IMODE(os.stat(path).st_mode) == 0o600
        with connect(f"unix://{path}") as client:
            assert client.recv(1) == b""
        serve.wait_match(r"^uvrelay: ssh-agent #1: closed .*named pipes exist only on Windows")


def test_presets_in_a_file(tmp_path):
    file = tmp_path / "c"
    file.write_text(f"via = {FAR}\ntimeout=9\n@docker?perm=0660&idle=5 # one\n  unix:///tmp/$UVR_X = @docker?name=second\n")
    first, second = check("--config", str(file), env={"HOME": str(tmp_path), "UVR_X": "x"})
    assert first["listen"] == f"unix://{tmp_path}/.uvrelay/docker.sock?perm=0660"
    assert first["target"] == "//./pipe/docker_engine?linger=off&owner=user,system,admins&idle=5"
    assert (second["listen"], second["name"], second["preset"]) == ("unix:///tmp/x", "second", "docker")


def test_two_of_one_preset(tmp_path):
    """Only one of them can be called like it."""
    routes = check(f"--via={FAR}", "@docker", "unix:///tmp/x=@docker", env={"HOME": str(tmp_path)})
    assert [route["name"] for route in routes] == ["docker", None]
    assert "given twice" in refused(f"--via={FAR}", "@docker", "@docker", code=2)


@pytest.mark.parametrize("line, column, words", [
    ("@dokcer", 1, ["@dokcer", "did you mean @docker?"]),
    ("  @sshagent", 3, ["did you mean @ssh-agent?"]),
    ("unix:///a = @page-ant", 13, ["did you mean @pageant?"]),
    ("@nothing", 1, ["@ssh-agent, @docker, @gpg-agent, @gpg-ssh and @pageant", "uvrelay presets"]),
    ("@docker?colour=red", 1, ["colour"]),
    ("@docker?max=0", 1, ["max"]),
    ("@docker?idle=${UVR_NOWHERE}", 14, ["UVR_NOWHERE"]),
    ("@docker @pageant", 1, ["one a line"]),
    ("@docker = tcp://127.0.0.1:1", 1, ["LISTEN=@PRESET"]),
])
def test_a_wrong_preset_is_told_with_its_place(tmp_path, line, column, words):
    file = tmp_path / "c"
    file.write_text(f"# first\n{line}\n")
    sentence = refused(f"--via={FAR}", "--config", file, code=2)
    assert sentence.startswith(f"{file}:2:{column}: "), sentence
    assert all(word in sentence for word in words), sentence


# Where gpg looks for its agent.

def gpg_agent(env, wrap=()):
    return check(f"--via={FAR}", "@gpg-agent", env=env, wrap=wrap)[0]["listen"]


@pytest.mark.parametrize("gnupghome", ["", "{}/.gnupg", "{}/.gnupg/"])
def test_gpg_agent_in_its_own_directory(tmp_path, gnupghome):
    if os.path.isdir(f"/run/user/{os.getuid()}") or os.path.isdir(f"/run/gnupg/user/{os.getuid()}"):
        pytest.skip("there is a directory for sockets")
    env = {"HOME": str(tmp_path), "GNUPGHOME": gnupghome.format(tmp_path)}
    assert gpg_agent(env) == f"unix://{tmp_path}/.gnupg/S.gpg-agent"


@as_root
@pytest.mark.parametrize("places, owner, expected", [
    (["user"], 0, "/run/user/0/gnupg/S.gpg-agent"),
    (["user", "gnupg/user"], 0, "/run/gnupg/user/0/gnupg/S.gpg-agent"),
    (["user"], OTHER, "{}/.gnupg/S.gpg-agent"),
])
def test_gpg_agent_below_run(tmp_path, places, owner, expected):
    """In a /run of the test's own."""
    for place in places:
        (tmp_path / "run" / place / "0").mkdir(parents=True)
        os.chown(tmp_path / "run" / place / "0", owner, -1)
    wrap = ["unshare", "-m", "sh", "-c", f'mount --bind {tmp_path}/run /run && exec "$@"', "sh"]
    if subprocess.run([*wrap, "true"], capture_output=True).returncode != 0:
        pytest.skip("mounts are forbidden here")
    env = {"HOME": str(tmp_path), "GNUPGHOME": ""}
    assert gpg_agent(env, wrap) == "unix://" + expected.format(tmp_path)


def test_gpg_agent_elsewhere(tmp_path):
    env = {"HOME": str(tmp_path), "GNUPGHOME": "/elsewhere"}
    sentence = refused(f"--via={FAR}", "@gpg-agent", code=2, env=env)
    assert "GNUPGHOME" in sentence and "unix://PATH=@gpg-agent" in sentence and "gpgconf" in sentence, sentence
    assert check(f"--via={FAR}", f"unix://{tmp_path}/s=@gpg-agent", env=env)[0]["listen"] == f"unix://{tmp_path}/s"


# serve --check.

def test_check_opens_nothing(tmp_path, path, back):
    code, out, err = run("serve", "--check", f"unix://{tmp_path}/a/s?name=one&idle=5={back.address}",
                         f"unix://{path}=via:{back.address}", f"--via={FAR}")
    assert (code, err) == (0, "")
    assert out == (f"one: unix://{tmp_path}/a/s?name=one&idle=5 = {back.address}, directly\n"
                   f"unix://{path} = via:{back.address}, through the far end: {FAR}\n")
    assert not path.exists() and not (tmp_path / "a").exists()


def test_check_of_the_usual_file(tmp_path):
    (tmp_path / "uvrelay").mkdir()
    (tmp_path / "uvrelay" / "routes.conf").write_text("json = true\nunix:///tmp/x = unix:///tmp/y\n")
    code, out, err = run("serve", "--check", env={"XDG_CONFIG_HOME": str(tmp_path)})
    assert (code, err) == (0, "") and json.loads(out)["far_end"] is None


@pytest.mark.parametrize("args, word", [
    (["nonsense"], "nonsense"),
    (["unix:///tmp/a=//./pipe/x"], "--via"),
    (["--via=/nonexistent/far", "unix:///tmp/a=via:unix:///b"], "/nonexistent/far"),
    (["//./pipe/x=unix:///b"], "Windows"),
    (["tcp://0.0.0.0:1=unix:///b"], "allow-remote"),
    (["tcp://example.org:1=unix:///b"], "example.org"),
    (["unix:///tmp/a=unix:///tmp/a"], "unix:///tmp/a"),
    (["unix:///tmp/a=unix:///tmp/b", "unix:///tmp/b=unix:///tmp/a"], "come back"),
    (["unix:///tmp/a=tcp://127.0.0.1:1?owner=user"], "owner"),
    (["tcp://127.0.0.1:1=unix:///b", "--peer-uid=user"], "peer-uid"),
    (["unix:///nonexistent/a/s=unix:///b"], "/nonexistent"),
])
def test_check_finds_what_is_wrong(args, word):
    code, out, err = run("serve", "--check", *args)
    assert code == 2 and out == "" and err.startswith("uvrelay: ") and word in err.splitlines()[0], err


def test_check_cannot_write():
    with open("/dev/full", "w") as full:
        done = subprocess.run([PROGRAM, "serve", "--check", "unix:///tmp/x=unix:///tmp/y"], stdout=full, timeout=SOON,
                              stderr=subprocess.PIPE, text=True)
    assert done.returncode == 1 and "standard output" in done.stderr

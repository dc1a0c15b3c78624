"""The recipes for ssh-agent, Docker, Podman, gpg and dev containers by serve, typed in a stand-in WSL machine as
docs/recipes.md has them. (By socat they are in test_ssh_agent.py, test_docker.py and test_gpg_agent.py.) On the Windows
side are OpenSSH's agent and GnuPG's; Docker's client library for Python talks to a stand-in for the engine."""

import contextlib
import hashlib
import http.server
import json
import re
import subprocess
import threading

import pytest

import wsl_machine
from agent_forward import PLAIN, AgentForward
from place import LONG, recipe, wait_for
from recipes import ROUTES, Engine, Wsl
from test_first_use import SYSTEMD, keys  # noqa: F401 (a fixture)
from test_gpg_agent import USER, Gpg
from test_ssh_agent import agent as ssh_agent  # noqa: F401 (a fixture)


@pytest.fixture(scope="module")
def installed():
    """A machine for all recipes."""
    if wsl_machine.why_not():
        pytest.skip(wsl_machine.why_not())
    with Wsl("" if wsl_machine.why_no_systemd() else SYSTEMD) as wsl:
        yield wsl


@pytest.fixture
def wsl(installed):
    """The machine, in which nothing is set up, not before and not afterwards."""
    yield installed
    installed.type_in("uvrelay setup --yes --remove")
    installed.stop_serve()
    installed.type_in("rm -rf ~/.config/uvrelay ~/.uvrelay ~/.devcontainer-sockets ~/.gnupg")


def set_up(text):
    """A recipe that calls setup, whose questions somebody answers with yes."""
    assert re.search(r"^uvrelay setup\b", text, re.M)
    return re.sub(r"^uvrelay setup\b", "uvrelay setup --yes", text, flags=re.M)


def add_routes(wsl, text):
    """As somebody whose serve runs already adds lines to routes.conf."""
    wsl.write(ROUTES, wsl.host(ROUTES).read_text() + text, 0o600)
    wsl.type_in("uvrelay serve --check", "uvrelay reload")


# ---- ssh-agent ----


def test_ssh_agent(wsl, ssh_agent, keys):  # noqa: F811
    with wsl.agent(ssh_agent):
        assert wsl.type_in(set_up(recipe("ssh-agent-setup"))).endswith(keys)


# ---- dev containers ----


class Container:
    """Mounts of its own, and a shell in which a line that is typed asks for the keys."""

    def __init__(self, wsl, source, target, environment):
        variables = " ".join(f"{name}={value}" for name, value in environment.items())
        self.process = wsl.popen(["unshare", "--map-root-user", "--mount", "/bin/sh", "-c",
                                  f"mount --bind {source} {target} && while read line; do {variables} ssh-add -l 2>&1; "
                                  "echo \"status $?\"; done"],
                                 stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.communicate()

    def ask(self):
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        text = ""
        while "status " not in text:
            line = self.process.stdout.readline()
            assert line, text
            text += line
        return text


def restart_serve(wsl):
    if wsl.has_systemd:
        wsl.type_in("systemctl --user restart uvrelay")
    else:
        wsl.stop_serve()
        wsl.type_in("uvrelay serve --background")
    wsl.wait_listening("~/.devcontainer-sockets/ssh-agent.sock")


def test_dev_container(wsl, ssh_agent, keys):  # noqa: F811
    """It keeps its agent when serve starts again. A mount of the socket itself does not, as the recipe says."""
    with wsl.agent(ssh_agent):
        wsl.type_in(set_up(recipe("ssh-agent-setup")))
    add_routes(wsl, recipe("devcontainer-route"))
    wanted = json.loads(recipe("devcontainer").replace("${localEnv:HOME}", "/home/user"))
    mount = dict(part.split("=") for part in wanted["mounts"][0].split(","))
    assert mount["type"] == "bind"
    wsl.run(["mkdir", "-p", mount["target"]], root=True)
    wsl.run(["touch", "/run/one.sock"], root=True)
    with wsl.agent(ssh_agent), \
            Container(wsl, mount["source"], mount["target"], wanted["containerEnv"]) as container, \
            Container(wsl, f"{mount['source']}/ssh-agent.sock", "/run/one.sock", {"SSH_AUTH_SOCK": "/run/one.sock"}) as wrong:
        assert container.ask() == wrong.ask() == f"{keys}status 0\n"
        restart_serve(wsl)
        assert container.ask() == f"{keys}status 0\n"
        assert "Connection refused" in wrong.ask()


# ---- Docker and Podman ----


#: What uses Docker's library. What is attached needs the end of its input, as in `docker run -i`.
CLIENT = """
import docker, hashlib, socket
client = docker.from_env()
assert client.ping()
much = hashlib.sha256()
for piece in client.api.get_image("much"):
    much.update(piece)
attached = client.api.attach_socket("box", params={"stdin": 1, "stdout": 1, "stream": 1})._sock
attached.sendall(b"some input")
attached.shutdown(socket.SHUT_WR)
answer = b""
while piece := attached.recv(4096):
    answer += piece
assert answer == b"it was: some input", answer
print(client.version()["Version"], much.hexdigest())
"""


@contextlib.contextmanager
def engine(wsl, pipe):
    """Its pipe has messages, as those of Docker and Podman have: so it learns of a client's end of input."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Engine) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        with wsl.pipe(f"{pipe}?mode=message", f"tcp://127.0.0.1:{server.server_address[1]}"):
            yield
        server.shutdown()


def use_engine(wsl, text):
    wsl.write("~/client.py", CLIENT)
    out = wsl.type_in(text, f"echo; python3 client.py")
    assert out.endswith(f"OK\n24.0.7 {hashlib.sha256(Engine.MUCH).hexdigest()}\n"), out


def test_docker(wsl):
    with engine(wsl, "//./pipe/docker_engine"):
        use_engine(wsl, set_up(recipe("docker-setup")))


def test_podman(wsl):
    """And a serve that was tried in the background becomes one that starts at each login."""
    wsl.write(ROUTES, recipe("podman"), 0o600)
    wsl.type_in(recipe("serve"))
    with engine(wsl, "//./pipe/podman-machine-default"):
        use_engine(wsl, recipe("podman-use"))
        out = wsl.type_in(set_up(recipe("login")))
        assert re.search(r"^ok +podman: +\S+/podman.sock leads to //./pipe/podman-machine-default$", out, re.M), out
        wsl.restart()
        use_engine(wsl, recipe("podman-use"))


# ---- gpg ----


#: What stands for GnuPG's scdaemon with a card in its reader.
CARD = """#!/bin/sh
echo "OK GNU Privacy Guard's Smartcard server ready"
while read -r command rest; do
  case $command in
  SERIALNO) echo "S SERIALNO D2760001240102000006012345670000"; echo OK ;;
  GETINFO) echo "ERR 100663571 unknown" ;;
  BYE) echo OK; exit ;;
  *) echo OK ;;
  esac
done
"""


@pytest.fixture
def agent(place):
    """gpg-agent of Windows, with a key that signs, one for SSH, and a card."""
    gpg = Gpg(place, "agent")
    card = place.path / "scdaemon"
    card.write_text(CARD)
    card.chmod(0o755)
    (gpg.home / "gpg-agent.conf").write_text(f"{recipe('gpg-agent-conf')}scdaemon-program {card}\n")
    gpg.gpg("--passphrase", "", "--quick-generate-key", USER, "ed25519", "sign", "never")
    gpg.gpg("--passphrase", "", "--quick-generate-key", "ssh@example.org", "ed25519", "auth", "never")
    listed = gpg.gpg("--with-colons", "--with-keygrip", "--list-secret-keys", "ssh@example.org").decode()
    (gpg.home / "sshcontrol").write_text(re.search(r"^grp:+([0-9A-F]{40}):", listed, re.M)[1] + "\n")
    yield gpg
    gpg.run("gpgconf", "--kill", "gpg-agent")


@contextlib.contextmanager
def gnupg_of_windows(wsl, agent):
    """The socket files of Gpg4win, and the public key in WSL."""
    directory = wsl.windows.profile / "AppData/Local/gnupg"
    directory.mkdir(parents=True, exist_ok=True)
    ssh = agent.run("gpgconf", "--list-dirs", "agent-ssh-socket").decode().strip()
    with AgentForward(agent.socket, PLAIN) as forward, AgentForward(ssh, PLAIN) as ssh_forward:
        (directory / "S.gpg-agent").write_bytes(forward.socket_file())
        (directory / "S.gpg-agent.ssh").write_bytes(ssh_forward.socket_file())
        wsl.write("~/public.asc", agent.gpg("--armor", "--export", USER))
        wsl.type_in("gpg --batch --quiet --no-autostart --import public.asc")
        yield


def use_gpg(wsl):
    assert wsl.type_in(recipe("gpg-card")).startswith("S SERIALNO D2760001240102000006012345670000\nOK\n")
    out = wsl.type_in(f"echo text | gpg --batch -u '{USER}' --clearsign | gpg --batch --verify 2>&1")
    assert "Good signature" in out, out
    # It has started no agent of Linux.
    assert wsl.run(["pgrep", "-x", "gpg-agent"]).out == ""


def test_gpg(wsl, agent):
    with gnupg_of_windows(wsl, agent):
        out = wsl.type_in(set_up(recipe("gpg-agent-setup")))
        assert len(re.findall("^S KEYINFO ", out, re.M)) == 2, out
        use_gpg(wsl)
        out = wsl.type_in(set_up(recipe("gpg-ssh-setup")))
        public = agent.gpg("--export-ssh-key", "ssh@example.org").decode()
        wsl.write("~/ssh.pub", public)
        fingerprint = wsl.type_in("ssh-keygen -l -f ssh.pub").split()[1]
        assert f" {fingerprint} " in out, out


def test_gpg_by_hand(agent):
    """Where systemd holds gpg's sockets, as in every new Debian."""
    if wsl_machine.why_not() or wsl_machine.why_no_systemd():
        pytest.skip(wsl_machine.why_not() or wsl_machine.why_no_systemd())
    with Wsl(SYSTEMD, routes=recipe("gpg-agent-route")) as wsl, gnupg_of_windows(wsl, agent):
        wsl.type_in("systemctl --user start gpg-agent.socket")
        wsl.type_in(recipe("gpg-mask"))
        wsl.type_in("mkdir -p -m 700 ~/.gnupg; echo no-autostart >>~/.gnupg/gpg.conf", recipe("serve"))
        use_gpg(wsl)
        wait_for(lambda: wsl.run("systemctl --user is-enabled gpg-agent.socket").out == "masked\n", "it stays masked", LONG)

"""GnuPG's gpg-agent, asked by gpg-connect-agent and gpg through uvrelay: at its Unix socket, and behind socket files
of both forms, by the Windows program and the Linux one."""

import pathlib

import pytest

from agent_forward import CYGWIN, CYGWIN_BY_LIBASSUAN, PLAIN, AgentForward
from place import is_listening
from programs import windows_path

FORMS = [PLAIN, CYGWIN, CYGWIN_BY_LIBASSUAN]
USER = "Somebody <somebody@example.org>"
#: What the recipe has for the place of the socket file.
RECIPE_FILE = "C:/Users/NAME/AppData/Local/gnupg/S.gpg-agent"


class Gpg:
    """A home directory of GnuPG's."""

    def __init__(self, place, name):
        self._place, self.home = place, place.path / name
        self.home.mkdir(mode=0o700)

    def run(self, *command, **options):
        return self._place.run("env", f"GNUPGHOME={self.home}", *command, **options)

    def gpg(self, *arguments, **options):
        return self.run("gpg", "--batch", "--quiet", "--no-permission-warning", *arguments, **options)

    @property
    def socket(self):
        return pathlib.Path(self.run("gpgconf", "--list-dirs", "agent-socket").decode().strip())


@pytest.fixture
def agent(place):
    """A running gpg-agent that has a secret key."""
    gpg = Gpg(place, "agent")
    gpg.gpg("--passphrase", "", "--quick-generate-key", USER, "ed25519", "sign", "never")
    assert is_listening(gpg.socket)
    yield gpg
    gpg.run("gpgconf", "--kill", "gpg-agent")


@pytest.fixture
def client(place, agent):
    """Another home, with the public key alone, whose agent can only be one that is reached through a relay."""
    gpg = Gpg(place, "client")
    gpg.gpg("--no-autostart", "--import", input=agent.gpg("--export"))
    return gpg


def ask(client, socket):
    """A conversation through the socket: what gpg-connect-agent gets, asking the agent at the relay's other end."""
    return client.run("gpg-connect-agent", "--no-autostart", "-S", socket, "GETINFO version", "KEYINFO --list",
                      "/bye").decode().splitlines()


def use(place, agent, client, socket):
    version, ok, *keys, last = ask(client, socket)
    assert version.startswith("D 2.") and ok == last == "OK", (version, ok, keys, last)
    assert len(keys) == 1 and keys[0].startswith("S KEYINFO "), keys
    place.wait_for_relays_to_end()


def sign(place, client):
    """gpg signs: with the agent at the relay's other end, as there is no other that has the key."""
    document = place.path / "document"
    document.write_bytes(bytes(range(256)) * 4000)
    client.gpg("--no-autostart", "--detach-sign", document)
    client.gpg("--verify", f"{document}.sig", document)
    document.write_bytes(b"something else")
    client.gpg("--verify", f"{document}.sig", document, code=1)
    place.wait_for_relays_to_end()


def write_socket_file(place, forward, nonce=None, directory="gnupg"):
    file = place.path / directory / "S.gpg-agent"
    file.parent.mkdir()
    file.write_bytes(forward.socket_file(nonce))
    return file


def start_recipe(place, client, file):
    place.env["GNUPGHOME"] = str(client.home)
    place.start_recipe("gpg-agent", client.socket, {RECIPE_FILE: windows_path(file).replace("\\", "/")})


def test_at_a_unix_socket(place, agent, client):
    place.listen(client.socket, f'uvrelay "unix://{agent.socket}"')
    use(place, agent, client, client.socket)
    sign(place, client)


@pytest.mark.parametrize("form", FORMS)
def test_behind_a_socket_file_on_linux(place, agent, client, form):
    with AgentForward(agent.socket, form) as forward:
        file = write_socket_file(place, forward)
        place.listen(client.socket, f"uvrelay -ei -ep -a {file}")
        use(place, agent, client, client.socket)
        sign(place, client)
        assert forward.let_in_count > 1 and forward.refused == 0


@pytest.mark.parametrize("form", FORMS)
def test_behind_a_socket_file_on_windows(place, agent, client, form):
    with AgentForward(agent.socket, form) as forward:
        start_recipe(place, client, write_socket_file(place, forward))
        use(place, agent, client, client.socket)
        sign(place, client)
        assert forward.let_in_count > 1 and forward.refused == 0


@pytest.mark.parametrize("form", FORMS)
def test_a_socket_file_with_another_nonce(place, agent, client, form):
    """Such as one that an earlier agent has left: no client gets in, and the client is not left waiting."""
    with AgentForward(agent.socket, form) as forward:
        wrong = forward.nonce[:-1] + bytes([forward.nonce[-1] ^ 1])
        start_recipe(place, client, write_socket_file(place, forward, wrong))
        client.run("gpg-connect-agent", "--no-autostart", "-S", client.socket, "GETINFO version", "/bye", code=1)
        assert forward.refused == 1 and forward.let_in_count == 0
        place.wait_for_relays_to_end()


def test_a_socket_file_whose_path_has_a_blank(place, agent, client):
    """As docs/recipes.md writes it."""
    with AgentForward(agent.socket, PLAIN) as forward:
        path = windows_path(write_socket_file(place, forward, directory="Some Body")).replace("\\", "/")
        place.listen(client.socket, "uvrelay.exe -ei -ep -a " + path.replace(":", "\\:").replace(" ", "\\\\ "))
        use(place, agent, client, client.socket)

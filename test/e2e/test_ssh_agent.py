"""OpenSSH's ssh-agent, asked by ssh-add and ssh-keygen through uvrelay: at its Unix socket, and behind a named pipe of
the name that the agent of Windows has."""

import subprocess

import pytest

from agent_forward import AgentForward
from place import is_listening, pipe_name, wait_for, without_owner

CLIENTS = 8


@pytest.fixture
def agent(place):
    """A real ssh-agent's socket."""
    socket = place.path / "agent.sock"
    process = place.start("ssh-agent", "-D", "-a", socket)
    wait_for(lambda: is_listening(socket) or not process.running, "ssh-agent is listening")
    assert process.running, process.stderr
    return socket


def use(place):
    """Adds a key through the relay, lists it, signs with it, and removes it again."""
    key, document = place.path / "key", place.path / "document"
    place.run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "a test's key", "-f", key)
    assert b"The agent has no identities." in place.run("ssh-add", "-l", code=1)
    place.run("ssh-add", key)
    key.unlink()  # from here on, only the agent can sign
    fingerprint = place.run("ssh-keygen", "-l", "-f", f"{key}.pub").split()[1]
    assert fingerprint in place.run("ssh-add", "-l")

    document.write_bytes(bytes(range(256)) * 1000)
    place.run("ssh-keygen", "-Y", "sign", "-f", f"{key}.pub", "-n", "file", document)
    allowed = place.path / "allowed_signers"
    allowed.write_text(f"somebody@example.org {(place.path / 'key.pub').read_text()}")
    verify = ("ssh-keygen", "-Y", "verify", "-f", allowed, "-I", "somebody@example.org", "-n", "file", "-s",
              f"{document}.sig")
    assert b'Good "file" signature' in place.run(*verify, input=document.read_bytes())
    place.run(*verify, input=b"something else", code=255)

    # Several clients at once are served, each by a relay of its own.
    clients = [subprocess.Popen(["ssh-add", "-l"], env=place.env, stdout=subprocess.PIPE) for _ in range(CLIENTS)]
    try:
        for client in clients:
            assert fingerprint in client.communicate(timeout=60)[0]
    finally:
        for client in clients:
            client.kill()
            client.wait()

    place.run("ssh-add", "-d", f"{key}.pub")
    assert b"The agent has no identities." in place.run("ssh-add", "-l", code=1)
    place.wait_for_relays_to_end()


def test_at_a_unix_socket(place, agent):
    socket = place.path / "relayed.sock"
    place.listen(socket, f'uvrelay "unix://{agent}"')
    place.env["SSH_AUTH_SOCK"] = str(socket)
    use(place)


@pytest.mark.parametrize("whose", ["Node's", "the user's"])
def test_behind_a_named_pipe(place, agent, whose):
    """The pipe of uvrelay.exe stands for that of an agent that the user runs, and has an owner under Wine, too."""
    pipe = pipe_name("openssh-ssh-agent")
    with AgentForward(agent) as forward:
        if whose == "Node's":
            place.start_node("forward_pipe.js", rf"\\.\pipe\{pipe}", forward.port)
        else:
            serve = place.start("uvrelay.exe", "serve", "-v", f"npipe:{pipe}=tcp://127.0.0.1:{forward.port}")
            wait_for(lambda: ": listening" in serve.stderr or not serve.running, "uvrelay.exe is listening")
        socket = place.path / "home" / ".ssh" / "agent.sock"
        place.start_recipe("ssh-agent", socket, {"openssh-ssh-agent": pipe,
                                                 **(without_owner() if whose == "Node's" else {})})
        assert place.env["SSH_AUTH_SOCK"] == str(socket)
        use(place)
        assert forward.let_in_count >= CLIENTS

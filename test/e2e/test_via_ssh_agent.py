"""OpenSSH's ssh-agent behind a named pipe of Windows, asked by ssh-add and ssh-keygen through
`uvrelay serve --via "uvrelay.exe mux"`: one Windows process for all requests."""

import subprocess

import pytest

from agent_forward import AgentForward
from place import is_listening, pipe_name, wait_for
from test_ssh_agent import CLIENTS, agent, use  # noqa: F401 (a fixture)


@pytest.fixture
def serve(place, agent):  # noqa: F811
    """Listens where SSH_AUTH_SOCK is, before the pipe behind which the agent is."""
    pipe, socket = pipe_name("openssh-ssh-agent"), place.path / "relayed.sock"
    with AgentForward(agent) as forward:
        place.start_node("forward_pipe.js", rf"\\.\pipe\{pipe}", forward.port)
        serve = place.start("uvrelay", "serve", "-v", "--via", "uvrelay.exe mux",
                            f"unix://{socket}=npipe:////./pipe/{pipe}")
        wait_for(lambda: is_listening(socket) or not serve.running, f"{socket} is listening")
        place.env["SSH_AUTH_SOCK"] = str(socket)
        serve.forward = forward
        yield serve
        assert serve.running and serve.stderr.count(" started (process ") == 1, serve.stderr
        assert ": failed: " not in serve.stderr, serve.stderr


def test_keys_and_signatures(place, serve):
    """As test_ssh_agent has it, but that the relay stays."""
    place.wait_for_relays_to_end = lambda: None
    use(place)
    assert serve.forward.let_in_count >= CLIENTS


def test_many_signatures(place, serve):
    """Several clients at once, again and again."""
    key = place.path / "key"
    place.run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key)
    place.run("ssh-add", key)
    key.unlink()
    for _ in range(5):
        clients = [subprocess.Popen(["ssh-add", "-T", f"{key}.pub"], env=place.env, stdin=subprocess.DEVNULL,
                                    stdout=subprocess.PIPE, stderr=subprocess.STDOUT) for _ in range(10)]
        try:
            for client in clients:
                assert client.wait(60) == 0, client.communicate()
        finally:
            for client in clients:
                client.kill()
                client.communicate()

"""GnuPG's gpg-agent behind a socket file as Windows programs know it, asked by gpg-connect-agent and gpg through one
`uvrelay.exe serve` from a TCP port to that file. They know Unix sockets only, so socat is between."""

import concurrent.futures
import re

import pytest

from agent_forward import CYGWIN, CYGWIN_BY_LIBASSUAN, PLAIN, AgentForward
from place import is_listening, wait_for
from programs import windows_path
from test_gpg_agent import agent, ask, client, write_socket_file  # noqa: F401 (fixtures)

FORMS = pytest.mark.parametrize("form", [PLAIN, CYGWIN, CYGWIN_BY_LIBASSUAN])


def start_serve(place, client, file):  # noqa: F811
    """Behind the socket where the client expects its agent."""
    path = windows_path(file).replace("\\", "/")
    serve = place.start("uvrelay.exe", "serve", "-v", f"tcp://127.0.0.1:0=assuan:///{path}")
    serve.wait_stderr(": listening\n")
    port = re.match(r"uvrelay: tcp://127\.0\.0\.1:(\d+)=assuan:", serve.stderr)[1]
    place.start("socat", f"UNIX-LISTEN:{client.socket},fork", f"TCP:127.0.0.1:{port}")
    wait_for(lambda: is_listening(client.socket), "socat is listening")
    return serve


@FORMS
def test_gpg_connect_agent(place, agent, client, form):  # noqa: F811
    with AgentForward(agent.socket, form) as forward:
        serve = start_serve(place, client, write_socket_file(place, forward))
        version, ok, *keys, last = ask(client, client.socket)
        assert version.startswith("D 2.") and ok == last == "OK" and len(keys) == 1, (version, ok, keys, last)
        with concurrent.futures.ThreadPoolExecutor(6) as pool:
            for lines in pool.map(lambda _: ask(client, client.socket), range(12)):
                assert lines[0] == version
        assert forward.refused == 0 and forward.let_in_count == 13
        wait_for(lambda: serve.stderr.count(": closed after ") == 13, "all are closed", 20)
        assert serve.running and ": failed: " not in serve.stderr, serve.stderr


@FORMS
def test_gpg_signs(place, agent, client, form):  # noqa: F811
    """With the agent behind the relay, as there is no other that has the key."""
    with AgentForward(agent.socket, form) as forward:
        serve = start_serve(place, client, write_socket_file(place, forward))
        document = place.path / "document"
        document.write_bytes(bytes(range(256)) * 4000)
        client.gpg("--no-autostart", "--detach-sign", document)
        client.gpg("--verify", f"{document}.sig", document)
        assert serve.running and forward.refused == 0 and forward.let_in_count > 0, serve.stderr


@FORMS
def test_another_nonce(place, agent, client, form):  # noqa: F811
    """A file that an earlier agent has left: its client is not left waiting, and the next file is read anew."""
    with AgentForward(agent.socket, form) as forward:
        wrong = forward.nonce[:-1] + bytes([forward.nonce[-1] ^ 1])
        file = write_socket_file(place, forward, wrong)
        serve = start_serve(place, client, file)
        client.run("gpg-connect-agent", "--no-autostart", "-S", client.socket, "GETINFO version", "/bye", code=1)
        assert forward.refused == 1 and forward.let_in_count == 0
        file.write_bytes(forward.socket_file())
        assert ask(client, client.socket)[0].startswith("D 2.")
        assert serve.running

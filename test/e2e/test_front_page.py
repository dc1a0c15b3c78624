"""What README.md shows in WSL, typed line by line into the stand-in machine: from the installed programs to the keys of
the agent on Windows; and what it shows in place of npiperelay, beside that, in the same shell."""

import re
import shlex

from place import README
from test_first_use import keys  # noqa: F401 (a fixture)
from test_ssh_agent import agent as ssh_agent  # noqa: F401 (a fixture)

#: What the page says to type, once the socket is there.
WAIT = "while ! test -S {0}; do sleep 0.02; done; SSH_AUTH_SOCK={0} ssh-add -l"


def block(words):
    """The block for a shell that has these words."""
    [text] = [text for text in re.findall(r"```sh\n(.*?)```", README.read_text(), re.DOTALL) if words in text]
    return text


def test_it_works(machine, ssh_agent, keys):  # noqa: F811
    machine.install()
    setup = block("uvrelay setup ssh-agent").replace("uvrelay setup ", "uvrelay setup --yes ")
    socat, serve = block("socat UNIX-LISTEN"), block("uvrelay serve --background")
    sockets = [re.search(r"/tmp/\w+\.sock", text)[0] for text in (socat, serve)]
    assert f"`SSH_AUTH_SOCK={sockets[0]} ssh-add -l`" in README.read_text()
    lines = ["set -e", setup, socat, WAIT.format(shlex.quote(sockets[0])), serve, WAIT.format(shlex.quote(sockets[1])),
             "kill %1"]
    with machine.agent(ssh_agent):
        done = machine.run("\n".join(lines), timeout=120)
        assert done.code == 0 and done.out.endswith(3 * keys), done
        # The second relay stays, and is seen, as the page says.
        status = machine.run("uvrelay status").out
        assert f" unix://{sockets[1]}=" in status, status

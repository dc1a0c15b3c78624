"""test_ssh_agent.py and test_via_ssh_agent.py in WSL."""

from test_ssh_agent import agent, test_behind_a_named_pipe  # noqa: F401
from test_via_ssh_agent import serve, test_keys_and_signatures, test_many_signatures  # noqa: F401

IN_WSL = True

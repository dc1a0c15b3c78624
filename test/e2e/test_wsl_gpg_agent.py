"""test_gpg_agent.py in WSL, as far as it starts the Windows program."""

from test_gpg_agent import (agent, client, test_a_socket_file_whose_path_has_a_blank,  # noqa: F401
                            test_a_socket_file_with_another_nonce, test_behind_a_socket_file_on_windows)

IN_WSL = True

"""test_docker.py in WSL."""

from test_docker import (curl, listener, test_answer_long_after_the_end_of_input, test_much_data_down,  # noqa: F401
                         test_much_data_up, test_several_at_once, test_small_answer)

IN_WSL = True

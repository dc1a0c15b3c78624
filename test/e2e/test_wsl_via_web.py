"""test_via_web.py in WSL."""

from test_via_web import (curl, serve, test_a_client_that_gives_up, test_answer_long_after_the_end_of_input,  # noqa: F401
                          test_much_data_each_way, test_several_at_once, test_small_answers)

IN_WSL = True

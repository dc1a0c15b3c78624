"""docs/security.md: each test that it names exists, and each of its rows names one."""

import re

from conftest import SOURCE, named_tests

PAGE = (SOURCE / "docs/security.md").read_text()


def test_each_test_that_is_named_exists():
    named, missing = named_tests(PAGE)
    assert len(named) > 40
    assert not missing


def test_each_promise_names_a_test():
    rows = [row for row in re.findall(r"^\| (.*) \|$", PAGE, re.MULTILINE) if not row.endswith("| proof")]
    assert len(rows) > 40
    assert not [row for row in rows if "`test/" not in row and "not tested" not in row]

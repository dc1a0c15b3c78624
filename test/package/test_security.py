"""docs/security.md: each test that it names exists, and each of its promises names one."""

import re

from conftest import SOURCE

PAGE = (SOURCE / "docs/security.md").read_text()


def test_each_test_that_is_named_exists():
    named = re.findall(r"`(test/[\w/.*-]+)(?:::(\w+))?`", PAGE)
    assert len(named) > 40
    missing = []
    for path, name in named:
        files = sorted(SOURCE.glob(path))
        defines = re.compile(rf"(?:def|static void|TEST\() *{name}\b")
        if not files or (name and not any(defines.search(file.read_text()) for file in files)):
            missing.append(f"{path}::{name}")
    assert not missing


def test_each_promise_names_a_test():
    rows = [row for row in re.findall(r"^\| (.*) \|$", PAGE, re.MULTILINE) if not row.endswith("| held by")]
    assert len(rows) > 40
    assert not [row for row in rows if "`test/" not in row and "not tested" not in row]

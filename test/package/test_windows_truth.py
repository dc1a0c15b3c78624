"""docs/windows-truth.md: each line says where it is from and what proves it; the tests and scenarios that it names exist."""

import re

from conftest import SOURCE, named_tests

PAGE = (SOURCE / "docs/windows-truth.md").read_text()
ROWS = [[cell.strip() for cell in row.split(" | ")] for row in re.findall(r"^\| (.*) \|$", PAGE, re.MULTILINE)
        if not row.startswith("what uvrelay assumes |")]
NATIVE = "".join(file.read_text() for file in sorted((SOURCE / "test/native").glob("*.c")))


def test_each_row_is_whole():
    assert len(ROWS) > 60
    assert not [row for row in ROWS if len(row) != 4]


def test_each_row_says_where_it_is_from():
    assert not [origin for _, origin, _, _ in ROWS if not re.match(r"(documented|read|inferred)\b", origin)]


def test_each_row_names_a_test_or_that_there_is_none():
    assert not [proof for _, _, proof, _ in ROWS if "`test/" not in proof and "not proven here" not in proof]


def test_each_test_that_is_named_exists():
    named, missing = named_tests(PAGE)
    assert len(named) > 80
    assert not missing


def test_each_scenario_that_is_named_exists():
    shown = "\n".join(native for _, _, _, native in ROWS)
    scenarios = re.findall(r"`([\w-]+/[\w-]+)`", shown)
    assert len(scenarios) > 60
    assert not [name for name in scenarios if f'"{name}"' not in NATIVE]


def test_who_names_no_scenario_says_so():
    other = [native for _, _, _, native in ROWS if "`" not in native]
    assert set(other) <= {"-", "the same unit test", "the same unit tests", "all scenarios"}
    for _, _, proof, native in ROWS:
        assert not native.startswith("the same") or "`test/unit/" in proof, proof

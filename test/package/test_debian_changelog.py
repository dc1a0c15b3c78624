"""The changelog of the Debian packages, which is made from CHANGELOG.md."""

import os

import pytest

from conftest import SOURCE, WINDOWS, run

pytestmark = pytest.mark.skipif(WINDOWS, reason="it is the same as in the preset linux")

CHANGES = """# Changelog

## [0.3.0] - unreleased

### Added

- Something that is described
  in two lines.

## [0.2.1] - 2031-02-03

- A mend.

## [0.2.0] - 2031-02-03

- The first one.
"""


def test_older_versions(tmp_path):
    """Each has its own date; two versions may be of the same day."""
    (tmp_path / "CHANGELOG.md").write_text(CHANGES)
    script = SOURCE / "deps/package/debian-changelog"
    made = run("sh", script, tmp_path / "CHANGELOG.md", "uvrelay", "0.3.0", "A Name <a@example.org>",
               env={**os.environ, "SOURCE_DATE_EPOCH": "86400"})  # fmt: skip
    (tmp_path / "changelog").write_text(made)
    assert "\n  [ Added ]\n  * Something that is described in two lines.\n" in made
    parsed = run("dpkg-parsechangelog", "--all", "-l", tmp_path / "changelog", "--format", "rfc822")
    fields = [line.partition(": ")[::2] for line in parsed.splitlines()]
    assert [value for name, value in fields if name == "Version"] == ["0.3.0", "0.2.1", "0.2.0"]
    dates = ["Fri, 02 Jan 1970 00:00:00 +0000", *["Mon, 03 Feb 2031 00:00:00 +0000"] * 2]
    assert [value for name, value in fields if name == "Date"] == dates

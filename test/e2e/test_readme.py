"""Both programs say their version; the recipes are run by the other tests here."""

import re

from place import README


def test_version(place):
    """The Linux and the Windows program say the same version, which the list of changes begins with."""
    version = re.match(r"uvrelay (\d+\.\d+\.\d+)\s", place.run("uvrelay", "--version").decode())[1]
    assert re.match(rf"uvrelay {re.escape(version)}\s", place.run("uvrelay.exe", "--version").decode())
    changes = (README.parent / "CHANGELOG.md").read_text()
    assert re.search(r"^## \[(.*?)\]", changes, re.MULTILINE)[1] == version

"""The pages for people: each link to a file of the repository, or to a heading, leads there."""

import re

import pytest

from conftest import SOURCE

PAGES = ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", "src/README.md", *(str(path.relative_to(SOURCE)) for path in SOURCE.glob("docs/**/*.md"))]


def anchors(page):
    """As GitHub makes them of headings."""
    text = re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")
            for heading in re.findall(r"^#+ (.*)$", text, re.MULTILINE)}


@pytest.mark.parametrize("name", PAGES)
def test_links(name):
    page, wrong = SOURCE / name, []
    for link in re.findall(r"\]\(([^)]+)\)", page.read_text()):
        path, _, anchor = link.partition("#")
        target = page.parent / path if path else page
        if "://" not in link and not (target.exists() and (not anchor or anchor in anchors(target))):
            wrong.append(link)
    assert not wrong

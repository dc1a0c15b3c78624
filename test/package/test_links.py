"""The pages for people: each link to a file of the repository, or to a heading, leads there."""

import re

import pytest
from conftest import SOURCE

PAGES = ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", "src/README.md",
         *sorted(str(path.relative_to(SOURCE)) for path in SOURCE.glob("docs/**/*.md"))]


def without_code(text):
    """Blocks and spans of code have no links and no headings, whatever they look like."""
    return re.sub(r"(`+)(?!`).*?(?<!`)\1(?!`)", "", re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE))


def anchors(page):
    """As GitHub makes them of headings: a heading that is there again gets a number."""
    found, text = set(), re.sub(r"^```.*?^```", "", page.read_text(), flags=re.DOTALL | re.MULTILINE)
    for heading in re.findall(r"^#+ (.*)$", text, re.MULTILINE):
        anchor = again = re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")
        number = 0
        while again in found:
            number += 1
            again = f"{anchor}-{number}"
        found.add(again)
    return found


def links(text):
    """Those within the text, those to files by a name that is explained elsewhere, and pictures."""
    text = without_code(text)
    return re.findall(r"\]\(\s*<?([^)>\s]+)", text) + re.findall(r"^\[[^\]]+\]:\s+(\S+)", text, re.MULTILINE)


@pytest.mark.parametrize("name", PAGES)
def test_links(name):
    page, wrong = SOURCE / name, []
    for link in links(page.read_text()):
        path, _, anchor = link.partition("#")
        target = page.parent / path if path else page
        if not re.match(r"[a-z]+:", link) and not (
                target.exists() and SOURCE in target.resolve().parents and (not anchor or anchor in anchors(target))):
            wrong.append(link)
    assert not wrong


def test_links_are_found():
    text = "[a](x.md) [`b`](y.md#z) `[c](code.md)` ![d](p.png)\n```\n[e](block.md)\n```\n[f]: w.md"
    assert links(text) == ["x.md", "y.md#z", "p.png", "w.md"]
    assert len([link for name in PAGES for link in links((SOURCE / name).read_text())]) > 50

"""docs/recipes.md as a whole: each block of code in it is run by a test here, or the table below says why not; each recipe
says what goes wrong and what it was tested with, and the messages that it names are those of docs/troubleshooting.md."""

import ast
import pathlib
import re

import pytest

from place import RECIPES, blocks

#: Blocks that no test runs.
NOT_RUN = {
    "windows-service-on": "a service of Windows, which Wine does not have",
    "windows-service-off": "a service of Windows, which Wine does not have",
    "pageant-setup": "Pageant's pipe is found by listing pipes, which Wine cannot",
    "docker-context": "Docker's command is in no small package; the socket it names is used by docker-setup",
    "mysql-ini": "an option that only MySQL for Windows has",
    "vm-hyperv": "there is no Hyper-V",
    "vm-virtualbox": "there is no VirtualBox",
}


def names_run():
    """The names that tests give to recipe() and start_recipe() as they are written there."""
    names = set()
    for path in pathlib.Path(__file__).parent.glob("test_*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
                function = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
                if function in ("recipe", "start_recipe"):
                    names.add(node.args[0].value)
    return names


def test_each_block_is_run():
    found = blocks()
    assert RECIPES.read_text().count("```") == 2 * len(found), "a block that does not begin or end as the others do"
    assert [text for name, _, text in found if name is None] == [], "blocks without a name"
    names = [name for name, _, _ in found]
    assert len(set(names)) == len(names), "a name that two blocks have"
    run = names_run()
    assert run - set(names) == set(), "names of no block"
    assert set(names) - run == set(NOT_RUN), "blocks that no test runs, or that one runs after all"


def sections():
    """The recipes: their headings, and what is below these."""
    parts = re.split(r"^## (.*)$", re.sub(r"^( *)```.*?^\1```$", "", RECIPES.read_text(), flags=re.DOTALL | re.MULTILINE),
                     flags=re.MULTILINE)
    return {heading: text for heading, text in zip(parts[1::2], parts[2::2]) if heading != "Before you begin"}


@pytest.mark.parametrize("heading, text", sections().items(), ids=sections())
def test_each_recipe_is_complete(heading, text):
    assert re.search(r"^### What goes wrong$", text, re.M), heading
    assert re.search(r"^Tested with ", text, re.M), heading
    anchor = re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")
    assert f"](#{anchor})" in RECIPES.read_text().partition("\n## ")[0], f"{heading} is not in the table"


def test_messages_are_those_of_the_program():
    """A message that leads to docs/troubleshooting.md begins as a heading there does, or is quoted there."""
    page = (RECIPES.parent / "troubleshooting.md").read_text()
    headings = [re.sub("…+", ".*", re.escape(heading)) for heading in re.findall(r"^### (.*)$", page, re.M)]
    quoted = [re.escape(" ".join(text.split())) for text in re.findall(r"`([^`]+)`", page)]
    messages = re.findall(r"\[`([^`]+)`\]\(troubleshooting\.md\)", RECIPES.read_text())
    assert len(messages) > 10
    for message in messages:
        assert any(re.match(text, " ".join(message.split())) for text in headings + quoted if len(text) > 12), message

"""The manual pages: they are made from the headers' comments, and are not made when one of these is missing."""

import os
import re
import shutil
import subprocess

from conftest import BUILD, SOURCE, run

PAGES = {"uvrelay": "uvrelay_new", "uvrelay_npipe": "uvrelay_npipe_connect", "uvrelay_mux": "uvrelay_mux_attach"}


def make_docs(headers, output):
    """Does what the target `docs` does, but for other headers; says whether it succeeds, and what it prints."""
    settings = (BUILD / "docs/Doxyfile").read_text()
    settings += f'\nINPUT = "{headers}"\nSTRIP_FROM_PATH = "{headers}"\nOUTPUT_DIRECTORY = "{output}"\n'
    shutil.rmtree(output, ignore_errors=True)
    output.mkdir()
    printed = ""
    check = ["cmake", "-D", f"DIRECTORY={output}/xml", "-P", SOURCE / "docs/enumerators.cmake"]
    for command in (["doxygen", "-"], check):
        result = subprocess.run(
            command, input=settings, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=60
        )
        printed += result.stdout
        if result.returncode != 0:
            return False, printed
    return True, printed


def comments():
    """Each comment that documents something: its header, and where in there it begins and ends."""
    for header in sorted((SOURCE / "include").rglob("*.h")):
        for match in re.finditer(r"/\*\*.*?\*/", header.read_text(), re.DOTALL):
            if not re.search(r"[@\\](file|\{|\}|defgroup|addtogroup)", match[0]):
                yield header, match.start(), match.end()


def test_pages():
    run("cmake", "--build", BUILD, "--target", "docs")
    for name, function in PAGES.items():
        page = (BUILD / f"docs/man/man3/{name}.3").read_text()
        assert re.search(rf"\.SH NAME\n{name} \\- \w+", page)
        assert f"\\fB{function}\\fP" in page
        for place in (SOURCE, BUILD, os.environ["HOME"]):
            assert str(place) not in page


def test_every_comment_is_needed(tmp_path):
    """Without any one of them, whatever it is that it documents, there are no pages."""
    headers = tmp_path / "include"
    output = tmp_path / "output"
    for header in (SOURCE / "include").rglob("*.h"):
        copy = headers / header.relative_to(SOURCE / "include")
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_text(header.read_text())
    assert make_docs(headers, output) == (True, "")

    needless = []
    number = 0
    for header, start, end in comments():
        number += 1
        text = header.read_text()
        copy = headers / header.relative_to(SOURCE / "include")
        copy.write_text(text[:start] + text[end:])
        if make_docs(headers, output)[0]:
            needless.append(text[start:end])
        copy.write_text(text)
    assert number > 100
    assert needless == []


def test_every_parameter_of_a_list_is_needed(tmp_path):
    (tmp_path / "x.h").write_text(
        "/** @file */\n/** Adds.\n * @param a one\n * @return the sum */\nint uvrelay_add(int a, int b);\n"
    )
    made, printed = make_docs(tmp_path, tmp_path / "output")
    assert not made and "parameter 'b'" in printed

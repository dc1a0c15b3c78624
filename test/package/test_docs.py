"""The manual pages of the library: one for each function and each type, made from the headers' comments, and none when
one of these is missing."""

import os
import re
import shutil
import subprocess

import pytest

from conftest import BUILD, SOURCE, run
from test_symbols import STATIC, public_api

MAN = BUILD / "docs/man"
GROUPS = {"uvrelay", "uvrelay_npipe", "uvrelay_mux"}
HEADERS = sorted((SOURCE / "include").rglob("*.h"))


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


@pytest.fixture(scope="module")
def pages():
    """The text of each page of section 3, as roff."""
    run("cmake", "--build", BUILD, "--target", "docs")
    return {path.name.removesuffix(".3"): path.read_text() for path in (MAN / "man3").iterdir()}


@pytest.fixture(scope="module")
def own(pages):
    """Those that are no links to others."""
    return {name: text for name, text in pages.items() if not text.startswith(".so ")}


def plain(name):
    """A page as people read it, without what makes letters bold."""
    return re.sub(r".\x08", "", run("mandoc", "-Tascii", "-Owidth=500", MAN / f"man3/{name}.3"))


def without_comments(header):
    return re.sub(r"/\*.*?\*/|^ *#.*?$", "", header.read_text(), flags=re.DOTALL | re.MULTILINE)


def inline_functions():
    return {name for header in HEADERS for name in re.findall(r"static inline \w+ (\w+)\(", without_comments(header))}


def types():
    """Those whose contents are public, the private ones, and the callbacks."""
    text = "".join(map(without_comments, HEADERS))
    forms = (r"^\} (\w+);", r"^typedef struct \w+ (\w+);", r"^typedef \w+ \(\*(\w+)\)")
    return tuple(set(re.findall(form, text, re.MULTILINE)) for form in forms)


def macros():
    names = re.findall(r"^#define (UVRELAY_\w+)", "".join(header.read_text() for header in HEADERS), re.MULTILINE)
    return {name for name in names if not name.endswith("_H")}


def test_each_function_has_a_page(own):
    """Both ways: each function of the library and of its headers, and nothing else."""
    symbols = run(os.environ["NM"], "--defined-only", "--extern-only", "--format=posix", STATIC)
    exported = set(re.findall(r"^(uvrelay_\w+) T ", symbols, re.MULTILINE))
    assert exported == public_api() and len(exported) > 40
    public, _, callbacks = types()
    assert len(inline_functions()) == 4 and len(public) > 20 and len(callbacks) > 8
    assert set(own) == exported | inline_functions() | public | callbacks | GROUPS


def test_links(pages, own):
    """A private type and a macro lead to the page of their group, where they are explained."""
    _, private, _ = types()
    assert set(pages) - set(own) == private | macros()
    for name in private | macros():
        group = re.fullmatch(r"\.so man3/(\w+)\.3\n", pages[name])[1]
        assert group in GROUPS and f"\n\\fB{name}\\fP\n" in pages[group]


def test_sections(own):
    public, _, callbacks = types()
    for name, text in own.items():
        sections = re.findall(r"^\.SH (.*)$", text, re.MULTILINE)
        assert sections[:3] == ["NAME", "SYNOPSIS", "DESCRIPTION"] and sections[-1] == "SEE ALSO", name
        assert re.search(rf"\.SH NAME\n{name} \\- \S.*[^.\n]\n", text)
        assert re.search(r"#include <uvrelay(/\w+)?\.h>", text), name
        if name in public_api():
            assert {"RETURN VALUE", "THREADS"} <= set(sections), name
            assert "ERRORS" in sections or not re.search(r"@return 0; `UV_", comment_of(name)), name
        elif name in callbacks:
            assert "THREADS" in sections
        elif name in public:
            assert {"MEMBERS", "VALUES"} & set(sections), name


def comment_of(name):
    """What stands above a function or a callback in its header."""
    form = rf"/\*\*((?:(?!\*/).)*?)\*/\n(?:UVRELAY_API |static inline |typedef )[^;/]*?\b{name}\b\)?\("
    for header in HEADERS:
        found = re.search(form, header.read_text(), re.DOTALL)
        if found:
            return re.sub(r"\n \* ?", "\n", found[1])
    raise KeyError(name)


def words(text):
    return re.findall(r"[A-Za-z0-9_]{2,}", text)


def test_nothing_is_lost(own):
    """Each word of a function's comment is on its page, and as often."""
    functions = (public_api() | inline_functions() | types()[2]) - GROUPS
    for name in sorted(functions):
        comment = re.sub(r"[@\\](param(\[out\])?|return|details)|::|#", " ", comment_of(name))
        page = words(plain(name).casefold())
        wanted = words(comment.casefold())
        lost = {word for word in wanted if page.count(word) < min(wanted.count(word), 3)}
        assert lost <= {"or", "and"}, f"{name}: {comment}"


def test_all_parameters_members_and_values(own):
    public, _, _ = types()
    text = "".join(map(without_comments, HEADERS))
    for name in public:
        body = re.search(rf"typedef (?:struct|enum) \w+\s*\{{([^}}]*)\}} {name};", text)[1]
        names = re.findall(r"(\w+)(?:\[\w+\])?;|\(\*(\w+)\)|^\s*(UVRELAY_\w+)", body, re.MULTILINE)
        names = [next(filter(None, found)) for found in names]
        assert len(names) >= 2
        for member in names:
            assert f".TP\n\\fB{member}\\fP\n" in own[name], f"{name}: {member}"
    for name in public_api():
        for parameters in re.findall(r"@param(?:\[out\])? ([\w,]+)", comment_of(name)):
            for parameter in parameters.split(","):
                assert f"\\fI{parameter}\\fP" in own[name].split(".SH PARAMETERS")[1]


def test_errors_are_named(own):
    """Each code that a comment says is returned is among the errors of the page."""
    for name in public_api():
        returned = comment_of(name).partition("@return")[2]
        errors = own[name].partition(".SH ERRORS")[2].partition(".SH")[0]
        for code in re.findall(r"`(UV_\w+)`", returned):
            assert re.search(rf"^\.TP\n.*\\fB{code}\\fP", errors, re.MULTILINE) or code in errors, f"{name}: {code}"
        assert "`" not in own[name] and "@" not in own[name]


def test_references_lead_somewhere(pages):
    for name, text in pages.items():
        for other in re.findall(r"\\fB(\w+)\\fP\(3\)", text):
            assert other in pages, f"{name} refers to {other}(3)"
        for place in (SOURCE, BUILD, os.environ["HOME"]):
            assert str(place) not in text


def test_form(own):
    """mandoc has nothing to say but that the version has no date yet."""
    files = [f"man3/{name}.3" for name in own]
    command = ["mandoc", "-Tlint", "-W", "warning", *files]
    printed = subprocess.run(command, cwd=MAN, stdout=subprocess.PIPE, text=True, check=False).stdout
    assert [line for line in printed.splitlines() if "cannot parse date, using it verbatim: TH unrel" not in line] == []


def test_man_finds_them(pages):
    for name in ("uvrelay_start", "uvrelay_options_t", "uvrelay_t", "UVRELAY_VERSION"):
        text = run("man", "-M", MAN, "3", name, env={**os.environ, "MANPAGER": "cat", "LC_ALL": "C.UTF-8"})
        assert "SYNOPSIS" in text


def test_the_same_again(tmp_path, pages):
    """What is in the directory already has no part in it; and SOURCE_DATE_EPOCH is the date."""
    (tmp_path / "stale.3").write_text("")
    run("python3", SOURCE / "docs/library_pages.py", BUILD / "docs/xml", SOURCE / "include", tmp_path, "0.1.0",
        SOURCE / "CHANGELOG.md", env={**os.environ, "SOURCE_DATE_EPOCH": "86400"})  # fmt: skip
    made = {path.name.removesuffix(".3"): path.read_text() for path in tmp_path.iterdir()}
    assert set(made) == set(pages) and '"1970-01-02"' in made["uvrelay"]


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


def test_what_cannot_be_made_is_an_error(tmp_path):
    """An error without its reason, and what this script knows nothing of: one sentence, and no traceback."""
    for text, why in (("@return 0; `UV_EXDEV`", "the comment on uvrelay_x does not say why it returns UV_EXDEV"),
                      ("@note This.", "Doxygen's <simplesect> is not known here; it holds \"This.\"")):  # fmt: skip
        headers = tmp_path / "include"
        headers.mkdir(exist_ok=True)
        group = "/** @file */\n/** @defgroup uvrelay relays\n * @{ */\n"
        function = f"/** Does.\n * {text} */\nint uvrelay_x(void);\n/** @}} */\n"
        (headers / "uvrelay.h").write_text(group + function)
        assert "There are no enumerators" in make_docs(headers, tmp_path / "output")[1]
        printed = run("python3", SOURCE / "docs/library_pages.py", tmp_path / "output/xml", headers, tmp_path / "pages",
                      "0.1.0", SOURCE / "CHANGELOG.md", fails=True)  # fmt: skip
        assert printed == f"library_pages.py: {why}\n"

"""What the library's files define: for others exactly the public API, for themselves nothing that can be written to.

The shared library comes from the fixture shared-library of ctest, the static one from the build itself."""

import os
import re

import pytest

from conftest import BUILD, SOURCE, WINDOWS, ZIG, compile_c, run

SHARED = BUILD / "embed/shared" / ("libuvrelay-0.1.dll" if WINDOWS else "libuvrelay.so.0.1")
STATIC = BUILD / "libuvrelay.a"

#: Sections with writable data that the library may have, each with the reason why it must.
ALLOWED_WRITABLE = frozenset()


def declared(text):
    """The functions that a header marks as public."""
    text = re.sub(r"/\*.*?\*/|^ *#.*?$", "", text, flags=re.DOTALL | re.MULTILINE)
    return re.findall(r"\bUVRELAY_API\b[^(;]*?\b(\w+)\(", text)


def public_api():
    headers = sorted((SOURCE / "include").rglob("*.h"))
    return {name for header in headers for name in declared(header.read_text())}


def exported(library):
    """The symbols that a shared library offers to the dynamic linker."""
    if WINDOWS:
        dump = run(os.environ["OBJDUMP"], "-p", library)
        table = re.search(r"\[Ordinal/Name Pointer\] Table.*?\n(.*?)\n\n", dump, re.DOTALL)
        return set(re.findall(r"^\s*\[ *\d+\] .*?(\S+)$", table[1], re.MULTILINE)) if table else set()
    lines = run(os.environ["NM"], "--dynamic", "--defined-only", "--format=posix", library).splitlines()
    return {line.split()[0] for line in lines}


def needed(library):
    """The shared libraries that a shared library loads."""
    return re.findall(r"(?:NEEDED|DLL Name:) +(\S+)", run(os.environ["OBJDUMP"], "-p", library))


def writable(library):
    """The sections of the object files of a static library, or of one, that the running program may write to."""
    found = set()
    member = None
    for line in run(os.environ["OBJDUMP"], "-h", "-w", library).splitlines():
        if match := re.match(r"(\S+): +file format", line):
            member = match[1]
        elif match := re.match(r" *\d+ (\S+) +([0-9a-f]+) .*\bALLOC\b(.*)", line):
            # Constants that hold addresses are written by the loader, and then are read-only.
            if int(match[2], 16) and "READONLY" not in match[3] and not match[1].startswith(".data.rel.ro"):
                found.add(f"{member}: {match[1]}")
    for line in run(os.environ["NM"], "--format=posix", library).splitlines():
        if re.match(r"\S+ C ", line):
            found.add(f"common: {line.split()[0]}")
    assert member, f"objdump shows no object file in {library}"
    return found


def test_declared_finds_what_is_public():
    text = """
      #define UVRELAY_API __attribute__((visibility("default")))
      #define UVRELAY_API
      /** Not uvrelay_comment(), marked by UVRELAY_API uvrelay_example(). */
      UVRELAY_API int uvrelay_one(void (*cb)(int));
      UVRELAY_API const char *uvrelay_two(
          void);
      static inline int uvrelay_inline(void) { return uvrelay_one(0); }
      typedef void (*uvrelay_cb)(void);
      UVRELAY_API void uvrelay_three(void);"""
    assert declared(text) == ["uvrelay_one", "uvrelay_two", "uvrelay_three"]


def test_shared_library_exports_exactly_the_public_api():
    api = public_api()
    assert {"uvrelay_new", "uvrelay_version", "uvrelay_npipe_new"} <= api
    assert exported(SHARED) == api


@pytest.mark.skipif(ZIG, reason="its linker strips the library")
def test_shared_library_has_no_libuv_inside():
    assert [name for name in needed(SHARED) if "libuv" in name] == ["libuv.dll" if WINDOWS else "libuv.so.1"]
    symbols = run(os.environ["NM"], "--defined-only", "--format=posix", SHARED)
    assert "uvr_pump_start" in symbols, "the library is stripped: nothing can be seen in it"
    assert re.findall(r"^uv_\w+ [TtDdBb] ", symbols, re.MULTILINE) == []


def test_exported_notices_more_and_less(tmp_path):
    flags = ["-shared", "-fPIC", "-fvisibility=hidden"]
    mark = "__declspec(dllexport)" if WINDOWS else '__attribute__((visibility("default")))'
    text = f"{mark} int uvrelay_extra; {mark} void uvrelay_new(void) {{}} void uvr_hidden(void) {{}}"
    assert exported(compile_c(tmp_path / "lib.dll", text, *flags)) == {"uvrelay_extra", "uvrelay_new"}


def test_static_library_has_no_writable_data():
    assert writable(STATIC) <= ALLOWED_WRITABLE


def test_writable_notices_each_kind(tmp_path):
    """Also a static inside of a function, which no symbol table of a stripped object would show."""
    variables = {
        "initialized": "int initialized = 1;",
        "zero": "static char zero[3]; char *get(void) { return zero; }",
        "inner": "int count(void) { static int inner; return ++inner; }",
        "common": "int common __attribute__((common));",
        "local": "_Thread_local int local;",
        "pointer": "const char *pointer = 0;",
    }
    for name, text in variables.items():
        for flags in (["-fdata-sections"], ["-fno-data-sections"]):
            assert writable(compile_c(tmp_path / f"{name}.o", text, "-c", *flags)), (name, flags)
    constant = "static const int a = 1; const int *const table[] = {&a, 0}; int get(void) { return a; }"
    assert writable(compile_c(tmp_path / "constant.o", constant, "-c", "-fPIC", "-fdata-sections")) == set()

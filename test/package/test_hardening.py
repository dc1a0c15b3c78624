"""That what is built has what makes mistakes with memory harder to use: see deps/hardening.cmake. The shared library
comes from the fixture shared-library of ctest, all else from the build itself."""

import os
import re

import pytest

from conftest import BUILD, WINDOWS, ZIG, compile_c, run

PROGRAM = BUILD / ("uvrelay.exe" if WINDOWS else "uvrelay")
SHARED = [BUILD / "embed/shared" / name for name in (
    ("libuvrelay-0.1.dll", "libuv/libuv.dll") if WINDOWS else ("libuvrelay.so.0.1", "libuv/libuv.so.1"))]  # fmt: skip
STATIC = [BUILD / "libuvrelay.a", BUILD / "libuv/libuv.a"]
#: Of the program that needs no shared library: see deps/musl.cmake.
ALL_STATIC = "UVRELAY_STATIC:BOOL=ON" in (BUILD / "CMakeCache.txt").read_text()
FORTIFIED = "functions that check sizes (_FORTIFY_SOURCE)"

SMASHABLE = """
#include <string.h>
char *volatile source = "x";
void fill(char *to) { strcpy(to, source); }
int main(void) { char text[64]; fill(text); return text[0] == 'x' ? 0 : 1; }
"""


def dump(file, *options):
    return run(os.environ["OBJDUMP"], *options, file)


def elf_faults(file):
    """What a program or a shared library for Linux lacks."""
    headers, sections = dump(file, "-p"), dump(file, "-h")
    symbols = dump(file, "-T" if "NEEDED" in headers else "-t")
    dynamic = dict(re.findall(r"^ +([A-Z_0-9]+) +(\S+)$", headers, re.MULTILINE))
    flags, flags_1 = int(dynamic.get("FLAGS", "0"), 16), int(dynamic.get("FLAGS_1", "0"), 16)
    kind = re.search(r"^\s*STACK .*\n.* flags (\S+)$", headers, re.MULTILINE)
    found = {
        "a stack that cannot be executed": kind and "x" not in kind[1],
        "relocations that are read-only": re.search(r"^\s*RELRO ", headers, re.MULTILINE),
        "all its addresses at the start (BIND_NOW)": "BIND_NOW" in dynamic or flags & 8 or flags_1 & 1,
        "code without relocations": "TEXTREL" not in dynamic and not flags & 4,
        "random addresses": re.search(r"^DYNAMIC|HAS_SYMS, DYNAMIC", dump(file, "-f"), re.MULTILINE),
        "a stack protector": "__stack_chk_fail" in symbols,
        FORTIFIED: re.search(r"\b__\w+_chk\b(?<!__stack_chk)", symbols),
        "no path for its libraries": dynamic.get("RUNPATH", "$ORIGIN") == "$ORIGIN" and "RPATH" not in dynamic,
        "sections": ".text" in sections,
    }
    return {name for name, good in found.items() if not good}


def pe_faults(file):
    """What a program or a DLL for Windows lacks."""
    headers, sections = dump(file, "-p"), dump(file, "-h")
    [flags] = re.findall(r"^DllCharacteristics\s+([0-9a-f]+)$", headers, re.MULTILINE)
    [size] = re.findall(r"^Entry 5 [0-9a-f]+ ([0-9a-f]+) Base Relocation", headers, re.MULTILINE)
    relocations = len(re.findall(r"^\treloc\s+\d+ offset .* DIR64$", headers, re.MULTILINE))
    [base] = re.findall(r"^ImageBase\s+([0-9a-f]+)$", headers, re.MULTILINE)
    found = {
        "random addresses (DYNAMIC_BASE)": int(flags, 16) & 0x40,
        "random addresses in all of the address space (HIGH_ENTROPY_VA)": int(flags, 16) & 0x20,
        "an address beyond 4 GiB": int(base, 16) >= 1 << 32,
        "data that cannot be executed (NX_COMPAT)": int(flags, 16) & 0x100,
        "a table of relocations": int(size, 16) > 0 and relocations > 0 and ".reloc" in sections,
    }
    return {name for name, good in found.items() if not good}


def protected(library):
    """Which of the objects of a static library call the stack protector, and which do not."""
    yes, no, member = set(), set(), None
    for line in run(os.environ["NM"], "--format=posix", library).splitlines():
        if match := re.search(r"\[(.+?)\]:$", line):
            member = match[1]
            no.add(member)
        elif line.startswith("__stack_chk_fail U"):
            yes.add(member)
    return yes, no - yes


faults = pe_faults if WINDOWS else elf_faults


def test_program():
    assert faults(PROGRAM) == ({FORTIFIED} if ALL_STATIC else set())  # musl has no such functions


@pytest.mark.skipif(WINDOWS, reason="programs for Windows have no such paths")
def test_program_has_no_path_for_its_libraries():
    assert "RUNPATH" not in dump(PROGRAM, "-p") and "RPATH" not in dump(PROGRAM, "-p")


@pytest.mark.skipif(ALL_STATIC, reason="there is none")
def test_shared_libraries(tmp_path):
    """As they are installed: libuv lies beside uvrelay."""
    run("cmake", "--install", BUILD / "embed/shared", "--prefix", tmp_path)
    for library in SHARED:
        installed = [path for path in tmp_path.rglob(library.name) if not path.is_symlink() or path.exists()]
        assert installed, library
        # What small functions of libuv could overflow is no array; the program has shown the flags already.
        assert faults(installed[0].resolve()) - {FORTIFIED} == set(), library


@pytest.mark.skipif(WINDOWS, reason="deps/hardening.cmake says why")
@pytest.mark.parametrize("library", STATIC, ids=lambda path: path.name)
def test_static_libraries_have_a_stack_protector(library):
    """libuv, too, since it is part of the program. Functions without arrays have nothing to protect."""
    yes, no = protected(library)
    assert len(yes) >= 20, (yes, no)
    names = {name.split(".")[0] for name in yes}
    assert names >= ({"fs", "getaddrinfo", "pipe"} if library.name == "libuv.a" else {"error", "socket_file_unix"})


#: For each flag that turns something off, what is then missed.
OFF = {
    "-Wl,--disable-dynamicbase": "DYNAMIC_BASE",
    "-Wl,--disable-high-entropy-va": "HIGH_ENTROPY_VA",
    "-Wl,--disable-nxcompat": "NX_COMPAT",
    "-Wl,--disable-reloc-section": "a table of relocations",
} if WINDOWS else {
    "-no-pie": "random addresses",
    "-Wl,-z,norelro": "read-only",
    "-Wl,-z,lazy": "BIND_NOW",
    "-Wl,-z,execstack": "executed",
    "-Wl,-rpath,/tmp": "no path for its libraries",
    "-fno-stack-protector": "stack protector",
    "-U_FORTIFY_SOURCE": "_FORTIFY_SOURCE",
}
GOOD = [] if WINDOWS else ["-O2", "-pie", "-fPIE", "-fstack-protector-strong", "-D_FORTIFY_SOURCE=2",
                           "-Wl,-z,relro,-z,now", "-Wl,-z,noexecstack"]  # fmt: skip


@pytest.mark.skipif(ZIG, reason="its linker knows none of these options")
@pytest.mark.parametrize("flag", OFF)
def test_each_fault_is_noticed(tmp_path, flag):
    text = SMASHABLE.replace("void fill(char *to) { strcpy(to, source); }", "").replace(
        "fill(text)", "strcpy(text, source)")
    assert faults(compile_c(tmp_path / "good.exe", text, *GOOD)) == set()
    found = faults(compile_c(tmp_path / "bad.exe", text, *GOOD, flag))
    assert [name for name in found if OFF[flag] in name], found


@pytest.mark.skipif(WINDOWS, reason="this is about ELF")
def test_relocations_in_code_are_noticed(tmp_path):
    text = "__asm__(\".text\\n.globl f\\nf: .quad source\\n\"); int source; void f(void); int main(void) { return 0; }"
    library = compile_c(tmp_path / "lib.so", text, "-shared", "-fPIC", "-Wl,-z,notext", "-O1")
    assert "code without relocations" in elf_faults(library)

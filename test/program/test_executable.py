"""What the file uvrelay.exe holds besides code: its version, which is that of version.h, and its manifest. And that
self-contained.cmake, which looks at its size and its imports, notices what it is there for. Nothing is run here, so this
is for programs of any kind."""

import os
import pathlib
import re
import subprocess
import xml.etree.ElementTree as xml

import pefile
import pytest

from programs import setting, uvrelay_exe

SOURCE = pathlib.Path(__file__).resolve().parents[2]
WRITABLE = 0x80000000
MANIFEST = 24  # the number of this type of resource


def header(name):
    """What version.h says."""
    text = (SOURCE / "include/uvrelay/version.h").read_text()
    return re.search(rf"^#define UVRELAY_{name} (.*)$", text, re.MULTILINE)[1].strip('"')


def resources(image, number):
    """(language, bytes) of each resource of a type."""
    found = []
    for kind in image.DIRECTORY_ENTRY_RESOURCE.entries:
        if kind.id == number:
            for name in kind.directory.entries:
                for language in name.directory.entries:
                    place = language.data.struct
                    found.append((name.id, language.id, image.get_data(place.OffsetToData, place.Size)))
    return found


@pytest.fixture(scope="module")
def image():
    with pefile.PE(str(uvrelay_exe())) as opened:
        yield opened


def test_version(image):
    numbers = [int(header(f"VERSION_{part}")) for part in ("MAJOR", "MINOR", "PATCH")] + [0]
    [fixed] = image.VS_FIXEDFILEINFO
    high_low = [numbers[0] << 16 | numbers[1], numbers[2] << 16 | numbers[3]]
    assert [fixed.FileVersionMS, fixed.FileVersionLS] == high_low
    assert [fixed.ProductVersionMS, fixed.ProductVersionLS] == high_low
    [infos] = image.FileInfo
    [strings] = [info.StringTable for info in infos if info.Key == b"StringFileInfo"]
    [table] = strings
    assert table.LangID == b"040904B0"
    told = {key.decode(): value.decode() for key, value in table.entries.items()}
    version = header("VERSION")
    assert version == ".".join(map(str, numbers[:3]))
    assert (told["FileVersion"], told["ProductVersion"]) == (version, version)
    assert (told["ProductName"], told["OriginalFilename"]) == ("uvrelay", "uvrelay.exe")
    assert "named pipes" in told["FileDescription"]
    licence = (SOURCE / "LICENSE").read_text().splitlines()
    assert licence[0] in told["LegalCopyright"] and licence[2] in told["LegalCopyright"]
    [translations] = [info.Var for info in infos if info.Key == b"VarFileInfo"]
    assert [entry for var in translations for entry in var.entry.items()] == [(b"Translation", "0x0409 0x04b0")]


def test_manifest(image):
    [(name, language, content)] = resources(image, MANIFEST)
    # The linkers of some systems add a manifest of their own, for no language, unless there is one for a language.
    assert (name, language) == (1, 0x409)
    root = xml.fromstring(content)

    def texts(tag):
        return [element.text for element in root.iter() if element.tag.endswith("}" + tag)]

    [level] = [element for element in root.iter() if element.tag.endswith("}requestedExecutionLevel")]
    assert level.attrib == {"level": "asInvoker", "uiAccess": "false"}
    assert texts("activeCodePage") == ["UTF-8"]
    assert texts("longPathAware") == ["true"]
    systems = [element.attrib["Id"] for element in root.iter() if element.tag.endswith("}supportedOS")]
    assert systems == ["{8e0f7a12-bfb3-4fe8-b9a5-48fd50a15a9a}"]  # Windows 10 and newer


def self_contained(program, **settings):
    """What self-contained.cmake says of a program; "" if all is well."""
    settings = {"MAX_KIB": "640", "OBJDUMP": setting("OBJDUMP"), "PROGRAM": str(program), **settings}
    words = [word for name, value in settings.items() for word in ("-D", f"{name}={value}")]
    result = subprocess.run(["cmake", *words, "-P", SOURCE / "test/self-contained.cmake"], capture_output=True, text=True,
                            timeout=60)
    if result.returncode == 0:
        return ""
    return " ".join(result.stderr.split())


def changed(place, change):
    """A copy of the program with a change."""
    with pefile.PE(str(uvrelay_exe())) as opened:
        change(opened)
        opened.write(str(place))
    return place


def read_only(name):
    def change(opened):
        [section] = [section for section in opened.sections if section.Name.rstrip(b"\0") == name]
        assert section.Characteristics & WRITABLE
        section.Characteristics &= ~WRITABLE

    return change


def another_dll(opened):
    [entry] = [entry for entry in opened.DIRECTORY_ENTRY_IMPORT if entry.dll.lower() == b"kernel32.dll"]
    for library in opened.DIRECTORY_ENTRY_IMPORT:
        if library is not entry:
            opened.set_bytes_at_rva(library.struct.Name, b"helper-7.dll"[-len(library.dll):])
            return


DELAYED = os.environ.get("UVRELAY_DELAY_LOAD") == "ON"


@pytest.mark.skipif(not DELAYED, reason="no import is delayed in this build")
def test_delayed_imports_in_a_read_only_section_are_noticed(tmp_path):
    said = self_contained(changed(tmp_path / "bad.exe", read_only(b".delay")), DELAY_LOAD="ON")
    assert "delayed imports in .delay, which is read-only" in said


@pytest.mark.skipif(not DELAYED, reason="no import is delayed in this build")
def test_ordinary_imports_may_be_read_only(tmp_path):
    """As newer linkers make them."""
    def change(opened):
        for section in opened.sections:
            if section.Name.rstrip(b"\0") == b".idata":
                section.Characteristics &= ~WRITABLE

    assert self_contained(changed(tmp_path / "good.exe", change), DELAY_LOAD="ON") == ""


def test_a_dll_that_windows_does_not_have_is_noticed(tmp_path):
    said = self_contained(changed(tmp_path / "bad.exe", another_dll), DELAY_LOAD=setting("UVRELAY_DELAY_LOAD"))
    assert ".dll" in said and ("when it starts" in said or "not known to be part" in said), said


@pytest.mark.parametrize("settings, why", [
    ({"MAX_KIB": "100"}, "must stay under 100 KiB"),
    ({"MACHINE": "aarch64"}, "not pei-aarch64"),
])
def test_a_wrong_size_or_machine_is_noticed(settings, why):
    settings = {"DELAY_LOAD": setting("UVRELAY_DELAY_LOAD"), **settings}
    assert why in self_contained(uvrelay_exe(), **settings)

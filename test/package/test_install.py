"""What `cmake --install` puts where, and how CMake and pkg-config find it. That programs can be built with it is tested
in test/embed."""

import os
import re

import pytest

from conftest import BUILD, SOURCE, WINDOWS, cached, run

PROGRAM = "bin/uvrelay.exe" if WINDOWS else "bin/uvrelay"
NOTES = {"share/doc/uvrelay/LICENSE", "share/doc/uvrelay/CHANGELOG.md"}
GUIDES = {"share/doc/uvrelay/README.md", *(
    f"share/doc/uvrelay/{path.relative_to(SOURCE)}"
    for kind in ("*.md", "*.svg", "*.schema.json", "man/*.md") for path in (SOURCE / "docs").glob(kind))}  # fmt: skip
UNITS = set() if WINDOWS else {f"lib/systemd/user/{name}" for name in (
    "uvrelay.service", "uvrelay-ssh-agent.service", "uvrelay-ssh-agent.socket")}  # fmt: skip
COMPLETIONS = set() if WINDOWS else {
    place for name, place in (
        ("uvrelay.bash", "share/bash-completion/completions/uvrelay"),
        ("uvrelay.bash", "share/bash-completion/completions/uvrelay.exe"),
        ("_uvrelay", "share/zsh/site-functions/_uvrelay"),
        ("uvrelay.fish", "share/fish/vendor_completions.d/uvrelay.fish"),
        ("uvrelay.fish", "share/fish/vendor_completions.d/uvrelay.exe.fish"),
    ) if (SOURCE / "deps/package/completions" / name).exists()}  # fmt: skip
MANUAL = set() if WINDOWS else {f"share/man/man{path.stem[-1]}/{path.stem}" for path in SOURCE.glob("docs/man/*.md")}
RUNTIME = {PROGRAM, *NOTES, *UNITS, *COMPLETIONS, *MANUAL}
DEVELOPMENT = {
    *(str(path.relative_to(SOURCE)) for path in (SOURCE / "include").rglob("*.h")),
    "lib/libuvrelay.a",
    "lib/pkgconfig/uvrelay.pc",
    "lib/cmake/uvrelay/uvrelayConfig.cmake",
    "lib/cmake/uvrelay/uvrelayConfigVersion.cmake",
    "lib/cmake/uvrelay/uvrelayTargets.cmake",
    "lib/cmake/uvrelay/uvrelayTargets-release.cmake",
}


def version():
    return re.search(r'UVRELAY_VERSION "(.*)"', (SOURCE / "include/uvrelay/version.h").read_text())[1]


def files(prefix):
    return {str(path.relative_to(prefix)) for path in prefix.rglob("*") if not path.is_dir()}


def install(prefix, *options, **environment):
    run("cmake", "--install", BUILD, *options, env={**os.environ, **environment})
    return files(prefix)


def find(build, wanted, *settings, own="", **options):
    """Configures a project that looks for uvrelay and says what it got; `own` is what it does before that."""
    build.mkdir(exist_ok=True)
    (build / "CMakeLists.txt").write_text(f"""
        cmake_minimum_required(VERSION 3.16)
        project(seeker LANGUAGES C)
        {own}
        find_package(uvrelay {wanted} CONFIG REQUIRED)
        get_target_property(libuv uvrelay::libuv INTERFACE_LINK_LIBRARIES)
        message("libuv is ${{libuv}}")""")
    settings += ("-DCMAKE_SYSTEM_NAME=Windows",) if WINDOWS else ()
    return re.sub(r"\s+", " ", run("cmake", "-S", build, "-B", build / "build", "-G", "Ninja", *settings, **options))


def test_runtime_is_the_program_alone(tmp_path):
    """With what belongs to it."""
    assert install(tmp_path, "--component", "runtime", "--prefix", tmp_path) == RUNTIME


@pytest.mark.skipif(WINDOWS, reason="there is no systemd")
def test_units_name_the_program(tmp_path):
    install(tmp_path, "--component", "runtime", "--prefix", tmp_path)
    for unit in UNITS:
        text = (tmp_path / unit).read_text()
        assert "@" not in text, unit
        assert unit.endswith(".socket") or f'ExecStart="{tmp_path / PROGRAM}" serve ' in text, unit


@pytest.mark.skipif(WINDOWS, reason="there is no systemd")
def test_places_that_a_distribution_chooses(tmp_path):
    """deps/package/make.sh makes Debian's package by these, and the archive that is unpacked into ~/.local."""
    exe = tmp_path / "uvrelay.exe"
    exe.write_bytes(b"MZ")
    settings = [f"-D{name}={value}" for name, value in (
        ("UVRELAY_UNIT_DIR", "share/systemd/user"), ("UVRELAY_UNIT_PROGRAM", "%h/.local/bin/uvrelay"),
        ("UVRELAY_WINDOWS_PROGRAM", exe), ("UVRELAY_TESTS", "OFF"), ("UVRELAY_DOCS", "OFF"),
        ("UVRELAY_DOWNLOADS", cached("UVRELAY_DOWNLOADS")),
    )]  # fmt: skip
    build = tmp_path / "build"
    run("cmake", "-S", SOURCE, "-B", build, "-G", "Ninja", f"-DCMAKE_C_COMPILER={os.environ['CC']}", *settings)
    (build / "uvrelay").write_bytes((BUILD / "uvrelay").read_bytes())
    prefix = tmp_path / "prefix"
    run("cmake", "--install", build, "--component", "runtime", "--prefix", prefix)
    assert (prefix / "lib/uvrelay/uvrelay.exe").read_bytes() == b"MZ"
    unit = (prefix / "share/systemd/user/uvrelay.service").read_text()
    assert 'ExecStart="%h/.local/bin/uvrelay" serve ' in unit


def test_everything_is_there(tmp_path):
    """With DESTDIR, as packagers do it. The library's manual pages only if they were made."""
    installed = install(tmp_path / "opt", "--prefix", "/opt", DESTDIR=str(tmp_path))
    pages = {path for path in installed if path.startswith("share/man/man3/")}
    of_libuv = r"(doc|cmake)/libuv/|/libuv-static.pc|/libuv\.a|include/uv(/|\.h)"
    libuv = {path for path in installed if re.search(of_libuv, path)}
    assert {"lib/libuv.a", "include/uv.h", "lib/cmake/libuv/libuvConfig.cmake", "share/doc/libuv/LICENSE"} <= libuv
    assert installed - pages - libuv == RUNTIME | GUIDES | DEVELOPMENT
    for path in DEVELOPMENT | {"lib/pkgconfig/libuv-static.pc"}:
        text = (tmp_path / "opt" / path).read_bytes()
        assert path.endswith(".a") or not re.search(rf"/opt|{SOURCE}|{BUILD}".encode(), text), path


def test_pkg_config(tmp_path):
    install(tmp_path, "--prefix", tmp_path)
    environment = {**os.environ, "PKG_CONFIG_LIBDIR": str(tmp_path / "lib/pkgconfig")}
    assert run("pkg-config", "--modversion", "uvrelay", env=environment).strip() == version()
    for option in ("--shared", "--static"):
        libs = run("pkg-config", option, "--libs", "uvrelay", env=environment).split()
        assert libs.index("-luvrelay") < libs.index("-l:libuv.a")


@pytest.mark.parametrize("wanted, found", [("", True), (version(), True), (version().rsplit(".", 1)[0], True),
                                           ("0.0", False), ("0.99", False), ("1.0", False)])  # fmt: skip
def test_version(tmp_path, wanted, found):
    install(tmp_path, "--prefix", tmp_path)
    printed = find(tmp_path / "seeker", wanted, f"-DCMAKE_PREFIX_PATH={tmp_path}", fails=not found)
    if found:
        assert "libuv is libuv::uv_a" in printed
    else:
        assert f"version: {version()}" in printed, "it says which version there is"


@pytest.mark.parametrize("own", ["uv_a", "libuv::uv", "named"])
def test_takes_the_libuv_of_its_user(tmp_path, own):
    install(tmp_path, "--prefix", tmp_path)
    target = f"add_library({own} INTERFACE IMPORTED)"
    if own == "named":
        target += f"\nadd_library(uv_a INTERFACE IMPORTED)\nset(UVRELAY_LIBUV_TARGET {own})"
    assert f"libuv is {own}" in find(tmp_path / "seeker", "", f"-DCMAKE_PREFIX_PATH={tmp_path}", own=target)


@pytest.mark.skipif(WINDOWS, reason="the libuv that pkg-config finds here is not for Windows")
def test_takes_the_libuv_of_the_system(tmp_path):
    install(tmp_path, "--prefix", tmp_path, "--component", "development")
    printed = find(tmp_path / "seeker", "", f"-DCMAKE_PREFIX_PATH={tmp_path}")
    assert "libuv is PkgConfig::UVRELAY_PC_LIBUV" in printed


def test_says_that_there_is_no_libuv(tmp_path):
    install(tmp_path, "--prefix", tmp_path, "--component", "development")
    printed = find(tmp_path / "seeker", "", f"-DCMAKE_PREFIX_PATH={tmp_path}", fails=True,
                   env={**os.environ, "PKG_CONFIG_LIBDIR": "/nonexistent"})  # fmt: skip
    assert "uvrelay needs libuv 1.44.2 or newer" in printed

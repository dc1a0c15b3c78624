"""The packages that deps/package/make.sh makes, from a copy of the source without .git, as somebody has who has unpacked
it: what is in them, that they are the same each time, and what users do with them. The .deb is installed, used, upgraded
and removed in a clean Debian, and in a machine that looks like WSL; so is the archive with the static program.

Of the older version there is no package yet, so one is made of the new one, with a lower version number in it and in
its programs, and with a file that the new one has no more."""

import contextlib
import hashlib
import json
import os
import pathlib
import re
import shlex
import shutil
import socket
import subprocess
import tarfile
import threading
import zipfile

import pytest
import yaml

import debian_root
from debian_root import CleanRoot
from programs import SOON, setting, windows_command
from setting_up import agent, steps  # noqa: F401 (a fixture)
from wsl_machine import other_version

SOURCE = pathlib.Path(__file__).resolve().parents[2]
SYSTEMD = "[boot]\nsystemd = true\n"
EACH = pytest.mark.parametrize("conf", ["", SYSTEMD], ids=["no-systemd", "systemd"])
OLD = "0.0.9"


def run(*command, **options):
    options = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True, "timeout": 1100, **options}
    done = subprocess.run([str(word) for word in command], check=False, **options)
    assert done.returncode == 0, f"{' '.join(map(str, command))}: {done.returncode}\n{done.stdout}"
    return done.stdout


def version():
    return re.search(r'UVRELAY_VERSION "(.*)"', (SOURCE / "include/uvrelay/version.h").read_text())[1]


class Packages:
    def __init__(self, source):
        self.source, self.path, self.builds = source, source / "build/packages", source / "build/package"
        self.deb = self.path / f"uvrelay_{version()}_amd64.deb"
        self.dev = self.path / f"libuvrelay-dev_{version()}_amd64.deb"
        self.tar = self.path / f"uvrelay-{version()}-linux-x86_64.tar.gz"
        self.zip = self.path / f"uvrelay-{version()}-windows-x86_64.zip"
        self.all = [self.deb, self.dev, self.tar, self.zip]


def make(source, **environment):
    """Without a cache of objects, in which the paths of others could be."""
    inherited = {name: value for name, value in os.environ.items() if "CCACHE" not in name and "LAUNCHER" not in name}
    return run("sh", source / "deps/package/make.sh", env={**inherited, **environment})


@pytest.fixture(scope="session")
def packages(tmp_path_factory):
    """To work on these tests, UVRELAY_TEST_PACKAGES may name a copy of the source in which make.sh was run before."""
    if os.environ.get("UVRELAY_TEST_PACKAGES"):
        yield Packages(pathlib.Path(os.environ["UVRELAY_TEST_PACKAGES"]))
        return
    source = tmp_path_factory.mktemp("source") / "a copy"
    shutil.copytree(SOURCE, source, symlinks=True, ignore=lambda _, names: {".git", "build", "__pycache__"} & set(names))
    (source / "build").mkdir()
    with contextlib.suppress(FileNotFoundError):
        shutil.copytree(SOURCE / "build/downloads", source / "build/downloads")
    make(source)
    yield Packages(source)
    shutil.rmtree(source.parent)


def dead_links(directory):
    """Links of the pages below it that lead nowhere in it; those into the source are for its readers only."""
    for page in directory.rglob("*.md"):
        for link in re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text()):
            if "://" not in link and not (page.parent / link).exists() and (SOURCE / "docs" / link).exists():
                yield f"{page.name}: {link}"


@pytest.fixture
def root():
    if debian_root.why_not():
        pytest.skip(debian_root.why_not())
    with CleanRoot() as root:
        yield root


@pytest.fixture(scope="session")
def old_deb(packages, tmp_path_factory):
    """An older version of the .deb."""
    tree = tmp_path_factory.mktemp("old")
    run("dpkg-deb", "-R", packages.deb, tree / "uvrelay")
    control = tree / "uvrelay/DEBIAN/control"
    control.write_text(re.sub("^Version: .*$", f"Version: {OLD}", control.read_text(), flags=re.M))
    for name in ("usr/bin/uvrelay", "usr/lib/uvrelay/uvrelay.exe"):
        file = tree / "uvrelay" / name
        file.write_bytes(other_version(file.read_bytes(), version(), OLD))
    (tree / "uvrelay/usr/share/doc/uvrelay/old.md").write_text("The new version does not have this file.\n")
    run("dpkg-deb", "--root-owner-group", "-b", tree / "uvrelay", tree / f"uvrelay_{OLD}_amd64.deb")
    yield tree / f"uvrelay_{OLD}_amd64.deb"
    shutil.rmtree(tree)


def contents(package):
    """What is in a .deb: permissions and owner by name."""
    lines = run("dpkg-deb", "-c", package).splitlines()
    return {line.split()[5][1:]: (line.split()[0], line.split()[1]) for line in lines}


def field(package, name):
    return run("dpkg-deb", "-f", package, name).strip()


# ---- how they are made ----


def test_programs_are_those_that_are_tested(packages):
    """The same source gives the same bytes, wherever it lies: see deps/reproducible.cmake. These were built in another
    directory, the programs that all tests run in this one."""
    tested = {"windows": pathlib.Path(setting("UVRELAY_EXE")), "debian": pathlib.Path(setting("UVRELAY"))}
    for build, program in tested.items():
        for name in (program.name, "libuvrelay.a", "libuv/libuv.a"):
            one, other = packages.builds / build / name, program.parent / name
            assert one.read_bytes() == other.read_bytes(), f"{one} and {other} differ"


def test_the_same_again(packages):
    """Whatever the time zone, the locale and the umask of who runs it. What an earlier run has made, and only that, is
    replaced."""
    source, out = packages.source, packages.source / "build/again"
    out.mkdir()
    (out / "SHA256SUMS").write_text(f"{'0' * 64}  uvrelay_{OLD}_amd64.deb\n{'0' * 64}  ../downloads\n")
    for name in (f"uvrelay_{OLD}_amd64.deb", "mine"):
        (out / name).write_text("")
    before = {path.name: path.read_bytes() for path in packages.path.rglob("*") if path.is_file()}
    printed = run("sh", "-c", 'umask 077; exec sh "$0/deps/package/make.sh" "$0/build/again"', source,
                  env={**os.environ, "TZ": "Asia/Tokyo", "LC_ALL": "C"})
    after = {path.name: path.read_bytes() for path in out.rglob("*") if path.is_file()}
    shutil.rmtree(out)
    assert after.pop("mine") == b""
    assert before.keys() == after.keys()
    assert [name for name in before if before[name] != after[name]] == []
    assert all(path.name in printed for path in packages.all)


def test_no_package_is_replaced_after_a_failure(packages, tmp_path):
    """The new ones are put in the old ones' place when all are made."""
    out, tools = tmp_path / "out", tmp_path / "tools"
    for directory in (out, tools):
        directory.mkdir()
    (out / "SHA256SUMS").write_text("old")
    (tools / "cpack").write_text("#!/bin/sh\necho cpack has failed >&2\nexit 1\n")
    (tools / "cpack").chmod(0o755)
    done = subprocess.run(["sh", packages.source / "deps/package/make.sh", out], capture_output=True, text=True, check=False,
                          env={**os.environ, "PATH": f"{tools}:{os.environ['PATH']}"})
    assert done.returncode == 1 and "cpack has failed\n" in done.stderr and "no package was replaced" in done.stderr
    assert os.listdir(out) == ["SHA256SUMS"] and (out / "SHA256SUMS").read_text() == "old"

    (tools / "cpack").write_text("#!/bin/sh\n")  # it makes nothing, so that there is nothing to make sums of
    shutil.copy(tools / "cpack", tools / "cmake")
    before = sorted(os.listdir(packages.path))
    done = subprocess.run(["sh", packages.source / "deps/package/make.sh"], capture_output=True, text=True, check=False,
                          env={**os.environ, "PATH": f"{tools}:{os.environ['PATH']}"})
    assert done.returncode == 1 and "no package was replaced" in done.stderr
    assert sorted(os.listdir(packages.path)) == before


def test_wrong_usage(packages):
    for words in (["--help-me"], ["one", "two"]):
        done = subprocess.run(["sh", SOURCE / "deps/package/make.sh", *words], capture_output=True, text=True, check=False)
        assert done.returncode == 2 and done.stderr.startswith("usage: ") and done.stderr.count("\n") == 1


def test_a_cpack_of_ones_own(packages, tmp_path):
    """In any build, with the tests too, cpack makes uvrelay's package: cmocka's settings once made it make cmocka's."""
    for build in (pathlib.Path(setting("UVRELAY")).parent, pathlib.Path(setting("UVRELAY_EXE")).parent):
        config = (build / "CPackConfig.cmake").read_text()
        assert re.search(r'^set\(CPACK_PACKAGE_NAME "(.*)"\)$', config, re.M)[1] == "uvrelay"
        assert "cmocka" not in config
    environment = {name: value for name, value in os.environ.items() if name != "SOURCE_DATE_EPOCH"}
    run("cpack", "--config", packages.builds / "debian/CPackConfig.cmake", "-B", tmp_path, env=environment)
    assert [path.name for path in tmp_path.glob("*.*")] == [packages.deb.name]
    assert contents(tmp_path / packages.deb.name) == contents(packages.deb)


# ---- what is in them ----


def test_sums(packages):
    assert {path.name for path in packages.path.iterdir()} == {*(path.name for path in packages.all), "SHA256SUMS", "scoop", "winget"}
    sums = dict(reversed(line.split("  ")) for line in (packages.path / "SHA256SUMS").read_text().splitlines())
    assert sums == {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in packages.all}


def test_manifests(packages):
    """That they are as Scoop and winget want them was seen with their schemas, which are not kept here."""
    sha256 = hashlib.sha256(packages.zip.read_bytes()).hexdigest()
    scoop = json.loads((packages.path / "scoop/uvrelay.json").read_text())
    [installer] = scoop["architecture"].values()
    address = installer["url"]
    assert address.endswith(f"/releases/download/v{version()}/{packages.zip.name}") and installer["hash"] == sha256
    assert scoop["version"] == version() and scoop["license"] == "MIT"
    again = scoop["autoupdate"]["architecture"]["64bit"]["url"].replace("$version", version())
    assert again == address
    winget = {}
    for file in sorted((packages.path / "winget").iterdir()):
        manifest = yaml.safe_load(file.read_text())
        kind = {"version": "", "installer": ".installer", "defaultLocale": ".locale.en-US"}[manifest["ManifestType"]]
        assert file.name == f"uvrelay.uvrelay{kind}.yaml"
        assert (manifest["PackageIdentifier"], manifest["PackageVersion"]) == ("uvrelay.uvrelay", version())
        winget[manifest["ManifestType"]] = manifest
    assert winget.keys() == {"version", "installer", "defaultLocale"}
    [one] = winget["installer"]["Installers"]
    assert one["InstallerUrl"] == address and one["InstallerSha256"] == sha256.upper() and one["Architecture"] == "x64"
    names = zipfile.ZipFile(packages.zip).namelist()
    [nested] = winget["installer"]["NestedInstallerFiles"]
    assert nested["RelativeFilePath"] in names and scoop["bin"] in names
    text = "".join(file.read_text() for file in packages.path.glob("*/*") if file.is_file())
    assert not re.search("@[a-z_]+@", text)


def test_deb(packages):
    found = contents(packages.deb)
    for name, mode in (("/usr/bin/uvrelay", "-rwxr-xr-x"), ("/usr/lib/uvrelay/uvrelay.exe", "-rwxr-xr-x"),
                       ("/usr/lib/systemd/user/uvrelay.service", "-rw-r--r--"),
                       ("/usr/share/doc/uvrelay/copyright", "-rw-r--r--"),
                       ("/usr/share/doc/uvrelay/changelog.gz", "-rw-r--r--"),
                       ("/usr/share/doc/uvrelay/README.md", "-rw-r--r--"),
                       ("/usr/share/doc/uvrelay/docs/troubleshooting.md", "-rw-r--r--"),
                       ("/usr/share/man/man1/uvrelay.1.gz", "-rw-r--r--"),
                       ("/usr/share/bash-completion/completions/uvrelay", "-rw-r--r--"),
                       ("/usr/share/zsh/vendor-completions/_uvrelay", "-rw-r--r--"),
                       ("/usr/share/fish/vendor_completions.d/uvrelay.fish", "-rw-r--r--")):  # fmt: skip
        assert found.get(name) == (mode, "root/root"), name
    assert {owner for _, owner in found.values()} == {"root/root"}
    assert not [name for name in found if name.startswith("/usr/include") or name.endswith(".a") or "/man3" in name]
    assert not [name for name in found if not name.startswith("/usr/") and name != "/"], "no settings, no scripts"
    assert re.fullmatch(r"libc6 \(>= 2\.\d+\)", field(packages.deb, "Depends"))
    unit = run("sh", "-c", 'dpkg-deb --fsys-tarfile "$0" | tar -xO ./usr/lib/systemd/user/uvrelay.service', packages.deb)
    assert 'ExecStart="/usr/bin/uvrelay" serve --config=%E/uvrelay/routes.conf\n' in unit


def test_dev_deb(packages):
    found = contents(packages.dev)
    headers = {f"/usr/include/{path.relative_to(SOURCE / 'include')}" for path in (SOURCE / "include").rglob("*.h")}
    assert headers <= found.keys() and "/usr/share/man/man3/uvrelay.3.gz" in found
    libdir = "/usr/lib/x86_64-linux-gnu"
    assert {f"{libdir}/libuvrelay.a", f"{libdir}/pkgconfig/uvrelay.pc", f"{libdir}/cmake/uvrelay/uvrelayConfig.cmake"} <= found.keys()
    assert not [name for name in found if "/uv.h" in name or name.startswith("/usr/bin") or "/libuv." in name]
    assert re.fullmatch(r"libc6-dev, libuv1-dev \(>= 1\.\d+\.\d+\)", field(packages.dev, "Depends"))


def test_lintian(packages):
    """All that it finds, but what an override says, with its reason, in the package itself."""
    user = ["--allow-root"] if os.geteuid() == 0 else []
    assert run("lintian", "-q", *user, "--display-info", "--pedantic", "--display-experimental", packages.deb, packages.dev) == ""


def test_zip(packages, tmp_path):
    with zipfile.ZipFile(packages.zip) as archive:
        archive.extractall(tmp_path)
        assert {info.filename for info in archive.infolist()} >= {"uvrelay.exe", "README.txt", "LICENSES.txt", "docs/windows.md"}
    assert run(*windows_command(tmp_path / "uvrelay.exe", "--version"), stdin=subprocess.DEVNULL).startswith(f"uvrelay {version()}")
    assert list(dead_links(tmp_path)) == []
    licences = (tmp_path / "LICENSES.txt").read_text()
    assert re.search("uvrelay contributors.*libuv project.*Joyent.*mingw-w64", licences, re.S)
    assert "musl" not in licences and "@" not in (tmp_path / "README.txt").read_text()


def test_archive_alone(packages, tmp_path):
    """In a root directory with nothing else."""
    with tarfile.open(packages.tar) as archive:
        names = set(archive.getnames())
        assert {member.uid for member in archive} == {0} and {member.mtime for member in archive} == {archive.getmembers()[0].mtime}
        archive.extractall(tmp_path)
    top = tmp_path / packages.tar.name.removesuffix(".tar.gz")
    assert {f"{top.name}/{name}" for name in (
        "bin/uvrelay", "lib/uvrelay/uvrelay.exe", "share/systemd/user/uvrelay.service", "share/doc/uvrelay/README.txt",
        "share/man/man1/uvrelay.1", "share/bash-completion/completions/uvrelay")} <= names
    licences = (top / "share/doc/uvrelay/LICENSES.txt").read_text()
    assert re.search("uvrelay contributors.*libuv project.*Joyent.*musl.*Rich Felker.*mingw-w64", licences, re.S)
    for command in (["chroot"], ["unshare", "--map-root-user", "chroot"]):
        if subprocess.run([*command, "/", "/bin/true"], capture_output=True, check=False).returncode == 0:
            assert run(*command, top, "/bin/uvrelay", "--version").startswith(f"uvrelay {version()}")
            return
    pytest.skip("another root directory is not permitted here")


# ---- the library ----


def examples():
    """The examples of the docs, by name."""
    found = {}
    for page in (SOURCE / "README.md", SOURCE / "docs/embedding.md"):
        text = page.read_text() if page.exists() else ""
        found |= dict(re.findall(r"<!-- example: ([\w-]+) -->\n```\w+\n(.*?)```\n", text, re.S))
    return found


def use_bridge(program):
    """Something that the target gets whole, and answers."""
    with socket.create_server(("127.0.0.1", 0)) as target, socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
        free.close()
        target.settimeout(SOON)

        def answer():
            client, _ = target.accept()
            with client:
                client.sendall(client.recv(100)[::-1])

        threading.Thread(target=answer, daemon=True).start()
        with subprocess.Popen([program, str(port), f"tcp://127.0.0.1:{target.getsockname()[1]}"]) as process:
            try:
                for _ in range(SOON * 20):
                    with contextlib.suppress(ConnectionRefusedError), socket.create_connection(("127.0.0.1", port), SOON) as client:
                        client.sendall(b"text")
                        assert client.recv(100) == b"txet"
                        return
                    threading.Event().wait(0.05)
                raise TimeoutError("the program does not listen")
            finally:
                process.kill()


def test_the_library(packages, tmp_path):
    """Examples of the docs, by CMake and by pkg-config, with what is in the package and Debian's libuv."""
    run("dpkg-deb", "-x", packages.dev, tmp_path)
    for name, text in examples().items():
        (tmp_path / f"{name}.c").write_text(text)
    (tmp_path / "cmake.c").rename(tmp_path / "CMakeLists.txt")
    libdir = tmp_path / "usr/lib/x86_64-linux-gnu"
    environment = {**os.environ, "PKG_CONFIG_PATH": str(libdir / "pkgconfig")}
    flags = shlex.split(run("pkg-config", "--cflags", "--libs", "uvrelay", env=environment))
    run("gcc", tmp_path / "bridge.c", *flags, "-o", tmp_path / "bridge")
    assert "libuv.so.1" in run("ldd", tmp_path / "bridge")
    use_bridge(tmp_path / "bridge")
    run("cmake", "-S", tmp_path, "-B", tmp_path / "build", "-G", "Ninja", "-D", "CMAKE_C_COMPILER=gcc",
        "-D", f"CMAKE_PREFIX_PATH={tmp_path / 'usr'}", "-D", "CMAKE_LIBRARY_ARCHITECTURE=x86_64-linux-gnu")
    run("cmake", "--build", tmp_path / "build")
    [name] = re.findall(r"add_executable\((\w+) ", (tmp_path / "CMakeLists.txt").read_text())
    assert "libuv.so.1" in run("ldd", tmp_path / "build" / name)


# ---- installed, used, upgraded, removed ----


def test_clean_root(packages, old_deb, root):
    """What piuparts looks at: nothing is left behind, and nothing of others is changed."""
    before = root.files()
    root.run("apt-get", "install", "-y", root.put(old_deb))
    assert root.run("uvrelay", "--version").startswith(f"uvrelay {OLD}")
    assert (root.path / "usr/share/doc/uvrelay/old.md").exists()
    root.run("apt-get", "install", "-y", root.put(packages.deb))
    assert root.run("uvrelay", "--version").startswith(f"uvrelay {version()}")
    assert not (root.path / "usr/share/doc/uvrelay/old.md").exists()
    assert root.run("dpkg", "--verify", "uvrelay") == "" and root.run("dpkg", "--audit") == ""
    during = root.files()
    there = {f"/{name}" for name in during.keys() - before.keys()}
    assert {name for name in contents(packages.deb) if not name.endswith("/")} <= there
    assert [name for name, state in before.items() if during.get(name) != state] == []
    assert "this is not WSL" in root.run("uvrelay", "setup", "--yes", "ssh-agent", fails=True)
    root.run("apt-get", "remove", "-y", "uvrelay")
    root.run("dpkg", "--purge", "uvrelay")
    assert root.files() == before
    assert "uvrelay" not in root.run("dpkg-query", "-W", "-f", "${Package}\n")


def type_in(machine, *commands):
    result = machine.run("set -e\n" + "\n".join(commands))
    assert result.code == 0, result
    return result.out


def files_of_user(machine):
    return {str(path.relative_to(machine.home)) for path in machine.home.rglob("*")
            if not re.search(r"\.local(/state.*)?$", str(path))}


@EACH
def test_four_commands(packages, root, make_machine, agent, conf):  # noqa: F811
    """From the .deb to the keys of Windows' ssh-agent, in a clean Debian, in four commands."""
    root.run("apt", "install", "-y", root.put(packages.deb))  # in a directory of the machine's own, before it starts
    machine = make_machine(conf, base=root.path)
    before = files_of_user(machine)
    with machine.agent(agent.socket):
        out = type_in(machine, "uvrelay setup --yes ssh-agent", 'eval "$(uvrelay env)"', "ssh-add -l")
        assert agent.comment in out.splitlines()[-1], out
        assert not [step for step in steps(machine.run("uvrelay setup --dry-run ssh-agent"))]
        if conf:
            assert not machine.host("~/.config/systemd/user/uvrelay.service").exists(), "the unit is that of the package"
            shown = machine.run("systemctl --user show -P FragmentPath uvrelay").out
            assert shown == "/usr/lib/systemd/user/uvrelay.service\n"
        machine.restart()
        assert agent.comment in type_in(machine, 'eval "$(uvrelay env)"', "ssh-add -l"), "after the computer was started again"
        type_in(machine, "uvrelay setup --yes --remove")
        assert files_of_user(machine) == before
        if conf:
            assert machine.run("systemctl --user is-active uvrelay").out == "inactive\n"
            assert machine.run("systemctl --user is-enabled uvrelay").out == "disabled\n"


def test_an_upgrade_reaches_windows(packages, old_deb, root, make_machine, agent):  # noqa: F811
    """The doctor says that the copy on Windows is an old one, and setup, run again, replaces it and what runs."""
    root.run("apt", "install", "-y", root.put(old_deb))
    machine = make_machine(SYSTEMD, base=root.path)
    copy = machine.host(machine.local_app_data) / "uvrelay/uvrelay.exe"
    with machine.agent(agent.socket):
        type_in(machine, "uvrelay setup --yes ssh-agent")
        root.run("apt", "install", "-y", root.put(packages.deb))
        assert machine.run("uvrelay --version").out.startswith(f"uvrelay {version()}")
        asked = machine.run("uvrelay doctor").out
        assert OLD in asked and version() in asked and "uvrelay setup" in asked and "put uvrelay.exe" not in asked, asked
        type_in(machine, "uvrelay setup --yes")
        assert copy.read_bytes() == (root.path / "usr/lib/uvrelay/uvrelay.exe").read_bytes()
        assert OLD not in type_in(machine, "uvrelay status --json")
        assert agent.comment in type_in(machine, 'eval "$(uvrelay env)"', "ssh-add -l")


def test_archive_in_the_home(packages, make_machine, agent):  # noqa: F811
    """The .tar.gz, unpacked into ~/.local as its README.txt says: systemd finds its unit there."""
    if debian_root.why_not():
        pytest.skip(debian_root.why_not())
    top = packages.tar.name.removesuffix(".tar.gz")
    unpack = f"tar -xzf {packages.tar.name} --strip-components=1 -C ~/.local"
    with tarfile.open(packages.tar) as archive:
        assert f"\n  {unpack}\n" in archive.extractfile(f"{top}/share/doc/uvrelay/README.txt").read().decode()
    machine = make_machine(SYSTEMD, base=debian_root.original())  # of which it reads /usr only
    machine.write(f"~/{packages.tar.name}", packages.tar.read_bytes())
    type_in(machine, "mkdir -p ~/.local", unpack)
    with machine.agent(agent.socket):
        out = type_in(machine, "uvrelay setup --yes ssh-agent", 'eval "$(uvrelay env)"', "ssh-add -l")
        assert agent.comment in out.splitlines()[-1], out
        shown = machine.run("systemctl --user show -P FragmentPath uvrelay").out
        assert shown == "/home/user/.local/share/systemd/user/uvrelay.service\n"

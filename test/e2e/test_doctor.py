"""uvrelay doctor on a stand-in WSL machine that is broken in one way after the other: it names the right check, which
explains all that is skipped, and says what to type; when that has been typed, it says ok. It changes nothing itself.
What needs a machine of its own is in test_doctor_machines.py."""

import contextlib
import json
import os
import pathlib
import re
import subprocess
import time

import pytest

import wsl_machine
from patient import CONFIG, EVERYBODY, LISTEN, LISTENER, PIPE, ROUTE, SOCKET, SYSTEM, TARGET, Check, Patient
from place import wait_for
from programs import SOON, setting
from users import as_root
from winpeers import Peer, PipeServer

AFTER_HANDLER = ("interop start", "Windows version", "far end", TARGET)
AFTER_SOCKET = AFTER_HANDLER


@pytest.fixture(scope="module")
def shared():
    if wsl_machine.why_not():
        pytest.skip(wsl_machine.why_not())
    with wsl_machine.Machine() as machine:
        yield Patient(machine)


@pytest.fixture
def patient(shared):
    """The machine in good health, with serve and the target's server; it is that again after each test."""
    with PipeServer("recv-end", name=PIPE, instances=0, repeat=10000, at_once=3, sd=EVERYBODY, limit=300):
        shared.start_serve()
        yield shared
        shared.configure(ROUTE)
        shared.stop_serve()


@contextlib.contextmanager
def another_exe(patient, data):
    """Something else is uvrelay.exe for some time."""
    patient.put_exe(data)
    try:
        yield
    finally:
        patient.put_exe()


def test_all_is_well(patient):
    before = patient.snapshot()
    checks = patient.assert_well()
    assert list(checks) == ["program", "system", "systemd", "configuration", "wsl.conf", "interop handler",
                            "interop socket", "Windows drive", "interop start", "Windows program", "Windows version",
                            "far end", "serve", LISTENER, TARGET]
    assert patient.snapshot() == before, "it changes nothing"
    assert checks["system"].text.startswith("WSL 2, distribution Debian, ")
    assert "8_interop" in checks["interop socket"].text and "belongs to root" in checks["interop socket"].text
    assert re.search(r"starts and exits in \d+ ms", checks["interop start"].text)
    assert re.search(r"is ready after \d+ ms, and answers in [\d.]+ ms", checks["far end"].text)
    assert re.search(r"^uvrelay serve is listening, process \d+$", checks[LISTENER].text)
    assert re.search(rf'connected to "via:{PIPE}" in [\d.]+ ms', checks[TARGET].text)

    result = patient.machine.run("uvrelay doctor")
    assert result.code == 0 and result.out.endswith("All is well.\n"), result
    assert "\x1b" not in result.out and result.out.isascii(), "colour and symbols are for terminals"
    assert [line.split()[0] for line in result.out.splitlines()[:-1]] == ["ok"] * len(checks)


# ---- WSL's interop ----

@pytest.mark.parametrize("breaking", ["echo -1 >/proc/sys/fs/binfmt_misc/WSLInterop",
                                      "echo 0 >/proc/sys/fs/binfmt_misc/WSLInterop",
                                      "echo 0 >/proc/sys/fs/binfmt_misc/status",
                                      "cd /proc/sys/fs/binfmt_misc; echo -1 >WSLInterop; "
                                      "echo :WSLInterop:M::MZ::/usr/bin/false:PF >register"],
                         ids=["missing", "disabled", "all-disabled", "foreign"])
def test_handler(patient, breaking):
    assert patient.machine.run(["/bin/sh", "-c", breaking], root=True).code == 0
    check = patient.diagnose("interop handler", skipped=AFTER_HANDLER)
    assert "/proc/sys/fs/binfmt_misc" in check.text
    [first, *_] = check.remedy.splitlines()
    assert first.startswith("sudo sh -c 'echo ")
    patient.carry_out(first)
    patient.assert_well()


def test_another_handler(patient):
    """It takes Windows programs, as Wine's and Mono's do."""
    table = "/proc/sys/fs/binfmt_misc"
    add = f"echo :cli:M::MZ::/usr/bin/false: >{table}/register"
    assert patient.machine.run(["/bin/sh", "-c", add], root=True).code == 0
    try:
        check = patient.examine()["interop handler"]
        assert check.state == "warning" and "cli gives them to /usr/bin/false" in check.text
        patient.carry_out(check.remedy)
        patient.assert_well()
    finally:
        patient.machine.run(["/bin/sh", "-c", f"echo -1 >{table}/cli"], root=True)


def test_interop_is_disabled(patient):
    file = patient.machine.host("/etc/wsl.conf")
    file.write_text("[automount]\nenabled = true\n[interop]\nenabled = false # by me\nappendWindowsPath=false\n"
                    .replace(" # by me", ""))
    patient.stop_serve()
    patient.machine.restart()
    patient.start_serve()
    check = patient.diagnose("wsl.conf", skipped=("interop handler", *AFTER_HANDLER))
    assert "enabled=false below [interop]" in check.text
    assert "sudo nano /etc/wsl.conf" in check.remedy.splitlines()
    file.write_text("[interop]\nenabled = true\nappendWindowsPath=false\n")
    patient.stop_serve()
    patient.carry_out("wsl.exe --shutdown")
    patient.start_serve()
    assert "appendWindowsPath=false" in patient.assert_well()["wsl.conf"].text

    file.write_text("[interop]\nenabled = false\n")
    check = patient.diagnose("wsl.conf", state="warning")
    assert "takes effect when WSL starts next" in check.text
    file.write_text("")


@pytest.mark.parametrize("how", ["absent", "stale", pytest.param("foreign", marks=as_root)])
def test_socket(patient, how):
    patient.machine.break_interop(how)
    check = patient.diagnose("interop socket", skipped=AFTER_SOCKET)
    assert 'nothing is listening at WSL_INTEROP ("/run/WSL/8_interop") or at another socket in /run/WSL' in check.text
    assert ("2 of other users are ignored" in check.text) == (how == "foreign")
    patient.stop_serve()
    patient.carry_out(check.remedy)
    patient.start_serve()
    patient.assert_well()


def test_an_old_socket_in_the_environment(patient):
    """uvrelay uses another one, so it is no fault; but the check tells."""
    checks = patient.examine(env={"WSL_INTEROP": "/run/WSL/99_interop"})
    assert {check.state for check in checks.values()} == {"ok"}
    assert 'is listening at WSL_INTEROP, "/run/WSL/99_interop", but uvrelay does without' in checks["interop socket"].text
    checks = patient.examine(login=False)
    assert {check.state for check in checks.values()} == {"ok"} and "is not set" in checks["interop socket"].text


def test_windows_does_not_answer(patient):
    """WSL gives up after some time and says accept4 failed 110."""
    patient.machine.break_interop("hangs", seconds=1)
    check = patient.diagnose("interop start", skipped=AFTER_HANDLER[1:])
    assert "accept4 failed 110" in check.text and "Windows did not answer WSL in time" in check.text
    patient.stop_serve()
    patient.carry_out(check.remedy)
    patient.start_serve()
    patient.assert_well()


def test_everything_hangs(patient):
    patient.machine.break_interop("hangs", seconds=100)
    since = time.monotonic()
    check = patient.diagnose("interop start", skipped=AFTER_HANDLER[1:])
    assert time.monotonic() - since < 20 + SOON / 10 and "did not exit within 12 s" in check.text
    patient.machine.mend_interop()
    assert not [line for line in patient.machine.processes() if "cmd.exe" in line], "nothing is left behind"


# ---- uvrelay.exe ----

AFTER_EXE = ("Windows version", "far end", TARGET)


def test_no_program(patient):
    file = patient.machine.host(patient.exe)
    file.rename(f"{file}.away")
    check = patient.diagnose("Windows program", skipped=AFTER_EXE)
    assert "cannot find uvrelay.exe" in check.text and "uvrelay setup" in check.remedy.splitlines()
    pathlib.Path(f"{file}.away").rename(file)
    patient.assert_well()


def test_a_program_that_is_not_executable(patient):
    patient.machine.host(patient.exe).chmod(0o644)
    check = patient.diagnose("Windows program", skipped=AFTER_EXE)
    assert "is not executable" in check.text and check.remedy == f"chmod +x {patient.exe}"
    patient.carry_out(check.remedy)
    patient.assert_well()


@pytest.mark.parametrize("text, what", [(b"", "is empty"), (b"<html>404</html>", "damaged"),
                                        (b"\x7fELF" + bytes(100), "a Linux program, not a Windows program")], ids=["empty", "html", "elf"])
def test_no_program_for_windows(patient, text, what):
    with another_exe(patient, text):
        check = patient.diagnose("Windows program", skipped=AFTER_EXE)
        assert what in check.text and "uvrelay setup" in check.remedy.splitlines()
    patient.assert_well()


def test_a_damaged_program(patient):
    with another_exe(patient, b"MZ and no more"):
        check = patient.diagnose("Windows version", skipped=AFTER_EXE[1:])
        assert "uvrelay setup" in check.remedy.splitlines()
    patient.assert_well()


def test_another_version(patient):
    program = pathlib.Path(setting("UVRELAY_EXE")).read_bytes()
    version = patient.machine.run("uvrelay --version").out.split()[1].encode()
    other = b"9" + version[1:]
    with another_exe(patient, program.replace(version, other)):
        check = patient.diagnose("Windows version", state="warning")
        assert f"uvrelay.exe is version {other.decode()}, and this program is version" in check.text
        assert "uvrelay setup" in check.remedy.splitlines()
    patient.assert_well()


def test_on_the_linux_disk(patient):
    """Where a link in ~/.uvrelay leads to none, the one beside the program is taken."""
    link = patient.machine.host("~/.uvrelay/uvrelay.exe")
    target = os.readlink(link)
    link.unlink()
    beside = patient.machine.write("~/.local/bin/uvrelay.exe", pathlib.Path(setting("UVRELAY_EXE")).read_bytes(), 0o755)
    check = patient.diagnose("Windows program", state="warning")
    assert "is on the Linux disk" in check.text and check.remedy == "uvrelay setup"
    beside.unlink()
    patient.machine.run(f"ln -s {target} ~/.uvrelay/uvrelay.exe")
    patient.assert_well()


# ---- the configuration and the far end ----

def test_an_error_in_the_configuration(patient):
    patient.configure(ROUTE + "nonsense\n")
    check = patient.diagnose("configuration", skipped=("targets", "far end"))
    assert check.text.startswith(f"{CONFIG}:2:1: ") and f'# fix line 2 of "{CONFIG}"' in check.remedy
    assert patient.machine.run("uvrelay serve --check").code == 2, "the command that tells it"
    patient.configure(ROUTE)
    patient.assert_well()


def test_a_configuration_that_others_can_write(patient):
    patient.machine.host(CONFIG).chmod(0o666)
    check = patient.diagnose("configuration", state="warning")
    assert check.remedy == f"chmod go-w {CONFIG}"
    patient.carry_out(check.remedy)
    patient.assert_well()


def test_no_configuration(patient):
    patient.stop_serve()
    patient.machine.host(CONFIG).unlink()
    check = patient.diagnose("configuration", state="warning")
    assert f'there is no file "{CONFIG}"' in check.text and check.remedy == "uvrelay setup"
    patient.configure(ROUTE)
    patient.start_serve()


def test_a_configuration_without_a_route(patient):
    patient.configure("# nothing\n")
    check = patient.diagnose("configuration", skipped=("targets", "far end"))
    assert "has none" in check.text and check.remedy == "uvrelay setup"
    patient.configure(ROUTE)


def test_a_program_that_is_not_on_path(patient):
    """What is to be typed names it by the path that works; that of a program of the same name would not."""
    patient.stop_serve()
    patient.machine.run("mkdir -p '/home/user/my own' other && cp ~/.local/bin/uvrelay '/home/user/my own/'; "
                        "ln -s /bin/false other/uvrelay")
    for path in ("/usr/bin", "/home/user/other:/usr/bin"):
        done = patient.machine.run(["/home/user/my own/uvrelay", "doctor"], env={"PATH": path})
        lines = [line.strip() for line in done.out.splitlines()]
        assert "'/home/user/my own/uvrelay' serve --background" in lines, done
        assert lines[-1].endswith("then run '/home/user/my own/uvrelay' doctor again."), done
    patient.machine.run("rm -r '/home/user/my own' other")
    patient.start_serve()
    patient.assert_well()


def test_an_error_in_another_configuration(patient):
    patient.machine.write("~/other.conf", "nonsense\n")
    check = patient.examine("--config=/home/user/other.conf", code=1)["configuration"]
    assert check.remedy.splitlines()[1:] == ["uvrelay serve --check --config=/home/user/other.conf"]


@pytest.mark.parametrize("via, name, text", [
    ("no-such-program mux", "configuration", "cannot find the program"),
    ("/bin/echo hello", "far end", 'says "hello\\n" instead of uvrelay-mux/1'),
    ("/bin/false", "far end", "exited at once with status 1"),
], ids=["absent", "alien", "ends"])
def test_another_far_end(patient, via, name, text):
    """Interop does not matter then, and is not looked at."""
    checks = patient.examine(f"--via={via}", f"unix:///home/user/x={PIPE}", code=1)
    assert checks[name].state == "bad" and text in checks[name].text.replace("\n", "\\n"), checks
    assert "interop start" not in checks or name == "configuration"
    checks = patient.examine("--via=/home/user/.local/bin/uvrelay mux", f"unix:///home/user/x=via:unix://{SOCKET}",
                             code=0)
    assert checks["far end"].state == "ok" and "interop start" not in checks


# ---- the listener ----

def test_nobody_serves(patient):
    patient.stop_serve()
    check = patient.diagnose("serve", skipped=[LISTENER])
    assert check.text == "no uvrelay serve of this user is running"
    assert check.remedy.startswith("uvrelay serve --background")
    patient.start_serve()
    patient.assert_well()


def test_a_socket_that_is_left_over(patient):
    patient.machine.run(["pkill", "-KILL", "-x", "uvrelay"])
    patient.serve.wait(SOON)
    patient.diagnose("serve", skipped=[LISTENER])
    patient.machine.host(SOCKET).unlink()
    patient.start_serve()
    patient.assert_well()


def test_another_route_is_served(patient):
    """The configuration has changed since serve was started."""
    patient.configure(f"{LISTEN}2={PIPE}\n")
    check = patient.diagnose(f"{LISTENER}2")
    assert "the running uvrelay serve does not have this route" in check.text and check.remedy == "uvrelay reload"
    patient.carry_out(check.remedy)
    patient.assert_well()


def test_the_route_leads_elsewhere_by_now(patient):
    with PipeServer("recv-end", name=f"{PIPE}-2", instances=0, repeat=100, at_once=3, sd=EVERYBODY):
        patient.configure(f"{LISTEN}={PIPE}-2\n")
        check = patient.diagnose(LISTENER, state="warning")
        assert f'but leads to "via:{PIPE}", not to "via:{PIPE}-2"' in check.text
        patient.carry_out(check.remedy)
        patient.assert_well()


def test_a_file_in_the_way(patient):
    patient.stop_serve()
    patient.machine.write(SOCKET, "a file")
    check = patient.diagnose(LISTENER, skipped=["serve"])
    assert "it is not a socket" in check.text and check.remedy == f"mv {SOCKET} {SOCKET}.old"
    patient.carry_out(check.remedy)
    patient.start_serve()
    patient.assert_well()
    patient.machine.host(f"{SOCKET}.old").unlink()


def test_held_by_another_program(patient):
    patient.stop_serve()
    listen = f"import socket; s = socket.socket(socket.AF_UNIX); s.bind('{SOCKET}'); s.listen(); input()"
    with patient.machine.popen(["/usr/bin/python3", "-c", listen], stdin=subprocess.PIPE) as other:
        wait_for(lambda: patient.machine.host(SOCKET).exists(), "it listens")
        check = patient.diagnose(LISTENER, skipped=["serve"])
        assert re.match(r'another program is listening there: "python3', check.text) and check.remedy.startswith("kill ")
        patient.carry_out(check.remedy)
        other.wait(SOON)
    patient.start_serve()
    patient.assert_well()


@pytest.mark.parametrize("mode, what", [(0o777, "other users can write to its directory {}"),
                                        (0o555, "its directory {} cannot be written to")], ids=["writable", "read-only"])
def test_the_directory(patient, mode, what):
    patient.stop_serve()
    patient.machine.host("~/.uvrelay").chmod(mode)
    check = patient.diagnose(LISTENER, skipped=["serve"])
    assert what.format('"/home/user/.uvrelay"') in check.text
    patient.carry_out(check.remedy)
    patient.start_serve()
    patient.assert_well()
    patient.machine.host("~/.uvrelay").chmod(0o700)


# ---- presets ----

def test_a_preset(patient):
    """Its route is called by its name, and the variable of the environment has a check."""
    patient.stop_serve()
    patient.configure("@ssh-agent\n")
    socket = "/home/user/.uvrelay/ssh-agent.sock"
    with PipeServer("recv-end", name="//./pipe/openssh-ssh-agent", instances=0, repeat=100, at_once=3,
                    sd=f"O:{SYSTEM}{EVERYBODY}"):
        patient.start_serve(socket)
        check = patient.diagnose("variable of ssh-agent", state="warning")
        assert "SSH_AUTH_SOCK is not set here" in check.text
        [first, *_] = check.remedy.splitlines()
        assert first == 'eval "$(uvrelay env)"'
        done = patient.machine.run(f"{first}; uvrelay doctor --json")
        assert done.code == 0 and {check["state"] for check in json.loads(done.out)} == {"ok"}, done
        assert "SSH_AUTH_SOCK leads to it" in done.out
        check = patient.diagnose("variable of ssh-agent", state="warning", env={"SSH_AUTH_SOCK": "/tmp/other"})
        assert 'leads programs to "/tmp/other" instead' in check.text
    patient.stop_serve()
    patient.configure(ROUTE)
    patient.start_serve()


# ---- the target ----

def test_an_absent_target(patient):
    patient.change(f"{LISTEN}=//./pipe/openssh-ssh-agent\n")
    check = patient.diagnose(TARGET)
    assert "openssh-ssh-agent" in check.text
    assert "Set-Service ssh-agent -StartupType Automatic; Start-Service ssh-agent" in check.remedy.splitlines()
    with PipeServer("recv-end", name="//./pipe/openssh-ssh-agent", instances=0, repeat=100, at_once=3, sd=EVERYBODY):
        patient.assert_well()


def test_a_busy_target(patient):
    with PipeServer("await", name="//./pipe/uvrelay-doctor-busy") as server:
        patient.change(f"{LISTEN}={server.name}\n")
        with PipeClient(server.name):
            server.event("connected")
            check = patient.diagnose(TARGET)
            assert "busy" in check.text and "keep it busy" in check.remedy


def test_another_owner(patient):
    with PipeServer("recv-end", name="//./pipe/uvrelay-doctor-owner", instances=0, repeat=100, at_once=3,
                    sd=f"O:{SYSTEM}{EVERYBODY}") as server:
        patient.change(f"{LISTEN}={server.name}?owner=user\n")
        check = patient.diagnose(TARGET)
        assert "belongs to" in check.text and "owner=" in check.remedy
        patient.change(f"{LISTEN}={server.name}?owner=user,system\n")
        patient.assert_well()


class PipeClient:
    """Holds the only instance of a pipe."""

    def __init__(self, name):
        self.peer = Peer("pipe_client", name, "--", "await")

    def __enter__(self):
        return self.peer

    def __exit__(self, *_):
        self.peer.kill()

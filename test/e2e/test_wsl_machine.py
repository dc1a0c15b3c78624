"""The stand-in WSL machine of the tests: that it is what wsl_machine.py says, so that others can rely on it."""

import os
import signal
import subprocess
import time

import pytest

from place import wait_for
from programs import SOON
from users import as_root
from test_ssh_agent import agent  # noqa: F401 (a fixture)
from wsl_machine import BINFMT
from wsl_root import RELEASE


def test_looks_like_wsl(machine):
    assert machine.run(["cat", "/proc/sys/kernel/osrelease"]).out == RELEASE + "\n"
    assert " /mnt/c 9p " in machine.run(["cat", "/proc/mounts"]).out
    assert machine.run('echo "$WSL_DISTRO_NAME"; test -S "$WSL_INTEROP" && id -un').out == "Debian\nuser\n"
    assert machine.run(["cat", "/proc/sys/fs/binfmt_misc/WSLInterop"]).out.splitlines()[:3] == [
        "enabled", "interpreter /init", "flags: PF"]
    assert machine.run("echo $PATH").out.endswith(":/mnt/c/windows/system32:/mnt/c/windows\n")
    assert machine.run("id -u; touch /etc/x 2>/dev/null || echo no", root=True).out.startswith("0\n")
    assert machine.run("ls -A ~/.ssh ~/.config /tmp 2>/dev/null; command -v uvrelay").out in ("", "/tmp:\n")


def test_windows_programs(machine, monkeypatch):
    monkeypatch.setenv("SSH_AUTH_SOCK", "of the host")
    assert machine.run("cmd.exe /c echo hello").out == "hello\n"
    assert machine.run("cmd.exe /c exit 7").code == 7
    assert machine.run("cd /mnt/c/users && cmd.exe /c cd").out == "C:\\users\n"
    assert machine.run("cmd.exe /c more", input="some text\n").out == "some text\n"
    assert machine.run("cmd.exe /c 'echo %SSH_AUTH_SOCK%'").out == "%SSH_AUTH_SOCK%\n"
    assert machine.run("A=1 B=2 WSLENV=A/u cmd.exe /c 'echo %A% %B%'").out == "1 %B%\n"
    assert machine.run("cmd.exe /c 'echo %LOCALAPPDATA%'").out.strip() == machine.windows_path(machine.local_app_data)
    machine.install()
    windows, linux = (machine.run(f"{name} --version").out.splitlines() for name in ("uvrelay.exe", "uvrelay"))
    assert windows[:2] == linux[:2] and "Windows" in windows[2] and "Linux" in linux[2]
    machine.install(version=machine.version[:-1] + "x")
    assert {machine.run(f"{name} --version").out.split()[1][-1] for name in ("uvrelay", "uvrelay.exe")} == {"x"}
    assert machine.interop.started[-1] == ["/home/user/.local/bin/uvrelay.exe", "--version"]


def test_files_of_windows(machine):
    """What either side makes on drive C is there on the other, and the user's."""
    assert machine.run("cmd.exe /c 'mkdir C:\\users\\made'").code == 0
    result = machine.run("stat -c %U /mnt/c /mnt/c/users/made && echo text >/mnt/c/users/made/file && "
                         "cmd.exe /c 'type C:\\users\\made\\file'")
    assert (result.code, result.out) == (0, "user\nuser\ntext\n"), result
    assert machine.host("/mnt/c/users/made/file").stat().st_uid == os.getuid()


def test_the_end_of_each_side(machine):
    """The program ends with its Linux side, and the Linux side by a signal when its reader is gone."""
    machine.install()
    with machine.popen(["/home/user/.local/bin/uvrelay.exe", "serve", "-v", "tcp://127.0.0.1:0=tcp://127.0.0.1:1"],
                       stdin=subprocess.DEVNULL, stderr=subprocess.PIPE) as serve:
        assert b"listening" in serve.stderr.readline()
        [pid] = [pid for pid, line in machine.pids().items() if line.startswith("/init ")]
        os.kill(pid, signal.SIGKILL)
        assert serve.stderr.read() == b"" and serve.wait(SOON) in (-signal.SIGKILL, 128 + signal.SIGKILL)
    assert machine.run("cmd.exe /c 'for /l %i in (1,1,100000) do @echo line' | head -1").out == "line\n"


def test_switches(machine):
    for how, told in (("absent", "UtilConnectUnix:535: connect failed 2"),
                      ("stale", "UtilConnectUnix:535: connect failed 111")):
        machine.break_interop(how)
        result = machine.run("cmd.exe /c echo hello")
        assert result.code == 1 and told in result.err
    machine.mend_interop()
    assert machine.run("cmd.exe /c echo hello").out == "hello\n"

    machine.install()
    for line in ("0", "-1"):
        machine.binfmt(line)
        result = machine.run(["/bin/sh", "-c", "uvrelay.exe --version"])
        assert result.code in (126, 127, 2) and result.out == ""
    machine.binfmt(BINFMT)
    assert machine.run("uvrelay.exe --version").code == 0

    machine.write("~/bad.exe", b"MZ and no more", 0o755)
    result = machine.run("~/bad.exe")
    assert result.code == 1 and result.err == "/home/user/bad.exe: Invalid argument\n"

    machine.unmount_drive()
    assert machine.run("ls -A /mnt/c").out == "" and "9p" not in machine.run("cat /proc/mounts").out


def test_interop_that_hangs(machine):
    machine.break_interop("hangs", seconds=1)
    result = machine.run("cmd.exe /c echo hello")
    assert result.code == 1 and "UtilAcceptVsock:271: accept4 failed 110" in result.err


@pytest.mark.skipif(not os.access("/dev/fuse", os.W_OK), reason="there is no FUSE")
def test_drive_that_hangs(machine):
    with machine.hang_drive():
        assert machine.run(["timeout", "1", "ls", "/mnt/c"]).code == 124
    assert "users" in machine.run(["ls", "/mnt/c"]).out


@as_root
def test_interop_of_another_user(machine):
    machine.break_interop("foreign")
    assert machine.run("stat -c %U /run/WSL/8_interop").out == "other\n"


def test_pipes(machine, agent):  # noqa: F811
    """Those of Windows are the machine's own, with well-known names."""
    machine.install()
    ask = "timeout 5 uvrelay.exe -ei --owner=user //./pipe/openssh-ssh-agent </dev/null"
    for how, told in (("busy", "ERROR_PIPE_BUSY"), ("foreign", "belongs to S-1-5-21-1-2-3-1001")):
        with machine.broken_pipe(how):
            assert told in machine.run(ask).err
    assert "ERROR_FILE_NOT_FOUND" in machine.run(ask).err
    with machine.agent(agent) as forward:
        assert machine.run(ask).code == 0
        with machine.popen("exec uvrelay serve unix://$HOME/s=//./pipe/openssh-ssh-agent") as serve:
            wait_for(machine.host("~/s").exists, "serve listens")
            result = machine.run("SSH_AUTH_SOCK=~/s ssh-add -l")
            assert (result.code, result.out) == (1, "The agent has no identities.\n")
            serve.terminate()
        assert forward.let_in_count >= 1


def test_restart(machine):
    with machine.popen(["sleep", "1000"]) as sleep:
        wait_for(lambda: "sleep 1000" in machine.processes(), "sleep runs")
        machine.run("touch /tmp/x ~/y; setsid sleep 1001 </dev/null >/dev/null 2>&1 &")
        machine.restart()
        assert sleep.wait(SOON) != 0
    assert machine.processes() == []
    assert not machine.host("/tmp/x").exists() and machine.host("~/y").exists()
    assert machine.run("cmd.exe /c echo hello").out == "hello\n"


UNIT = """[Service]
Type=notify
NotifyAccess=all
ExecStart=/bin/sh -c 'systemd-notify --ready; exec sleep 1000'
[Install]
WantedBy=default.target
"""


def test_machines_do_not_meet(make_machine):
    """Not even in the kernel's list of sockets; and each has a loopback interface."""
    here, there = make_machine(), make_machine()
    with here.popen(["socat", "UNIX-LISTEN:s,fork", "TCP:127.0.0.1:1234"]) as unix, \
            here.popen(["socat", "TCP-LISTEN:1234,fork,reuseaddr,bind=127.0.0.1", "EXEC:id -un"]) as tcp:
        wait_for(lambda: here.run("socat -u UNIX-CONNECT:s -").out == "user\n", "both listen")
        assert "/s\n" in here.run("cat /proc/net/unix").out or " s\n" in here.run("cat /proc/net/unix").out
        assert there.run("grep -w s /proc/net/unix; socat -u TCP:127.0.0.1:1234 - 2>&1").out.endswith("Connection refused\n")
        for process in (unix, tcp):
            process.kill()
    for machine, name in ((here, "here"), (there, "there")):
        assert machine.run(f"cmd.exe /c 'echo {name} >C:\\made'").code == 0
        assert machine.host("/mnt/c/made").read_text().split() == [name]


def test_the_user_sees_what_processes_of_the_user_do(machine):
    """Without root, too, where the machine's users are made of one."""
    with machine.popen(["sleep", "1000"]) as sleep:
        wait_for(lambda: "sleep 1000" in machine.processes(), "sleep runs")
        assert machine.run("for p in /proc/[0-9]*; do [ \"$(cat $p/comm)\" != sleep ] || readlink $p/exe; done").out == (
            "/usr/bin/sleep\n")
        sleep.kill()


def test_systemd(make_machine):
    """It is the real manager of a user: it starts a unit, and again after the machine was restarted."""
    machine = make_machine("[boot]\nsystemd = true\n")
    assert machine.run("systemctl --user is-active x.service").out == "inactive\n"
    machine.write("~/.config/systemd/user/x.service", UNIT)
    result = machine.run("systemctl --user daemon-reload && systemctl --user enable --now x.service")
    assert result.code == 0, result
    machine.restart()
    assert machine.run("systemctl --user is-active x.service").out == "active\n"
    assert machine.run("systemctl --user disable --now x.service").code == 0
    assert "sleep 1000" not in machine.processes()


def test_without_systemd(machine):
    assert machine.run("systemctl --user is-active x.service").code != 0
    assert not machine.host("/run/systemd").exists() and not machine.host("/run/user").exists()


def test_configuration(make_machine):
    machine = make_machine("[interop]\nenabled = false\nappendWindowsPath = false\n")
    assert "/mnt/c" not in machine.run("echo $PATH").out
    assert machine.run("ls /proc/sys/fs/binfmt_misc").out == "register\nstatus\n"


def test_nothing_is_left(make_machine):
    machine = make_machine()
    machine.install()
    machine.popen("uvrelay.exe serve tcp://127.0.0.1:0=tcp://127.0.0.1:1", stderr=subprocess.DEVNULL)
    wait_for(lambda: machine.interop.started, "it was started")
    mark = str(machine.windows.prefix).encode()
    machine.__exit__()
    left = []
    end = time.monotonic() + SOON
    while (left := [pid for pid in os.listdir("/proc") if pid.isdigit() and mark in environment_of(pid)]):
        assert time.monotonic() < end, left
        time.sleep(0.05)
    assert not machine.path.exists() and not machine.windows.prefix.exists()


def environment_of(pid):
    try:
        with open(f"/proc/{pid}/environ", "rb") as file:
            return file.read()
    except OSError:
        return b""


def test_without_a_shell_a_login_knows_nothing_of_wsl(machine):
    assert "WSL_" not in machine.run(["env"], login=False).out


@pytest.mark.parametrize("path", ["/etc/hostname", "/usr/bin/env", "/mnt/c/users"])
def test_paths(machine, path):
    assert machine.host(path).exists()
    assert machine.run(["ls", "-d", path]).out == path + "\n"

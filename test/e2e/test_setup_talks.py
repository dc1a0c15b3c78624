"""uvrelay setup in a machine that looks like WSL: its questions, and what it says when something is in its way."""

import os
import pty
import select
import signal
import time

import pytest

from programs import SOON
from setting_up import UNIT, agent, is_set_up, plain, set_up, snapshot, steps, systemd  # noqa: F401 (fixtures)


class Terminal:
    """A run of setup at a terminal."""

    def __init__(self, machine, *words):
        self.master, slave = pty.openpty()
        self.out = ""
        self.process = machine.popen(["/home/user/.local/bin/uvrelay", "setup", *words], stdin=slave, stdout=slave,
                                     stderr=slave, start_new_session=True)
        os.close(slave)

    def wait(self, text):
        end = time.monotonic() + SOON
        while text not in self.out:
            ready, _, _ = select.select([self.master], [], [], end - time.monotonic())
            assert ready, f"no {text!r} in {self.out!r}"
            try:
                piece = os.read(self.master, 4096)
            except OSError:
                piece = b""
            assert piece, f"no {text!r} in {self.out!r}"
            self.out += piece.decode()

    def type(self, text):
        os.write(self.master, text.encode())

    def end(self):
        """Reads the rest. Gives the exit status."""
        try:
            while piece := os.read(self.master, 4096):
                self.out += piece.decode()
        except OSError:
            pass
        os.close(self.master)
        return self.process.wait(SOON)


def test_nothing_is_changed_after_a_no(systemd):
    before = snapshot(systemd)
    for answer, status in (("n\n", 1), ("\x04", 1)):
        terminal = Terminal(systemd, "ssh-agent")
        terminal.wait("? [Y/n] ")
        terminal.type(answer)
        assert terminal.end() == status and "nothing was changed" in terminal.out, terminal.out
        assert snapshot(systemd) == before
    terminal = Terminal(systemd, "ssh-agent")
    terminal.wait("? [Y/n] ")
    # As Ctrl-C does; but who runs tests in the background may have them ignore SIGINT. It is the machine's own pkill.
    systemd.run(["pkill", "-TERM", "-x", "uvrelay"], root=True)
    assert terminal.end() in (-signal.SIGTERM, 128 + signal.SIGTERM)
    assert snapshot(systemd) == before


def test_a_yes_at_the_terminal(systemd):
    terminal = Terminal(systemd, "ssh-agent")
    terminal.wait("? [Y/n] ")
    terminal.type("\n")
    terminal.end()
    assert "Done." in terminal.out and systemd.host(UNIT).exists()


def test_two_at_once(plain):
    """One of them waits at a question: the other one changes nothing, and says why."""
    before = snapshot(plain)
    first = Terminal(plain, "ssh-agent")
    first.wait("? [Y/n] ")
    second = set_up(plain, "--yes", "docker")
    assert second.code == 1 and second.err.startswith("uvrelay: another `uvrelay setup` of yours is running: "), second
    assert set_up(plain, "--dry-run", "docker").code == 0, "it shows all the same"
    assert snapshot(plain) == before
    first.type("n\n")
    assert first.end() == 1
    assert "Done." in set_up(plain, "--yes", "docker").out


def test_no_terminal_and_no_yes(systemd):
    before = snapshot(systemd)
    done = set_up(systemd, "ssh-agent")
    assert done.code == 1 and "standard input is not a terminal" in done.err and "--yes" in done.err, done
    assert snapshot(systemd) == before


def test_without_names_it_tells_what_there_is(systemd, agent):
    before = snapshot(systemd)
    told = set_up(systemd)
    assert told.code == 0 and "  ssh-agent  not found: " in told.out and "uvrelay setup ssh-agent" in told.out, told
    with systemd.agent(agent.socket):
        told = set_up(systemd)
        assert "  ssh-agent  found: \\\\.\\pipe\\openssh-ssh-agent, yours, served by uvrelay.exe\n" in told.out, told
        assert "To set up what was found, type: /home/user/.local/bin/uvrelay setup ssh-agent\n" in told.out
        assert snapshot(systemd) == before
        terminal = Terminal(systemd)
        terminal.wait("Set up ssh-agent? [Y/n] ")
        terminal.type("y\n")
        terminal.wait("on Windows? [Y/n] ")
        terminal.type("y\n")
        assert terminal.end() == 0, terminal.out
        assert agent.comment in is_set_up(systemd)
        # From then on, a run without names sees to what is set up.
        again = set_up(systemd)
        assert "(set up)" in again.out and "nothing was changed" in again.out, again


# ---- what is in its way ----


def break_handler(machine):
    machine.binfmt("-1")


def break_drive(machine):
    machine.unmount_drive()


@pytest.mark.parametrize("broken, wrong, remedy", [
    (lambda machine: machine.break_interop("absent"), "nothing is listening at WSL_INTEROP", "wsl.exe --shutdown"),
    (lambda machine: machine.break_interop("hangs", seconds=1), "accept4 failed 110", "wsl.exe --shutdown"),
    (break_handler, "there is no /proc/sys/fs/binfmt_misc/WSLInterop", "> /proc/sys/fs/binfmt_misc/register'"),
    (break_drive, "is not on a Windows drive that is mounted in WSL", "[automount] in /etc/wsl.conf"),
])
def test_windows_does_not_answer(plain, broken, wrong, remedy):
    before = snapshot(plain)
    broken(plain)
    done = set_up(plain, "--yes", "ssh-agent")
    assert done.code == 1 and not done.out and done.err.count("\n") == 1, done
    assert wrong in done.err and remedy in done.err and "uvrelay" in done.err, done
    assert snapshot(plain) == before


def test_no_windows_program(systemd):
    systemd.host("~/.local/bin/uvrelay.exe").unlink()
    done = set_up(systemd, "--yes", "ssh-agent")
    assert done.code == 1 and "cannot find uvrelay.exe" in done.err and "--windows-program=FILE" in done.err, done
    done = set_up(systemd, "--windows-program=~/nowhere.exe", "ssh-agent")
    assert done.code == 1 and "nowhere.exe" in done.err, done
    systemd.write("~/.local/bin/uvrelay.exe", "MZ", 0o644)
    done = set_up(systemd, "--yes", "ssh-agent")
    assert done.code == 1 and "chmod +x" in done.err, done
    systemd.write("~/.local/bin/uvrelay.exe", "#!/bin/sh\nexit 3\n", 0o755)
    done = set_up(systemd, "--yes", "ssh-agent")
    assert done.code == 1 and "status 3" in done.err, done


def test_the_home_directory(systemd):
    for home, wrong in (("/nowhere", "cannot use the home directory"), ("/root", "another user's"), ("/etc/passwd", "")):
        done = set_up(systemd, "--yes", "ssh-agent", env={"HOME": home}, cwd="/")
        assert done.code == 1 and wrong in done.err and done.err.count("\n") == 1, done
    systemd.host("~/.uvrelay").mkdir()
    systemd.host("~/.uvrelay").chmod(0o777)
    done = set_up(systemd, "--yes", "ssh-agent")
    assert done.code == 1 and "not a directory that only you can write to" in done.err, done


def test_a_place_that_cannot_be_written_to(systemd):
    """What was done before stays, and is named; the next run goes on."""
    systemd.write("~/.config/systemd", "a file")
    done = set_up(systemd, "--yes", "ssh-agent")
    assert done.code == 1 and "step 3: " in done.err and "(steps 1 and 2 are done)" in done.err, done
    systemd.host("~/.config/systemd").unlink()
    assert len(steps(set_up(systemd, "ssh-agent"))) == 1
    assert systemd.run(["systemctl", "--user", "is-active", "uvrelay"]).out == "active\n"


def test_a_full_disk(systemd):
    before = snapshot(systemd, times=False)
    words = "ulimit -f 1; trap '' XFSZ; exec ~/.local/bin/uvrelay setup --yes ssh-agent"
    done = systemd.run(["/bin/bash", "-c", words])
    assert done.code == 1 and "step 1: cannot write" in done.err and "no step is done" in done.err, done
    set_up(systemd, "--remove")
    assert snapshot(systemd, times=False) == before


def test_root_is_told(systemd):
    done = set_up(systemd, "--dry-run", "ssh-agent", root=True)
    assert "warning: this sets up the routes of root" in done.err, done
    done = set_up(systemd, "--dry-run", "ssh-agent", root=True, env={"SUDO_USER": "user"})
    assert "run `uvrelay setup` without sudo" in done.err, done


def test_wrong_usage(systemd):
    for words, wrong in ((["nothing"], "there is no preset \"@nothing\""), (["@ssh-agnt"], "did you mean @ssh-agent?"),
                         (["--logon"], "uvrelay.exe setup"),
                         (["--remove", "--windows-program=x"], "cannot be used with"), (["--windows-program="], "has no file"),
                         (["--dryrun"], "did you mean --dry-run?")):
        done = set_up(systemd, *words)
        assert done.code == 2 and wrong in done.err and not done.out, done
        assert done.err.endswith("Try: uvrelay setup --help\n")
    assert set_up(systemd, "--help").out.startswith("Usage: uvrelay setup")

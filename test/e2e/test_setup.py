"""uvrelay setup in a machine that looks like WSL: what it makes, that a second run changes nothing, that --remove takes
back what it has made and nothing else, and what it leaves alone."""

import os

import pytest

from programs import setting
from setting_up import ROUTES, UNIT, agent, is_set_up, plain, set_up, snapshot, steps, systemd  # noqa: F401 (fixtures)


def test_with_systemd(systemd, agent):
    before = snapshot(systemd, times=False)
    planned = set_up(systemd, "--dry-run", "ssh-agent")
    assert planned.code == 0 and not planned.err, planned
    assert [step[:9] for step in steps(planned)] == ["1. Copy /", "2. Write ", "3. Write "]
    assert f'ExecStart="/home/user/.local/bin/uvrelay" serve "--config=/home/user/{ROUTES[2:]}"' in planned.out
    assert "\n     | @ssh-agent\n" in planned.out
    assert snapshot(systemd, times=False) == before

    with systemd.agent(agent.socket):
        done = set_up(systemd, "--yes", "ssh-agent")
        assert done.code == 0 and not done.err, done
        assert steps(done) == steps(planned)
        assert 'eval "$(/home/user/.local/bin/uvrelay env)"' in done.out and "SSH_AUTH_SOCK" in done.out
        checked = "ok       ssh-agent:              ~/.uvrelay/ssh-agent.sock leads to //./pipe/openssh-ssh-agent\n"
        assert done.out.split("\n\n")[-1] == checked, done
        assert agent.comment in is_set_up(systemd)
        assert systemd.run(["systemctl", "--user", "is-enabled", "uvrelay"]).out == "enabled\n"

        after = snapshot(systemd)
        again = set_up(systemd, "ssh-agent")
        assert again.code == 0 and "Everything is already set up: nothing was changed." in again.out and not steps(again), again
        assert snapshot(systemd) == after
        assert set_up(systemd, "--dry-run", "ssh-agent").out == "There is nothing to do.\n"

    gone = set_up(systemd, "--remove")
    assert gone.code == 0 and not gone.err, gone
    assert snapshot(systemd, times=False) == before
    assert systemd.run(["systemctl", "--user", "is-active", "uvrelay"]).out == "inactive\n"
    nothing = set_up(systemd, "--remove")
    assert nothing.code == 0 and nothing.out == "There is nothing to undo.\n"
    assert snapshot(systemd, times=False) == before


@pytest.mark.parametrize("kind", ["systemd", "plain"])
def test_routes_of_ones_own(kind, request):
    """Without a name, where nothing of a preset's is there: what the file has is served at each login, and the Windows
    program is where it starts fast."""
    machine = request.getfixturevalue(kind)
    machine.write(ROUTES, "# mine\nunix://~/mine.sock = //./pipe/mine\n", 0o600)
    before = snapshot(machine, times=False)
    planned = set_up(machine, "--dry-run")
    assert planned.code == 0 and "1. Copy /" in planned.out and "setup ssh-agent" not in planned.out, planned
    assert snapshot(machine, times=False) == before
    with machine.pipe("//./pipe/mine", "tcp://127.0.0.1:1"):
        done = set_up(machine, "--yes")
        assert done.code == 0 and not done.err and steps(done) == steps(planned), done
        assert done.out.endswith("ok       unix:///home/user/mine.sock: ~/mine.sock leads to //./pipe/mine\n"), done
        machine.restart()
        assert machine.run("uvrelay status >/dev/null && test -S mine.sock").code == 0
        again = set_up(machine, "--yes")
        assert again.code == 0 and "nothing was changed" in again.out and not steps(again), again
    gone = set_up(machine, "--remove")
    assert gone.code == 0 and not gone.err, gone
    assert snapshot(machine, times=False) == before


def test_a_file_without_routes_is_no_reason(plain):
    plain.write(ROUTES, "# nothing yet\nverbose = on\n", 0o600)
    before = snapshot(plain, times=False)
    nothing = set_up(plain, "--yes")
    assert nothing.code == 0 and "setup ssh-agent\n" in nothing.out and not steps(nothing), nothing
    plain.write(ROUTES, "unix://~/mine.sock = //./pip/mine\n", 0o600)
    wrong = set_up(plain, "--yes")
    assert wrong.code == 1 and "routes.conf:1:" in wrong.err, wrong
    plain.write(ROUTES, "# nothing yet\nverbose = on\n", 0o600)
    assert snapshot(plain, times=False) == before


def test_without_systemd(plain, agent):
    profile = plain.host("~/.profile").read_bytes()
    before = snapshot(plain, times=False)
    with plain.agent(agent.socket):
        done = set_up(plain, "--yes", "ssh-agent")
        assert done.code == 0 and not done.err, done
        assert agent.comment in is_set_up(plain)
        assert plain.host("~/.profile").read_bytes().startswith(profile)

        after = snapshot(plain)
        again = set_up(plain, "ssh-agent")
        assert again.code == 0 and "nothing was changed" in again.out and not steps(again), again
        assert snapshot(plain) == after

        plain.restart()
        login = plain.run("exec 2>&1; :")
        assert (login.code, login.out, login.err) == (0, "", "")
        assert agent.comment in is_set_up(plain)
        plain.restart()
        assert agent.comment in plain.run("ssh-add -l").out  # the first shell, whose ~/.profile starts serve
        plain.write("~/lines", plain.host("~/.profile").read_bytes()[len(profile):])
        for shell in ("sh", "dash", "bash"):
            read = plain.run([shell, "-eu", "-c", ". ~/lines; echo $-"], login=False, input="not read")
            assert read.code == 0 and "e" in read.out and read.out.count("\n") == 1 and not read.err, read
        plain.host("~/lines").unlink()

    gone = set_up(plain, "--remove")
    assert gone.code == 0 and not gone.err, gone
    assert not [line for line in plain.processes() if "uvrelay" in line]
    assert snapshot(plain, times=False) == before


def test_files_for_other_shells(plain):
    """Each shell gets the lines into the file that it reads, and --remove finds them whatever the shell is then."""
    before = snapshot(plain, times=False)
    for shell, file in (("zsh", "~/.zprofile"), ("fish", "~/.config/fish/conf.d/uvrelay.fish"), ("ksh", "~/.profile")):
        planned = set_up(plain, "--dry-run", "ssh-agent", env={"SHELL": f"/usr/bin/{shell}"})
        assert f"with lines in /home/user/{file[2:]}, and start it now" in planned.out, planned
    assert "Your shell may not read /home/user/.profile" in set_up(plain, "--dry-run", "docker",
                                                                    env={"SHELL": "/usr/bin/tcsh"}).out
    plain.write("~/.bash_profile", "# mine\n")
    assert "with lines in /home/user/.bash_profile" in set_up(plain, "--dry-run", "ssh-agent").out
    plain.host("~/.bash_profile").unlink()
    assert set_up(plain, "--yes", "ssh-agent", env={"SHELL": "/usr/bin/zsh"}).out.count("Done.") == 1
    assert plain.host("~/.zprofile").exists()
    assert set_up(plain, "--remove").code == 0
    assert snapshot(plain, times=False) == before


def test_more_names_and_fewer(systemd):
    """A second name joins the first one, and a unit that was deleted comes back; routes of the user's own stay as they
    are, byte for byte."""
    own = "# mine\nidle=60\nunix:///home/user/x.sock=tcp://127.0.0.1:9"
    systemd.write(ROUTES, own, 0o640)
    set_up(systemd, "--yes", "ssh-agent")
    systemd.host(UNIT).unlink()  # systemd still shows it, as one that a package has installed
    mended = set_up(systemd, "ssh-agent")
    assert [step[3:] for step in steps(mended)] == [f"Write the unit /home/user/{UNIT[2:]}, and enable and start it"], mended
    assert systemd.host(UNIT).exists()
    both = set_up(systemd, "docker", "@docker")
    assert [step[3:] for step in steps(both)] == ["Write @docker to /home/user/.config/uvrelay/routes.conf",
                                                  "Make uvrelay.service read the routes again"]
    text = systemd.host(ROUTES).read_text()
    assert text.startswith(own + "\n# Begin: written by") and text.split("\n")[4:6] == ["@ssh-agent", "@docker"]
    assert systemd.host(ROUTES).stat().st_mode & 0o777 == 0o640
    one = set_up(systemd, "--remove", "ssh-agent")
    assert one.code == 0, one
    assert [step[3:] for step in steps(one)] == ["Remove @ssh-agent from /home/user/.config/uvrelay/routes.conf",
                                                 "Make uvrelay.service read the routes again"]
    assert systemd.run("uvrelay env").out == "export DOCKER_HOST='unix:///home/user/.uvrelay/docker.sock';\n"
    text = systemd.host(ROUTES).read_text()
    assert "@docker\n" in text and "@ssh-agent" not in text
    assert systemd.run(["systemctl", "--user", "is-active", "uvrelay"]).out == "active\n"
    set_up(systemd, "--remove")
    assert systemd.host(ROUTES).read_text() == own
    assert not systemd.host(UNIT).exists() and not systemd.host("~/.uvrelay/setup").exists()


def test_a_file_that_was_edited_on_windows(plain):
    """An editor of Windows puts a byte order mark before the first line, and ends lines by CR LF."""
    set_up(plain, "--yes", "ssh-agent")
    plain.write(ROUTES, "\ufeff" + plain.host(ROUTES).read_text().replace("\n", "\r\n"), 0o600)
    assert "nothing was changed" in set_up(plain, "--yes", "ssh-agent").out
    more = set_up(plain, "--yes", "docker")
    assert len(steps(more)) == 2 and not more.err, more
    assert plain.host(ROUTES).read_bytes().startswith(b"\xef\xbb\xbf# Begin: written by")
    gone = set_up(plain, "--remove")
    assert gone.code == 0 and "Note: " not in gone.out, gone
    assert plain.host(ROUTES).read_bytes() == b"\xef\xbb\xbf"


def test_a_route_of_ones_own_counts(systemd):
    """Who has @ssh-agent behind another listener is not given a second one."""
    systemd.write(ROUTES, "unix://~/mine.sock=@ssh-agent\n")
    done = set_up(systemd, "--yes", "ssh-agent")
    assert not [step for step in steps(done) if "routes.conf" in step and "Write @" in step], done
    assert systemd.host(ROUTES).read_text() == "unix://~/mine.sock=@ssh-agent\n"


@pytest.mark.parametrize("text, wrong", [
    ("unix://~/x.sock=tcp://127.0.0.1:9\nbad\n", ":2:1: "),
    ("unix://~/.uvrelay/ssh-agent.sock=tcp://127.0.0.1:9\n", "ssh-agent.sock"),
    ("# Begin: written by `uvrelay setup`; `uvrelay setup --remove` removes it.\n@docker\n", "fix it by hand"),
    ("a\0b\n", ""),
])
def test_a_file_with_an_error(systemd, text, wrong):
    systemd.write(ROUTES, text)
    before = snapshot(systemd)
    done = set_up(systemd, "--yes", "ssh-agent")
    assert done.code == 1 and not done.out and "routes.conf" in done.err and wrong in done.err, done
    assert done.err.count("\n") == 1
    assert snapshot(systemd) == before


def test_what_was_changed_since_stays(systemd):
    set_up(systemd, "--yes", "ssh-agent")
    for path, more in ((UNIT, "# mine\n"), (f"{systemd.local_app_data}/uvrelay/uvrelay.exe", "mine")):
        with open(systemd.host(path), "a", encoding="utf-8") as file:
            file.write(more)
    routes = systemd.host(ROUTES)
    routes.write_text(routes.read_text().replace("@ssh-agent\n", "@ssh-agent\nunix://~/x=tcp://127.0.0.1:9\n"))
    gone = set_up(systemd, "--remove")
    assert gone.code == 0, gone
    notes = [line for line in gone.out.splitlines() if line.startswith("Note: ")]
    assert len(notes) == 3 and "systemctl --user disable --now uvrelay" in gone.out, gone
    assert routes.read_text() == "unix://~/x=tcp://127.0.0.1:9\n"
    assert systemd.host(UNIT).read_text().endswith("# mine\n")
    assert (systemd.host(systemd.local_app_data) / "uvrelay/uvrelay.exe").exists()
    assert not systemd.host("~/.uvrelay/uvrelay.exe").is_symlink()


def test_taking_back_while_the_drive_is_not_there(plain):
    """Neither Windows nor its drive is needed; what is out of reach is named."""
    set_up(plain, "--yes", "ssh-agent")
    plain.break_interop("absent")
    plain.unmount_drive()
    gone = set_up(plain, "--remove")
    assert gone.code == 0 and not gone.err, gone
    assert "uvrelay.exe is on a drive that is not mounted now: remove it by hand" in gone.out, gone
    assert not plain.host("~/.uvrelay").exists() and not plain.host(ROUTES).exists()


def test_a_unit_of_ones_own_is_used(systemd):
    unit = "[Service]\nType=notify\nExecStart=/home/user/.local/bin/uvrelay serve\n[Install]\nWantedBy=default.target\n"
    systemd.write(UNIT, unit)
    done = set_up(systemd, "--yes", "ssh-agent")
    assert "uvrelay.service stays as it is" in done.out, done
    assert systemd.host(UNIT).read_text() == unit
    assert systemd.run(["systemctl", "--user", "is-active", "uvrelay"]).out == "active\n", done.out + done.err


def test_a_program_on_a_windows_drive_stays_there(systemd):
    """On PATH, say: nothing is copied, and nothing is to be asked. In a service, whose PATH is another one, it is found
    by the link."""
    place = f"{systemd.local_app_data}/Programs/uvrelay.exe"
    systemd.host("~/.local/bin/uvrelay.exe").unlink()
    with open(setting("UVRELAY_EXE"), "rb") as file:
        systemd.write(place, file.read(), 0o755)
    done = set_up(systemd, "ssh-agent", env={"PATH": f"/usr/bin:/bin:{os.path.dirname(place)}"})
    assert steps(done)[0] == f"1. Make `uvrelay serve` use {place}" and len(steps(done)) == 3, done
    assert os.readlink(systemd.host("~/.uvrelay/uvrelay.exe")) == place
    assert systemd.run(["systemctl", "--user", "is-active", "uvrelay"]).out == "active\n"
    other = f"{systemd.local_app_data}/Other/uvrelay.exe"
    systemd.write(other, systemd.host(place).read_bytes(), 0o755)
    assert not steps(set_up(systemd, "ssh-agent")), "what is chosen stays chosen"
    done = set_up(systemd, f"--windows-program={other}", "ssh-agent")
    assert steps(done)[0] == f"1. Make `uvrelay serve` use {other}", done
    set_up(systemd, "--remove")
    assert systemd.host(place).exists() and systemd.host(other).exists()


def test_an_update(systemd):
    """A copy of another version is replaced by the program of this one, though it runs."""
    set_up(systemd, "--yes", "ssh-agent")
    directory = systemd.host(systemd.local_app_data) / "uvrelay"
    copy = directory / "uvrelay.exe"
    new = copy.read_bytes()
    copy.write_bytes(new.replace(b"0.1.0", b"0.0.9"))
    done = set_up(systemd, "--yes", "ssh-agent")
    assert [step[3:] for step in steps(done)][1:] == ["Enable and restart uvrelay.service"], done
    assert "Copy" in steps(done)[0] and copy.read_bytes() == new and os.listdir(directory) == ["uvrelay.exe"]
    # Where there is no other one, it is used, and reported.
    copy.write_bytes(new.replace(b"0.1.0", b"0.0.9"))
    systemd.host("~/.local/bin/uvrelay.exe").unlink()
    done = set_up(systemd, "--yes", "ssh-agent")
    assert "is version 0.0.9, and this program is version 0.1.0" in done.out and not steps(done), done
    set_up(systemd, "--remove")
    assert copy.exists(), "it is not the file that setup has written"


def test_gpg_agent_takes_its_place(systemd):
    before = snapshot(systemd, times=False)
    sockets = ["gpg-agent.socket", "gpg-agent-extra.socket", "gpg-agent-browser.socket", "gpg-agent-ssh.socket"]
    held = [name for name in sockets if systemd.run(["systemctl", "--user", "is-enabled", name]).out == "enabled\n"]
    if "gpg-agent.socket" not in held:
        pytest.skip("there is no gpg-agent.socket")
    done = set_up(systemd, "--yes", "gpg-agent")
    assert f"Mask systemd's {' '.join(held)}" in done.out and "no-autostart" in done.out, done
    assert systemd.run(["systemctl", "--user", "is-enabled", *held]).out == "masked\n" * len(held)
    assert not steps(set_up(systemd, "gpg-agent"))
    set_up(systemd, "--remove")
    assert systemd.run(["systemctl", "--user", "is-enabled", *held]).out == "enabled\n" * len(held)
    # serve has made the directory of its socket, and it has served there.
    assert {name: what for name, what in snapshot(systemd, times=False).items() if name != ".gnupg"} == before


def test_a_link_that_leads_to_nothing(plain):
    plain.run("mkdir -p ~/.config; ln -s ~/elsewhere ~/.config/uvrelay")
    done = set_up(plain, "--yes", "ssh-agent")
    assert done.code == 1 and "/.config/uvrelay" in done.err and "it is a dangling link" in done.err, done
    plain.run("rm ~/.config/uvrelay; mkdir ~/.config/uvrelay; ln -s ~/elsewhere ~/.config/uvrelay/routes.conf")
    done = set_up(plain, "--yes", "ssh-agent")
    assert done.code == 1 and '/routes.conf": it is a dangling link' in done.err, done
    plain.run("touch ~/elsewhere")
    assert "Done." in set_up(plain, "--yes", "ssh-agent").out
    assert plain.host(ROUTES).is_symlink() and "@ssh-agent" in plain.host("~/elsewhere").read_text()


def test_a_record_that_cannot_be_written(plain):
    """What could not be taken back then is not written, so that the next run can."""
    before = snapshot(plain, times=False)
    set_up(plain, "--yes", "ssh-agent")
    plain.host(ROUTES).unlink()
    record = plain.host("~/.uvrelay/setup").read_text()
    plain.write("~/.uvrelay/setup", "".join(line for line in record.splitlines(True) if "routes.conf" not in line))
    plain.run("mkdir ~/.uvrelay/setup.new")
    done = set_up(plain, "--yes", "ssh-agent")
    assert done.code == 1 and 'cannot write "/home/user/.uvrelay/setup"' in done.err, done
    assert not plain.host(ROUTES).exists()
    plain.run("rmdir ~/.uvrelay/setup.new")
    assert "Done." in set_up(plain, "--yes", "ssh-agent").out
    assert set_up(plain, "--remove").code == 0
    assert snapshot(plain, times=False) == before


def test_a_home_that_cannot_be_written_to(plain):
    """The reason is reported, and not what was looked at last."""
    plain.host("~").chmod(0o500)
    try:
        done = set_up(plain, "--yes", "ssh-agent")
    finally:
        plain.host("~").chmod(0o700)
    assert done.code == 1 and 'cannot create the directory "/home/user/.uvrelay": permission denied (EACCES)' in done.err, done


def test_the_check_in_the_end(plain, agent):
    """A line for a route that works, and in full only what does not."""
    with plain.agent(agent.socket):
        done = set_up(plain, "--yes", "ssh-agent", "docker")
        checked = done.out.split("\n\n")[-1].splitlines()
        assert done.code == 1 and len(checked) == 4, done
        assert checked[0].split() == ["ok", "ssh-agent:", "~/.uvrelay/ssh-agent.sock", "leads", "to",
                                      "//./pipe/openssh-ssh-agent"]
        assert checked[1].startswith("bad      target of docker: ") and checked[2].strip().startswith("# start Docker")
        assert checked[3].startswith("1 check is bad. ")
        whole = plain.run("uvrelay doctor").out
        assert "variable of ssh-agent: " in whole and "far end: " in whole, "the doctor itself tells all"

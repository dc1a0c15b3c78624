"""uvrelay setup where there is no WSL: it says so and does nothing."""

import os
import pathlib
import subprocess

import pytest

from programs import SOON, setting

pytestmark = pytest.mark.skipif("microsoft" in pathlib.Path("/proc/sys/kernel/osrelease").read_text().lower(),
                                reason="this is WSL")


def set_up(home, *words, **more):
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("WSL", "XDG_", "SUDO"))}
    return subprocess.run([setting("UVRELAY"), "setup", *words], env={**environment, "HOME": str(home), **more},
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=SOON, check=False)


def test_it_says_what_to_do_instead(tmp_path):
    for words in ([], ["ssh-agent"], ["--yes", "docker"], ["--dry-run", "ssh-agent"]):
        done = set_up(tmp_path, *words)
        line = done.stderr.splitlines()[-1]
        assert done.returncode == 1 and not done.stdout
        assert line.startswith("uvrelay: this is not WSL") and f"{tmp_path}/.config/uvrelay/routes.conf" in line
        assert done.stderr.count("\n") == (2 if os.geteuid() == 0 else 1), "root is warned"
        assert not os.listdir(tmp_path)


def test_there_is_nothing_to_take_back(tmp_path):
    done = set_up(tmp_path, "--remove", XDG_CONFIG_HOME=str(tmp_path / "config"))
    assert done.returncode == 0 and done.stdout == "There is nothing to undo.\n"
    assert not os.listdir(tmp_path)


def test_what_is_left_in_a_home_that_was_moved(tmp_path):
    """Files that setup has written are known by what is in them."""
    config = tmp_path / ".config/uvrelay/routes.conf"
    config.parent.mkdir(parents=True)
    block = ("# Begin: written by `uvrelay setup`; `uvrelay setup --remove` removes it.\n@ssh-agent\n"
             "# End: written by `uvrelay setup`.\n")
    config.write_text("idle=5\n" + block + "idle=6\n")
    (tmp_path / ".profile").write_text("a\n" + block.replace("@ssh-agent", "echo hello"))
    planned = set_up(tmp_path, "--remove", "--dry-run")
    assert planned.stdout.count("\n") == 3 and "uvrelay setup would do this" in planned.stdout, planned
    done = set_up(tmp_path, "--remove")
    assert done.returncode == 0 and "Lines between setup's two comments stay" in done.stdout, done
    assert config.read_text() == "idle=5\nidle=6\n"
    assert "echo hello" in (tmp_path / ".profile").read_text()


def test_nobody_reads_what_it_says(tmp_path):
    reader, writer = os.pipe()
    os.close(reader)
    with open(writer, "wb") as out:
        done = subprocess.run([setting("UVRELAY"), "setup", "--remove"], env={**os.environ, "HOME": str(tmp_path)},
                              stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.PIPE, text=True, timeout=SOON,
                              check=False)
    assert done.returncode == 1 and "cannot write to standard output" in done.stderr


def test_without_proc(tmp_path):
    """Nothing tells where the program is, which units and shell files are to name."""
    inside = 'mount -t tmpfs none /proc && exec "$@"'
    unshare = ["unshare", *([] if os.geteuid() == 0 else ["-r"]), "-m", "sh", "-c", inside, "sh"]
    if subprocess.run([*unshare, "true"], capture_output=True, check=False).returncode != 0:
        pytest.skip("nothing can be mounted here")
    done = subprocess.run([*unshare, setting("UVRELAY"), "setup"], env={"HOME": str(tmp_path), "PATH": os.environ["PATH"]},
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=SOON, check=False)
    assert done.returncode == 1 and "/proc" in done.stderr.splitlines()[-1] and "memory" not in done.stderr, done
    assert not os.listdir(tmp_path)

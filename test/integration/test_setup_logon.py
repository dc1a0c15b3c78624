"""uvrelay.exe setup --logon: the scheduled task that starts serve at logon. Wine has a schtasks.exe that reads the XML and
keeps tasks, but starts none; what it was given is seen by a stand-in, too, which only keeps a copy."""

import pathlib
import re
import xml.etree.ElementTree as tree

import pytest

from programs import Relay, Result, error_sentence, run_relay, uvrelay_exe, windows_path

EXPECTED = pathlib.Path(__file__).with_name("logon_task.xml")
SPACE = {"t": "http://schemas.microsoft.com/windows/2004/02/mit/task"}


def shown(result):
    """The task of a dry run."""
    assert (result.code, result.stderr) == (0, "")
    text = result.stdout.decode().replace("\r\n", "\n")
    begin, found, xml = text.partition("with this file:\n")
    assert found and begin.startswith("Would create the task uvrelay-S-1-5-21-")
    return xml


def test_the_task_is_this_file():
    """This shows what a change of the task does."""
    xml = shown(run_relay("setup", "--logon", "--dry-run"))
    values = {"@SID@": re.search(r"<UserId>(S-[0-9-]+)</UserId>", xml)[1], "@PROGRAM@": windows_path(uvrelay_exe()),
              "@HOME@": re.search(r"<WorkingDirectory>(.*)</", xml)[1],
              "@SYSTEM@": re.search(r"<Command>(.*)\\conhost.exe</", xml)[1]}
    expected = EXPECTED.read_text()
    for name, value in values.items():
        expected = expected.replace(name, value)
    assert xml == expected


def test_what_it_says_to_windows():
    """The elements that matter, as a parser reads them."""
    task = tree.fromstring(shown(run_relay("setup", "--logon", "--dry-run")).replace('encoding="UTF-16"', ""))
    text = lambda path: task.find(path, SPACE).text  # noqa: E731
    assert text("t:Triggers/t:LogonTrigger/t:UserId") == text("t:Principals/t:Principal/t:UserId")
    assert text("t:Principals/t:Principal/t:RunLevel") == "LeastPrivilege"
    assert text("t:Settings/t:ExecutionTimeLimit") == "PT0S"
    assert text("t:Settings/t:DisallowStartIfOnBatteries") == text("t:Settings/t:StopIfGoingOnBatteries") == "false"
    assert text("t:Settings/t:RestartOnFailure/t:Interval") == "PT1M"


def test_odd_paths(tmp_path):
    directory = tmp_path / "Jürgen & 'Söhne'"
    directory.mkdir()
    program = directory / "uvrelay.exe"
    program.write_bytes(uvrelay_exe().read_bytes())
    with Relay("setup", "--logon", "--dry-run", program=program) as process:
        process.close_stdin()
        process.wait()
        task = tree.fromstring(shown(Result(process)).replace('encoding="UTF-16"', ""))
    assert f'"{windows_path(program)}" serve' in task.find("t:Actions/t:Exec/t:Arguments", SPACE).text


def test_made_and_removed(private_wine):
    """Twice makes nothing else of it."""
    run_relay("--version")
    for _ in range(2):
        result = run_relay("setup", "--logon")
        assert (result.code, result.stderr) == (0, "")
        assert b"starts uvrelay serve at each logon" in result.stdout and b"does not exist yet" in result.stdout
    assert (private_wine.local / "uvrelay").is_dir()
    assert not list((private_wine.profile / "Temp").glob("uvrelay*"))
    (private_wine.roaming / "uvrelay").mkdir()
    (private_wine.roaming / "uvrelay/routes.conf").write_text("tcp://127.0.0.1:0=tcp://127.0.0.1:1\n")
    assert b"It serves the routes in this file" in run_relay("setup", "--logon").stdout
    result = run_relay("setup", "--logon", "--remove")
    assert (result.code, result.stderr) == (0, "") and b"is removed" in result.stdout


def test_a_dry_run_does_nothing(private_wine):
    run_relay("--version")
    (private_wine.system / "schtasks.exe").unlink()
    assert run_relay("setup", "--logon", "--dry-run").code == 0
    result = run_relay("setup", "--logon", "--dry-run", "--remove")
    assert result.code == 0 and b"Would remove the task uvrelay-S-1-5-21-" in result.stdout
    assert not (private_wine.local / "uvrelay").exists()
    result = run_relay("setup", "--logon")
    assert result.code == 1 and "schtasks.exe" in error_sentence(result.stderr)
    assert not list((private_wine.profile / "Temp").glob("uvrelay*"))


@pytest.mark.parametrize("words, text", [([], "--logon makes"), (["--dry-run"], "--logon makes"), (["ssh-agent"], '"ssh-agent" is set up in WSL'),
                                         (["--logon", "--yes"], '"--yes"')])
def test_wrong_usage(words, text):
    result = run_relay("setup", *words)
    assert (result.code, result.stdout) == (2, b"")
    assert text in result.stderr.splitlines()[0] and result.stderr.splitlines()[1] == "Try: uvrelay setup --help"


def test_help():
    result = run_relay("setup", "--help")
    assert result.code == 0 and b"--logon" in result.stdout and b"in WSL" in result.stdout

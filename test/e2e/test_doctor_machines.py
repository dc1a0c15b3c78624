"""uvrelay doctor where the machine that is broken must be one of its own: see test_doctor.py."""

import json
import re
import time

from patient import CONFIG, PIPE, ROUTE, Check, Patient
from programs import SOON


def test_the_drive_hangs(make_machine):
    machine = make_machine()
    machine.install()
    machine.write(CONFIG, ROUTE, 0o600)
    since = time.monotonic()
    with machine.hang_drive():
        result = machine.run(["/home/user/.local/bin/uvrelay", "doctor", "--json"])
    assert result.code == 1 and time.monotonic() - since < 20 + SOON / 10, result
    checks = {check["check"]: Check(check) for check in json.loads(result.out)}
    assert checks["Windows drive"].state == "bad" and "did not finish within" in checks["Windows drive"].text
    for name in ("interop start", "Windows program", "Windows version", "far end"):
        assert checks[name].state == "skipped" and checks[name].text == "see Windows drive above"


def test_no_drive(make_machine):
    machine = make_machine()
    patient = Patient(machine)
    machine.unmount_drive()
    checks = patient.examine(code=1)
    assert checks["Windows drive"].state == "warning" and checks["Windows drive"].text == "drive C is not mounted"
    assert checks["Windows drive"].remedy == "sudo mkdir -p /mnt/c && sudo mount -t drvfs C: /mnt/c"
    assert checks["Windows program"].state == "bad"


def test_held_by_systemd(make_machine):
    """gpg-agent.socket has the place that GnuPG looks at."""
    machine = make_machine("[boot]\nsystemd=true\n")
    patient = Patient(machine)
    path = "/run/user/1000/gnupg/S.gpg-agent"
    patient.configure(f"unix://{path}={PIPE}\n")
    assert machine.run("systemctl --user start gpg-agent.socket").code == 0
    name = f"listener of unix://{path}"
    checks = patient.examine(code=1)
    assert re.match(r"systemd's gpg-agent.socket \(process \d+\) is listening there", checks[name].text), checks
    assert checks[name].remedy == "systemctl --user mask --now gpg-agent.socket"
    patient.carry_out(checks[name].remedy)
    checks = patient.examine(code=1)
    assert checks["serve"].state == "bad" and checks[name].text == "see serve above"
    assert checks["serve"].remedy == "uvrelay serve --background", "there is no unit yet"
    patient.carry_out(checks["serve"].remedy)
    assert patient.examine()["serve"].state == "ok"
    machine.run("pkill -x uvrelay")
    machine.write("~/.config/systemd/user/uvrelay.service", "[Service]\nExecStart=/bin/true\n")
    assert patient.examine(code=1)["serve"].remedy == "systemctl --user restart uvrelay"

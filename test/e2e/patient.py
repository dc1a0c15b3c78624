"""What the tests of uvrelay doctor share: a stand-in WSL machine with all that the doctor looks at, and what the doctor
says of it.

Remedies are run as they stand: lines that begin with # are for people; `sudo` is being root."""

import json
import pathlib
import subprocess

from place import wait_for
from programs import SOON, setting

PIPE = "//./pipe/uvrelay-doctor-agent"
LISTEN = "unix://~/.uvrelay/agent.sock"
SOCKET = "/home/user/.uvrelay/agent.sock"
CONFIG = "/home/user/.config/uvrelay/routes.conf"
EVERYBODY = "D:(A;;GA;;;WD)"
SYSTEM = "S-1-5-18"
ROUTE = f"{LISTEN}={PIPE}\n"
LISTENER, TARGET = f"listener of unix://{SOCKET}", f"target of unix://{SOCKET}"


class Check(dict):
    state = property(lambda self: self["state"])
    text = property(lambda self: self["text"])
    remedy = property(lambda self: self["remedy"])


class Patient:
    """The machine, with all that is needed for the doctor to say that all is well."""

    def __init__(self, machine):
        self.machine, self.server, self.serve = machine, None, None
        self.exe = f"{machine.local_app_data}/uvrelay/uvrelay.exe"
        machine.write("~/.local/bin/uvrelay", pathlib.Path(setting("UVRELAY")).read_bytes(), 0o755)
        self.put_exe()
        machine.run(f"mkdir -m 700 ~/.uvrelay; ln -s '{self.exe}' ~/.uvrelay/uvrelay.exe")
        self.configure(ROUTE)

    def put_exe(self, data=None):
        """Puts uvrelay.exe, or something else in its place, where setup does: on drive C, all of which is the user's."""
        file = self.machine.host(self.exe)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.unlink(missing_ok=True)
        file.write_bytes(pathlib.Path(setting("UVRELAY_EXE")).read_bytes() if data is None else data)
        file.chmod(0o755)

    def configure(self, text):
        self.machine.write(CONFIG, text, 0o600)

    def change(self, text):
        """Serves other routes."""
        self.configure(text)
        self.carry_out("uvrelay reload")

    def examine(self, *args, code=None, **options):
        """What the doctor says: a dictionary of checks by their names, in their order."""
        environment = {"PATH": "/home/user/.local/bin:" + self.machine.environment()["PATH"], **options.pop("env", {})}
        result = self.machine.run(["/home/user/.local/bin/uvrelay", "doctor", "--json", *args], env=environment, **options)
        assert result.err == "", result
        checks = {check["check"]: Check(check) for check in json.loads(result.out)}
        assert all(sorted(check) == ["check", "remedy", "state", "text"] for check in checks.values())
        bad = [name for name, check in checks.items() if check.state == "bad"]
        assert result.code == (1 if bad else 0) and code in (None, result.code), result
        return checks

    def assert_well(self, *args, warnings=()):
        checks = self.examine(*args)
        assert {name: check for name, check in checks.items() if check.state != "ok" and name not in warnings} == {}
        return checks

    def diagnose(self, name, *args, skipped=(), state="bad", others=(), **options):
        """What is wrong: this check, and nothing else; those that need it are skipped and name it."""
        checks = self.examine(*args, **options)
        assert name in checks, checks
        assert checks[name].state == state, checks
        assert [other for other, check in checks.items()
                if check.state in ("bad", "warning") and other != name and other not in others] == [], checks
        assert [other for other, check in checks.items() if check.state == "skipped"] == list(skipped), checks
        reasons = (f"see {name} above", f"none is running: see {name} below")
        assert all(checks[other].text in reasons for other in skipped), checks
        return checks[name]

    def carry_out(self, remedy):
        """Types the remedy."""
        for line in remedy.splitlines():
            if line == "wsl.exe --shutdown":
                self.machine.restart()
            elif not line.startswith("#"):
                root = line.startswith("sudo ")
                done = self.machine.run(line.removeprefix("sudo "), root=root)
                assert done.code == 0, (line, done)

    def start_serve(self, socket=SOCKET):
        self.serve = self.machine.popen(["/home/user/.local/bin/uvrelay", "serve"], stderr=subprocess.DEVNULL)
        wait_for(lambda: self.machine.host(socket).exists(), "serve listens")
        wait_for(lambda: list(self.machine.host("/home/user/.uvrelay/run").glob("*.sock")), "serve can be asked")

    def stop_serve(self):
        if self.serve is not None:
            self.machine.run(["pkill", "-TERM", "-x", "uvrelay"])
            self.serve.wait(SOON)
            self.serve = None

    def snapshot(self):
        """All files of the user's, with their times and what is in them."""
        files = {}
        for path in sorted(self.machine.home.rglob("*")):
            status = path.lstat()
            files[str(path)] = (status.st_mode, status.st_size, status.st_mtime_ns, status.st_ctime_ns)
        return files

"""Asking a running `uvrelay serve`: by the commands status, env and reload, and by hand at its socket."""

import os
import pathlib
import socket
import subprocess

import logschema
from programs import SOON
from serving import PROGRAM, Serve, receive_all


class Home:
    """A home directory of the test's own, and the commands of the user who lives there."""

    def __init__(self, directory):
        self.directory = pathlib.Path(directory)
        self.directory.mkdir(exist_ok=True)
        self.env = {"HOME": str(self.directory), "XDG_CONFIG_HOME": "", "XDG_STATE_HOME": ""}
        self.run_directory = self.directory / ".uvrelay" / "run"

    def serve(self, *args, **options):
        return Serve(*args, env={**self.env, **options.pop("env", {})}, **options)

    def run(self, *args, **options):
        """Runs uvrelay with these arguments; gives what subprocess.run gives, as text."""
        return subprocess.run([PROGRAM, *map(str, args)], env={**os.environ, **self.env}, capture_output=True,
                              text=True, timeout=SOON, stdin=subprocess.DEVNULL, check=False, **options)

    def status(self):
        """What each serve reports of itself."""
        done = self.run("status", "--json")
        assert (done.returncode, done.stderr) == (0, ""), done
        return logschema.check_lines(done.stdout, "status")

    def reload(self, code=0):
        """Gives what the one serve says to it, without its process number."""
        done = self.run("reload")
        assert done.returncode == code, done
        text = done.stderr if code else done.stdout
        assert text.count("\n") == 1, done
        return text.split(": ", 2)[2].strip()

    def socket(self, serve):
        return self.run_directory / f"{serve.pid}.sock"

    def ask(self, serve, request):
        """What comes at the socket itself."""
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(SOON)
            client.connect(str(self.socket(serve)))
            client.sendall(request)
            return receive_all(client)

"""A stand-in WSL machine in which the recipes of docs/recipes.md are typed as they stand, and what answers on its Windows
side."""

import http.server
import json
import re
import socketserver
import subprocess

from place import LONG, wait_for
from wsl_machine import Machine

ROUTES = "~/.config/uvrelay/routes.conf"


class Engine(http.server.BaseHTTPRequestHandler):
    """Answers a few requests as Docker's engine does. What is attached to gets its answer after the end of its input."""

    protocol_version = "HTTP/1.1"
    MUCH = b"layer " * 1_000_000

    def answer(self, kind, body):
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        path = re.sub(r"^/v1\.\d+", "", self.path).partition("?")[0]
        if path == "/_ping":
            self.answer("text/plain", b"OK")
        elif path == "/version":
            self.answer("application/json", json.dumps({"Version": "24.0.7", "ApiVersion": "1.43"}).encode())
        elif path == "/images/much/get":
            self.answer("application/x-tar", self.MUCH)
        else:
            self.send_error(404)

    def do_POST(self):
        assert re.fullmatch(r"/v1\.\d+/containers/box/attach", self.path.partition("?")[0]), self.path
        self.close_connection = True
        self.send_response_only(101)
        self.send_header("Connection", "Upgrade")
        self.send_header("Upgrade", "tcp")
        self.end_headers()
        self.wfile.flush()
        self.wfile.write(b"it was: " + self.rfile.read())

    def log_message(self, *_):
        pass


class UnixEngine(socketserver.ThreadingUnixStreamServer):
    """The same at a Unix socket, by the path that it has outside of the machine."""

    daemon_threads = True

    def get_request(self):
        return super().get_request()[0], ("a Unix socket", 0)


class Wsl(Machine):
    """The machine, with both programs installed, in which recipes are typed."""

    def __init__(self, conf="", routes="", environment=None, **options):
        self.typed_environment = environment or {}
        self._shells = []
        super().__init__(conf, **options)
        self.install()
        if routes:
            self.write(ROUTES, routes, 0o600)

    def __exit__(self, *_):
        for shell in self._shells:
            shell.kill()
            shell.wait()
        super().__exit__()

    def type_in(self, *commands, code=0, **options):
        """What a shell of the user's prints for these commands, which must end with this status. Errors of the commands
        are shown by the test's failure, and so is the log of serve."""
        result = self.run("set -e\n" + "\n".join(commands), env=self.typed_environment, timeout=LONG, **options)
        assert result.code == code, f"{result}\n{self.log()}"
        return result.out

    def log(self):
        """What a serve in the background has written."""
        file = self.host("~/.local/state/uvrelay/serve.log")
        return file.read_text(errors="replace")[-3000:] if file.exists() else ""

    def start_listener(self, text, socket):
        """Types a recipe whose last command goes on in the background, and waits until it listens on the socket."""
        shell = self.popen(f"set -e\n{text}\nwait", env=self.typed_environment, stdin=subprocess.DEVNULL,
                           stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self._shells.append(shell)
        self.wait_listening(socket, shell)

    def wait_listening(self, socket, process=None):
        path = socket.replace("~", "/home/user", 1)

        def ready():
            assert process is None or process.poll() is None, f"it has ended, and {socket} is not listening"
            return self.host(path).is_socket() and re.search(rf" 00010000 .* {re.escape(path)}$",
                                                             self.run(["cat", "/proc/net/unix"]).out, re.M)
        wait_for(ready, f"{socket} is listening")

    def stop_serve(self):
        """As somebody does who wants to try another way; all listeners of socat's end, too."""
        self.run(["pkill", "-TERM", "-x", "uvrelay"])
        self.run(["pkill", "-TERM", "-x", "socat"])
        wait_for(lambda: not any(re.match(r"(\S*/)?(uvrelay|socat) ", line) for line in self.processes()),
                 "serve and socat have ended")

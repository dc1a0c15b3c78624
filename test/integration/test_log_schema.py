"""What uvrelay.exe prints as JSON is as in docs/logging.schema.json: in particular the member `system`, which only
Windows shows, in each event that has it. (linux/test_log_schema.py looks at all others.)"""

import subprocess

import logschema
from programs import SOON, unique_pipe, uvrelay_exe, windows_command
from winpeers import PipeServer
from winserving import PipeClient, Serve


def test_system(tmp_path):
    """Of a connection that fails, and of a start that does."""
    one, two = unique_pipe(), unique_pipe()
    with Serve(f"{one}=npipe:uvrelay-test-absent?name=one", options=["-v", "--json"], verbose=False) as serve:
        serve.wait_object("listening")
        with PipeClient(one, "recv-end") as client:
            client.finish()
        closed = serve.wait_object("closed")
        assert (closed["name"], closed["code"], closed["system"]) == ("one", "ENOENT", 2)
        assert closed["peer_pid"] > 0 and closed["hint"]
    with PipeServer("recv-end", name=two, type="byte"):
        done = subprocess.run(windows_command(uvrelay_exe(), "serve", "--json", f"{two}=npipe:uvrelay-test-absent"),
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=SOON, check=False)
    [error] = logschema.check_lines(done.stderr.replace("\r\n", "\n"))
    assert done.returncode == 1 and error["event"] == "error" and error["system"] > 0

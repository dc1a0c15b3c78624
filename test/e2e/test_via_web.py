"""curl, talking to a web server of Node.js for Windows on a named pipe, through
`uvrelay serve --via "uvrelay.exe mux"`: one Linux process and one Windows process for all connections."""

import concurrent.futures
import hashlib
import json
import re
import socket

import pytest

import bytestream
from place import LONG, is_listening, pipe_name, wait_for
from winpeers import PipeServer

MUCH = 30_000_000


@pytest.fixture
def serve(place):
    """Listens before the pipe of this name, in one process with one far end, and gives the socket; afterwards no
    connection may have failed, unless it was a client that has left."""
    started = []

    def start(pipe):
        path = place.path / "engine.sock"
        process = place.start("uvrelay", "serve", "-v", "--via", "uvrelay.exe mux",
                              f"unix://{path}=npipe:////./pipe/{pipe}")
        started.append(process)
        wait_for(lambda: is_listening(path) or not process.running, f"{path} is listening")
        return path
    start.started = started
    yield start
    for process in started:
        failures = [line for line in process.stderr.splitlines() if re.search(r": failed: (?!.*ECONNRESET)", line)]
        assert process.running and not failures, process.stderr
        assert process.stderr.count(" started (process ") == 1, process.stderr


@pytest.fixture
def curl(place, serve):
    pipe = pipe_name("docker_engine")
    place.start_node("http_pipe_server.js", rf"\\.\pipe\{pipe}")
    path = serve(pipe)

    def run(url, *options, **run_options):
        return place.run("curl", "--silent", "--show-error", "--fail", "--max-time", LONG, "--unix-socket", path,
                         *options, f"http://docker{url}", **run_options)
    return run


def test_small_answers(curl):
    answer = curl("/_ping").decode()
    assert answer.startswith("Node.js v") and "for Windows_NT answers on" in answer
    assert curl("/_ping", "http://docker/_ping").decode() == answer * 2
    for _ in range(20):
        assert curl("/_ping").decode() == answer
    curl("/absent", code=22)


def up(curl, seed, count):
    answer = json.loads(curl("/hash", "--data-binary", "@-", input=bytestream.data(count, seed)))
    assert answer == {"length": count, "sha256": bytestream.sha256(count, seed)}


def down(curl, seed, count):
    assert hashlib.sha256(curl(f"/bytes/{count}/{seed}")).hexdigest() == bytestream.sha256(count, seed)


def test_much_data_each_way(curl):
    up(curl, 1, MUCH)
    down(curl, 2, MUCH)


def test_several_at_once(curl):
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        for future in [pool.submit(call, curl, seed, 2_000_000) for seed in range(1, 7) for call in (up, down)]:
            future.result()


def test_a_client_that_gives_up(curl):
    """In the middle of an answer; the next ones are served."""
    for _ in range(3):
        curl(f"/bytes/{10 * MUCH}/1", "--limit-rate", "1M", "--max-time", "0.5", "--output", "/dev/null", code=28)
    assert curl("/_ping").startswith(b"Node.js v")


def test_answer_long_after_the_end_of_input(serve):
    """As `docker run -i` needs it: the client's end of input reaches the server, whose answer is waited for."""
    with PipeServer("recv-end", "sleep=2500", "text=late", "zero", "recv-end") as server:
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(LONG)
            client.connect(str(serve(server.short_name)))
            client.sendall(b"all of the input")
            client.shutdown(socket.SHUT_WR)
            answer = b""
            while piece := client.recv(4096):
                answer += piece
        assert answer == b"late"
        assert server.event("recv-end")["bytes"] == len(b"all of the input")

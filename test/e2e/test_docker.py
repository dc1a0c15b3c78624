"""curl, talking to a web server of Node.js for Windows on the named pipe that the Docker engine has, through socat and
uvrelay.exe: a small answer, much data each way, several at once; and the end of input, where the server's pipe has
messages, as Docker's has."""

import concurrent.futures
import hashlib
import json
import socket

import pytest

import bytestream
from place import LONG, pipe_name, without_owner
from winpeers import PipeServer

MUCH = 50_000_000


@pytest.fixture
def listener(place):
    """The recipe's socket, before the pipe of this name."""
    def listen(pipe):
        path = place.path / "home" / ".docker" / "engine.sock"
        place.start_recipe("docker", path, {"docker_engine": pipe, **without_owner()})
        assert place.env["DOCKER_HOST"] == f"unix://{path}"
        return path
    return listen


@pytest.fixture
def curl(place, listener):
    pipe = pipe_name("docker_engine")
    place.start_node("http_pipe_server.js", rf"\\.\pipe\{pipe}")
    path = listener(pipe)

    def run(url, *options, **run_options):
        return place.run("curl", "--silent", "--show-error", "--fail", "--max-time", LONG, "--unix-socket", path,
                         *options, f"http://docker{url}", **run_options)
    run.pipe = pipe
    return run


def upload(curl, seed, count=MUCH):
    answer = json.loads(curl("/hash", "--data-binary", "@-", input=bytestream.data(count, seed)))
    assert answer == {"length": count, "sha256": bytestream.sha256(count, seed)}


def download(place, curl, seed, count=MUCH):
    file = place.path / f"download-{seed}"
    curl(f"/bytes/{count}/{seed}", "--output", file)
    assert file.stat().st_size == count
    assert hashlib.sha256(file.read_bytes()).hexdigest() == bytestream.sha256(count, seed)
    file.unlink()


def test_small_answer(place, curl):
    answer = curl("/_ping").decode()
    assert answer.startswith("Node.js v") and answer.endswith(rf" for Windows_NT answers on \\.\pipe\{curl.pipe}" "\n")
    # curl keeps one connection for both; an answer without a body, and one that is an error, come through too.
    assert curl("/_ping", "http://docker/_ping").decode() == answer * 2
    curl("/absent", code=22)
    place.wait_for_relays_to_end()


def test_much_data_up(place, curl):
    upload(curl, 1)
    place.wait_for_relays_to_end()


def test_much_data_down(place, curl):
    download(place, curl, 2)
    place.wait_for_relays_to_end()


def test_several_at_once(place, curl):
    with concurrent.futures.ThreadPoolExecutor(6) as pool:
        jobs = [pool.submit(upload, curl, 3, 5_000_000), pool.submit(upload, curl, 4, 5_000_000),
                pool.submit(download, place, curl, 5, 5_000_000), pool.submit(download, place, curl, 6, 5_000_000),
                pool.submit(curl, "/_ping"), pool.submit(curl, "/_ping")]
        for job in jobs:
            job.result(timeout=LONG)
    place.wait_for_relays_to_end()


def test_answer_long_after_the_end_of_input(place, listener):
    """As `docker run -i` needs it: the client's end of input reaches the server, whose answer is waited for."""
    with PipeServer("recv-end", "sleep=3000", "text=late", "zero", "recv-end") as server:
        path = listener(server.short_name)
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(LONG)
            client.connect(str(path))
            client.sendall(b"all of the input")
            client.shutdown(socket.SHUT_WR)
            answer = b""
            while piece := client.recv(4096):
                answer += piece
        assert answer == b"late"
        assert server.event("recv-end")["bytes"] == len(b"all of the input")
        place.wait_for_relays_to_end()

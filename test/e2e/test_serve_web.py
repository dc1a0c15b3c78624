"""The web through one `uvrelay.exe serve`: curl, at a TCP port, asks a server of Node.js for Windows on a named pipe;
Node.js for Windows, at a named pipe, asks Python's web server."""

import concurrent.futures
import hashlib
import http.server
import json
import re
import threading

import pytest

import bytestream
from place import HERE, LONG, pipe_name
from programs import setting, unique_name, windows_command, windows_path

MUCH = 30_000_000


@pytest.fixture
def serve(place):
    """Starts it with one route and gives where it listens; afterwards no connection may have failed, unless it was a
    client that has left."""
    started = []

    def start(route):
        process = place.start("uvrelay.exe", "serve", "-v", route)
        started.append(process)
        process.wait_stderr(": listening\n")
        return re.match(r"uvrelay: (.*?)=(?=[a-z]+:|//)", process.stderr)[1]
    yield start
    for process in started:
        failures = [line for line in process.stderr.splitlines() if re.search(r": failed: (?!.*ECONNRESET)", line)]
        assert process.running and not failures, process.stderr


# ---- curl, TCP to a pipe ----


@pytest.fixture
def curl(place, serve):
    pipe = pipe_name("docker_engine")
    place.start_node("http_pipe_server.js", rf"\\.\pipe\{pipe}")
    url = "http://" + serve(f"tcp://127.0.0.1:0=npipe:////./pipe/{pipe}").removeprefix("tcp://")

    def run(path, *options, **run_options):
        return place.run("curl", "--silent", "--show-error", "--fail", "--max-time", LONG, *options,
                         url + path, **run_options)
    run.url = url
    return run


def test_small_answers(curl):
    answer = curl("/_ping").decode()
    assert answer.startswith("Node.js v") and "for Windows_NT answers on" in answer
    assert curl("/_ping", curl.url + "/_ping").decode() == answer * 2
    for _ in range(30):
        assert curl("/_ping").decode() == answer
    curl("/absent", code=22)


def test_much_data_each_way(place, curl):
    answer = json.loads(curl("/hash", "--data-binary", "@-", input=bytestream.data(MUCH, 1)))
    assert answer == {"length": MUCH, "sha256": bytestream.sha256(MUCH, 1)}
    assert hashlib.sha256(curl(f"/bytes/{MUCH}/2")).hexdigest() == bytestream.sha256(MUCH, 2)


def test_several_at_once(curl):
    def up(seed):
        answer = json.loads(curl("/hash", "--data-binary", "@-", input=bytestream.data(2_000_000, seed)))
        assert answer["sha256"] == bytestream.sha256(2_000_000, seed)

    def down(seed):
        assert hashlib.sha256(curl(f"/bytes/2000000/{seed}")).hexdigest() == bytestream.sha256(2_000_000, seed)

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        for future in [pool.submit(call, seed) for seed in range(1, 9) for call in (up, down)]:
            future.result()


def test_a_client_that_gives_up(curl):
    """In the middle of an answer; the next ones are served."""
    for _ in range(5):
        curl(f"/bytes/{10 * MUCH}/1", "--limit-rate", "1M", "--max-time", "0.5", "--output", "/dev/null", code=28)
    assert curl("/_ping").startswith(b"Node.js v")


# ---- Node.js, a pipe to TCP ----


class Handler(http.server.BaseHTTPRequestHandler):
    """GET /bytes/COUNT/SEED; POST /hash answers with the length and SHA-256 of the body."""

    def _answer(self, data):
        self.send_response(200)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def do_GET(self):
        count, seed = map(int, re.fullmatch(r"/bytes/(\d+)/(\d+)", self.path).groups())
        self._answer(bytestream.data(count, seed))

    def do_POST(self):
        data = self.rfile.read(int(self.headers["Content-Length"]))
        self._answer(f"{len(data)} {hashlib.sha256(data).hexdigest()}".encode())

    def log_message(self, *_):
        pass


@pytest.fixture
def web_port():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    yield server.server_address[1]
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture(params=["byte", "message"])
def node(place, serve, web_port, request):
    """Runs the requests in Node.js for Windows through a pipe in that mode and gives the answers by path."""
    name = unique_name("web")
    serve(f"npipe:////./pipe/{name}?mode={request.param}=tcp://127.0.0.1:{web_port}")

    def run(*requests):
        output = place.path / "http_pipe_client.out"
        command = windows_command(setting("UVRELAY_NODE"), windows_path(HERE / "http_pipe_client.js"),
                                  rf"\\.\pipe\{name}", *requests)
        # See Place.start_node for the file.
        place.run("sh", "-c", 'exec "$@" >"$0" 2>&1 || { cat "$0" >&2; exit 1; }', output, *command)
        answers = [json.loads(line) for line in output.read_bytes().split(b"\n")[:-1]]
        assert len(answers) == len(requests), answers
        assert all(answer["complete"] and answer["status"] == 200 for answer in answers), answers
        return {answer["path"]: answer for answer in answers}
    return run


def posted(count):
    block = bytes(i * 7 % 251 for i in range(251))
    return (block * (count // 251 + 1))[:count]


def test_node_gets_and_posts(node):
    answer = node("/bytes/10/3")["/bytes/10/3"]
    assert (answer["length"], answer["sha256"]) == (10, bytestream.sha256(10, 3))
    big = f"/bytes/{MUCH}/4"
    assert node(big)[big]["sha256"] == bytestream.sha256(MUCH, 4)
    answer = node(f"/hash={MUCH}")["/hash"]
    assert answer["start"] == f"{MUCH} {hashlib.sha256(posted(MUCH)).hexdigest()}"


def test_node_gets_many_at_once(node):
    paths = [f"/bytes/{200_000 + seed}/{seed}" for seed in range(40)]
    answers = node(*paths)
    for seed, path in enumerate(paths):
        assert answers[path]["sha256"] == bytestream.sha256(200_000 + seed, seed)

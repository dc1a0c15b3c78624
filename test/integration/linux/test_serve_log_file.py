"""serve --log-file: the log goes to a file, which stays small; and what is said where the file cannot be used."""

import contextlib
import json
import os
import re
import stat

import pytest

from programs import SOON
from serving import Serve, ask, connect, refused, wait_for


@pytest.fixture
def log(tmp_path):
    return tmp_path / "serve.log"


TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z "


def lines(path):
    """Without their times, which all have. None while it is turned over and has not been made again."""
    with contextlib.suppress(FileNotFoundError):
        text = path.read_text()
        assert len(re.findall(f"^{TIME}", text, re.M)) == text.count("\n"), text
        return re.sub(f"^{TIME}", "", text, flags=re.M).splitlines()
    return []


def size(path):
    with contextlib.suppress(FileNotFoundError):
        return path.stat().st_size
    return 0


def wait_line(path, pattern):
    wait_for(lambda: any(re.fullmatch(pattern, line) for line in lines(path)), f"{pattern} in {path}")


def test_instead_of_standard_error(tmp_path, back, log):
    front = tmp_path / "front"
    with Serve(f"--log-file={log}", f"unix://{front}={back.address}", wait=False) as serve:
        wait_line(log, "uvrelay: .*: listening")
        with connect(f"unix://{front}") as client:
            ask(client)
        wait_line(log, "uvrelay: .* closed .*")
        serve.stop()
        assert serve.stderr == ""
    assert lines(log)[-1].startswith("uvrelay: stopping")
    assert stat.S_IMODE(log.stat().st_mode) == 0o600
    before = lines(log)
    with Serve(f"--log-file={log}", f"unix://{front}={back.address}", wait=False):
        wait_for(lambda: len(lines(log)) > len(before), "a line")
    assert lines(log)[:len(before)] == before


def test_a_line_of_a_file(tmp_path, back, log, monkeypatch):
    config = tmp_path / "routes.conf"
    config.write_text(f"log-file=$WHERE/serve.log\nlog-size=10K\njson=true\nunix://{tmp_path}/front={back.address}\n")
    with Serve(f"--config={config}", wait=False, env={"WHERE": str(tmp_path)}):
        wait_for(log.exists, "the log")
        wait_for(log.read_text, "a line")
        assert all(json.loads(line)["event"] for line in log.read_text().splitlines())


def test_it_stays_small(tmp_path, back, log):
    front, old = tmp_path / "front", tmp_path / "serve.log.1"
    with Serve(f"--log-file={log}", "--log-size=4K", f"unix://{front}={back.address}", wait=False):
        wait_line(log, "uvrelay: .*: listening")
        for _ in range(100):
            with connect(f"unix://{front}") as client:
                ask(client)
            assert size(log) <= 4096 and size(old) <= 4096
        wait_for(lambda: any("#100: closed" in line for line in lines(log)), "the last one")
        assert sorted(path.name for path in tmp_path.iterdir() if path.name.startswith("serve")) == [log.name, old.name]
        numbers = [int(found[1]) for line in lines(old) + lines(log) if (found := re.search(r"#(\d+): closed", line))]
        assert numbers == list(range(numbers[0], 101)) and len(numbers) > 5
        assert all(line.startswith("uvrelay: ") for line in lines(old) + lines(log))


def test_two_processes(tmp_path, back, log):
    """Neither turns over what the other one has just begun: the old file is a full one, and no line is missing."""
    fronts, old = [tmp_path / "one", tmp_path / "two"], tmp_path / "serve.log.1"
    with contextlib.ExitStack() as stack:
        for front in fronts:
            route = f"unix://{front}={back.address}?name={front.name}"
            stack.enter_context(Serve(f"--log-file={log}", "--log-size=4K", route, wait=False))
            wait_line(log, f"uvrelay: .*{front}.*: listening")
        for number in range(1, 101):
            for front in fronts:
                with connect(f"unix://{front}") as client:
                    ask(client)
                wait_for(lambda: any(f"{front.name} #{number}: closed" in line for line in lines(old) + lines(log)),
                         f"{front.name} #{number}")
            assert size(log) <= 4096 and (not old.exists() or 3072 < size(old) <= 4096)


def test_errors_of_the_start_are_told_twice(tmp_path, log):
    """Who looks at a terminal sees them, and who has started it without one finds them."""
    sentence = refused(f"--log-file={log}", f"unix://{tmp_path}/none/front=tcp://127.0.0.1:1?owner=x", code=2)
    assert any(sentence in line for line in lines(log))
    (tmp_path / "taken").write_text("a file")
    sentence = refused(f"--log-file={log}", f"unix://{tmp_path}/taken=tcp://127.0.0.1:1", code=1)
    assert any(sentence in line for line in lines(log))


@pytest.mark.parametrize("name, words", [("", "not a regular file"), ("none/log", "cannot open the log file")])
def test_a_file_that_cannot_be_opened(tmp_path, back, name, words):
    sentence = refused(f"--log-file={tmp_path}/{name}", f"unix://{tmp_path}/front={back.address}", code=1)
    assert words in sentence and str(tmp_path) in sentence
    assert not (tmp_path / "front").exists()


def test_relaying_goes_on_without_the_file(tmp_path, back):
    directory, front = tmp_path / "d", tmp_path / "front"
    directory.mkdir()
    log = directory / "log"
    with Serve(f"--log-file={log}", f"unix://{front}={back.address}", wait=False) as serve:
        wait_line(log, "uvrelay: .*: listening")
        log.unlink()
        directory.rmdir()
        for _ in range(3):
            with connect(f"unix://{front}") as client:
                ask(client)
        serve.wait_stderr("cannot be written to, so lines are left out until it can")
        directory.mkdir()

        def comes_back():
            with connect(f"unix://{front}") as client:
                ask(client)
            return any("dropped" in line or "lost" in line for line in lines(log))

        wait_for(comes_back, "how many lines are missing", 2 * SOON)
        assert serve.stderr.count("cannot be written to") == 1 and serve.stderr.count("\n") == 1


@pytest.mark.parametrize("size", ["1", "4095", "2G", "x", ""])
def test_wrong_sizes(tmp_path, size):
    assert "log-size" in refused(f"--log-size={size}", f"unix://{tmp_path}/s=tcp://127.0.0.1:1", code=2)


def test_moved_by_others(tmp_path, back, log):
    front = tmp_path / "front"
    with Serve(f"--log-file={log}", f"unix://{front}={back.address}", wait=False):
        wait_line(log, "uvrelay: .*: listening")
        os.rename(log, tmp_path / "moved")
        with connect(f"unix://{front}") as client:
            ask(client)
        wait_line(log, "uvrelay: .* closed .*")

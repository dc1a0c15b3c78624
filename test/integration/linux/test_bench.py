"""test/bench: its parts work, it says what is wrong, and nothing of it remains. How fast anything is, is not tested."""

import contextlib
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys

import pytest
from programs import setting
from serving import wait_for

ROOT = pathlib.Path(__file__).resolve().parents[3]
RUN, BUILD = ROOT / "test/bench/run.sh", pathlib.Path(setting("UVRELAY_BUILD"))
FIELDS = {"what", "beside", "ours", "theirs", "unit", "ratio", "goal", "pass"}
#: On a busy machine, each of hundreds of round trips waits for its turn.
LONG = 120
QUICK = ("--quick", "--rounds=1", "--seconds=0.02")

sys.path.insert(0, str(ROOT / "test/bench"))
import figures_wine  # noqa: E402
import page  # noqa: E402
import relays  # noqa: E402


def command(*options):
    return ["sh", str(RUN), f"--build={BUILD}", f"--uvrelay={setting('UVRELAY')}", *options]


def bench(*options):
    return subprocess.run(command(*options), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                          timeout=LONG, check=False)


def left_over(text):
    """The directories that a run has named, and the processes in which they are."""
    places = set(re.findall(r"/[\w./-]*/run-\w+", text))
    lines = [path.read_bytes() for path in pathlib.Path("/proc").glob("[0-9]*/cmdline") if os.access(path, os.R_OK)]
    return [place for place in places if os.path.exists(place) or any(place.encode() in line for line in lines)]


def listed():
    return [line.split()[0] for line in bench("--list").stdout.splitlines()]


def test_a_figure_becomes_rows(tmp_path):
    rows_file = tmp_path / "rows.json"
    result = bench("--only=connect,calls", *QUICK, f"--json={rows_file}")
    rows = json.loads(rows_file.read_text())
    if not shutil.which("strace"):
        assert "left out: calls: strace is not installed" in result.stdout
    assert result.returncode == 0, result.stdout + result.stderr
    assert {row["figure"] for row in rows} == {"connect", "calls"} if shutil.which("strace") else {"connect"}
    for row in rows:
        assert FIELDS <= row.keys()
        assert row["ours"] > 0 and row["theirs"] > 0 and abs(row["ratio"] / (row["ours"] / row["theirs"]) - 1) < 0.02, row
        assert (row["pass"] is None) == (row["goal"] is None)
        if row["goal"]:
            value, compare, limit = row["goal"].split()
            value = row["ratio"] if value == "ratio" else row["ours"]
            assert row["pass"] == (value >= float(limit) if compare == ">=" else value <= float(limit)), row
        assert row["what"] in result.stdout
    assert "raw epoll" in {row["beside"] for row in rows}
    for peer in ("HAProxy", "nginx"):
        assert peer in {row["beside"] for row in rows} or f"left out: {peer}: " in result.stdout


def test_growth_is_tabulated_and_plotted(tmp_path):
    rows_file = tmp_path / "rows.json"
    result = bench("--only=growth-mux", *QUICK, f"--json={rows_file}")
    assert result.returncode == 0, result.stdout + result.stderr
    shutil.copy(ROOT / "docs/performance.md", tmp_path)
    shutil.copy(rows_file, tmp_path / "wrong.json")
    (tmp_path / "wrong.json").write_text("[")
    script = [sys.executable, str(ROOT / "test/bench/page.py"), f"--docs={tmp_path}"]
    failed = subprocess.run([*script, str(tmp_path / "wrong.json")], stderr=subprocess.PIPE, text=True, check=False)
    assert failed.returncode == 1 and failed.stderr.startswith("page: cannot read "), failed.stderr
    if not shutil.which("gnuplot"):
        pytest.skip("gnuplot is not installed")
    subprocess.run([*script, str(rows_file)], check=True)
    text = (tmp_path / "performance.md").read_text()
    [growth] = re.findall(r"<!-- bench: growth-mux -->\n(.*?)\n<!-- end -->", text, re.S)
    assert re.match(r"\|  \| 1 \| 10 \| 100 \| 1,000 \| last / first \|\n", growth), growth
    assert len(growth.splitlines()) == 2 + 5, growth
    assert "<svg" in (tmp_path / "performance-streams.svg").read_text()
    # Everything else, apart from the machine, is as it was.
    between = re.compile(r"(<!-- bench: (?:growth-mux|machine) -->\n).*?(<!-- end -->)", re.S)
    assert between.sub(r"\1\2", text) == between.sub(r"\1\2", (ROOT / "docs/performance.md").read_text())


def test_the_page_has_a_place_for_each_figure():
    names = listed()
    assert sorted(names) == sorted([name for group in page.GROUPS.values() for name in group] + list(page.GROWTH))
    text = (ROOT / "docs/performance.md").read_text()
    assert re.findall(r"<!-- bench: (.*) -->", text) and set(re.findall(r"<!-- bench: (.*) -->", text)) == {
        "machine", *page.GROUPS, *page.GROWTH}
    for only in re.findall(r"--only=([\w,-]+)", text):
        assert set(only.split(",")) <= set(names), only
    options = bench("--help").stdout
    for option in re.findall(r"bench/run\.sh (--[a-z]+)", text):
        assert option in options, option


@pytest.mark.parametrize("options, error", [
    (["--only=trips,nonsense"], "unknown figure 'nonsense': choose from calls, instructions, connect, "),
    (["--only="], "unknown figure '': choose from calls, "),
    (["--uvrelay=/nonexistent"], "/nonexistent does not exist or is not a program"),
    (["--json=/nonexistent/rows.json"], "cannot write /nonexistent/rows.json: its directory does not exist"),
    (["--rounds=0"], "argument --rounds: 0 is not a number above 0"),
])
def test_what_is_wrong_is_said(options, error):
    result = bench(*options)
    assert result.returncode != 0 and error in result.stderr, result.stderr
    assert "Traceback" not in result.stderr


def test_what_runs_on_one_core_gets_the_others_back(monkeypatch):
    monkeypatch.setenv("UVRELAY_RUN_EXE", "")  # without Wine, which has a server, too
    cores = os.sched_getaffinity(0)
    with figures_wine.one_core():
        assert os.sched_getaffinity(0) == {min(cores)}
    assert os.sched_getaffinity(0) == cores


def test_a_relay_that_does_not_start_is_named(tmp_path):
    result = bench("--only=connect", *QUICK, "--uvrelay=/bin/false", f"--json={tmp_path}/rows.json")
    assert result.returncode == 1 and "failed: connect: uvrelay" in result.stdout, result.stdout
    assert "Traceback" not in result.stderr and not left_over(result.stdout)


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGTERM])
def test_nothing_remains_after_an_interruption(end):
    """A run is interrupted while relays and a load are running."""
    process = subprocess.Popen(command("--only=connect", "--quick", "--seconds=20"), stdout=subprocess.PIPE,
                               stderr=subprocess.STDOUT, text=True)

    def load():
        """Its command line, while it runs."""
        for pid in relays.children(process.pid):
            with contextlib.suppress(OSError):
                text = pathlib.Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ")
                if "load_unix" in text:
                    return text
        return None

    running = wait_for(load, "a load runs", LONG)
    process.send_signal(end)
    assert process.wait(LONG) == (130 if end == signal.SIGINT else 143)
    process.stdout.close()
    assert "/run-" in running and not left_over(running)

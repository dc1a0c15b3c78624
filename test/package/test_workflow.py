"""The workflow of GitHub, .github/workflows/ci.yml: what it calls exists, and it may do no more than it must."""

import json
import re
import subprocess

import yaml
from conftest import SOURCE

FILE = SOURCE / ".github/workflows/ci.yml"
TEXT = FILE.read_text()
WORKFLOW = yaml.safe_load(TEXT)
JOBS = WORKFLOW["jobs"]
STEPS = [step for job in JOBS.values() for step in job["steps"]]
SCRIPTS = [step["run"] for step in STEPS if "run" in step]
PRESETS = json.loads((SOURCE / "CMakePresets.json").read_text())


def presets_of(kind):
    return {preset["name"] for preset in PRESETS[kind] if not preset.get("hidden")}


def test_actionlint():
    result = subprocess.run(["sh", SOURCE / "deps/actionlint", FILE], capture_output=True, text=True, timeout=300)
    assert (result.returncode, result.stdout) == (0, ""), result.stdout + result.stderr


def test_each_file_that_is_called_exists():
    called = {word for script in SCRIPTS for word in re.findall(r"\b(?:test|deps)/[\w./-]+", script)}
    assert called >= {"test/run.sh", "test/ci/windows.cmake"}
    assert not [path for path in called if not (SOURCE / path).is_file()]


def test_each_preset_that_is_named_exists():
    run = {name for script in SCRIPTS for line in re.findall(r"test/run\.sh ([\w -]+)", script) for name in line.split()}
    run |= {name for script in SCRIPTS for name in re.findall(r"PRESET=([\w-]+)", script)}
    built = {name for script in SCRIPTS for name in re.findall(r"--preset[ =]([\w-]+)", script)}
    assert run >= {"native", "msvc"}
    assert run | built <= presets_of("configurePresets")
    assert run | built <= presets_of("buildPresets")
    assert run <= presets_of("testPresets")
    assert {name for script in SCRIPTS for name in re.findall(r"PRESET=([\w-]+)", script)} <= presets_of("workflowPresets")


def test_what_is_kept_is_where_the_presets_build_it():
    kept = {path for step in STEPS for path in step.get("with", {}).get("path", "").split()}
    assert len(kept) > 3
    directories = {path.split("/")[1] for path in kept}
    assert {path.split("/")[0] for path in kept} == {"build"}
    assert directories <= presets_of("configurePresets") | {"logs"}


def test_it_may_only_read():
    assert WORKFLOW["permissions"] == {"contents": "read"}
    assert not [name for name, job in JOBS.items() if "permissions" in job]
    assert "secrets." not in TEXT and "pull_request_target" not in TEXT
    checkouts = [step for step in STEPS if step.get("uses", "").startswith("actions/checkout@")]
    assert len(checkouts) == len(JOBS)
    assert all(step["with"]["persist-credentials"] is False for step in checkouts)


def test_actions_are_pinned():
    used = re.findall(r"^ *- uses: (.*)$", TEXT, re.MULTILINE)
    assert len(used) == sum("uses" in step for step in STEPS)
    assert not [line for line in used if not re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", line)]


def test_each_job_has_a_limit_in_time():
    assert not [name for name, job in JOBS.items() if not 0 < job.get("timeout-minutes", 0) <= 120]
    assert WORKFLOW["concurrency"]["cancel-in-progress"] is True

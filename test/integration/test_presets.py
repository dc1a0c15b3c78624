"""Presets of the Windows program, and serve --check there: the way from Windows to WSL."""


import pytest

import logschema
from programs import run_relay


def far_end():
    return "--via=cmd.exe /c exit"


def test_the_table():
    result = run_relay("presets", "--json")
    assert (result.code, result.stderr) == (0, "")
    assert logschema.check_lines(result.stdout.decode().replace("\r\n", "\n"), "preset") == [{
        "name": "docker", "summary": "the Docker engine in WSL, for Docker clients on Windows",
        "listen": "//./pipe/docker_wsl?mode=message", "target": "via:unix:///run/docker.sock?owner=root",
        "variable": "DOCKER_HOST", "value": "npipe:////./pipe/docker_wsl"}]


@pytest.mark.parametrize("args, expected", [
    (["@docker"], "docker: //./pipe/docker_wsl?mode=message = via:unix:///run/docker.sock?owner=root"),
    (["@docker?timeout=5&owner=any"],
     "docker: //./pipe/docker_wsl?mode=message = via:unix:///run/docker.sock?owner=any&timeout=5"),
    (["npipe:uvrelay-x=@docker?name=x"], "x: npipe:uvrelay-x = via:unix:///run/docker.sock?owner=root&name=x"),
])
def test_what_would_be_served(args, expected):
    result = run_relay("serve", "--check", far_end(), *args)
    assert (result.code, result.stderr) == (0, "")
    if "timeout" in args[0]:  # the order of options does not matter
        expected, told = (sorted(text.strip().replace("?", "&").split("&")) for text in (
            expected, result.stdout.decode().rpartition(", through")[0]))
        assert expected == told
    else:
        assert result.stdout.decode().splitlines() == [f"{expected}, through the far end: cmd.exe /c exit"]


@pytest.mark.parametrize("name", ["ssh-agent", "gpg-agent", "gpg-ssh", "pageant"])
def test_presets_of_wsl(name):
    result = run_relay("serve", "--check", far_end(), f"@{name}")
    assert result.code == 2 and result.stdout == b""
    assert f'"@{name}" leads from WSL to Windows' in result.stderr and "run uvrelay serve in WSL" in result.stderr


def test_what_is_wrong():
    result = run_relay("serve", "--check", far_end(), "@dokcer")
    assert result.code == 2 and "did you mean @docker?" in result.stderr
    result = run_relay("serve", "--check", "unix:///tmp/x=tcp://127.0.0.1:1")
    assert result.code == 2 and "Linux" in result.stderr

"""What uvrelay writes as JSON, against docs/logging.schema.json: check() fails a test that was shown something else.

check_lines() looks at the first lines of each shape only (an object's members, with their types), as a log can be long.
"""

import collections
import functools
import json
import pathlib

import jsonschema

SCHEMA = pathlib.Path(__file__).resolve().parents[2] / "docs" / "logging.schema.json"

OF_A_SHAPE = 50

#: How many lines of each shape were looked at.
_seen = collections.Counter()


@functools.cache
def schema():
    return json.loads(SCHEMA.read_text(encoding="utf-8"))


@functools.cache
def _validator(kind):
    return jsonschema.Draft202012Validator({"$defs": schema()["$defs"], "$ref": f"#/$defs/{kind}"})


def _shape(value):
    if isinstance(value, dict):
        return tuple((name, _shape(inner)) for name, inner in value.items())
    if isinstance(value, list):
        return tuple(sorted({repr(_shape(inner)) for inner in value}))
    return type(value).__name__


def check(value, kind="event"):
    """Fails unless the value is what the schema says of this kind: an event, or event-NAME, status, check, preset or
    doctor. Gives the value."""
    if kind == "event" and f"event-{value.get('event')}" in schema()["$defs"]:
        kind = f"event-{value['event']}"  # to be told what is wrong with it, not that it is none of them all
    wrong = [f"{'/'.join(map(str, error.absolute_path))}: {error.message}" for error in _validator(kind).iter_errors(value)]
    assert not wrong, f"{kind} is not as in {SCHEMA.name}: {wrong}; it is {value}"
    return value


def check_lines(text, kind="event"):
    """The same for whole lines, each an object; gives these."""
    values = [json.loads(line) for line in text.split("\n")[:-1]]
    for value in values:
        shape = kind, value.get("event"), _shape(value)
        if _seen[shape] < OF_A_SHAPE:
            check(value, kind)
            _seen[shape] += 1
    return values


def is_log(text):
    """Whether a log is JSON."""
    return text.startswith('{"time":"')


def events():
    """The names of all events, each with its members."""
    found = {}
    for reference in schema()["$defs"]["event"]["oneOf"]:
        members = schema()["$defs"][reference["$ref"].rpartition("/")[2]]["properties"]
        found[members["event"]["const"]] = set(members)
    return found

"""docs/troubleshooting.md has each message of the source as a heading, or among the reasons below one, and no other."""

import re

import pytest
from conftest import SOURCE
from messages import Source

PAGE = (SOURCE / "docs/troubleshooting.md").read_text()
HEADINGS = [text.replace("…", "...") for text in re.findall(r"^### (.*)$", PAGE, re.M)]
WORDS = " ".join(PAGE.split())


@pytest.fixture(scope="module")
def messages():
    return Source(SOURCE / "src").messages


def covers(heading, text):
    """Whether the message begins with the heading, which ends with a whole word."""
    heading = heading.removesuffix(" ...")
    return text.startswith(heading) and not re.match(r"\w", text[len(heading):])


def reason(text):
    """The fixed words of what fills a message, up to the first comma or colon, or to the first thing that differs."""
    return re.split(r"[:,;]|\.\.\.|\(", text.removeprefix("... "))[0].strip()


def test_the_source_is_read(messages):
    """Some of every sort: in a shared file and for each system, directly, by a wrapper, a macro and as a reason."""
    texts = {message.text for message in messages}
    for one in ("there is no pipe ...", "all instances of ... are busy", "it receives datagrams, but uvrelay relays byte streams: "
                "write ListenStream= in the socket unit", "unknown flag ...: did you mean ......?",
                "cannot listen on ...: ...", "the address ... has no scheme: write ..."):
        assert one in texts, one
    assert len(texts) > 400


def test_no_text_of_an_error_is_missed():
    assert not Source(SOURCE / "src").unread


def test_each_message_has_a_heading(messages):
    missing = [f"{message.file}: {message.text}" for message in messages if not message.fills
               and not any(covers(heading, message.text) for heading in HEADINGS)]
    assert not missing, "\n".join(missing)


def test_each_reason_is_on_the_page(messages):
    missing = [f"{message.file}: {message.text}" for message in messages if message.fills
               and reason(message.text) not in WORDS]
    assert not missing, "\n".join(missing)


def test_each_heading_is_a_message(messages):
    assert not [heading for heading in HEADINGS if not any(covers(heading, message.text) for message in messages)]


def test_headings_say_something():
    assert len(HEADINGS) == len(set(HEADINGS)) > 200
    assert not [heading for heading in HEADINGS if len(re.findall(r"[A-Za-z]{2,}|--?\w+", heading)) < 2]

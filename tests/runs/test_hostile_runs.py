"""Whole runs against a Clover that lies: they end, with a sentence, and the next one works."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tap_clover_export import times
from tests.support.harness import ONE, TUESDAY_NOON, JumpingClock, clover, iso, sync
from tests.support.raw_server import Peer, reply
from tests.support.records import TOO_DEEP, file

if TYPE_CHECKING:
    from collections.abc import Callable

DAY = 86_400


class Liar:
    """Answers as an API with its files would, but for what a test makes it say.

    Args:
        file: The body of every file.
        links: Where the files are; None for one of its own.
        more: What else stands in the description of an export.
    """

    def __init__(
        self, file: bytes = b'{"elements":[]}', links: list[str] | None = None, **more: Any
    ) -> None:
        self.file, self.links, self.more = file, links, more
        self.url = ""

    def __call__(self, head: bytes) -> bytes:
        """Answer a request."""
        if b"/file" in head:
            return reply(self.file)
        links = [f"{self.url}/file?Signature=s3cr3t"] if self.links is None else self.links
        answer = {"id": "EXPORT1", "status": "DONE", "exportUrls": [{"url": u} for u in links]}
        return reply(json.dumps(answer | self.more).encode())


def run(answer: Callable[[bytes], bytes], **options: Any) -> Any:
    """A run whose Clover is a peer."""
    with clover(days=2) as simulator, Peer(answer) as peer:
        if isinstance(answer, Liar):
            answer.url = peer.url
        outcome = sync(simulator, api_url=peer.url, **options)
    assert outcome.log.count("Traceback") == 0
    assert "s3cr3t" not in outcome.log
    assert "s3cr3t" not in json.dumps(outcome.states)
    return outcome


@pytest.mark.parametrize(
    "created", [-62_135_596_800_000, 0, 1, 253_402_300_799_999, 10**30, -(10**30), "soon", None]
)
def test_a_clock_of_clovers_that_lies(created: Any) -> None:
    """Where an export says it was made long ago or in a far future, our own clock counts."""
    first = run(Liar(createdTime=created))
    assert first.code == 0
    assert first.bookmark("orders", ONE) == iso(TUESDAY_NOON)
    told = isinstance(created, int) and times.YEAR_1 <= created <= times.YEAR_9999
    assert first.log.count("this machine's own clock counts instead.") == told
    assert run(Liar(createdTime=created), state=first.state).code == 0


LINKS = [
    "file:///etc/passwd",
    "https://169.254.169.254/latest/meta-data",
    "https://localhost.localdomain@10.0.0.1/",
    "https://[fe80::1%25eth0]/",
    "https://2130706433/",
    "http://files.example/1",
    "https://☃.example.invalid/",
    "\\\\10.0.0.1\\share",
    "https://files.invalid\r\nHost: x/",
    "x" * 9000,
    "",
]


@pytest.mark.parametrize("link", LINKS)
def test_links_to_where_no_files_are(link: str) -> None:
    """A link that leads elsewhere ends with a sentence, and shows nothing of what it holds."""
    outcome = run(Liar(links=[f"{link}?Signature=s3cr3t#s3cr3t"]))
    assert outcome.code == 1
    assert "a file of an export could not be had 6 times (" in outcome.sentence or (
        "Clover could not be reached for 20 minutes (" in outcome.sentence
    )


FILES = {
    "depth": file(b'{"id":"A","x":' + b"[" * TOO_DEEP + b"]" * TOO_DEEP + b"}"),
    "depth of objects": file(
        b'{"id":"A","x":' + b'{"a":' * TOO_DEEP + b"1" + b"}" * (TOO_DEEP + 1)
    ),
    "depth outside": b"[" * TOO_DEEP + b"]" * TOO_DEEP,
    "no file": b"<html>Log in</html>",
    "a list": b"[]",
    "numbers": b"[1,2,3]",
    "elements that are none": b'{"elements":[1,"a",null]}',
    "elements twice": b'{"elements":5,"elements":[]}x',
    "nothing": b"",
    "NUL": b"\0" * 1000,
}


@pytest.mark.parametrize("name", FILES)
def test_files_that_are_none(name: str) -> None:
    """A file that can't be emitted ends with a sentence that names what is missing."""
    outcome = run(Liar(FILES[name]))
    assert outcome.code == 1
    assert outcome.sentence.startswith(f"Missing: orders of merchant {ONE}")
    assert "unexpected" not in outcome.sentence


@pytest.mark.parametrize("identity", ["../../x", "/etc/passwd", "a\nb", "x" * 1_000_000, "٣", ""])
def test_ids_of_records_lead_nowhere(identity: str) -> None:
    """A record's id is text and nothing else; no file is named after it."""
    row = {"id": identity, "createdTime": 1, "modifiedTime": 1}
    outcome = run(Liar(json.dumps({"elements": [row]}).encode()))
    assert outcome.code in (0, 1)
    if outcome.code == 0:
        assert [record["id"] for record in outcome.records("orders")] == [identity]
    else:
        assert outcome.sentence.startswith("Missing: ")


@pytest.mark.parametrize("status", ["429 X", "503 X"])
@pytest.mark.parametrize("body", [b"", b"a" * 100_000, b"10:00-" * 9999, b"closed " * 9999])
def test_a_clover_that_puts_off_for_ever(status: str, body: bytes) -> None:
    """However long it asks to wait, a run ends within the day, by the clock of the run."""
    with clover(days=2) as simulator:
        clock = JumpingClock(simulator.clock, longest=1.5 * DAY)
        answer = reply(body, "Retry-After: 1000000000000", status=status)
        with Peer(answer) as peer:
            outcome = sync(simulator, api_url=peer.url, clock=clock)
    assert outcome.code == 1
    assert outcome.sentence.startswith("Missing: ")


def test_every_answer_the_same_export() -> None:
    """A Clover that gives every window the same export loses nothing and ends."""
    assert run(Liar()).code == 0

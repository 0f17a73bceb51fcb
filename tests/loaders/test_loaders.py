"""Loaders of others behind the tap: what each makes of two nights, held against Clover's books.

The first night Clover refuses one merchant's payments; before the second, orders are refunded.
"""

from __future__ import annotations

import itertools
import re
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.loaders.books import LEDGER, SCHEMAS, kind
from tests.loaders.environments import REQUIREMENTS, pin
from tests.loaders.loader import plugin
from tests.loaders.loaders import LOADERS
from tests.loaders.portrait import Portrait, columns_of, last_rows, plain
from tests.loaders.story import ONE, REFUNDS, TWO, Act, Story
from tests.support.harness import TYPES, entry

if TYPE_CHECKING:
    from tests.loaders.books import Key

pytestmark = pytest.mark.timeout(600)

PAGE = (Path(__file__).parents[2] / "docs" / "loaders.md").read_text()
MONEY = {"total": "orders", "amount": "payments", "tip": "payments"}
FIELDS = {"tip": "tipAmount"}


def values(act: Act, stream: str, field: str, of: str) -> dict[Key, Any]:
    """A field of the last version of each record; null is 0."""
    table = act.tables[stream]
    columns = columns_of(stream, table)
    rows = last_rows(table, columns).items()
    return {key: plain(of, row.get(columns[field]) or 0) for key, row in rows}


def test_the_state_comes_through(story: Story) -> None:
    """The loader's last state is the tap's, with what Clover still makes; the next run takes it."""
    first, second = (act.night for act in story.acts)
    assert [night.tap.code for night in (first, second)] == [1, 0], second.tap.log
    for night in (first, second):
        assert night.states[-1] == night.tap.state
    assert entry(first.states[-1], "payments", TWO)["pending_exports"]
    assert "pending_exports" not in entry(second.states[-1], "payments", TWO)


@pytest.mark.parametrize("act", [0, 1])
def test_counts_and_sums_equal_the_books(story: Story, act: int) -> None:
    """Each merchant's records are all there, their money equals the ledger's sums to the cent."""
    loaded: Counter[tuple[str, str]] = Counter()
    for stream in TYPES:
        loaded.update((shop, stream) for shop, _ in values(story.acts[act], stream, "id", "text"))
    for name, stream in MONEY.items():
        money = values(story.acts[act], stream, FIELDS.get(name, name), "integer")
        for (shop, _), value in money.items():
            loaded[shop, name] += value
    for shop, sums in story.acts[act].sums.items():
        for name in (*TYPES, *MONEY):
            refused = act == 0 and shop == TWO and MONEY.get(name, name) == "payments"
            assert loaded[shop, name] == (0 if refused else sums[name]), (shop, name)


def test_every_value_arrives_as_the_page_says(story: Story) -> None:
    """Each field of each record is what Clover holds, but for what the page's table tells."""
    line = Portrait(story).line()
    if line not in PAGE.splitlines():
        pytest.fail(f"docs/loaders.md lacks this row, which was seen:\n{line}", pytrace=False)


def test_rows_of_a_record_that_comes_again(story: Story) -> None:
    """An updating loader has a row a record, any other one a row each time that it was sent."""
    again = Portrait(story).again
    for stream in TYPES:
        sent: Counter[Key] = Counter()
        for act in story.acts:
            sent += act.night.tap.counts(stream)
        assert max(sent.values()) > 1
        table = story.acts[-1].tables[stream]
        columns = columns_of(stream, table)
        rows = Counter((row[columns["merchant_id"]], row[columns["id"]]) for row in table.rows)
        assert rows == (sent if again == "is added" else Counter(set(sent)))


def test_the_ledger_arrives(story: Story) -> None:
    """A row for each export of both nights, every field as it was sent."""
    nights = [act.night.tap.records(LEDGER) for act in story.acts]
    assert all(nights)
    table = story.acts[-1].tables[LEDGER]
    columns = columns_of(LEDGER, table)
    assert columns.keys() == SCHEMAS[LEDGER].keys()
    rows = {(row[columns["merchant_id"]], row[columns["id"]]): row for row in table.rows}
    assert len(rows) == len(table.rows) == sum(map(len, nights))
    for sent in itertools.chain(*nights):
        landed = rows[sent["merchant_id"], sent["id"]]
        for field, column in columns.items():
            of, value, found = kind(LEDGER, field), sent[field], landed.get(column)
            assert (found is None) == (value is None)
            assert value is None or plain(of, found) == plain(of, value)


def test_late_refunds_arrive(story: Story) -> None:
    """What was refunded between the nights is there after the second, and was not before."""
    assert len(story.refunds) == REFUNDS
    first, second = (values(act, "payments", "refunds", "object") for act in story.acts)
    for refund in story.refunds:
        key = (ONE, refund["payment"])
        assert not first[key]
        assert [entry["amount"] for entry in second[key]["elements"]] == [refund["amount"]]


def test_the_page_names_no_other_loader() -> None:
    """Every row of the page's table is of a loader that is tested."""
    table = PAGE.split("| loader |", 1)[1].split("\n\n")[0]
    named = re.findall(r"^\| ((?!-)\S+) ", table, re.MULTILINE)
    assert named == [pin(name).split("==")[0] for name in LOADERS]


@pytest.mark.parametrize("name", ["target-postgres", "target-jsonl"])
def test_meltano_installs_the_version_that_is_tested(name: str) -> None:
    """The pins of meltano.yml are those of the tests."""
    assert plugin(name)["pip_url"] == pin(name)


def test_requirements_are_locked() -> None:
    """Each environment's every version is locked, with what its `.in` asks for."""
    for wanted in REQUIREMENTS.glob("*.in"):
        locked = wanted.with_suffix(".txt").read_text().splitlines()
        assert all("==" in line for line in locked)
        assert re.sub(r"\[.*?\]", "", pin(wanted.stem)) in locked

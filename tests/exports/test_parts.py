"""What the parts of an export know of it."""

from __future__ import annotations

import pytest

from tap_clover_export.exports.export import Export
from tests.support.plans import work


@pytest.mark.parametrize("gone", [True, False])
def test_parts_had_files_only_where_these_were_gone(*, gone: bool) -> None:
    """Too large or no good as they are, the files were there, and one part may well be empty."""
    plan = work(behind=40)
    planned = next(plan.exports())
    export = Export(plan.partition, planned.window, planned.priority)
    export.link(("https://files/1",), 0.0)
    if gone:
        export.attempts.gone += 1
        export.forget()
    halves = export.window.halves()
    assert halves
    assert [part.had_files for part in export.halves(halves)] == [gone, gone]

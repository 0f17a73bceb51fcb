"""Tells whose data is missing, whatever ended a task or a run."""

from __future__ import annotations

import contextlib
import copy
import logging
from typing import TYPE_CHECKING, Any

from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

from tap_clover_export.airflow import words

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow.sdk import BaseNotifier

logger = logging.getLogger(__name__)

PREFIX = "clover_export_"
"""What a DAG's id begins with; its region follows."""

PLACES = "places"
"""Under this key the plan hands on, for each place in the order, its chunk and its merchants."""

LEFT_OUT = "left_out"
"""Under this key it hands on why merchants of the file have no DAG."""

LAST_WORDS = "last_words"
"""Under this key a task that fails hands on why, and whether that names the merchants."""

NO_TURN = "no_turn"
"""Under this key a chunk that came to its end hands on which new days had no turn."""

NOTHING_SAID = (words.KILLED, False)


class MerchantsMissing(AirflowFailException):
    """The tap came to its end without some merchants; it has tried all of it again already."""


@contextlib.contextmanager
def last_words(ti: Any) -> Iterator[None]:
    """Hand on why a task fails; of one that is killed nothing is known but that."""
    try:
        yield
    except AirflowSkipException:
        raise
    except Exception as error:
        ti.xcom_push(LAST_WORDS, [str(error), isinstance(error, MerchantsMissing)])
        raise


def missing(ti: Any, *, ended: bool = False) -> str:
    """Tell what is missing of a run.

    Args:
        ti: Any task instance of the run.
        ended: Whether Airflow ended the run.
    """
    tasks = ["plan", "export"]
    found = ti.get_task_states(ti.dag_id, task_ids=tasks, run_ids=[ti.run_id])
    states = {name: str(state) for name, state in found.get(ti.run_id, {}).items()}
    plan = None
    if states.get("plan") != "success":
        plan, _ = ti.xcom_pull(task_ids="plan", key=LAST_WORDS) or NOTHING_SAID
    chunks = []
    for place, chunk in enumerate(ti.xcom_pull(task_ids="plan", key=PLACES) or []):
        state, said = states.get(f"export_{place}", "removed"), None
        if state == "failed":
            said = ti.xcom_pull(task_ids="export", key=LAST_WORDS, map_indexes=place)
        left = ti.xcom_pull(task_ids="export", key=NO_TURN, map_indexes=place)
        words_, named = said or NOTHING_SAID
        made = words.Chunk(chunk["chunk"], chunk["merchants"], state, words_, named, left)
        chunks.append(made)
    left_out = ti.xcom_pull(task_ids="plan", key=LEFT_OUT) or []
    return words.report(chunks, left_out, plan, ended=ended)


class Alert:
    """The callback of a run that failed: tells what is missing, in the log and by a notifier.

    The notifier's templates find the words as `alert`. Nothing is raised: where Airflow knows
    little of a run, the alert says less.

    Args:
        notifier: Any of Airflow's, such as Slack's or SMTP's; it takes its secret from a
            Connection.
    """

    def __init__(self, notifier: BaseNotifier | None) -> None:
        self._notifier = notifier

    def __call__(self, context: Any) -> None:
        """Tell what a context of Airflow's says."""
        ended = context.get("reason") == "timed_out"
        try:
            text = missing(context["ti"], ended=ended)
        except Exception:
            logger.exception("It is not known what is missing.")
            text = words.report([], [], None, ended=ended)
        region = str(getattr(context.get("dag"), "dag_id", "")).removeprefix(PREFIX)
        text = f"Clover export, region {region}: {text or 'The run failed; its tasks say more.'}"
        logger.error(text)
        if self._notifier:
            # Rendering a notifier's templates changes it.
            try:
                copy.copy(self._notifier)({**context, "alert": text})
            except Exception:
                logger.exception("The alert could not be sent.")

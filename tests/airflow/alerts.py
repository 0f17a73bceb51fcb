"""Tells of runs of which Airflow knows little, in Airflow's own Python."""

from __future__ import annotations

import logging
import sys
from types import SimpleNamespace
from typing import Any

from airflow.sdk import BaseNotifier

from tap_clover_export.airflow.alert import Alert

logging.basicConfig(stream=sys.stdout, format="%(message)s")


class Notifier(BaseNotifier):  # type: ignore[misc]
    """Prints a template, or fails."""

    template_fields = ("text",)

    def __init__(self, text: str, error: Exception | None = None) -> None:
        super().__init__()
        self.text = text
        self.error = error

    def notify(self, context: Any) -> None:  # noqa: ARG002
        """Print it."""
        if self.error:
            raise self.error
        sys.stdout.write(f"told: {self.text}\n")


us = SimpleNamespace(dag_id="clover_export_us")
for alert in (
    Alert(Notifier("{{ alert }}")),
    Alert(Notifier("{{ alert }}", ConnectionError("Nobody is there."))),
    Alert(Notifier("{{ alert ")),
    Alert(None),
):
    for context in ({}, {"ti": None, "reason": "timed_out"}, {"ti": us, "run_id": "1"}):
        alert(context)
sys.stdout.write("done\n")

"""A local Clover that exports made-up orders and payments."""

from __future__ import annotations

try:
    from tap_clover_export.simulator.api.routes import Request
except ModuleNotFoundError as error:
    raise SystemExit(
        f"The local Clover needs the package {error.name}; install tap-clover-export[simulator]."
    ) from error
from tap_clover_export.simulator.clock import Clock
from tap_clover_export.simulator.faults.fault import Fault
from tap_clover_export.simulator.faults.injector import FaultInjector
from tap_clover_export.simulator.options import Options
from tap_clover_export.simulator.service.exports import Export
from tap_clover_export.simulator.simulator import Simulator

__all__ = ["Clock", "Export", "Fault", "FaultInjector", "Options", "Request", "Simulator"]

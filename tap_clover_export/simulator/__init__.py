"""A local Clover that exports made-up orders and payments."""

from __future__ import annotations

from .board import FaultBoard
from .clock import Clock
from .exports import Export
from .faults import Fault
from .gate import Request
from .options import Options
from .simulator import Simulator

__all__ = ["Clock", "Export", "Fault", "FaultBoard", "Options", "Request", "Simulator"]

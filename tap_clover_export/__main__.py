"""`python -m tap_clover_export`."""

from tap_clover_export.tap import TapCloverExport

TapCloverExport.cli()

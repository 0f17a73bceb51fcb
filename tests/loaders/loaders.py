"""All loaders that are run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.loaders.databases import PipelinewiseTargetPostgres, TargetDuckdb, TargetPostgres
from tests.loaders.files import TargetCsv, TargetJsonl, TargetS3, TargetS3Jsonl, TargetSingerJsonl

if TYPE_CHECKING:
    from tests.loaders.loader import Loader

LOADERS: dict[str, type[Loader]] = {
    loader.name: loader
    for loader in (
        TargetPostgres,
        PipelinewiseTargetPostgres,
        TargetDuckdb,
        TargetJsonl,
        TargetCsv,
        TargetS3Jsonl,
        TargetS3,
        TargetSingerJsonl,
    )
}

"""What a catalog and stream maps ask for, where the SDK makes nothing of it."""

from __future__ import annotations

import ast
import contextlib
import fnmatch
import importlib.util
from typing import TYPE_CHECKING, Any

from singer_sdk.exceptions import ConfigValidationError, MapExpressionError, StreamMapConfigError
from singer_sdk.mapper import RemoveRecordTransform

from tap_clover_export.errors import InputError, in_short
from tap_clover_export.planning.bookmarks import REPLICATION_KEY

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from singer_sdk.mapper import PluginMapper

METHODS = FULL_TABLE, INCREMENTAL = ("FULL_TABLE", "INCREMENTAL")


class Wishes:
    """What a catalog asks for, stream by stream.

    Attributes:
        full_tables: The streams to export from their start on in every run.
    """

    def __init__(self, catalog: object) -> None:
        """Read a catalog.

        Args:
            catalog: As `--catalog` has it; what is not of that shape is the SDK's to refuse.
        """
        streams = catalog.get("streams", ()) if isinstance(catalog, dict) else ()
        self._methods: dict[str, str] = {}
        self._keys: dict[str, str] = {}
        self._names: list[str] = []
        for entry in streams:
            name = entry.get("tap_stream_id") or entry.get("stream")
            root = _root_metadata(entry)
            self._names.append(name)
            self._methods[name] = (
                root.get("replication-method")
                or root.get("forced-replication-method")
                or entry.get("replication_method")
                or INCREMENTAL
            )
            self._keys[name] = (
                root.get("replication-key") or entry.get("replication_key") or REPLICATION_KEY
            )
        self.full_tables = {name for name, how in self._methods.items() if how == FULL_TABLE}

    def doubts(self, known: Collection[str]) -> Iterator[str]:
        """What is asked for and can't be done, a sentence each.

        Args:
            known: The streams that there are.
        """
        if strangers := [name for name in self._names if name not in known]:
            yield _no_streams("The catalog", strangers, known)
        for name in known:
            if self._methods.get(name, INCREMENTAL) not in METHODS:
                yield (
                    f"The replication-method of {name} in the catalog is not known; it is "
                    f"exported as {INCREMENTAL}, the other one is {FULL_TABLE}."
                )
            if self._keys.get(name, REPLICATION_KEY) != REPLICATION_KEY:
                yield (
                    f"The replication-key of {name} in the catalog is not used; bookmarks are "
                    f"kept under {REPLICATION_KEY}."
                )


def unknown_maps(stream_maps: Mapping[str, Any], known: Collection[str]) -> Iterator[str]:
    """Stream maps of streams that do not exist, in a sentence."""
    sources = {
        name: definition.get("__source__", name) if isinstance(definition, dict) else name
        for name, definition in stream_maps.items()
        if not name.startswith("__")
    }
    if strangers := [
        source
        for source in sources.values()
        if not any(fnmatch.fnmatch(name, source) for name in known)
    ]:
        yield _no_streams("stream_maps", strangers, known)


@contextlib.contextmanager
def sentences_for_maps() -> Iterator[None]:
    """Name the setting where the SDK can't make its maps.

    Raises:
        InputError: Of flattening.
        StreamMapConfigError: Of stream maps.
    """
    try:
        yield
    except (ConfigValidationError, MapExpressionError, StreamMapConfigError):
        raise
    except ValueError as error:
        raise InputError(
            f"Flattening can't be done ({in_short(error)}); raise flattening_max_key_length, or "
            "change flattening_separator."
        ) from error
    except Exception as error:
        raise StreamMapConfigError(f"{type(error).__name__}: {in_short(error)}") from error


def raise_without_faker(stream_maps: Mapping[str, Any]) -> None:
    """Refuse maps that need a package which is not there, before Clover is asked for anything.

    Raises:
        StreamMapConfigError: There are some.
    """
    fields = (map_ for map_ in stream_maps.values() if isinstance(map_, dict))
    expressions = (text for map_ in fields for text in map_.values() if isinstance(text, str))
    if any(map(_uses_fake, expressions)) and not importlib.util.find_spec("faker"):
        raise StreamMapConfigError("fake needs the package faker, which is not installed here")


def _uses_fake(expression: str) -> bool:
    with contextlib.suppress(SyntaxError):
        return any(
            isinstance(node, ast.Name) and node.id == "fake"
            for node in ast.walk(ast.parse(expression))
        )
    return False


def removed(mapper: PluginMapper, stream: str) -> bool:
    """Whether stream maps remove a stream and make no other of it."""
    maps = mapper.stream_maps.get(stream, [])
    return bool(maps) and all(isinstance(one, RemoveRecordTransform) for one in maps)


def _no_streams(where: str, strangers: list[str], known: Collection[str]) -> str:
    *others, last = known
    return (
        f"{where} has streams that do not exist ({', '.join(strangers)}); "
        f"there are {', '.join(others)} and {last}."
    )


def _root_metadata(entry: dict[str, Any]) -> dict[str, Any]:
    for item in entry.get("metadata") or ():
        if not item["breadcrumb"]:
            root: dict[str, Any] = item["metadata"]
            return root
    return {}

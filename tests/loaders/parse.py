"""Reads a run with `singer-python`, in its own environment: `python parse.py MESSAGES CATALOG`.

Prints how many records each stream has, its keys, its stream in the catalog and the last state.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from typing import Any

import jsonschema
import singer


def main(messages: str, catalog: str) -> None:
    """Parse every line, and hold every record against its schema."""
    counts: Counter[str] = Counter()
    validators: dict[str, Any] = {}
    keys, message = {}, None
    with open(messages, encoding="utf-8") as lines:
        for line in lines:
            message, sent = singer.parse_message(line), json.loads(line)
            if isinstance(message, singer.SchemaMessage):
                validators[message.stream] = jsonschema.Draft4Validator(
                    message.schema, format_checker=jsonschema.FormatChecker()
                )
                keys[message.stream] = message.key_properties
            elif isinstance(message, singer.RecordMessage):
                assert message.time_extracted == singer.utils.strptime_to_utc(
                    sent.pop("time_extracted")
                )
                validators[message.stream].validate(message.record)
                counts[message.stream] += 1
            else:
                assert isinstance(message, singer.StateMessage), line
            again = json.loads(singer.format_message(message))
            assert again == again | sent, f"not the same again: {line}"
    assert isinstance(message, singer.StateMessage), "the last message is no STATE"
    found = {
        stream.tap_stream_id: stream.key_properties
        for stream in singer.Catalog.load(catalog).streams
        if stream.schema.properties
    }
    print(json.dumps({"counts": counts, "keys": keys, "catalog": found, "state": message.value}))


if __name__ == "__main__":
    main(*sys.argv[1:])

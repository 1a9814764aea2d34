"""Finds the function that stores lists in a key-value store.

It is an entry point of an installed package, in the group `content_advisor.key_value`: a function
that is called with (key, value) pairs of text and the manifest as a dictionary, before the files
are swapped. Keys are `user:196`, values JSON. Where it raises, nothing is swapped; a rerun calls it
again, so it has to overwrite.
"""

from collections.abc import Callable, Iterable, Mapping
from importlib.metadata import EntryPoint, entry_points
from typing import Any

GROUP = "content_advisor.key_value"
KeyValueSink = Callable[[Iterable[tuple[str, str]], Mapping[str, Any]], None]


def find_entry_point(name: str) -> EntryPoint:
    """The entry point of that name. Raises ValueError where there is none."""
    found = {point.name: point for point in entry_points(group=GROUP)}
    if name not in found:
        known = ", ".join(sorted(found)) or "none"
        raise ValueError(f'no entry point "{name}" in {GROUP}: there are {known}')
    return found[name]


def load_key_value_sink(name: str) -> KeyValueSink:
    """The function behind it. Raises ValueError where there is none, and what its import raises."""
    sink: KeyValueSink = find_entry_point(name).load()
    return sink

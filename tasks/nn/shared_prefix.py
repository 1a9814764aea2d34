"""Joins packed examples whose prefixes begin with the same tokens, which are then run once.

What attends to a prefix attends to what precedes it alone, so equal beginnings have equal hidden
states: a context with a question for ratings and one for a list behind it is one range of a row.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from tasks.nn.packing import PackedExample

Ints = NDArray[np.integer]


def share_prefix(parts: Sequence[PackedExample], prefixes: Sequence[Ints]) -> PackedExample:
    """All parts as one sequence, each without the tokens that its prefix shares with the first's.

    `prefixes` are the parts' own. What is read of the parts stays in their order. A part with probe
    suffixes shares its whole prefix or nothing: a token attends to three ranges, which are the
    shared tokens, its branch, and its suffix or the rest of its prefix.
    """
    if len(parts) == 1:
        return parts[0]
    joined, size = list[PackedExample](), 0
    for part, prefix in zip(parts, prefixes, strict=True):
        shared = count_equal(prefix, prefixes[0]) if joined else 0
        suffixes = part.visible_ranges[:, 2, 1] > part.visible_ranges[:, 2, 0]
        if shared < len(prefix) and suffixes.any():
            shared = 0
        joined.append(_append(part, shared, size - shared))
        size += len(joined[-1])
    return PackedExample(
        *(
            np.concatenate([getattr(part, name) for part in joined])
            for name in PackedExample.__dataclass_fields__
        )
    )


def count_equal(one: Ints, other: Ints) -> int:
    """How many tokens both begin with."""
    size = min(len(one), len(other))
    differs = np.flatnonzero(one[:size] != other[:size])
    return int(differs[0]) if len(differs) else size


def _append(part: PackedExample, shared: int, offset: int) -> PackedExample:
    """The part without its first `shared` tokens; the others are `offset` columns further on."""
    ranges = part.visible_ranges[shared:]
    own = np.maximum(ranges, shared) + offset
    if shared:
        seen = np.where(ranges[..., 0] == 0, np.minimum(ranges[..., 1], shared), 0).max(1)
        empty = own[:, 2, 1] <= own[:, 2, 0]
        own[:, 2] = np.where(empty[:, None], own[:, 0], own[:, 2])
        own[:, 0] = np.stack([np.zeros_like(seen), seen], 1)

    def move(columns: NDArray[np.int64]) -> NDArray[np.int64]:
        return np.where(columns < shared, columns, columns + offset)

    return PackedExample(
        tokens=part.tokens[shared:],
        positions=part.positions[shared:],
        visible_ranges=own,
        labels=part.labels,
        label_kinds=part.label_kinds,
        label_positions=move(part.label_positions),
        readout_positions=move(part.readout_positions),
        ratings=part.ratings,
        log_prior=part.log_prior[:, :0],  # texts have none, and only training reads it
    )

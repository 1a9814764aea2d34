"""A trie of allowed texts, for decoding that can write nothing else.

Texts sorted by their tokens need no node objects: texts with the same beginning are neighbours, so
a node is a range of rows and a depth, and the tokens that must follow are what its first and last
allowed row share.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Mask = NDArray[np.bool_]


class Node(NamedTuple):
    """The rows [low, high), which share their first `depth` tokens."""

    low: int
    high: int
    depth: int


class TokenTrie:
    """Rows are texts sorted by their tokens; `order[row]` is the index of the text as given.

    Each query takes the mask [rows] of allowed texts, so one trie serves every user. Raises
    ValueError where one text is the beginning of another: its end would be ambiguous.
    """

    def __init__(self, texts: Sequence[Sequence[int]]) -> None:
        self.order = np.array(sorted(range(len(texts)), key=lambda i: (tuple(texts[i]), i)))
        self.lengths = np.array([len(texts[i]) for i in self.order])
        self.tokens = np.full((len(texts), self.lengths.max()), -1, np.int64)
        for row, i in enumerate(self.order):
            self.tokens[row, : len(texts[i])] = texts[i]
        self._refuse_beginnings()
        self.root = Node(0, len(texts), 0)

    def _refuse_beginnings(self) -> None:
        for row, length in enumerate(self.lengths[:-1]):
            same = (self.tokens[row, :length] == self.tokens[row + 1, :length]).all()
            if same and self.lengths[row + 1] > length:
                raise ValueError(
                    f"text {self.order[row]} is the beginning of text {self.order[row + 1]}: "
                    "end each text with a token that occurs nowhere else"
                )

    def forced_tokens(self, node: Node, allowed: Mask) -> tuple[Ints, Node]:
        """The tokens that all allowed texts below share next, and the node behind them.

        Raises ValueError where no text is allowed.
        """
        rows = node.low + np.flatnonzero(allowed[node.low : node.high])
        if not len(rows):
            raise ValueError("no text is left to write: all are forbidden")
        first, last = rows[0], rows[-1]
        differs = np.flatnonzero(self.tokens[first] != self.tokens[last])
        depth = int(differs[0] if len(differs) else self.lengths[first])
        reached = Node(int(first), int(last) + 1, depth)
        return self.tokens[first, node.depth : depth], reached

    def is_complete(self, node: Node) -> bool:
        """Whether the node is the end of its texts, which are then all equal."""
        return bool(node.depth == self.lengths[node.low])

    def choices(self, node: Node, allowed: Mask) -> tuple[Ints, Ints, Ints]:
        """The tokens that may follow, and the rows [low, high) below each."""
        column = self.tokens[node.low : node.high, node.depth]
        starts = np.flatnonzero(np.r_[True, column[1:] != column[:-1]])
        open_ = np.add.reduceat(allowed[node.low : node.high], starts, dtype=np.int64) > 0
        ends = np.r_[starts[1:], len(column)]
        return column[starts[open_]], node.low + starts[open_], node.low + ends[open_]

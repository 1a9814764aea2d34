"""The texts that may be written next, as a trie: what is no path of it cannot be said.

Texts sorted by their tokens need no nodes: those that begin alike lie side by side, so a node is
a range of rows and a depth, and what is forced is what its first and last living row share.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Alive = NDArray[np.bool_]


class Node(NamedTuple):
    """The rows [low, high), which share their first `depth` tokens."""

    low: int
    high: int
    depth: int


class TokenTrie:
    """Rows are texts in the order of their tokens; `order[row]` is a text's place as given.

    Which of them live is told with each question, so that one trie serves every user.
    Raises ValueError where one text is the beginning of another: its end could not be told.
    """

    def __init__(self, texts: Sequence[Sequence[int]]) -> None:
        self.order = np.array(sorted(range(len(texts)), key=lambda i: (tuple(texts[i]), i)))
        self.lengths = np.array([len(texts[i]) for i in self.order])
        self.tokens = np.full((len(texts), self.lengths.max()), -1, np.int64)
        for row, i in enumerate(self.order):
            self.tokens[row, : len(texts[i])] = texts[i]
        self._check()
        self.root = Node(0, len(texts), 0)

    def _check(self) -> None:
        for row, length in enumerate(self.lengths[:-1]):
            same = (self.tokens[row, :length] == self.tokens[row + 1, :length]).all()
            if same and self.lengths[row + 1] > length:
                raise ValueError(
                    f"text {self.order[row]} is the beginning of text {self.order[row + 1]}: "
                    "end each of them with something that stands nowhere else"
                )

    def forced(self, node: Node, alive: Alive) -> tuple[Ints, Node]:
        """The tokens that all living texts below share next, and the node behind them.

        Raises ValueError where nothing lives.
        """
        rows = node.low + np.flatnonzero(alive[node.low : node.high])
        if not len(rows):
            raise ValueError("no text is left to be written: every one is forbidden")
        first, last = rows[0], rows[-1]
        differs = np.flatnonzero(self.tokens[first] != self.tokens[last])
        depth = int(differs[0] if len(differs) else self.lengths[first])
        reached = Node(int(first), int(last) + 1, depth)
        return self.tokens[first, node.depth : depth], reached

    def finished(self, node: Node) -> bool:
        """Whether its texts are at their end; if so they are all alike."""
        return bool(node.depth == self.lengths[node.low])

    def choices(self, node: Node, alive: Alive) -> tuple[Ints, Ints, Ints]:
        """The tokens that may stand next, and the rows [low, high) behind each."""
        column = self.tokens[node.low : node.high, node.depth]
        starts = np.flatnonzero(np.r_[True, column[1:] != column[:-1]])
        living = np.add.reduceat(alive[node.low : node.high], starts, dtype=np.int64) > 0
        ends = np.r_[starts[1:], len(column)]
        return column[starts[living]], node.low + starts[living], node.low + ends[living]

"""The examples of a fold as flat Arrow arrays, read once from the shards of the prompts."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from tasks.store.artifacts import Prompts

Ints = NDArray[np.integer]
COLUMNS = ["prefix_tokens", "branch_tokens", "spans"]


@dataclass(frozen=True)
class SupervisedSpans:
    """Supervised tokens [start, end) of a branch, or of the prefix where `branch` is -1.

    Arrays are [spans]; `rating` is in stars, NaN where a span spells no rating. `log_prior` [spans,
    values] is the prior's log-probability of each value of the scale, 0 where there is no prior;
    without priors it has no columns.
    """

    branch: Ints
    start: Ints
    end: Ints
    rating: NDArray[np.float32]
    log_prior: NDArray[np.float32]


@dataclass(frozen=True)
class Example:
    """A prefix, the branches that each continue it, and the supervised spans of both."""

    prefix: Ints
    branches: Sequence[Ints]
    spans: SupervisedSpans

    def __len__(self) -> int:
        return len(self.prefix) + sum(map(len, self.branches))


@dataclass(frozen=True)
class Examples:
    """A table of examples; `examples[i]` is a view of it."""

    prefix: pa.Array
    branches: pa.Array
    spans: pa.Array

    @classmethod
    def read(cls, prompts: Prompts, fold: str, kinds: Sequence[str] = ("rate",)) -> "Examples":
        """The examples of a fold and of some kinds, in stored order."""
        rows = [("fold", "==", fold), ("kind", "in", list(kinds))]
        files = [str(file) for file in prompts.files("examples")]
        return cls.from_table(pq.read_table(files, columns=COLUMNS, filters=rows))

    @classmethod
    def from_table(cls, table: pa.Table) -> "Examples":
        """From a table with the columns of `Prompts`."""
        columns = [table[name].combine_chunks() for name in COLUMNS]
        return cls(
            *(pa.concat_arrays(c.chunks) if isinstance(c, pa.ChunkedArray) else c for c in columns)
        )

    def __len__(self) -> int:
        return len(self.prefix)

    def __getitem__(self, i: int) -> Example:
        first, last = self.spans.offsets[i].as_py(), self.spans.offsets[i + 1].as_py()
        fields = self.spans.values.slice(first, last - first)
        branch, start, end, rating = (
            fields.field(name).to_numpy(zero_copy_only=False)
            for name in ("branch", "start", "end", "rating")
        )
        return Example(
            self.prefix[i].values.to_numpy(),
            [branch.values.to_numpy() for branch in self.branches[i]],
            SupervisedSpans(branch, start, end, rating, _rectangle(fields.field("log_prior"))),
        )

    def take(self, rows: Iterable[int]) -> list[Example]:
        """The examples of these rows, in their order."""
        return [self[i] for i in rows]

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Tokens of each example, prefix and branches: [examples]."""
        inner = np.concatenate([[0], np.cumsum(np.diff(self.branches.values.offsets.to_numpy()))])
        outer = self.branches.offsets.to_numpy() - self.branches.offsets[0].as_py()
        return np.diff(self.prefix.offsets.to_numpy()) + np.diff(inner[outer])


def _rectangle(lists: pa.ListArray) -> NDArray[np.float32]:
    """Lists of one length, or empty, as rows: [lists, length]; an empty one becomes zeros."""
    lengths = np.diff(lists.offsets.to_numpy())
    rows = np.zeros((len(lists), int(lengths.max(initial=0))), np.float32)
    rows[lengths > 0] = lists.flatten().to_numpy().reshape(-1, rows.shape[1] or 1)
    return rows

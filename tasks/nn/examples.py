"""The examples of a fold as flat arrays, read once from the shards of the prompts."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from tasks.store.artifacts import Prompts

Ints = NDArray[np.integer]
COLUMNS = ["example", "prefix_tokens", "branch_tokens", "spans"]


@dataclass(frozen=True)
class Spans:
    """Supervised tokens [start, end) of a branch (-1: the prefix); NaN where no rating is spelt."""

    branch: Ints
    start: Ints
    end: Ints
    rating: NDArray[np.float32]


@dataclass(frozen=True)
class Example:
    """One shared prefix, the branches that stand behind it, and what is supervised."""

    prefix: Ints
    branches: Sequence[Ints]
    spans: Spans

    def __len__(self) -> int:
        return len(self.prefix) + sum(map(len, self.branches))


@dataclass(frozen=True)
class Examples:
    """A table of examples; `examples[i]` is a view of it."""

    number: Ints
    prefix: pa.Array
    branches: pa.Array
    spans: pa.Array

    @classmethod
    def read(cls, prompts: Prompts, fold: str, kinds: Sequence[str] = ("rate",)) -> "Examples":
        """The examples of a fold and of some kinds, in stored order."""
        wanted = [("fold", "==", fold), ("kind", "in", list(kinds))]
        files = [str(file) for file in prompts.files("examples")]
        return cls.of(pq.read_table(files, columns=COLUMNS, filters=wanted))

    @classmethod
    def of(cls, table: pa.Table) -> "Examples":
        """From a table with the columns of `Prompts`."""
        whole = [table[name].combine_chunks() for name in COLUMNS]
        number, prefix, branches, spans = (
            pa.concat_arrays(c.chunks) if isinstance(c, pa.ChunkedArray) else c for c in whole
        )
        return cls(number.to_numpy(), prefix, branches, spans)

    def __len__(self) -> int:
        return len(self.number)

    def __getitem__(self, i: int) -> Example:
        at = self.spans.offsets[i].as_py(), self.spans.offsets[i + 1].as_py()
        fields = self.spans.values.slice(at[0], at[1] - at[0])
        branch, start, end, rating = (
            fields.field(name).to_numpy(zero_copy_only=False)
            for name in ("branch", "start", "end", "rating")
        )
        return Example(
            self.prefix[i].values.to_numpy(),
            [branch.values.to_numpy() for branch in self.branches[i]],
            Spans(branch, start, end, rating),
        )

    def take(self, rows: Iterable[int]) -> list[Example]:
        """Those examples, in that order."""
        return [self[i] for i in rows]

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Tokens of each example, prefix and branches."""
        inner = np.concatenate([[0], np.cumsum(np.diff(self.branches.values.offsets.to_numpy()))])
        outer = self.branches.offsets.to_numpy() - self.branches.offsets[0].as_py()
        return np.diff(self.prefix.offsets.to_numpy()) + np.diff(inner[outer])

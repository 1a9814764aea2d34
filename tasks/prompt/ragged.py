"""Ragged arrays: rows of unequal length end to end, as texts, token ids or row numbers.

Prompts are gathered from such arrays: a line is tokenised once, however many prompts contain it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

Ints = NDArray[np.int64]
EMPTY = pa.scalar(b"", pa.large_binary())


@dataclass(frozen=True)
class Ragged:
    """Row i is values[offsets[i] : offsets[i + 1]]; there is one offset more than rows."""

    values: NDArray
    offsets: Ints

    @classmethod
    def of(cls, rows: Sequence[Sequence[int]], dtype: type) -> "Ragged":
        """From lists of numbers."""
        lengths = np.fromiter((len(row) for row in rows), np.int64, len(rows))
        values: NDArray = np.fromiter(chain.from_iterable(rows), dtype, int(lengths.sum()))
        return cls.split(values, lengths)

    @classmethod
    def of_texts(cls, texts: Sequence[str]) -> "Ragged":
        """From strings, as UTF-8 bytes."""
        array = pa.array(texts, pa.large_string())
        _, offsets, data = array.buffers()
        return cls(np.frombuffer(data or b"", np.uint8), np.frombuffer(offsets, np.int64))

    @classmethod
    def split(cls, values: NDArray, lengths: Ints) -> "Ragged":
        """Cut values into rows of those lengths."""
        return cls(values, np.concatenate([[0], np.cumsum(lengths)]))

    @classmethod
    def of_bytes(cls, array: pa.LargeBinaryArray, dtype: np.dtype) -> "Ragged":
        """From an Arrow array whose rows are the bytes of the values."""
        _, offsets, data = array.buffers()
        values: NDArray = np.frombuffer(data or b"", dtype)
        ends = np.frombuffer(offsets, np.int64, len(array) + 1, 8 * array.offset)
        return cls(values, ends // dtype.itemsize)

    def bytes(self) -> pa.LargeBinaryArray:
        """As an Arrow array of bytes, the form in which Arrow takes and joins rows fastest."""
        offsets = pa.py_buffer(self.offsets * self.values.dtype.itemsize)
        values = pa.py_buffer(np.ascontiguousarray(self.values))
        return pa.LargeBinaryArray.from_buffers(
            pa.large_binary(), len(self), [None, offsets, values]
        )

    @property
    def lengths(self) -> Ints:
        """Of each row."""
        return np.diff(self.offsets)

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def take(self, rows: Ints) -> "Ragged":
        """Those rows, in that order."""
        return Ragged.of_bytes(self.bytes().take(pa.array(rows)), self.values.dtype)

    def flatten(self, groups: Ints) -> "Ragged":
        """Rows joined into groups: `groups` says how many rows each takes."""
        ends = np.concatenate([[0], np.cumsum(groups)])
        return Ragged(self.values, self.offsets[ends])

    def strings(self) -> pa.Array:
        """As an Arrow array of strings; the values are UTF-8 bytes."""
        return pa.LargeStringArray.from_buffers(
            len(self), pa.py_buffer(self.offsets), pa.py_buffer(np.ascontiguousarray(self.values))
        )

    def lists(self, values: pa.Array | None = None) -> pa.Array:
        """As an Arrow array of lists, of its values or of others with the same offsets."""
        items = pa.array(self.values) if values is None else values
        return pa.LargeListArray.from_arrays(pa.array(self.offsets), items)


def ranges(starts: Ints, lengths: Ints) -> Ints:
    """[s, s+1, ... s+l-1] for each start and length, end to end."""
    before = np.concatenate([[0], np.cumsum(lengths)])
    return np.arange(before[-1]) + np.repeat(starts - before[:-1], lengths)


def join(parts: Sequence[Ragged]) -> Ragged:
    """Concatenate row by row; all parts have the same number of rows."""
    some = [part for part in parts if part.offsets[0] < part.offsets[-1]] or parts[:1]
    if len(some) == 1:
        return some[0]
    joined = pc.binary_join_element_wise(*(part.bytes() for part in some), EMPTY)
    return Ragged.of_bytes(joined, some[0].values.dtype)

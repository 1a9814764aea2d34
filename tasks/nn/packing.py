"""Lays examples out as rows of tokens, so that one forward pass answers all that is asked of them.

An example is a small tree: a prefix; behind it branches, each of which sees the prefix and itself;
and before each rating twigs, which spell how else the rating could begin. Every token knows the
ranges of its row that it sees, and its place in the text as if its own branch stood alone. So
several examples share a row, and none sees another.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, fields

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from tasks.nn.examples import Example, Spans

Ints = NDArray[np.int64]
TokenPath = tuple[int, ...]  # the tokens that spell a value
# What a token that can be learnt belongs to: the text around, an answer in words, or a rating.
TEXT, ANSWER, RATING = 0, 1, 2


@dataclass(frozen=True)
class Layout:
    """One example laid out; indices count from its first token.

    tokens, positions [tokens]; sees [tokens, 3, 2], ranges of what each may look at: of the
    prefix, of its branch, of its twig; next_at, next_token, next_kind [n], the tokens to be
    learnt, each with the index of the token before it; probes [ratings, probes], where to read
    ratings [ratings].
    """

    tokens: Ints
    positions: Ints
    sees: Ints
    next_at: Ints
    next_token: Ints
    next_kind: Ints
    probes: Ints
    ratings: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.tokens)


@dataclass(frozen=True)
class Blocks:
    """Rows of tokens for one forward pass, shorter ones filled up with tokens that see nothing.

    tokens, positions [rows, width]; sees [rows, width, 3, 2] in columns of the row; next_at,
    probes as in Layout, but counting through all rows: row * width + column. ratings stand in the
    order of the examples as they were given, and of their spans.
    """

    tokens: Tensor
    positions: Tensor
    sees: Tensor
    next_at: Tensor
    next_token: Tensor
    next_kind: Tensor
    probes: Tensor
    ratings: Tensor

    def to(self, device: torch.device) -> "Blocks":
        """The same on another device."""
        return Blocks(*(getattr(self, field.name).to(device) for field in fields(self)))

    def visible(self) -> Tensor:
        """[rows, width, width]: whether a token (second) sees another (third)."""
        column = torch.arange(self.tokens.shape[1], device=self.tokens.device)
        starts, ends = self.sees.unsqueeze(-1).unbind(-2)  # [rows, width, 3, 1] each
        return ((column >= starts) & (column < ends)).any(-2)


def lay_out(
    example: Example,
    probes: Sequence[TokenPath],
    kinds: Collection[int] = (ANSWER, RATING),
    *,
    unknown: bool = False,
) -> Layout:
    """Place an example's tokens. `kinds` says which are to be learnt one by one.

    With `unknown`, spans without a rating are places to read one as well: their rating is NaN.
    Raises ValueError where a rating has nothing before it from which it could be told.
    """
    parts = [example.prefix, *example.branches]
    lengths = np.array([len(part) for part in parts])
    begin = np.cumsum(lengths) - lengths
    part = np.repeat(np.arange(len(parts)), lengths)
    index = np.arange(len(part))
    tokens = np.concatenate(parts).astype(np.int64)
    prefix = np.where(part > 0, lengths[0], 0)
    positions = index - begin[part] + prefix
    sees = np.zeros((len(index), 3, 2), np.int64)
    sees[:, 0, 1] = prefix
    sees[:, 1, 0], sees[:, 1, 1] = begin[part], index + 1
    before = np.where(index > begin[part], index - 1, prefix - 1)

    spans = example.spans
    first = begin[spans.branch + 1] + spans.start
    kind = _kinds(len(index), first, spans)
    learnt = np.isin(kind, list(kinds)) & (before >= 0)
    read = np.isnan(spans.rating) <= unknown
    behind = np.where(spans.start > 0, first, np.where(spans.branch >= 0, lengths[0], 0)) - 1
    if (behind[read] < 0).any():
        raise ValueError("a rating begins an example: nothing stands before it to tell it from")
    twigs = _twigs(behind[read], positions, sees, probes)
    return Layout(
        tokens=np.concatenate([tokens, twigs.tokens]),
        positions=np.concatenate([positions, twigs.positions]),
        sees=np.concatenate([sees, twigs.sees]),
        next_at=before[learnt],
        next_token=tokens[learnt],
        next_kind=kind[learnt],
        probes=twigs.probes,
        ratings=spans.rating[read],
    )


def _kinds(size: int, first: Ints, spans: Spans) -> Ints:
    """What each token belongs to."""
    kind = np.full(size, TEXT)
    lengths = spans.end - spans.start
    own = np.arange(lengths.sum()) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    within = np.where(np.isnan(spans.rating), ANSWER, RATING)
    kind[np.repeat(first, lengths) + own] = np.repeat(within, lengths)
    return kind


@dataclass(frozen=True)
class _Twigs:
    tokens: Ints
    positions: Ints
    sees: Ints
    probes: Ints


def _twigs(behind: Ints, positions: Ints, sees: Ints, probes: Sequence[TokenPath]) -> _Twigs:
    """For each rating, given the token that it stands behind, all probes end to end as twigs.

    A twig sees what the token before its rating sees; the empty probe is that token itself.
    """
    lengths = np.array([len(probe) for probe in probes], np.int64)
    ends = np.cumsum(lengths)
    size = int(lengths.sum())
    rating = np.repeat(np.arange(len(behind)), size)
    column = np.arange(len(rating)) + len(positions)
    own = np.tile(np.arange(size) - np.repeat(ends - lengths, lengths), len(behind))
    seen = sees[behind][rating]
    seen[:, 2, 0], seen[:, 2, 1] = column - own, column + 1
    last = len(positions) + size * np.arange(len(behind))[:, None] + ends - 1
    return _Twigs(
        np.tile(np.array([t for probe in probes for t in probe], np.int64), len(behind)),
        positions[behind][rating] + 1 + own,
        seen,
        np.where(lengths > 0, last, behind[:, None]),
    )


def fill_rows(lengths: Sequence[int], width: int) -> list[list[int]]:
    """Share examples out to rows of `width` tokens, the longest first, each where it first fits.

    An example that is longer than a row has one for itself.
    """
    rows: list[list[int]] = []
    room: list[int] = []
    for i in sorted(range(len(lengths)), key=lambda i: (-lengths[i], i)):
        row = next((r for r, left in enumerate(room) if left >= lengths[i]), len(rows))
        if row == len(rows):
            rows.append([])
            room.append(max(width, lengths[i]))
        rows[row].append(i)
        room[row] -= lengths[i]
    return rows


def stack(layouts: Sequence[Layout], rows: Sequence[Sequence[int]], multiple: int = 1) -> Blocks:
    """The rows as tensors, as wide as the longest of them, rounded up to a `multiple`."""
    width = max(sum(len(layouts[i]) for i in row) for row in rows)
    width = -(-width // multiple) * multiple
    tokens = np.zeros((len(rows), width), np.int64)
    positions = np.zeros((len(rows), width), np.int64)
    sees = np.zeros((len(rows), width, 3, 2), np.int64)
    start = np.zeros(len(layouts), np.int64)
    for r, row in enumerate(rows):
        column = 0
        for i in row:
            end = column + len(layouts[i])
            tokens[r, column:end] = layouts[i].tokens
            positions[r, column:end] = layouts[i].positions
            sees[r, column:end] = layouts[i].sees + column
            start[i] = r * width + column
            column = end
    placed = [(start[i], layouts[i]) for i in sorted(i for row in rows for i in row)]
    arrays = (
        tokens,
        positions,
        sees,
        np.concatenate([at + layout.next_at for at, layout in placed]),
        np.concatenate([layout.next_token for _, layout in placed]),
        np.concatenate([layout.next_kind for _, layout in placed]),
        np.concatenate([at + layout.probes for at, layout in placed]),
        np.concatenate([layout.ratings for _, layout in placed]),
    )
    return Blocks(*map(torch.from_numpy, arrays))

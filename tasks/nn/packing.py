"""Packs examples into rows of tokens, so that one forward pass computes all wanted positions.

An example is a tree: a prefix, branches that each continue it, and before each rating probe
suffixes, the first tokens of a spelling, after which the model's choice of the next token is read.
A token attends to at most three ranges of its row, and its position counts through its own prefix
and branch only. So several examples share a row, and none attends to another.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, fields, replace
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from tasks.nn.examples import Example, SupervisedSpans

Ints = NDArray[np.int64]
TokenPath = tuple[int, ...]  # the tokens that spell a value, or the first of them
# Kinds of labels: other text, an answer in words, a rating.
TEXT, ANSWER, RATING = 0, 1, 2


@dataclass(frozen=True)
class PackedExample:
    """One example as one sequence; indices count from its first token.

    tokens, positions: [tokens]; visible_ranges: [tokens, 3, 2], the columns [start, end) that a
    token attends to in the prefix, its branch and its suffix; labels, label_kinds,
    label_positions: [labels], tokens to learn, and the index of the token before each;
    readout_positions: [ratings, suffixes], where ratings are read; ratings: [ratings], in stars;
    log_prior: [ratings, values].
    """

    tokens: Ints
    positions: Ints
    visible_ranges: Ints
    labels: Ints
    label_kinds: Ints
    label_positions: Ints
    readout_positions: Ints
    ratings: NDArray[np.float32]
    log_prior: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.tokens)


@dataclass(frozen=True)
class PackedBatch:
    """Rows of tokens for one forward pass; padding, at the end of a row, attends to nothing.

    tokens, positions: [rows, width]; visible_ranges: [rows, width, 3, 2]. The others are those of
    the examples in ascending order of their index, end to end; label_positions and
    readout_positions count through all rows: row * width + column.
    """

    tokens: Tensor
    positions: Tensor
    visible_ranges: Tensor
    labels: Tensor
    label_kinds: Tensor
    label_positions: Tensor
    readout_positions: Tensor
    ratings: Tensor
    log_prior: Tensor

    def to(self, device: torch.device) -> "PackedBatch":
        """The same on another device."""
        return PackedBatch(*(getattr(self, field.name).to(device) for field in fields(self)))

    def widen(self, multiple: int) -> "PackedBatch":
        """The same with padding up to a multiple of columns. What counts through rows stays."""
        more = -self.tokens.shape[1] % multiple
        return replace(
            self,
            tokens=F.pad(self.tokens, (0, more)),
            positions=F.pad(self.positions, (0, more)),
            visible_ranges=F.pad(self.visible_ranges, (0, 0, 0, 0, 0, more)),
        )

    def attention_mask(self) -> Tensor:
        """[rows, width, width]: whether a token (second) attends to a column (third)."""
        column = torch.arange(self.tokens.shape[1], device=self.tokens.device)
        starts, ends = self.visible_ranges.unsqueeze(-1).unbind(-2)  # [rows, width, 3, 1] each
        return ((column >= starts) & (column < ends)).any(-2)


def pack_example(
    example: Example,
    probe_suffixes: Sequence[TokenPath],
    kinds: Collection[int] = (ANSWER, RATING),
    *,
    read_unrated: bool = False,
    whole: Ints | None = None,
) -> PackedExample:
    """Pack one example; `kinds` are the kinds of tokens to learn.

    With `read_unrated` ratings are read at spans without a rating as well, whose `ratings` are
    NaN. `whole` are the ratings, counted among these, before which each suffix is packed, None:
    all; before the others the first suffix is, and the readout positions of the rest are the token
    before the rating. Raises ValueError where a rating is the first token: nothing predicts it.
    """
    tree, spans = _flatten(example), example.spans
    span_starts = tree.starts[spans.branch + 1] + spans.start
    label_kinds = _label_kinds(len(tree.tokens), span_starts, spans)
    learned = np.isin(label_kinds, list(kinds)) & (tree.previous >= 0)
    read = np.isnan(spans.rating) <= read_unrated
    # A rating that begins a branch is predicted by the last token of the prefix.
    branch_start = np.where(spans.branch >= 0, len(example.prefix), 0)
    anchors = np.where(spans.start > 0, span_starts, branch_start)[read] - 1
    if (anchors < 0).any():
        raise ValueError("a rating is the first token of an example: no token predicts it")
    whole = np.arange(len(anchors)) if whole is None else whole
    suffixes = _append_suffixes(tree, anchors, probe_suffixes, whole)
    return PackedExample(
        tokens=np.concatenate([tree.tokens, suffixes.tokens]),
        positions=np.concatenate([tree.positions, suffixes.positions]),
        visible_ranges=np.concatenate([tree.visible_ranges, suffixes.visible_ranges]),
        labels=tree.tokens[learned],
        label_kinds=label_kinds[learned],
        label_positions=tree.previous[learned],
        readout_positions=suffixes.ends,
        ratings=spans.rating[read],
        log_prior=spans.log_prior[read],
    )


class _Tree(NamedTuple):
    """Prefix and branches end to end. `previous` [tokens] is the token that predicts each."""

    tokens: Ints
    positions: Ints
    visible_ranges: Ints
    previous: Ints
    starts: Ints  # of the prefix and of each branch: [parts]


def _flatten(example: Example) -> _Tree:
    parts = [example.prefix, *example.branches]
    lengths = np.array([len(part) for part in parts])
    starts = np.cumsum(lengths) - lengths
    part = np.repeat(np.arange(len(parts)), lengths)
    index = np.arange(len(part))
    prefix = np.where(part > 0, lengths[0], 0)
    visible_ranges = np.zeros((len(index), 3, 2), np.int64)
    visible_ranges[:, 0, 1] = prefix
    visible_ranges[:, 1, 0], visible_ranges[:, 1, 1] = starts[part], index + 1
    return _Tree(
        tokens=np.concatenate(parts).astype(np.int64),
        positions=index - starts[part] + prefix,
        visible_ranges=visible_ranges,
        previous=np.where(index > starts[part], index - 1, prefix - 1),
        starts=starts,
    )


def _label_kinds(size: int, span_starts: Ints, spans: SupervisedSpans) -> Ints:
    """The kind of each token: [size]."""
    kinds = np.full(size, TEXT)
    lengths = spans.end - spans.start
    offset = np.arange(lengths.sum()) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    of_span = np.where(np.isnan(spans.rating), ANSWER, RATING)
    kinds[np.repeat(span_starts, lengths) + offset] = np.repeat(of_span, lengths)
    return kinds


class _Suffixes(NamedTuple):
    tokens: Ints
    positions: Ints
    visible_ranges: Ints
    ends: Ints  # the last token of each suffix: [anchors, suffixes]


def _append_suffixes(
    tree: _Tree, anchors: Ints, suffixes: Sequence[TokenPath], whole: Ints
) -> _Suffixes:
    """Suffixes end to end behind the tree, once per anchor, the token before a rating.

    All of them for the anchors `whole`, the first one for the others. A suffix attends to
    what its anchor attends to, and to itself; an empty one is its anchor.
    """
    size = len(tree.tokens)
    packed = np.zeros((len(anchors), len(suffixes)), bool)
    packed[:, :1] = packed[whole] = True
    number, suffix = np.nonzero(packed)
    chosen = [suffixes[i] for i in suffix.tolist()]
    lengths = np.array([len(path) for path in chosen], np.int64)
    ends = size + np.cumsum(lengths)
    column = size + np.arange(lengths.sum())
    start, anchor = np.repeat(ends - lengths, lengths), np.repeat(anchors[number], lengths)
    visible_ranges = tree.visible_ranges[anchor]
    visible_ranges[:, 2, 0], visible_ranges[:, 2, 1] = start, column + 1
    last = np.repeat(anchors[:, None], len(suffixes), axis=1)
    last[number, suffix] = np.where(lengths > 0, ends - 1, anchors[number])
    return _Suffixes(
        np.array([token for path in chosen for token in path], np.int64),
        tree.positions[anchor] + 1 + column - start,
        visible_ranges,
        last,
    )

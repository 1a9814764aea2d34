"""Where the supervised tokens of an example stand."""

import itertools
import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tasks.prompt.lines import Lines
from tasks.prompt.plan import Plan
from tasks.prompt.ragged import Ragged, ranges

Ints = NDArray[np.int64]
Places = Sequence[tuple[int, int]]  # of each token, its [start, end) in characters


@dataclass(frozen=True)
class Spans:
    """Spans [start, end) end to end, with their number in each example."""

    branch: Ints  # -1: the prefix
    start: Ints
    end: Ints
    rating: NDArray[np.float64]  # NaN: plain text, or a rating that nobody knows
    counts: Ints

    def arrow(self) -> pa.Array:
        """As a list of structs an example."""
        columns = [
            pa.array(self.branch, pa.int16()),
            pa.array(self.start, pa.int32()),
            pa.array(self.end, pa.int32()),
            pa.array(self.rating, pa.float32(), from_pandas=True),
        ]
        structs = pa.StructArray.from_arrays(columns, ["branch", "start", "end", "rating"])
        return Ragged.split(np.empty(0), self.counts).lists(structs)


def shown_spans(plan: Plan, shown: Lines, ratings: NDArray[np.float64], opening: int) -> Spans:
    """The ratings of the prefix from `learnt_from` on; its lines begin at token `opening`."""
    lengths = plan.shown.lengths
    learnt = ranges(np.zeros(len(plan), np.int64), lengths) >= np.repeat(plan.learnt_from, lengths)
    offsets = shown.pieces.tokens.offsets
    at = opening + offsets[:-1] - np.repeat(offsets[plan.shown.offsets[:-1]], lengths)
    return Spans(
        branch=np.full(int(learnt.sum()), -1),
        start=(at + shown.rating_start)[learnt],
        end=(at + shown.rating_end)[learnt],
        rating=ratings[learnt],
        counts=lengths - plan.learnt_from,
    )


def rate_spans(plan: Plan, asked: Lines, ratings: NDArray[np.float64]) -> Spans:
    """The rating of each branch."""
    return Spans(
        branch=ranges(np.zeros(len(plan), np.int64), plan.asked.lengths),
        start=asked.rating_start,
        end=asked.rating_end,
        rating=ratings,
        counts=plan.asked.lengths,
    )


def list_spans(
    plan: Plan, asked: Lines, ratings: NDArray[np.float64], branch_lengths: Ints
) -> Spans:
    """The whole of each branch: text and ratings in turn, text at both ends."""
    counts = 2 * plan.asked.lengths + 1
    place = ranges(np.zeros(len(plan), np.int64), counts)
    is_rating, is_first = place % 2 == 1, place == 0
    is_last = place + 1 == np.repeat(counts, counts)
    offsets = asked.pieces.tokens.offsets
    at = offsets[:-1] - np.repeat(offsets[plan.asked.offsets[:-1]], plan.asked.lengths)
    begin, stop = at + asked.rating_start, at + asked.rating_end
    start, end = np.zeros_like(place), np.empty_like(place)
    start[is_rating], start[~is_rating & ~is_first] = begin, stop
    end[is_rating], end[~is_rating & ~is_last] = stop, begin
    end[is_last] = branch_lengths
    rating = np.full(len(place), np.nan)
    rating[is_rating] = ratings
    return Spans(np.zeros_like(place), start, end, rating, counts)


def spans_of_texts(
    kind: str, answers: Sequence[Sequence[str]], offsets: Sequence[Sequence[Places]]
) -> Spans:
    """The same for answers that were tokenised whole."""
    rows: list[tuple[int, int, float]] = []
    branches: list[int] = []
    counts: list[int] = []
    for texts, tokens in zip(answers, offsets, strict=True):
        so_far = len(rows)
        for branch, (text, places) in enumerate(zip(texts, tokens, strict=True)):
            ratings = [
                (
                    next(i for i, (_, end) in enumerate(places) if end > found.start(1)),
                    1 + max(i for i, (at, _) in enumerate(places) if at < found.end(1)),
                    float(found[1]),
                )
                for found in re.finditer(r": (\d\.\d)(?=\n)", text)
            ]
            edges = [0, *itertools.chain(*(span[:2] for span in ratings)), len(places)]
            text_spans = [(*edge, np.nan) for edge in zip(edges[::2], edges[1::2], strict=True)]
            rows += sorted(ratings + (text_spans if kind == "recommend" else []))
            branches += [branch] * (len(rows) - len(branches))
        counts.append(len(rows) - so_far)
    return _of_rows(rows, np.array(branches, np.int64), np.array(counts, np.int64))


def _of_rows(rows: Sequence[tuple[int, int, float]], branch: Ints, counts: Ints) -> Spans:
    start, end, rating = np.array(rows, np.float64).reshape(-1, 3).T
    return Spans(branch, start.astype(np.int64), end.astype(np.int64), rating, counts)

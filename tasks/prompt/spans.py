"""Finds the supervised tokens of each example."""

import itertools
import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tasks.features.rating_arrays import RatingArrays
from tasks.prompt.lines import Lines
from tasks.prompt.plan import Plan
from tasks.prompt.ragged import Ragged, ranges

Ints = NDArray[np.int64]
Offsets = Sequence[tuple[int, int]]  # [start, end) of each token, in characters


@dataclass(frozen=True)
class TokenSpans:
    """Spans [start, end) of all examples in order, and how many each example has."""

    branch: Ints  # -1: the prefix
    start: Ints
    end: Ints
    rating: NDArray[np.float64]  # NaN: plain text, or an unknown rating
    counts: Ints
    log_prior: Ragged | None = None  # one list a span, empty where it has no prior

    def arrow(self) -> pa.Array:
        """As a list of structs an example."""
        columns = [
            pa.array(self.branch, pa.int16()),
            pa.array(self.start, pa.int32()),
            pa.array(self.end, pa.int32()),
            pa.array(self.rating, pa.float32(), from_pandas=True),
            self._log_priors(),
        ]
        names = ["branch", "start", "end", "rating", "log_prior"]
        structs = pa.StructArray.from_arrays(columns, names)
        return Ragged.split(np.empty(0), self.counts).lists(structs)

    def _log_priors(self) -> pa.Array:
        none = np.zeros(len(self.branch) + 1, np.int32)
        if self.log_prior is None:
            return pa.ListArray.from_arrays(none, pa.array([], pa.float32()))
        offsets = self.log_prior.offsets.astype(np.int32)
        return pa.ListArray.from_arrays(offsets, pa.array(self.log_prior.values, pa.float32()))


def context_spans(plan: Plan, context: Lines, rows: RatingArrays, opening: int) -> TokenSpans:
    """The context ratings from `loss_from` on; the first line begins at token `opening`."""
    lengths = plan.context.lengths
    has_loss = ranges(np.zeros(len(plan), np.int64), lengths) >= np.repeat(plan.loss_from, lengths)
    offsets = context.pieces.tokens.offsets
    at = opening + offsets[:-1] - np.repeat(offsets[plan.context.offsets[:-1]], lengths)
    return TokenSpans(
        branch=np.full(int(has_loss.sum()), -1),
        start=(at + context.rating_start)[has_loss],
        end=(at + context.rating_end)[has_loss],
        rating=rows.rating[has_loss],
        counts=lengths - plan.loss_from,
        log_prior=_log_priors(rows.log_prior[has_loss]),
    )


def rating_spans(plan: Plan, targets: Lines, rows: RatingArrays) -> TokenSpans:
    """The rating of each branch."""
    return TokenSpans(
        branch=ranges(np.zeros(len(plan), np.int64), plan.targets.lengths),
        start=targets.rating_start,
        end=targets.rating_end,
        rating=rows.rating,
        counts=plan.targets.lengths,
        log_prior=_log_priors(rows.log_prior),
    )


def _log_priors(log_prior: NDArray[np.float32]) -> Ragged:
    """[spans, values] as lists, those of NaN as empty ones."""
    known = ~np.isnan(log_prior).any(1)
    return Ragged.split(log_prior[known].ravel(), known * log_prior.shape[1])


def list_spans(
    plan: Plan, targets: Lines, ratings: NDArray[np.float64], branch_lengths: Ints
) -> TokenSpans:
    """The whole of each branch: text and ratings in turn, text at both ends."""
    counts = 2 * plan.targets.lengths + 1
    place = ranges(np.zeros(len(plan), np.int64), counts)
    is_rating, is_first = place % 2 == 1, place == 0
    is_last = place + 1 == np.repeat(counts, counts)
    offsets = targets.pieces.tokens.offsets
    at = offsets[:-1] - np.repeat(offsets[plan.targets.offsets[:-1]], plan.targets.lengths)
    begin, stop = at + targets.rating_start, at + targets.rating_end
    start, end = np.zeros_like(place), np.empty_like(place)
    start[is_rating], start[~is_rating & ~is_first] = begin, stop
    end[is_rating], end[~is_rating & ~is_last] = stop, begin
    end[is_last] = branch_lengths
    rating = np.full(len(place), np.nan)
    rating[is_rating] = ratings
    return TokenSpans(np.zeros_like(place), start, end, rating, counts)


def spans_of_texts(
    kind: str, answers: Sequence[Sequence[str]], offsets: Sequence[Sequence[Offsets]]
) -> TokenSpans:
    """The spans of answers that are tokenised whole, from the tokens' character offsets."""
    rows: list[tuple[int, int, float]] = []
    branches: list[int] = []
    counts: list[int] = []
    for texts, tokens in zip(answers, offsets, strict=True):
        so_far = len(rows)
        for branch, (text, places) in enumerate(zip(texts, tokens, strict=True)):
            ratings = [
                (
                    next(i for i, (_, end) in enumerate(places) if end > match.start(1)),
                    1 + max(i for i, (at, _) in enumerate(places) if at < match.end(1)),
                    float(match[1]),
                )
                for match in re.finditer(r": (\d\.\d)(?=\n)", text)
            ]
            edges = [0, *itertools.chain(*(span[:2] for span in ratings)), len(places)]
            text_spans = [(*edge, np.nan) for edge in zip(edges[::2], edges[1::2], strict=True)]
            rows += sorted(ratings + (text_spans if kind == "recommend" else []))
            branches += [branch] * (len(rows) - len(branches))
        counts.append(len(rows) - so_far)
    return _of_rows(rows, np.array(branches, np.int64), np.array(counts, np.int64))


def _of_rows(rows: Sequence[tuple[int, int, float]], branch: Ints, counts: Ints) -> TokenSpans:
    start, end, rating = np.array(rows, np.float64).reshape(-1, 3).T
    return TokenSpans(branch, start.astype(np.int64), end.astype(np.int64), rating, counts)

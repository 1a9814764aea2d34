"""Plans examples as row numbers: context, targets, and which ratings have a loss."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from tasks.features.rating_arrays import FOLDS, RatingArrays
from tasks.prompt.config import Prompt
from tasks.prompt.ragged import Ragged, ranges

Ints = NDArray[np.int64]
Kind = Literal["rate", "recommend"]
KINDS: tuple[Kind, ...] = ("rate", "recommend")


@dataclass(frozen=True)
class Plan:
    """Examples as row numbers. The context ratings from place `loss_from` on have a loss."""

    kind: Kind
    fold: str
    user: Ints
    context: Ragged
    targets: Ragged
    loss_from: Ints

    def __len__(self) -> int:
        return len(self.context)

    def of_users(self, users: Ints) -> "Plan":
        """The examples of these users."""
        rows = np.flatnonzero(np.isin(self.user, users))
        context, targets = self.context.take(rows), self.targets.take(rows)
        return Plan(self.kind, self.fold, self.user[rows], context, targets, self.loss_from[rows])


def plan_examples(rows: RatingArrays, config: Prompt) -> Iterator[Plan]:
    """Every example of every fold, in a fixed order."""
    if (rows.target & (rows.fold == 0)).any():  # the protocol has training targets of its own
        yield from (plan_targets(rows, "train", kind, config) for kind in KINDS)
    else:
        if config.learn_from == "history":
            yield plan_histories(rows, config)
        else:
            yield plan_blocks(rows, config)
        yield plan_tails(rows, config)
    for fold in FOLDS[1:]:
        yield from (plan_targets(rows, fold, kind, config) for kind in KINDS)


def plan_histories(rows: RatingArrays, config: Prompt) -> Plan:
    """Windows over train histories; each rating has a loss in at most one of them.

    A window has `context_films` ratings and moves by `stride`, at most its own length. Windows
    are cut from the end, so the latest ratings are in a full one. `max_windows` keeps the latest
    of each user.
    """
    starts, ends = _bounds(rows.user, (rows.fold == 0) & ~rows.target)
    stride = min(config.stride, config.context_films)
    number = -(-(ends - starts) // stride)
    kept = number if config.max_windows is None else np.minimum(number, config.max_windows)
    back = np.repeat(kept, kept) - 1 - ranges(np.zeros(len(kept), np.int64), kept)
    user_start, end = np.repeat(starts, kept), np.repeat(ends, kept) - back * stride
    loss_start = np.maximum(end - stride, user_start)
    unknown = np.isnan(rows.log_prior).any(1)
    if unknown.any():  # a rating without a prior is shown, not learnt
        known = np.concatenate([[0], np.cumsum(~unknown)])
        first = np.searchsorted(known, known[user_start] + 1) - 1
        loss_start = np.maximum(loss_start, np.minimum(first, end))
    begin = np.maximum(end - config.context_films, user_start)
    no_targets = Ragged.split(np.empty(0, np.int64), np.zeros(len(end), np.int64))
    context = _rows_between(begin, end)
    return Plan("rate", "train", rows.user[begin], context, no_targets, loss_start - begin)


def plan_blocks(rows: RatingArrays, config: Prompt) -> Plan:
    """Blocks of train histories, each predicted from what precedes it, as test targets are.

    A block has `list_length` ratings. Blocks are cut from the end; `max_windows` keeps the latest
    of each user. A user's first rating, and ratings without a prior, are in none.
    """
    starts, ends = _bounds(rows.user, (rows.fold == 0) & ~rows.target)
    known = np.concatenate([[0], np.cumsum(~np.isnan(rows.log_prior).any(1))])
    first = np.searchsorted(known, known[starts] + 1) - 1  # the first rating with a prior
    first = np.minimum(np.maximum(first, starts + 1), ends)
    number = -(-(ends - first) // config.list_length)
    kept = number if config.max_windows is None else np.minimum(number, config.max_windows)
    back = np.repeat(kept, kept) - 1 - ranges(np.zeros(len(kept), np.int64), kept)
    user_start, end = np.repeat(starts, kept), np.repeat(ends, kept) - back * config.list_length
    cut = np.maximum(end - config.list_length, np.repeat(first, kept))
    context = _select_context(rows, _rows_between(user_start, cut), config)
    return Plan("rate", "train", rows.user[cut], context, _rows_between(cut, end), context.lengths)


def plan_tails(rows: RatingArrays, config: Prompt) -> Plan:
    """Train histories whose tail is the targets: the best rated of it as a list.

    The tail has twice `list_length` ratings, at most half of the history.
    """
    kind: Kind = "recommend"
    starts, ends = _bounds(rows.user, (rows.fold == 0) & ~rows.target)
    cut = ends - np.minimum(2 * config.list_length, (ends - starts) // 2)
    some = (cut < ends) & (cut > starts)
    starts, ends, cut = starts[some], ends[some], cut[some]
    context = _select_context(rows, _rows_between(starts, cut), config)
    targets = _select_targets(rows, _rows_between(cut, ends), kind, config)
    return Plan(kind, "train", rows.user[cut], context, targets, context.lengths)


def plan_targets(rows: RatingArrays, fold: str, kind: Kind, config: Prompt) -> Plan:
    """One example a user with targets in the fold; the context is what the fold knows."""
    code = FOLDS.index(fold)
    known = rows.known_to(code)
    starts, ends = _bounds(rows.user, rows.target & (rows.fold == code))
    user = rows.user[starts]
    pool = _keep(_rows_between(np.searchsorted(rows.user, user), starts), known)
    context = _select_context(rows, pool, config)
    targets = _select_targets(rows, _rows_between(starts, ends), kind, config)
    return Plan(kind, fold, user, context, targets, context.lengths)


def _select_targets(rows: RatingArrays, pool: Ragged, kind: Kind, config: Prompt) -> Ragged:
    if kind == "rate" or config.answer_order == "given":
        return pool
    return _best(rows, pool, config.list_length)


def limit_tokens(plan: Plan, line_tokens: Ints, most: int) -> Plan:
    """Drop the oldest context lines of examples whose context has more than `most` tokens."""
    tokens = line_tokens[plan.context.values]
    before_end = np.repeat(_row_sums(tokens, plan.context), plan.context.lengths) - _running_sums(
        tokens, plan.context
    )
    kept = before_end <= most
    counts = _row_sums(kept.astype(np.int64), plan.context)
    dropped = plan.context.lengths - counts
    context = Ragged.split(plan.context.values[kept], counts)
    return replace(plan, context=context, loss_from=np.maximum(plan.loss_from - dropped, 0))


def _bounds(user: Ints, selected: NDArray[np.bool_]) -> tuple[Ints, Ints]:
    """Start and end row of each user's selected rows, which are adjacent."""
    at = np.flatnonzero(selected)
    if not len(at):
        return at, at
    new = np.flatnonzero(np.r_[True, user[at][1:] != user[at][:-1]])
    return at[new], at[np.r_[new[1:], len(at)] - 1] + 1


def _rows_between(starts: Ints, ends: Ints) -> Ragged:
    return Ragged.split(ranges(starts, ends - starts), ends - starts)


def _group(rows: Ragged) -> Ints:
    """The example that each entry belongs to."""
    return np.repeat(np.arange(len(rows)), rows.lengths)


def _row_sums(values: Ints, like: Ragged) -> Ints:
    running = np.concatenate([[0], np.cumsum(values)])
    return running[like.offsets[1:]] - running[like.offsets[:-1]]


def _running_sums(values: Ints, like: Ragged) -> Ints:
    """Sum over earlier entries of the same example."""
    running = np.concatenate([[0], np.cumsum(values)])
    return running[:-1] - np.repeat(running[like.offsets[:-1]], like.lengths)


def _keep(rows: Ragged, mask: NDArray[np.bool_]) -> Ragged:
    kept = mask[rows.values]
    return Ragged.split(rows.values[kept], _row_sums(kept.astype(np.int64), rows))


def _best(rows: RatingArrays, pool: Ragged, k: int) -> Ragged:
    """The k best rated of each example, best first, the later of ties first."""
    group = _group(pool)
    order = np.lexsort((-pool.values, -rows.rating[pool.values], group))
    ranked = Ragged(pool.values[order], pool.offsets)
    kept = _running_sums(np.ones(len(order), np.int64), ranked) < k
    return Ragged.split(ranked.values[kept], np.minimum(pool.lengths, k))


def _select_context(rows: RatingArrays, pool: Ragged, config: Prompt) -> Ragged:
    """At most `context_films` of each example's rows, oldest first."""
    films = config.context_films
    ones = np.ones(len(pool.values), np.int64)
    from_end = np.repeat(pool.lengths, pool.lengths) - _running_sums(ones, pool)
    latest = {"recent": films, "mixed": films // 2, "top": 0}[config.context_selection]
    recent = from_end <= latest
    if latest == films:
        return Ragged.split(pool.values[recent], np.minimum(pool.lengths, latest))
    order = np.lexsort((-pool.values, -rows.rating[pool.values], recent, _group(pool)))
    rank = np.empty_like(pool.values)
    rank[order] = _running_sums(ones, pool)  # among those that are not recent, best first
    kept = recent | (rank < films - latest)
    return Ragged.split(pool.values[kept], _row_sums(kept.astype(np.int64), pool))

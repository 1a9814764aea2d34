"""Which ratings make which example: what is shown, what is asked, what is learnt."""

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
    """Examples as row numbers. `learnt_from` is where the supervised part of `shown` begins."""

    kind: Kind
    fold: str
    user: Ints
    shown: Ragged
    asked: Ragged
    learnt_from: Ints

    def __len__(self) -> int:
        return len(self.shown)


def plan_examples(rows: RatingArrays, config: Prompt) -> Iterator[Plan]:
    """Every example of every fold, in a fixed order."""
    if (rows.target & (rows.fold == 0)).any():  # the protocol itself says what is to be learnt
        yield from (plan_targets(rows, "train", kind, config) for kind in KINDS)
    else:
        if config.learn_from == "history":
            yield plan_histories(rows, config)
        else:
            yield plan_ends(rows, "rate", config)
        yield plan_ends(rows, "recommend", config)
    for fold in FOLDS[1:]:
        yield from (plan_targets(rows, fold, kind, config) for kind in KINDS)


def plan_histories(rows: RatingArrays, config: Prompt) -> Plan:
    """Windows over train histories, each rating learnt once from the ones before it.

    A window shows `context_films` and moves on by `stride`, or by its own length; cut from the
    end, so that the latest ratings stand in a full one. `max_windows` keeps the latest per user.
    """
    starts, ends = _spans(rows.user, (rows.fold == 0) & ~rows.target)
    step = min(config.stride, config.context_films)
    number = -(-(ends - starts) // step)
    kept = number if config.max_windows is None else np.minimum(number, config.max_windows)
    back = np.repeat(kept, kept) - 1 - ranges(np.zeros(len(kept), np.int64), kept)
    user_start, end = np.repeat(starts, kept), np.repeat(ends, kept) - back * step
    learnt = np.maximum(end - step, user_start)
    begin = np.maximum(end - config.context_films, user_start)
    nothing = Ragged.split(np.empty(0, np.int64), np.zeros(len(end), np.int64))
    shown = _rows_between(begin, end)
    return Plan("rate", "train", rows.user[begin], shown, nothing, learnt - begin)


def plan_ends(rows: RatingArrays, kind: Kind, config: Prompt) -> Plan:
    """Train histories with their end hidden and asked: its ratings, or the best rated as a list.

    Hidden are `list_length` ratings, twice as many for a list, at most half of the history.
    """
    starts, ends = _spans(rows.user, (rows.fold == 0) & ~rows.target)
    hidden = config.list_length * (2 if kind == "recommend" else 1)
    cut = ends - np.minimum(hidden, (ends - starts) // 2)
    some = (cut < ends) & (cut > starts)
    starts, ends, cut = starts[some], ends[some], cut[some]
    shown = _chosen(rows, _rows_between(starts, cut), config)
    asked = _asked(rows, _rows_between(cut, ends), kind, config)
    return Plan(kind, "train", rows.user[cut], shown, asked, shown.lengths)


def plan_targets(rows: RatingArrays, fold: str, kind: Kind, config: Prompt) -> Plan:
    """One example a user with targets in the fold: known ratings are shown, targets asked."""
    code = FOLDS.index(fold)
    known = rows.known_to(code)
    starts, ends = _spans(rows.user, rows.target & (rows.fold == code))
    user = rows.user[starts]
    pool = _only(_rows_between(np.searchsorted(rows.user, user), starts), known)
    shown = _chosen(rows, pool, config)
    asked = _asked(rows, _rows_between(starts, ends), kind, config)
    return Plan(kind, fold, user, shown, asked, shown.lengths)


def _asked(rows: RatingArrays, pool: Ragged, kind: Kind, config: Prompt) -> Ragged:
    if kind == "rate" or config.answer_order == "given":
        return pool
    return _best(rows, pool, config.list_length)


def within_tokens(plan: Plan, line_tokens: Ints, most: int) -> Plan:
    """The same plan with the oldest lines left out where those shown have too many tokens."""
    tokens = line_tokens[plan.shown.values]
    before_end = np.repeat(_sums(tokens, plan.shown), plan.shown.lengths) - _running(
        tokens, plan.shown
    )
    kept = before_end <= most
    counts = _sums(kept.astype(np.int64), plan.shown)
    dropped = plan.shown.lengths - counts
    shown = Ragged.split(plan.shown.values[kept], counts)
    return replace(plan, shown=shown, learnt_from=np.maximum(plan.learnt_from - dropped, 0))


def _spans(user: Ints, chosen: NDArray[np.bool_]) -> tuple[Ints, Ints]:
    """Start and end row of each user's chosen rows, which lie side by side."""
    at = np.flatnonzero(chosen)
    if not len(at):
        return at, at
    new = np.flatnonzero(np.r_[True, user[at][1:] != user[at][:-1]])
    return at[new], at[np.r_[new[1:], len(at)] - 1] + 1


def _rows_between(starts: Ints, ends: Ints) -> Ragged:
    return Ragged.split(ranges(starts, ends - starts), ends - starts)


def _group(rows: Ragged) -> Ints:
    """The example that each entry belongs to."""
    return np.repeat(np.arange(len(rows)), rows.lengths)


def _sums(values: Ints, like: Ragged) -> Ints:
    running = np.concatenate([[0], np.cumsum(values)])
    return running[like.offsets[1:]] - running[like.offsets[:-1]]


def _running(values: Ints, like: Ragged) -> Ints:
    """Sum over earlier entries of the same example."""
    running = np.concatenate([[0], np.cumsum(values)])
    return running[:-1] - np.repeat(running[like.offsets[:-1]], like.lengths)


def _only(rows: Ragged, mask: NDArray[np.bool_]) -> Ragged:
    kept = mask[rows.values]
    return Ragged.split(rows.values[kept], _sums(kept.astype(np.int64), rows))


def _best(rows: RatingArrays, pool: Ragged, k: int) -> Ragged:
    """The k best rated of each example, best first, the later of equals first."""
    group = _group(pool)
    order = np.lexsort((-pool.values, -rows.rating[pool.values], group))
    ranked = Ragged(pool.values[order], pool.offsets)
    kept = _running(np.ones(len(order), np.int64), ranked) < k
    return Ragged.split(ranked.values[kept], np.minimum(pool.lengths, k))


def _chosen(rows: RatingArrays, pool: Ragged, config: Prompt) -> Ragged:
    """At most `context_films` of each example's rows, oldest first."""
    context, choice = config.context_films, config.context_selection
    ones = np.ones(len(pool.values), np.int64)
    from_end = np.repeat(pool.lengths, pool.lengths) - _running(ones, pool)
    latest = {"recent": context, "mixed": context // 2, "top": 0}[choice]
    recent = from_end <= latest
    if latest == context:
        return Ragged.split(pool.values[recent], np.minimum(pool.lengths, latest))
    order = np.lexsort((-pool.values, -rows.rating[pool.values], recent, _group(pool)))
    rank = np.empty_like(pool.values)
    rank[order] = _running(ones, pool)  # among those that are not recent, best first
    kept = recent | (rank < context - latest)
    return Ragged.split(pool.values[kept], _sums(kept.astype(np.int64), pool))

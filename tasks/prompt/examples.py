"""Lays planned examples out as a table: texts, tokens and supervised spans."""

import dataclasses

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tasks.features.point_in_time import Facts
from tasks.features.rating_arrays import RatingArrays, take_rows
from tasks.prompt.lines import Lines, Wording
from tasks.prompt.plan import Plan
from tasks.prompt.ragged import Ragged, join
from tasks.prompt.spans import Spans, list_spans, rate_spans, shown_spans, spans_of_texts

Ints = NDArray[np.int64]


def lay_out(
    plan: Plan, rows: RatingArrays, facts: Facts | None, film_ids: Ints, wording: Wording
) -> pa.Table:
    """The examples of a plan in the columns of `Prompts`, but for their numbers."""
    shown = wording.shown(*_of(plan.shown.values, rows, facts))
    # A list is named without facts: while it is made, nobody can look them up.
    asked = wording.asked(*_of(plan.asked.values, rows, facts if plan.kind == "rate" else None))
    texts = _texts(plan, shown, asked, wording)
    tokens = (
        _tokens_of_lines(plan, rows, shown, asked, wording)
        if wording.template.tokenize_per_line
        else _tokens_of_texts(plan, rows, texts, wording)
    )
    ratings = pa.array(rows.rating[plan.asked.values], pa.float32(), from_pandas=True)
    films = pa.array(film_ids[rows.film[plan.asked.values]], pa.int32())
    return pa.table(
        {
            "user_id": pa.array(plan.user, pa.int32()),
            "fold": pa.array([plan.fold] * len(plan), pa.string()),
            "kind": pa.array([plan.kind] * len(plan), pa.string()),
            **texts,
            "film_ids": plan.asked.lists(films),
            "ratings": plan.asked.lists(ratings),
            **tokens,
        }
    )


def _of(at: Ints, rows: RatingArrays, facts: Facts | None) -> tuple[RatingArrays, Facts | None]:
    return take_rows(rows, at), None if facts is None else take_rows(facts, at)


def _branches(plan: Plan) -> tuple[Ints, Ints]:
    """Branches of each example, and lines of each branch."""
    if plan.kind == "rate":
        return plan.asked.lengths, np.ones(len(plan.asked.values), np.int64)
    return np.ones(len(plan), np.int64), plan.asked.lengths


def _texts(plan: Plan, shown: Lines, asked: Lines, wording: Wording) -> dict[str, pa.Array]:
    alike = np.zeros(len(plan), np.int64)
    branches, lines = _branches(plan)
    context = shown.pieces.texts.flatten(plan.shown.lengths)
    answers = asked.pieces.texts.flatten(lines)
    closing = wording.closing.texts.take(np.zeros(len(lines), np.int64))
    return {
        "context": join([wording.opening.texts.take(alike), context]).strings(),
        "question": wording.questions[plan.kind].texts.take(alike).strings(),
        "answers": Ragged.split(np.empty(0), branches).lists(join([answers, closing]).strings()),
    }


def _tokens_of_lines(
    plan: Plan, rows: RatingArrays, shown: Lines, asked: Lines, wording: Wording
) -> dict[str, pa.Array]:
    """A prompt's tokens are those of its lines, end to end."""
    alike = np.zeros(len(plan), np.int64)
    branches, lines = _branches(plan)
    opening = wording.opening.tokens.take(alike)
    context = shown.pieces.tokens.flatten(plan.shown.lengths)
    question = wording.questions[plan.kind].tokens.take(alike)
    closing = wording.closing.tokens.take(np.zeros(len(lines), np.int64))
    answers = join([asked.pieces.tokens.flatten(lines), closing])
    ratings = rows.rating[plan.asked.values]
    spans: Spans
    if plan.kind == "recommend":
        spans = list_spans(plan, asked, ratings, answers.lengths)
    elif len(plan.asked.values):
        spans = rate_spans(plan, asked, ratings)
    else:
        start = int(wording.opening.tokens.lengths[0])
        spans = shown_spans(plan, shown, rows.rating[plan.shown.values], start)
    return {
        "prefix_tokens": join([opening, context, question]).lists(),
        "branch_tokens": Ragged.split(np.empty(0), branches).lists(answers.lists()),
        "spans": spans.arrow(),
    }


def _tokens_of_texts(
    plan: Plan, rows: RatingArrays, texts: dict[str, pa.Array], wording: Wording
) -> dict[str, pa.Array]:
    """Prefix and answers tokenised whole, each by itself: they meet at a line end.

    A rating that nobody knows is read as any, and its tokens are cut off again: those before it
    are the same as before one that is known.
    """
    pairs = zip(texts["context"].to_pylist(), texts["question"].to_pylist(), strict=True)
    prefix = wording.tokenizer([a + b for a, b in pairs], add_special_tokens=False)["input_ids"]
    unknown = np.isnan(rows.rating[plan.asked.values])  # of a list's lines none is
    any_end, closing = f"{wording.scale[0]:.1f}\n", wording.template.closing
    flat = [answer for branches in texts["answers"].to_pylist() for answer in branches]
    for at in np.flatnonzero(unknown):
        flat[at] = flat[at].removesuffix(closing) + any_end
    encoded = wording.tokenizer(flat, add_special_tokens=False, return_offsets_mapping=True)
    branches, _ = _branches(plan)
    places = encoded["offset_mapping"]
    cuts = [slice(end - n, end) for end, n in zip(np.cumsum(branches), branches, strict=True)]
    spans = spans_of_texts(plan.kind, [flat[c] for c in cuts], [places[c] for c in cuts])
    ids = encoded["input_ids"]
    for at in np.flatnonzero(unknown):
        ids[at] = ids[at][: spans.start[at]]
    if unknown.any():
        end = np.where(unknown, spans.start, spans.end)
        spans = dataclasses.replace(spans, end=end, rating=np.where(unknown, np.nan, spans.rating))
    return {
        "prefix_tokens": Ragged.of(prefix, np.int32).lists(),
        "branch_tokens": Ragged.split(np.empty(0), branches).lists(
            Ragged.of(ids, np.int32).lists()
        ),
        "spans": spans.arrow(),
    }

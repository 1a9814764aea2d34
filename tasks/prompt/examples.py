"""Renders planned examples as a table of texts, tokens and supervised spans."""

import dataclasses
from collections.abc import Sequence

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tasks.features.point_in_time import Features
from tasks.features.rating_arrays import RatingArrays, take_rows
from tasks.prompt.lines import Lines, Wording
from tasks.prompt.plan import Plan
from tasks.prompt.ragged import Ragged, join
from tasks.prompt.spans import TokenSpans, context_spans, list_spans, rating_spans, spans_of_texts

Ints = NDArray[np.int64]


def render_examples(
    plan: Plan, rows: RatingArrays, features: Features | None, film_ids: Ints, wording: Wording
) -> pa.Table:
    """The examples of a plan in the columns of `Prompts`, except `example`."""
    context = wording.context_lines(*_take(plan.context.values, rows, features))
    # A list's lines have no features: while it is generated, nobody can look them up.
    target_features = features if plan.kind == "rate" else None
    targets = wording.target_lines(*_take(plan.targets.values, rows, target_features))
    texts = _texts(plan, context, targets, wording)
    tokens = (
        _tokens_of_lines(plan, rows, context, targets, wording)
        if wording.template.tokenize_per_line
        else _tokens_of_texts(plan, rows, texts, wording)
    )
    ratings = pa.array(rows.rating[plan.targets.values], pa.float32(), from_pandas=True)
    films = pa.array(film_ids[rows.film[plan.targets.values]], pa.int32())
    return pa.table(
        {
            "user_id": pa.array(plan.user, pa.int32()),
            "fold": pa.array([plan.fold] * len(plan), pa.string()),
            "kind": pa.array([plan.kind] * len(plan), pa.string()),
            **texts,
            "film_ids": plan.targets.lists(films),
            "ratings": plan.targets.lists(ratings),
            **tokens,
        }
    )


def _take(
    at: Ints, rows: RatingArrays, features: Features | None
) -> tuple[RatingArrays, Features | None]:
    return take_rows(rows, at), None if features is None else take_rows(features, at)


def _branches(plan: Plan) -> tuple[Ints, Ints]:
    """Branches of each example, and lines of each branch."""
    if plan.kind == "rate":
        return plan.targets.lengths, np.ones(len(plan.targets.values), np.int64)
    return np.ones(len(plan), np.int64), plan.targets.lengths


def _texts(plan: Plan, context: Lines, targets: Lines, wording: Wording) -> dict[str, pa.Array]:
    first = np.zeros(len(plan), np.int64)  # the one row of a text that all examples share
    branches, lines = _branches(plan)
    shown = context.pieces.texts.flatten(plan.context.lengths)
    answers = targets.pieces.texts.flatten(lines)
    closing = wording.closing.texts.take(np.zeros(len(lines), np.int64))
    return {
        "context": join([wording.opening.texts.take(first), shown]).strings(),
        "question": wording.questions[plan.kind].texts.take(first).strings(),
        "answers": Ragged.split(np.empty(0), branches).lists(join([answers, closing]).strings()),
    }


def _tokens_of_lines(
    plan: Plan, rows: RatingArrays, context: Lines, targets: Lines, wording: Wording
) -> dict[str, pa.Array]:
    """A prompt's tokens are those of its lines, end to end."""
    first = np.zeros(len(plan), np.int64)
    branches, lines = _branches(plan)
    opening = wording.opening.tokens.take(first)
    prefix = context.pieces.tokens.flatten(plan.context.lengths)
    question = wording.questions[plan.kind].tokens.take(first)
    closing = wording.closing.tokens.take(np.zeros(len(lines), np.int64))
    answers = join([targets.pieces.tokens.flatten(lines), closing])
    target_rows = take_rows(rows, plan.targets.values)
    spans: TokenSpans
    if plan.kind == "recommend":
        spans = list_spans(plan, targets, target_rows.rating, answers.lengths)
    elif len(plan.targets.values):
        spans = rating_spans(plan, targets, target_rows)
    else:
        start = int(wording.opening.tokens.lengths[0])
        spans = context_spans(plan, context, take_rows(rows, plan.context.values), start)
    return {
        "prefix_tokens": join([opening, prefix, question]).lists(),
        "branch_tokens": Ragged.split(np.empty(0), branches).lists(answers.lists()),
        "spans": spans.arrow(),
    }


def _tokenize_answers(
    texts: Sequence[str], wording: Wording
) -> tuple[list[list[int]], list[list[tuple[int, int]]]]:
    """Tokens and their places in the text; only the closing at its end may be a special token."""
    closing, last = wording.template.closing, wording.closing.tokens.values.tolist()
    bodies = [text.removesuffix(closing) for text in texts]
    encoded = wording.tokenizer(
        bodies, add_special_tokens=False, split_special_tokens=True, return_offsets_mapping=True
    )
    ids, offsets = encoded["input_ids"], encoded["offset_mapping"]
    for text, body, tokens, places in zip(texts, bodies, ids, offsets, strict=True):
        if text != body:
            tokens += last
            places += [(len(body), len(text))] * len(last)
    return ids, offsets


def _tokens_of_texts(
    plan: Plan, rows: RatingArrays, texts: dict[str, pa.Array], wording: Wording
) -> dict[str, pa.Array]:
    """Prefix and answers are tokenised whole, each by itself: they meet at a line end.

    An unknown rating is tokenised as some rating, and its tokens are cut off again: the tokens
    before it are then the same as before a known one.
    """
    pairs = zip(texts["context"].to_pylist(), texts["question"].to_pylist(), strict=True)
    prefix = wording.tokenizer(
        [a + b for a, b in pairs], add_special_tokens=False, split_special_tokens=True
    )["input_ids"]
    unknown = np.isnan(rows.rating[plan.targets.values])  # never in a list
    any_rating, closing = f"{wording.scale[0]:.1f}\n", wording.template.closing
    flat = [answer for branches in texts["answers"].to_pylist() for answer in branches]
    for at in np.flatnonzero(unknown):
        flat[at] = flat[at].removesuffix(closing) + any_rating
    ids, offsets = _tokenize_answers(flat, wording)
    branches, _ = _branches(plan)
    cuts = [slice(end - n, end) for end, n in zip(np.cumsum(branches), branches, strict=True)]
    spans = spans_of_texts(plan.kind, [flat[c] for c in cuts], [offsets[c] for c in cuts])
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

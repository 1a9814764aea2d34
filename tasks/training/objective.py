"""What training minimises: words and ratings told rightly, expectations near the truth."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from tasks.nn.forward import Forward, hidden_states, output_layer
from tasks.nn.packing import ANSWER, RATING, TEXT, Blocks, Layout
from tasks.readout.rating_trie import RatingTrie
from tasks.training.config import Objective
from tasks.training.cross_entropy import cross_entropy


class Totals(NamedTuple):
    """How much there is to learn in a whole step, whatever parts it is computed in.

    Tokens of text, tokens of answers, ratings; and tokens of all kinds together.
    """

    text: int
    answer: int
    ratings: int
    tokens: int


def totals_of(layouts: Sequence[Layout]) -> Totals:
    """How much these examples have to learn."""
    kinds = np.concatenate([np.empty(0, np.int64), *(layout.next_kind for layout in layouts)])
    return Totals(
        text=int((kinds == TEXT).sum()),
        answer=int((kinds == ANSWER).sum()),
        ratings=sum(len(layout.ratings) for layout in layouts),
        tokens=len(kinds),
    )


def kinds_to_learn(objective: Objective) -> tuple[int, ...]:
    """Which tokens need logits over the vocabulary."""
    weights = {TEXT: objective.text_ce, ANSWER: objective.answer_ce, RATING: objective.vocab_ce}
    return tuple(kind for kind, weight in weights.items() if weight)


@dataclass(frozen=True)
class Loss:
    """Of one part of a step. `total` adds up over the parts to the step's loss.

    expected [ratings] is what the model expects each rating to be; nats the sum of the ratings'
    cross-entropies over the scale.
    """

    total: Tensor
    expected: Tensor
    nats: Tensor


def loss(
    model: nn.Module,
    blocks: Blocks,
    trie: RatingTrie,
    objective: Objective,
    totals: Totals,
    forward: Forward = hidden_states,
) -> Loss:
    """The part of a step's loss that these blocks have."""
    hidden, head = forward(model, blocks), output_layer(model)
    log_p = trie.log_probabilities(hidden[blocks.probes], head)
    expected = trie.expectation(log_p)
    scale = torch.tensor(trie.scale, device=log_p.device)
    truth = (blocks.ratings[:, None] - scale).abs().argmin(-1)
    nats = -log_p.gather(1, truth[:, None]).sum()
    squared = (expected - blocks.ratings).square().sum()
    total = (objective.scale_ce * nats + objective.mse * squared) / max(totals.ratings, 1)
    if len(blocks.next_at):
        weights = _token_weights(objective, totals).to(hidden.device)[blocks.next_kind]
        total = total + cross_entropy(hidden[blocks.next_at], head, blocks.next_token, weights)
    return Loss(total, expected.detach(), nats.detach())


def _token_weights(objective: Objective, totals: Totals) -> Tensor:
    """By kind. A rating of several tokens counts as one, unless all tokens share one mean."""
    counts = {TEXT: totals.text, ANSWER: totals.answer, RATING: totals.ratings}
    if objective.mean == "tokens":
        counts = dict.fromkeys(counts, totals.tokens)
    weights = {TEXT: objective.text_ce, ANSWER: objective.answer_ce, RATING: objective.vocab_ce}
    return torch.tensor([weights[kind] / max(counts[kind], 1) for kind in sorted(weights)])

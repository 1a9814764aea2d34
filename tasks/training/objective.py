"""The training loss: cross-entropies of words and ratings, squared error of the expectation."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from tasks.nn.forward import Forward, hidden_states, output_layer
from tasks.nn.packing import ANSWER, RATING, TEXT, PackedBatch, PackedExample
from tasks.readout.anchor import anchor
from tasks.readout.rating_trie import RatingTrie
from tasks.training.config import Objective
from tasks.training.cross_entropy import cross_entropy


class TargetCounts(NamedTuple):
    """Targets of a whole step, by which the losses of its parts are divided."""

    text: int  # tokens
    answer: int  # tokens
    ratings: int
    tokens: int  # of all kinds


def count_targets(packed: Sequence[PackedExample]) -> TargetCounts:
    """The targets of these examples."""
    kinds = np.concatenate([np.empty(0, np.int64), *(example.label_kinds for example in packed)])
    return TargetCounts(
        text=int((kinds == TEXT).sum()),
        answer=int((kinds == ANSWER).sum()),
        ratings=sum(len(example.ratings) for example in packed),
        tokens=len(kinds),
    )


def vocabulary_kinds(objective: Objective) -> tuple[int, ...]:
    """The kinds of tokens whose loss needs logits over the whole vocabulary."""
    return tuple(kind for kind, weight in _weights(objective).items() if weight)


@dataclass(frozen=True)
class Loss:
    """Loss of a part of a step; the totals of all parts add up to the step's loss.

    expected [ratings] is the expectation of each rating in stars, without gradients.
    """

    total: Tensor
    expected: Tensor


def compute_loss(
    model: nn.Module,
    batch: PackedBatch,
    trie: RatingTrie,
    objective: Objective,
    counts: TargetCounts,
    forward: Forward = hidden_states,
) -> Loss:
    """The batch's part of the loss of a step with these counts."""
    hidden, head = forward(model, batch), output_layer(model)
    log_p = trie.log_probabilities(hidden[batch.readout_positions], head)
    log_p = anchor(log_p, batch.log_prior)
    expected = trie.expectation(log_p)
    scale = torch.tensor(trie.scale, device=log_p.device)
    truth = (batch.ratings[:, None] - scale).abs().argmin(-1)
    nats = -log_p.gather(1, truth[:, None]).sum()
    squared = (expected - batch.ratings).square().sum()
    total = (objective.scale_ce * nats + objective.mse * squared) / max(counts.ratings, 1)
    if len(batch.labels):
        weights = _token_weights(objective, counts).to(hidden.device)[batch.label_kinds]
        total = total + cross_entropy(hidden[batch.label_positions], head, batch.labels, weights)
    return Loss(total, expected.detach())


def _token_weights(objective: Objective, counts: TargetCounts) -> Tensor:
    """Weight of a token of each kind: [kinds].

    A rating of several tokens counts once, unless all tokens share one mean.
    """
    divisors = {TEXT: counts.text, ANSWER: counts.answer, RATING: counts.ratings}
    if objective.mean == "tokens":
        divisors = dict.fromkeys(divisors, counts.tokens)
    weights = _weights(objective)
    return torch.tensor([weights[kind] / max(divisors[kind], 1) for kind in sorted(weights)])


def _weights(objective: Objective) -> dict[int, float]:
    return {TEXT: objective.text_ce, ANSWER: objective.answer_ce, RATING: objective.vocab_ce}

"""The loss and the gradients of one step, in as small parts as memory asks for."""

import logging
import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, TypeVar, cast

import torch
from torch import Tensor, nn

from tasks.nn.forward import Forward, flex_hidden_states, hidden_states, plain_hidden_states
from tasks.nn.packing import Blocks, Layout
from tasks.readout.rating_trie import RatingTrie
from tasks.training import distributed
from tasks.training.batches import passes_of
from tasks.training.config import Objective, TrainingConfig
from tasks.training.objective import Loss, Totals, loss, totals_of

log = logging.getLogger(__name__)
FORWARDS: dict[str, Forward] = {
    "fused": hidden_states,
    "flex": flex_hidden_states,
    "plain": plain_hidden_states,
}

T = TypeVar("T")
Scale = Callable[[Tensor], Tensor]


def _as_it_is(value: Tensor) -> Tensor:
    return value


class TrainingError(Exception):
    """Training cannot go on; the message says where it stands and what may help."""


class Learnt(NamedTuple):
    """Of a whole step, over all processes."""

    loss: float
    ratings: int


class Gradients:
    """Fills the gradients of a model, and remembers what memory allows."""

    def __init__(
        self, model: nn.Module, trie: RatingTrie, objective: Objective, fit: TrainingConfig
    ) -> None:
        self.model, self.trie, self.objective, self.fit = model, trie, objective, fit
        self.weights = [p for p in model.parameters() if p.requires_grad]
        self.device = self.weights[0].device
        self.forward = FORWARDS[fit.attention]
        self.micro_batch_rows = fit.micro_batch_rows
        self.recomputes = False
        if fit.gradient_checkpointing:
            self._recompute()

    def fill(self, layouts: Sequence[Layout], step: int, scale: Scale = _as_it_is) -> Learnt:
        """Leave the step's gradients in the weights, those of the loss as `scale` makes it.

        `layouts` are this process's share of the step.
        Where memory runs out the same step is taken again in smaller parts.
        """
        own = totals_of(layouts)
        totals = Totals(*map(int, distributed.summed(own, self.device)))
        value = self.sparing(lambda: self._accumulate(layouts, totals, step, scale))
        distributed.sum_gradients(self.weights)
        return Learnt(distributed.summed([value], self.device)[0], totals.ratings)

    def sparing(self, work: Callable[[], T]) -> T:
        """Do the work, and again in smaller parts for as long as memory runs out.

        Raises TrainingError where they cannot be smaller.
        """
        while True:
            try:
                return work()
            except (RuntimeError, MemoryError) as error:
                if not _out_of_memory(error):
                    raise
                if self.micro_batch_rows == 1 and self.recomputes:
                    raise TrainingError(
                        f"one row of {self.fit.pack_length} tokens does not fit into memory: set "
                        "a smaller pack_length, or show fewer films"
                    ) from error
            self._spare_memory()

    def loss(self, blocks: Blocks, totals: Totals) -> Loss:
        """Of one part of a step."""
        on_device = blocks.to(self.device)
        return loss(self.model, on_device, self.trie, self.objective, totals, self.forward)

    def _accumulate(
        self, layouts: Sequence[Layout], totals: Totals, step: int, scale: Scale
    ) -> float:
        """Draws of dropout depend on the number of the step, so that a rerun repeats them."""
        torch.manual_seed(
            (self.fit.seed * 1_000_003 + step) * distributed.size() + distributed.rank()
        )
        for weight in self.weights:
            weight.grad = None
        value = 0.0
        for blocks in passes_of(layouts, self.fit.pack_length, self.micro_batch_rows):
            part = self.loss(blocks, totals)
            torch.autograd.backward(scale(part.total))
            value += part.total.item()
        return value

    def _spare_memory(self) -> None:
        if self.micro_batch_rows > 1:
            self.micro_batch_rows = math.ceil(self.micro_batch_rows / 2)
            log.warning("out of memory: %d rows at once from here", self.micro_batch_rows)
        else:
            self._recompute()
            log.warning("out of memory: activations are computed twice from here")

    def _recompute(self) -> None:
        """Keep no activations within a layer: they are computed again when they are needed."""
        self.recomputes = True
        cast(Any, self.model).activation_checkpointing_enable()


def _out_of_memory(error: Exception) -> bool:
    """On a CPU it is an error like any other, told by its words."""
    return isinstance(error, torch.OutOfMemoryError | MemoryError) or (
        "can't allocate memory" in str(error)
    )

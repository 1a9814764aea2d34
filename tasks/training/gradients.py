"""Loss and gradients of an optimiser step, in parts as small as memory requires."""

import logging
import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, TypeVar, cast

import torch
from torch import Tensor, nn

from tasks.nn.forward import (
    Forward,
    dense_hidden_states,
    flex_hidden_states,
    hidden_states,
    plain_hidden_states,
)
from tasks.nn.out_of_memory import is_out_of_memory
from tasks.nn.packing import PackedBatch, PackedExample
from tasks.readout.rating_trie import RatingTrie
from tasks.training import distributed
from tasks.training.batches import micro_batches
from tasks.training.config import Objective, TrainingConfig
from tasks.training.objective import Loss, TargetCounts, compute_loss, count_targets

log = logging.getLogger(__name__)
FORWARDS: dict[str, Forward] = {
    "auto": hidden_states,
    "fused": dense_hidden_states,
    "flex": flex_hidden_states,
    "plain": plain_hidden_states,
}

T = TypeVar("T")
ScaleLoss = Callable[[Tensor], Tensor]


class TrainingError(Exception):
    """Training cannot continue; the message says at which step and what may help."""


class StepResult(NamedTuple):
    """Loss and number of ratings of a whole step, over all processes."""

    loss: float
    ratings: int


class GradientComputer:
    """Computes a model's gradients, and remembers how small the parts of a step must be."""

    def __init__(
        self, model: nn.Module, trie: RatingTrie, objective: Objective, config: TrainingConfig
    ) -> None:
        self.model, self.trie, self.objective, self.config = model, trie, objective, config
        self.weights = [p for p in model.parameters() if p.requires_grad]
        self.device = self.weights[0].device
        self.micro_batch_rows = config.micro_batch_rows
        self.gradient_checkpointing = False
        if config.gradient_checkpointing:
            self._checkpoint_gradients()

    def compute_gradients(
        self, packed: Sequence[PackedExample], step: int, scale_loss: ScaleLoss = lambda loss: loss
    ) -> StepResult:
        """Leave the gradients of the scaled loss in the weights, summed over all processes.

        `packed` is this process's share of the step. Where memory runs out, the step starts again
        in smaller parts.
        """
        own = count_targets(packed)
        counts = TargetCounts(*map(int, distributed.sum_over_processes(own, self.device)))
        loss = self.retry_in_less_memory(lambda: self._accumulate(packed, counts, step, scale_loss))
        distributed.sum_gradients(self.weights)
        return StepResult(distributed.sum_over_processes([loss], self.device)[0], counts.ratings)

    def retry_in_less_memory(self, work: Callable[[], T]) -> T:
        """Do the work, again in smaller parts each time memory runs out.

        Raises TrainingError where a single row with gradient checkpointing does not fit.
        """
        while True:
            try:
                return work()
            except (RuntimeError, MemoryError) as error:
                if not is_out_of_memory(error):
                    raise
                if self.micro_batch_rows == 1 and self.gradient_checkpointing:
                    raise TrainingError(
                        f"one row of {self.config.pack_length} tokens does not fit into memory: "
                        "set a smaller pack_length, or fewer films in prompt.context_films"
                    ) from error
            # Outside of `except`: the error's traceback keeps the tensors of the failed run alive.
            self._reduce_memory()

    def loss(self, batch: PackedBatch, counts: TargetCounts) -> Loss:
        """The loss of one part of a step with these counts."""
        forward = FORWARDS[self.config.attention]
        on_device = batch.to(self.device)
        return compute_loss(self.model, on_device, self.trie, self.objective, counts, forward)

    def _accumulate(
        self,
        packed: Sequence[PackedExample],
        counts: TargetCounts,
        step: int,
        scale_loss: ScaleLoss,
    ) -> float:
        # Dropout is seeded by the step, so that a step after a restart has the same masks.
        torch.manual_seed(
            (self.config.seed * 1_000_003 + step) * distributed.world_size() + distributed.rank()
        )
        for weight in self.weights:
            weight.grad = None
        total = 0.0
        for batch in micro_batches(packed, self.config.pack_length, self.micro_batch_rows):
            loss = self.loss(batch, counts).total
            torch.autograd.backward(scale_loss(loss))
            total += loss.item()
        return total

    def _reduce_memory(self) -> None:
        if self.micro_batch_rows > 1:
            self.micro_batch_rows = math.ceil(self.micro_batch_rows / 2)
            log.warning("out of memory: micro_batch_rows is %d from here", self.micro_batch_rows)
        else:
            self._checkpoint_gradients()
            log.warning("out of memory: gradient_checkpointing is on from here")

    def _checkpoint_gradients(self) -> None:
        """Recompute the activations within a layer in the backward pass."""
        self.gradient_checkpointing = True
        cast(Any, self.model).activation_checkpointing_enable()

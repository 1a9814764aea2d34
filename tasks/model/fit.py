"""The training loop, for a whole model as for an adapter: what requires a gradient is trained."""

import logging
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from torch import nn

from tasks.model import checkpoint
from tasks.model.batches import passes_of, plan_steps
from tasks.model.blocks import Layout, lay_out
from tasks.model.examples import Example, Examples
from tasks.model.forward import Forward, hidden_states, plain_hidden_states
from tasks.model.objective import kinds_to_learn, loss
from tasks.model.ratings import RatingTrie
from tasks.model.recipes import Fit, Objective
from tasks.model.stopping import termination
from tasks.model.validation import totals_of, validate
from tasks.progress import progress

log = logging.getLogger(__name__)
FORWARDS: dict[str, Forward] = {"fused": hidden_states, "plain": plain_hidden_states}


class TrainingError(Exception):
    """Training cannot go on; the message says where it stands and what may help."""


class Trainer:
    """Learns from examples until the budget or the patience ends.

    The folder keeps the checkpoint, from which the next trainer of the same work goes on.
    """

    def __init__(
        self, model: nn.Module, trie: RatingTrie, objective: Objective, fit: Fit, folder: Path
    ) -> None:
        self.model, self.trie, self.objective, self.fit = model, trie, objective, fit
        self.folder = folder
        self.weights = [p for p in model.parameters() if p.requires_grad]
        self.optimiser = _optimiser(self.weights, fit)
        self.rows_at_once = fit.rows_at_once
        self.forward = FORWARDS[fit.forward]
        self.recomputes = False
        if fit.recompute:
            self._recompute()
        self.now, self.best = checkpoint.resume(folder, model, self.optimiser)

    def train(
        self, examples: Examples, validation: Sequence[Example], stage: str
    ) -> list[dict[str, Any]]:
        """Leave the best weights by validation in the model; return the rows of the history.

        Raises TrainingError where the loss is not finite, where one row alone does not fit into
        memory, or where the process is told to end: then the checkpoint is of the last step.
        """
        steps = plan_steps(examples.lengths, self.fit)
        held_out = self._lay_out(validation)
        tokens = float(examples.lengths[np.concatenate(steps)].sum())
        self.model.train()
        with progress(stage, tokens, "tok") as bar, termination() as asked:
            while self.now.step < len(steps) and not self._out_of_patience():
                chosen = steps[self.now.step]
                self._step(self._lay_out(examples.take(chosen)), len(steps))
                self.now.tokens += int(examples.lengths[chosen].sum())
                self._note(held_out, last=self.now.step == len(steps))
                bar.update(self.now.tokens - bar.n)
                bar.set_postfix(_figures(self.now.history), refresh=False)
                if asked() or self.now.step % self.fit.checkpoint_steps == 0:
                    checkpoint.save(self.folder, self.now, self.model, self.optimiser, self.best)
                if asked():
                    raise TrainingError(f"told to end at step {self.now.step}: saved, run it again")
        if self.best is not None:
            checkpoint.restore(self.model, self.best)
        checkpoint.clear(self.folder)
        return self.now.history

    def _lay_out(self, examples: Sequence[Example]) -> list[Layout]:
        kinds = kinds_to_learn(self.objective)
        return [lay_out(example, self.trie.probes, kinds) for example in examples]

    def _step(self, layouts: Sequence[Layout], steps: int) -> None:
        rate = self.fit.learning_rate * rate_factor(self.now.step, steps, self.fit)
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        value = self._gradients(layouts)
        norm = nn.utils.clip_grad_norm_(self.weights, self.fit.clip or math.inf).item()
        if not math.isfinite(value + norm):
            raise TrainingError(self._not_finite(value, norm))
        self.optimiser.step()
        self.now.step += 1
        self.now.examples += len(layouts)
        self.now.ratings += sum(len(layout.ratings) for layout in layouts)
        self.now.losses.append(value)

    def _gradients(self, layouts: Sequence[Layout]) -> float:
        """Fill the gradients and return the loss, in smaller parts where memory runs out."""
        while True:
            try:
                return self._accumulate(layouts)
            except (RuntimeError, MemoryError) as error:
                if not _out_of_memory(error):
                    raise
                if self.rows_at_once == 1 and self.recomputes:
                    raise TrainingError(
                        f"one row of {self.fit.row_tokens} tokens does not fit into memory: set "
                        "fewer row_tokens, or show fewer films"
                    ) from error
            if self.rows_at_once > 1:
                self.rows_at_once = math.ceil(self.rows_at_once / 2)
                log.warning("out of memory: %d rows at once from here", self.rows_at_once)
            else:
                self._recompute()
                log.warning("out of memory: activations are computed twice from here")

    def _recompute(self) -> None:
        """Keep no activations within a layer: they are computed again when they are needed."""
        self.recomputes = True
        cast(Any, self.model).activation_checkpointing_enable()

    def _accumulate(self, layouts: Sequence[Layout]) -> float:
        """The gradients part by part; the draws of dropout depend on the number of the step."""
        torch.manual_seed(self.fit.seed * 1_000_003 + self.now.step)
        self.optimiser.zero_grad(set_to_none=True)
        totals, value = totals_of(layouts), 0.0
        for blocks in passes_of(layouts, self.fit.row_tokens, self.rows_at_once):
            blocks = blocks.to(self.weights[0].device)
            part = loss(self.model, blocks, self.trie, self.objective, totals, self.forward)
            torch.autograd.backward(part.total)
            value += part.total.item()
        return value

    def _note(self, held_out: Sequence[Layout], *, last: bool) -> None:
        """Add a row to the history where one is due, with a validation where one is due."""
        now, fit = self.now, self.fit
        due = fit.validate_steps and (last or now.step % fit.validate_steps == 0)
        if not (due or last or now.step % fit.log_steps == 0):
            return
        quality = None
        if due and held_out:
            quality = validate(self.model, held_out, self.trie, self.objective, fit, self.forward)
            now.stale += 1
            if now.best is None or quality.loss < now.best:
                now.best, now.stale = quality.loss, 0
                self.best = {n: w.clone() for n, w in checkpoint.trainable(self.model).items()}
        now.history.append(
            {
                "step": now.step,
                "examples": now.examples,
                "tokens": now.tokens,
                "loss": sum(now.losses) / len(now.losses),
                "learning_rate": self.optimiser.param_groups[0]["lr"],
                "validation_loss": quality and quality.loss,
                "validation_rmse": quality and quality.rmse,
            }
        )
        now.losses.clear()

    def _out_of_patience(self) -> bool:
        return self.fit.patience is not None and self.now.stale >= self.fit.patience

    def _not_finite(self, value: float, norm: float) -> str:
        saved = self.now.step // self.fit.checkpoint_steps * self.fit.checkpoint_steps
        return (
            f"the loss of step {self.now.step} is {value} with a gradient of norm {norm}, after "
            f"{self.now.examples} examples; the last good checkpoint is of step {saved}: try a "
            f"learning rate below {self.fit.learning_rate}, or look at the examples that follow"
        )


def rate_factor(step: int, steps: int, fit: Fit) -> float:
    """What the learning rate is multiplied by: a linear warm-up, then a decay to 0.

    A `warmup` below 1 is a share of all steps, one above a number of steps, which may be more
    than there are.
    """
    warmup = fit.warmup if fit.warmup >= 1 else fit.warmup * steps
    if step < warmup:
        return (step + 1) / math.ceil(warmup)
    done = (step - warmup) / max(steps - warmup, 1)
    match fit.decay:
        case "cosine":
            return (1 + math.cos(math.pi * done)) / 2
        case "linear":
            return 1 - done
        case "none":
            return 1.0


def _optimiser(weights: Sequence[nn.Parameter], fit: Fit) -> torch.optim.AdamW:
    """AdamW; biases and norms do not decay."""
    groups = [
        {"params": [w for w in weights if w.ndim > 1], "weight_decay": fit.weight_decay},
        {"params": [w for w in weights if w.ndim <= 1], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=fit.learning_rate, betas=fit.betas, fused=True)


def _out_of_memory(error: Exception) -> bool:
    """On a CPU it is an error like any other, told by its words."""
    return isinstance(error, torch.OutOfMemoryError | MemoryError) or (
        "can't allocate memory" in str(error)
    )


def _figures(history: Sequence[dict[str, Any]]) -> dict[str, str]:
    """The latest of each figure, for the progress bar."""
    short = {"loss": "loss", "learning_rate": "lr", "validation_rmse": "rmse"}
    known = {short[n]: v for row in history for n, v in row.items() if n in short and v is not None}
    return {name: f"{value:.3g}" for name, value in known.items()}

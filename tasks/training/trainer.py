"""The training loop, for a whole model as for an adapter: what requires a gradient is trained."""

import math
from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from tqdm import tqdm

from tasks.nn.examples import Example, Examples
from tasks.nn.packing import Layout, lay_out
from tasks.progress import progress
from tasks.readout.rating_trie import RatingTrie
from tasks.training import checkpoint, distributed
from tasks.training.batches import plan_steps
from tasks.training.config import Objective, TrainingConfig
from tasks.training.gradients import Gradients, TrainingError
from tasks.training.objective import kinds_to_learn
from tasks.training.schedule import make_optimiser, set_rate
from tasks.training.signals import termination
from tasks.training.validation import validate


class Trainer:
    """Learns from examples until the budget or the patience ends.

    The folder keeps the checkpoint, from which the next trainer of the same work goes on.
    """

    def __init__(
        self,
        model: nn.Module,
        trie: RatingTrie,
        objective: Objective,
        fit: TrainingConfig,
        folder: Path,
    ) -> None:
        self.model, self.trie, self.objective, self.fit = model, trie, objective, fit
        self.folder = folder
        self.gradients = Gradients(model, trie, objective, fit)
        self.optimiser = make_optimiser(self.gradients.weights, fit)
        # Half precision would lose small gradients, so there they are taken many times as large.
        half = next(model.parameters()).dtype == torch.float16
        self.scaler = torch.amp.GradScaler(self.gradients.device.type, enabled=half)
        self.now, self.best = checkpoint.resume(folder, model, self.optimiser, self.scaler)

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
        if not self.now.history:
            self._note(held_out, last=False)  # what it can do before it learns
        with _bar(stage, tokens) as bar, termination() as asked:
            while self.now.step < len(steps) and not self._out_of_patience():
                chosen = steps[self.now.step]
                own = chosen[distributed.rank() :: distributed.size()]
                self._step(self._lay_out(examples.take(own)), len(steps))
                self.now.examples += len(chosen)
                self.now.tokens += int(examples.lengths[chosen].sum())
                self._note(held_out, last=self.now.step == len(steps))
                bar.update(self.now.tokens - bar.n)
                bar.set_postfix(_figures(self.now.history), refresh=False)
                self._save(ends := distributed.any_of(asked(), self.gradients.device))
                if ends:
                    raise TrainingError(f"told to end at step {self.now.step}: saved, run it again")
        if self.best is not None:
            checkpoint.restore(self.model, self.best)
        if distributed.rank() == 0:
            checkpoint.clear(self.folder)
        return self.now.history

    def _lay_out(self, examples: Sequence[Example]) -> list[Layout]:
        kinds = kinds_to_learn(self.objective)
        return [lay_out(example, self.trie.probes, kinds) for example in examples]

    def _step(self, layouts: Sequence[Layout], steps: int) -> None:
        set_rate(self.optimiser, self.now.step, steps, self.fit)
        learnt = self.gradients.fill(layouts, self.now.step, self.scaler.scale)
        self.scaler.unscale_(self.optimiser)
        largest = self.fit.max_grad_norm or math.inf
        norm = nn.utils.clip_grad_norm_(self.gradients.weights, largest).item()
        may_overflow = self.scaler.get_scale() > 1  # the scaler leaves such a step out
        if not math.isfinite(learnt.loss + (0 if may_overflow else norm)):
            raise TrainingError(self._not_finite(learnt.loss, norm))
        self.scaler.step(self.optimiser)
        self.scaler.update()
        self.now.step += 1
        self.now.ratings += learnt.ratings
        self.now.losses.append(learnt.loss)

    def _note(self, held_out: Sequence[Layout], *, last: bool) -> None:
        """Add a row to the history where one is due, with a validation where one is due."""
        now, fit = self.now, self.fit
        due = fit.validate_steps and (last or now.step % fit.validate_steps == 0)
        if not (due or last or now.step % fit.log_steps == 0):
            return
        quality = None
        if due and held_out:
            quality = validate(self.gradients, held_out)
            now.stale += 1
            if now.best is None or quality.loss < now.best:
                now.best, now.stale = quality.loss, 0
                self.best = {n: w.clone() for n, w in checkpoint.trainable(self.model).items()}
        now.history.append(
            {
                "step": now.step,
                "examples": now.examples,
                "tokens": now.tokens,
                "loss": sum(now.losses) / len(now.losses) if now.losses else None,
                "learning_rate": self.optimiser.param_groups[0]["lr"],
                "validation_loss": quality and quality.loss,
                "validation_rmse": quality and quality.rmse,
            }
        )
        now.losses.clear()

    def _save(self, ends: bool) -> None:
        """A checkpoint where one is due. All processes hold the same, so the first one writes."""
        if distributed.rank() == 0 and (ends or self.now.step % self.fit.checkpoint_steps == 0):
            checkpoint.save(
                self.folder, self.now, self.model, self.optimiser, self.scaler, self.best
            )

    def _out_of_patience(self) -> bool:
        return self.fit.patience is not None and self.now.stale >= self.fit.patience

    def _not_finite(self, value: float, norm: float) -> str:
        saved = self.now.step // self.fit.checkpoint_steps * self.fit.checkpoint_steps
        return (
            f"the loss of step {self.now.step} is {value} with a gradient of norm {norm}, after "
            f"{self.now.examples} examples; the last good checkpoint is of step {saved}: try a "
            f"learning rate below {self.fit.learning_rate}, or look at the examples that follow"
        )


def _bar(stage: str, tokens: float) -> AbstractContextManager["tqdm[None]"]:
    """Of the first process; the others work in silence."""
    return progress(stage, tokens, "tok") if distributed.rank() == 0 else tqdm(disable=True)


def _figures(history: Sequence[dict[str, Any]]) -> dict[str, str]:
    """The latest of each figure, for the progress bar."""
    short = {"loss": "loss", "learning_rate": "lr", "validation_rmse": "rmse"}
    known = {short[n]: v for row in history for n, v in row.items() if n in short and v is not None}
    return {name: f"{value:.3g}" for name, value in known.items()}

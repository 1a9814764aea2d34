"""The training loop of base and adapter: all weights that require gradients are trained."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from tasks.nn.examples import Example, Examples
from tasks.nn.packing import PackedExample, pack_example
from tasks.progress import progress
from tasks.readout.rating_trie import RatingTrie
from tasks.training import checkpoint, distributed
from tasks.training.batches import plan_steps
from tasks.training.config import Objective, TrainingConfig
from tasks.training.gradients import GradientComputer, TrainingError
from tasks.training.objective import vocabulary_kinds
from tasks.training.schedule import make_optimiser, set_learning_rate
from tasks.training.signals import defer_sigterm
from tasks.training.validation import validate

FIRST_SCALE = 2.0**14  # times a gradient of 1 is still no infinity in fp16


class Trainer:
    """Trains until the steps are done or patience runs out.

    The folder holds the checkpoint, from which the next trainer of the same model resumes.
    """

    def __init__(
        self,
        model: nn.Module,
        trie: RatingTrie,
        objective: Objective,
        config: TrainingConfig,
        folder: Path,
    ) -> None:
        self.model, self.trie, self.objective, self.config = model, trie, objective, config
        self.folder = folder
        self.gradients = GradientComputer(model, trie, objective, config)
        self.optimiser = make_optimiser(self.gradients.weights, config)
        # Small gradients vanish in half precision, so the loss is scaled up there.
        half = next(model.parameters()).dtype == torch.float16
        self.scaler = torch.amp.GradScaler(
            self.gradients.device.type, init_scale=FIRST_SCALE, enabled=half
        )
        self.progress, self.best = checkpoint.resume(folder, model, self.optimiser, self.scaler)

    def train(
        self, examples: Examples, validation: Sequence[Example], stage: str
    ) -> list[dict[str, Any]]:
        """Leave the best validated weights in the model; return the rows of the history.

        Raises TrainingError where the loss is not finite, where a single row does not fit into
        memory, or after SIGTERM, when the checkpoint is that of the last step.
        """
        steps = plan_steps(examples.lengths, self.config)
        held_out = self._pack(validation)
        tokens = float(examples.lengths[np.concatenate(steps)].sum())
        done = self.progress
        self.model.train()
        if not done.history:
            self._record(held_out, last=False)  # the untrained model
        rank = distributed.rank()
        with (
            progress(stage, tokens, "tok", done=done.tokens, silent=rank > 0) as bar,
            defer_sigterm() as terminated,
        ):
            while done.step < len(steps) and not self._out_of_patience():
                chosen = steps[done.step]
                own = chosen[rank :: distributed.world_size()]
                self._step(self._pack(examples.take(own)), len(steps))
                done.examples += len(chosen)
                done.tokens += int(examples.lengths[chosen].sum())
                self._record(held_out, last=done.step == len(steps))
                bar.figures = _latest_figures(done.history)
                bar.update(done.tokens - bar.n)
                ends = distributed.any_process(terminated(), self.gradients.device)
                self._save(ends)
                if ends:
                    raise TrainingError(f"terminated at step {done.step}: saved, a rerun resumes")
        if self.best is not None:
            checkpoint.restore(self.model, self.best)
        if rank == 0:
            checkpoint.delete(self.folder)
        return done.history

    def _pack(self, examples: Sequence[Example]) -> list[PackedExample]:
        kinds = vocabulary_kinds(self.objective)
        return [pack_example(example, self.trie.probe_suffixes, kinds) for example in examples]

    def _step(self, packed: Sequence[PackedExample], steps: int) -> None:
        done = self.progress
        set_learning_rate(self.optimiser, done.step, steps, self.config)
        result = self.gradients.compute_gradients(packed, done.step, self.scaler.scale)
        self.scaler.unscale_(self.optimiser)
        max_norm = self.config.max_grad_norm or math.inf
        norm = nn.utils.clip_grad_norm_(self.gradients.weights, max_norm).item()
        may_overflow = self.scaler.get_scale() > 1  # the scaler skips such a step
        if not math.isfinite(result.loss + (0 if may_overflow else norm)):
            raise TrainingError(self._not_finite(result.loss, norm))
        self.scaler.step(self.optimiser)
        self.scaler.update()
        done.step += 1
        done.ratings += result.ratings
        done.losses.append(result.loss)

    def _record(self, held_out: Sequence[PackedExample], *, last: bool) -> None:
        """Add a row to the history where one is due, with a validation where one is due."""
        done, config = self.progress, self.config
        due = config.validate_steps and (last or done.step % config.validate_steps == 0)
        if not (due or last or done.step % config.log_steps == 0):
            return
        metrics = None
        if due and held_out:
            metrics = validate(self.gradients, held_out)
            done.stale += 1
            if done.best is None or metrics.loss < done.best:
                done.best, done.stale = metrics.loss, 0
                weights = checkpoint.trainable_weights(self.model)
                self.best = {name: weight.clone() for name, weight in weights.items()}
        done.history.append(
            {
                "step": done.step,
                "examples": done.examples,
                "tokens": done.tokens,
                "loss": sum(done.losses) / len(done.losses) if done.losses else None,
                "learning_rate": self.optimiser.param_groups[0]["lr"],
                "validation_loss": metrics and metrics.loss,
                "validation_rmse": metrics and metrics.rmse,
            }
        )
        done.losses.clear()

    def _save(self, ends: bool) -> None:
        """Write a checkpoint where one is due. All processes hold the same, so process 0 writes."""
        due = ends or self.progress.step % self.config.checkpoint_steps == 0
        if due and distributed.rank() == 0:
            checkpoint.save(
                self.folder, self.progress, self.model, self.optimiser, self.scaler, self.best
            )

    def _out_of_patience(self) -> bool:
        return self.config.patience is not None and self.progress.stale >= self.config.patience

    def _not_finite(self, loss: float, norm: float) -> str:
        step, every = self.progress.step, self.config.checkpoint_steps
        return (
            f"the loss of step {step} is {loss} with a gradient of norm {norm}, after "
            f"{self.progress.examples} examples; the last checkpoint is of step "
            f"{step // every * every}: try a learning rate below {self.config.learning_rate}, or "
            "inspect the examples that follow"
        )


def _latest_figures(history: Sequence[dict[str, Any]]) -> dict[str, str]:
    """The latest value of each figure that progress shows."""
    short = {"loss": "loss", "learning_rate": "lr", "validation_rmse": "rmse"}
    latest = {
        short[name]: value
        for row in history
        for name, value in row.items()
        if name in short and value is not None
    }
    return {name: f"{value:.3g}" for name, value in latest.items()}

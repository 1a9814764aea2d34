"""Saves the state of training atomically, and resumes from it unless it is damaged."""

import io
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from tasks.store.checksum import commit_file, discard_damaged, read_file
from tasks.training import distributed

NAME = "checkpoint.pt"


@dataclass
class Progress:
    """What the next step depends on, beside weights and optimiser.

    Random numbers are seeded by the step, so there is no random state to save.
    """

    step: int = 0
    examples: int = 0
    tokens: int = 0
    ratings: int = 0
    losses: list[float] = field(default_factory=list)  # since the last row of the history
    history: list[dict[str, Any]] = field(default_factory=list)
    best: float | None = None  # validation loss
    stale: int = 0  # validations since the best one


def trainable_weights(model: nn.Module) -> dict[str, Tensor]:
    """The weights that training changes, by name."""
    return {name: p.detach() for name, p in model.named_parameters() if p.requires_grad}


def restore(model: nn.Module, weights: Mapping[str, Tensor]) -> None:
    """Copy these weights into the model in place."""
    with torch.no_grad():
        for name, weight in trainable_weights(model).items():
            weight.copy_(weights[name])


def save(
    folder: Path,
    progress: Progress,
    model: nn.Module,
    optimiser: torch.optim.Optimizer,
    scaler: torch.amp.GradScaler,
    best: Mapping[str, Tensor] | None,
) -> None:
    """Replace the checkpoint atomically. `best` are the best validated weights."""
    state = {
        "progress": asdict(progress),
        "weights": trainable_weights(model),
        "optimiser": optimiser.state_dict(),
        "scaler": scaler.state_dict(),
        "best": best,
    }
    new = folder / f"{NAME}.new"
    torch.save(state, new)
    commit_file(new, folder / NAME)


def resume(
    folder: Path,
    model: nn.Module,
    optimiser: torch.optim.Optimizer,
    scaler: torch.amp.GradScaler,
) -> tuple[Progress, dict[str, Tensor] | None]:
    """Load the folder's checkpoint where there is one; return progress and best weights.

    One that differs from its own hash is deleted, with a warning: training begins anew. torch
    reads most flipped bytes as other weights, and ends in an error at the rest.
    """
    file, device = folder / NAME, next(model.parameters()).device
    damaged = file.exists() and discard_damaged(file)
    # Where one process reads damage, none resumes; each has looked before any goes on.
    if distributed.any_process(damaged, device) or not file.exists():
        return Progress(), None
    content = io.BytesIO(read_file(file))
    state = torch.load(content, map_location=device, weights_only=True)
    restore(model, state["weights"])
    optimiser.load_state_dict(state["optimiser"])
    scaler.load_state_dict(state["scaler"])
    return Progress(**state["progress"]), state["best"]


def delete(folder: Path) -> None:
    """Delete the checkpoint of a finished training."""
    for name in (NAME, f"{NAME}.new"):
        (folder / name).unlink(missing_ok=True)

"""Saves how far training has come, whole or not at all, and finds it again."""

import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

NAME = "checkpoint.pt"


@dataclass
class Progress:
    """Everything that the next step depends on, but for weights and optimiser.

    Draws are seeded by the number of the step, so there is no random state to keep.
    """

    step: int = 0
    examples: int = 0
    tokens: int = 0
    ratings: int = 0
    losses: list[float] = field(default_factory=list)  # since the last row of the history
    history: list[dict[str, Any]] = field(default_factory=list)
    best: float | None = None
    stale: int = 0  # validations since the best one


def trainable(model: nn.Module) -> dict[str, Tensor]:
    """The weights that training changes, by name."""
    return {name: p.detach() for name, p in model.named_parameters() if p.requires_grad}


def restore(model: nn.Module, weights: Mapping[str, Tensor]) -> None:
    """Put those weights into the model in place."""
    with torch.no_grad():
        for name, weight in trainable(model).items():
            weight.copy_(weights[name])


def save(
    folder: Path,
    progress: Progress,
    model: nn.Module,
    optimiser: torch.optim.Optimizer,
    scaler: torch.amp.GradScaler,
    best: Mapping[str, Tensor] | None,
) -> None:
    """Replace the checkpoint by this one; a kill leaves the old one or the new one."""
    state = {
        "progress": asdict(progress),
        "weights": trainable(model),
        "optimiser": optimiser.state_dict(),
        "scaler": scaler.state_dict(),
        "best": best,
    }
    new = folder / f"{NAME}.new"
    with new.open("wb") as file:
        torch.save(state, file)
        file.flush()
        os.fsync(file.fileno())
    os.replace(new, folder / NAME)


def resume(
    folder: Path,
    model: nn.Module,
    optimiser: torch.optim.Optimizer,
    scaler: torch.amp.GradScaler,
) -> tuple[Progress, dict[str, Tensor] | None]:
    """Go on from the folder's checkpoint, or from the beginning where there is none."""
    if not (folder / NAME).exists():
        return Progress(), None
    device = next(model.parameters()).device
    state = torch.load(folder / NAME, map_location=device, weights_only=True)
    restore(model, state["weights"])
    optimiser.load_state_dict(state["optimiser"])
    scaler.load_state_dict(state["scaler"])
    return Progress(**state["progress"]), state["best"]


def clear(folder: Path) -> None:
    """Training is over: nothing is to be resumed."""
    for name in (NAME, f"{NAME}.new"):
        (folder / name).unlink(missing_ok=True)

"""What can be set about audits of the language model."""

from typing import Literal

import pydantic

Perturbation = Literal["empty", "retitled", "reversed", "shuffled"]


class Ablation(pydantic.BaseModel, frozen=True, extra="forbid"):
    """How contexts are perturbed, and for how many of the test users."""

    perturbations: tuple[Perturbation, ...] = ("empty", "retitled", "reversed", "shuffled")
    users: int = pydantic.Field(100, ge=2)
    seed: int = 0


class Memorization(pydantic.BaseModel, frozen=True, extra="forbid"):
    """Rows of the data that a pretrained base is asked to complete."""

    rows: int = pydantic.Field(200, ge=1)  # of films, and of ratings
    shown: int = pydantic.Field(5, ge=1)  # rows before the one to complete
    seed: int = 0

"""Settings of the audits of the language model."""

from typing import Literal

import pydantic

Perturbation = Literal["empty", "retitled", "reversed", "shuffled"]


class Ablation(pydantic.BaseModel, frozen=True, extra="forbid"):
    """How contexts are perturbed, and for how many of the test users."""

    perturbations: tuple[Perturbation, ...] = ("empty", "retitled", "reversed", "shuffled")
    """How contexts are perturbed: left out, other films' titles, reversed, another user's."""
    users: int = pydantic.Field(100, ge=2)
    """Test users whose ratings are predicted again."""
    seed: int = 0
    """Seed of the perturbations."""


class Memorization(pydantic.BaseModel, frozen=True, extra="forbid"):
    """Rows of the data that a pretrained base must complete."""

    rows: int = pydantic.Field(200, ge=1)
    """Films, and ratings, to complete."""
    shown: int = pydantic.Field(5, ge=1)
    """Rows before the one to complete."""
    seed: int = 0
    """Seed of the choice of rows."""

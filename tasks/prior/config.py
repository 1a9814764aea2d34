"""Settings of the prior."""

from typing import Literal

import pydantic


class Prior(pydantic.BaseModel, frozen=True, extra="forbid"):
    """A Bayesian factorisation machine, and trees on its residuals.

    Both are fitted on what precedes each stretch of the histories.
    """

    model: Literal["bayesian_fm", "none"] = "bayesian_fm"
    """`none`: no prior is fitted, and prompts show another one."""
    users: int | None = pydantic.Field(None, ge=1, exclude_if=lambda users: users is None)
    """Users that the machine and the trees are fitted on, and that prompts to learn from are of:
    those with targets, and a seeded sample of the others; null: all. What the others rate is
    expected by the films' vectors and by one found for each user when a list is made."""
    stretches: int = pydantic.Field(6, ge=2)
    """Equal parts of every user's history: ratings of a part are predicted from the earlier parts
    of all users. The first part has no prior."""
    rank: int = pydantic.Field(10, ge=1)
    """Factors of the machine."""
    period: int = pydantic.Field(0, ge=0)
    """Years of release that are a feature of the machine together; 0: none. 5 helps where films
    have few ratings."""
    draws: int = pydantic.Field(300, ge=10)
    """Gibbs samples of a fit for a fold's targets; the first sixth is dropped."""
    stretch_draws: int = pydantic.Field(200, ge=10)
    """Gibbs samples of a fit for a part of the histories."""
    kept: int = pydantic.Field(125, ge=1)
    """Samples that predictions are averaged over, evenly spaced."""
    horizon: int = pydantic.Field(10, ge=1)
    """Ratings that the trees learn to look ahead, about as many as a user has targets."""
    seed: int = 0
    """Seed of the sampler."""
    workers: int = pydantic.Field(2, ge=1, exclude=True)
    """Fits at a time, each in a process of its own."""

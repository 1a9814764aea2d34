"""Settings of the score room."""

import pydantic

from tasks.executor import DaskAddress


class Score(pydantic.BaseModel, frozen=True, extra="forbid"):
    """List lengths, who is compared with all others, and how the intervals are drawn."""

    ks: tuple[int, ...] = (5, 10)
    """List lengths at which list metrics are taken."""
    compared: tuple[str, ...] = ("llm", "ranked", "blend")
    """Predictors that are compared with all others."""
    resamples: int = pydantic.Field(2000, ge=100)
    """Bootstrap resamples of the users."""
    seed: int = 0
    """Seed of the bootstrap."""
    cluster: DaskAddress = None
    """Dask scheduler whose workers do the work; null: this machine."""

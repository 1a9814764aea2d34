"""Settings of scoring."""

import pydantic

from tasks.executor import DaskAddress


class Score(pydantic.BaseModel, frozen=True, extra="forbid"):
    """List lengths, predictors to compare, and the bootstrap of the intervals."""

    ks: tuple[int, ...] = (5, 10)
    """Lengths of the lists that metrics are computed for."""
    compared: tuple[str, ...] = ("llm", "llm_head", "ranked", "blend")
    """Predictors that are compared with all others."""
    resamples: int = pydantic.Field(2000, ge=100)
    """Bootstrap resamples of the users."""
    seed: int = 0
    """Seed of the bootstrap."""
    dask_address: DaskAddress = None
    """Dask scheduler whose workers do the work; null: this machine."""

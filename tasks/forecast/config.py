"""Settings of the forecast, and what it needs to know of the run. Imports no torch."""

from typing import NamedTuple

import pydantic


class Forecast(pydantic.BaseModel, frozen=True, extra="forbid"):
    """The forecast of the long stages, made before training begins."""

    seconds: float = pydantic.Field(0, ge=0)
    """Seconds for which the base model is tried on this device, so that hours and memory of its
    stages are known and a run above `max_hours` ends before them; 0: no forecast."""


class Plan(NamedTuple):
    """How often a run reads: candidates of each user, films of a list, adapters beside its own."""

    candidates: int
    list_length: int
    opponents: int


class Served(NamedTuple):
    """Everyone's lists: whether the run makes them, and of how recent users."""

    nightly: bool
    active_days: int | None


class Trial(NamedTuple):
    """Of one kind of work: its examples were `tokens` long on average, branches included."""

    tokens: float
    seconds_each: float
    peak_bytes: int

"""Settings of lists that the language model writes."""

from typing import Literal

import pydantic


class Decode(pydantic.BaseModel, frozen=True, extra="forbid"):
    """Lists decoded over the catalogue."""

    predictor: str = "llm"
    """Name in every table."""
    list_length: int = pydantic.Field(10, ge=1)
    """Films in each list."""
    decoding: Literal["greedy", "beam", "sample"] = "greedy"
    """How lists are decoded."""
    beams: int = pydantic.Field(4, ge=2)
    """Beams of beam search."""
    temperature: float = pydantic.Field(1.0, gt=0)
    """Temperature of sampling."""
    seed: int = 0
    """Seed of sampling."""


class FreeText(pydantic.BaseModel, frozen=True, extra="forbid"):
    """Generation as the original notebooks had it, for comparison: greedy, and cut off."""

    predictor: str = "llm_free_text"
    """Name in every table."""
    list_length: int = pydantic.Field(10, ge=1)
    """Films in each list."""
    new_tokens: int = pydantic.Field(200, ge=1)
    """Most tokens generated per user."""
    repetition_penalty: float = pydantic.Field(1.2, ge=1)
    """Divides the logits of tokens that occurred already."""
    users: int | None = pydantic.Field(None, ge=1)
    """First users of the test fold; null: all."""
    users_per_batch: int = pydantic.Field(256, ge=1)
    """Users in a batch; an interrupted run repeats at most one."""
    micro_batch_rows: int = pydantic.Field(32, ge=1, exclude=True)
    """Rows in one forward pass; halved when memory runs out."""

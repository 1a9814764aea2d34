"""What can be set about lists that the language model writes."""

from typing import Literal

import pydantic


class Decode(pydantic.BaseModel, frozen=True, extra="forbid"):
    """Lists decoded over the catalogue."""

    predictor: str = "llm"  # the name in every table
    list_length: int = pydantic.Field(10, ge=1)
    decoding: Literal["greedy", "beam", "sample"] = "greedy"
    beams: int = pydantic.Field(4, ge=2)
    temperature: float = pydantic.Field(1.0, gt=0)  # of sampling
    seed: int = 0  # of sampling


class FreeText(pydantic.BaseModel, frozen=True, extra="forbid"):
    """Generation as the original notebooks had it, for comparison: greedy, and cut off."""

    predictor: str = "llm_free_text"
    list_length: int = pydantic.Field(10, ge=1)
    new_tokens: int = pydantic.Field(200, ge=1)
    repetition_penalty: float = pydantic.Field(1.2, ge=1)
    users: int | None = pydantic.Field(None, ge=1)  # the first of the test fold; None: all
    users_per_batch: int = pydantic.Field(256, ge=1)
    micro_batch_rows: int = pydantic.Field(32, ge=1, exclude=True)

"""What can be set about predicting."""

from typing import Literal

import pydantic


class Predict(pydantic.BaseModel, frozen=True, extra="forbid"):
    """How ratings are read and lists decoded. What changes no byte of the result is not kept."""

    predictor: str = "llm"  # the name it has in every table
    list_length: int = pydantic.Field(10, ge=1)
    decoding: Literal["greedy", "beam", "sample"] = "greedy"
    beams: int = pydantic.Field(4, ge=2)
    temperature: float = pydantic.Field(1.0, gt=0)  # of sampling
    seed: int = 0  # of sampling
    row_tokens: int = pydantic.Field(512, ge=1)  # examples share rows of that many
    users_per_part: int = pydantic.Field(256, ge=1)  # a part is finished or done again
    rows_at_once: int = pydantic.Field(16, ge=1, exclude=True)  # halved when memory runs out

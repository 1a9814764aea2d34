"""What can be set about predicting."""

import datetime as dt
from typing import Literal, Self

import pydantic

from tasks.crew import Address


class Predict(pydantic.BaseModel, frozen=True, extra="forbid"):
    """How ratings are read and lists decoded. What changes no byte of the result is not kept."""

    predictor: str = "llm"  # the name it has in every table
    greedy: bool = True  # keep what greedy text would say beside it, as {predictor}_greedy
    list_length: int = pydantic.Field(10, ge=1)
    decoding: Literal["greedy", "beam", "sample"] = "greedy"
    beams: int = pydantic.Field(4, ge=2)
    temperature: float = pydantic.Field(1.0, gt=0)  # of sampling
    seed: int = 0  # of sampling
    row_tokens: int = pydantic.Field(512, ge=1)  # examples share rows of that many
    users_per_part: int = pydantic.Field(256, ge=1)  # a part is finished or done again
    rows_at_once: int = pydantic.Field(32, ge=1, exclude=True)  # halved when memory runs out
    workers: int = pydantic.Field(1, ge=1, exclude=True)  # processes that share the parts
    cluster: Address = None  # whose workers share them instead


class Retrieve(pydantic.BaseModel, frozen=True, extra="forbid"):
    """The collaborative retriever, and how many candidates it names for each user."""

    predictor: str = "ease"
    regularisation: float = pydantic.Field(200.0, gt=0)
    films: int = pydantic.Field(10_000, ge=1)  # the most rated: memory grows with their square
    candidates: int = pydantic.Field(100, ge=1)


class Rank(pydantic.BaseModel, frozen=True, extra="forbid"):
    """The lists that are made of the candidates."""

    predictor: str = "ranked"
    list_length: int = pydantic.Field(10, ge=1)
    latest: int = pydantic.Field(5, ge=1)  # films of a user that a candidate may be near to
    films: int = pydantic.Field(10_000, ge=1)  # as in Retrieve


class FreeText(pydantic.BaseModel, frozen=True, extra="forbid"):
    """Generation as the original notebooks had it, for comparison: greedy, and cut off."""

    predictor: str = "llm_free_text"
    list_length: int = pydantic.Field(10, ge=1)
    new_tokens: int = pydantic.Field(200, ge=1)
    repetition_penalty: float = pydantic.Field(1.2, ge=1)
    users: int | None = pydantic.Field(None, ge=1)  # the first of the test fold; None: all
    users_per_part: int = pydantic.Field(256, ge=1)
    rows_at_once: int = pydantic.Field(32, ge=1, exclude=True)


class Recall(pydantic.BaseModel, frozen=True, extra="forbid"):
    """How a pretrained base is asked for rows of the data that it may know by heart."""

    rows: int = pydantic.Field(200, ge=1)  # of films, and of ratings
    shown: int = pydantic.Field(5, ge=1)  # rows that stand before the one asked for
    seed: int = 0


class Ask(pydantic.BaseModel, frozen=True, extra="forbid"):
    """Who asks for films: a user of the data, or somebody who tells a history by hand."""

    user: int | None = None
    told: tuple[str, ...] = ()  # "Toy Story (1995)=5"
    at: dt.datetime  # now, with its zone
    list_length: int = pydantic.Field(10, ge=1)
    reasons: int = pydantic.Field(2, ge=0)  # films of the own history named beside each film

    @pydantic.model_validator(mode="after")
    def _somebody_asks(self) -> Self:
        if self.user is None and not self.told:
            raise ValueError('nobody asks: name a user, or tell a history ("Heat (1995)=4")')
        return self

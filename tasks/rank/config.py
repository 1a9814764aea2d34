"""What can be set about candidates and their ranking."""

import pydantic


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
    latest: int = pydantic.Field(5, ge=1)  # latest films of a user that a candidate is compared to
    films: int = pydantic.Field(10_000, ge=1)  # as in Retrieve

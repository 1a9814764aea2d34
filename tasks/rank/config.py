"""Settings of candidates and their ranking."""

import pydantic

OF_LIKELIHOOD = ("log_likelihood", "likelihood_lift")  # features that need candidates' lines read


class Retrieve(pydantic.BaseModel, frozen=True, extra="forbid"):
    """The collaborative retriever."""

    predictor: str = "ease"
    """Name in every table."""
    regularisation: float = pydantic.Field(200.0, gt=0)
    """L2 regularisation of EASE."""
    films: int = pydantic.Field(10_000, ge=1)
    """Most rated films to retrieve from; memory grows with their square."""
    candidates: int = pydantic.Field(100, ge=1)
    """Films retrieved for each user."""


class Rank(pydantic.BaseModel, frozen=True, extra="forbid"):
    """The ranking of candidates."""

    predictor: str = "ranked"
    """Name in every table; `_without_llm` is added for the lists without the language models."""
    list_length: int = pydantic.Field(10, ge=1)
    """Films in each list."""
    latest: int = pydantic.Field(5, ge=1)
    """Newest films of a user that candidates are compared with."""
    recent_days: int = pydantic.Field(60, ge=1)
    """Days before a list in which ratings of a film count as recent."""
    below_own_mean: float | None = pydantic.Field(0.0, ge=0)
    """Stars by which a film's expected rating may lie below the user's own mean; films further
    below are named only where nothing else is left. null: any film may be named."""
    films: int = pydantic.Field(10_000, ge=1)
    """Most rated films with a recency similarity, as in `retrieve`."""

    @property
    def without_llm(self) -> str:
        """The name of the lists without the language models."""
        return f"{self.predictor}_without_llm"

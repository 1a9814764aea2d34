"""What can be set about prompts."""

from typing import Literal, Self

import pydantic

from tasks.crew import Address
from tasks.wording import Compact, Template


class Neighbours(pydantic.BaseModel, frozen=True, extra="forbid"):
    """How much of what biases leave is taken for taste: see `neighbour_guess`."""

    shrinkage: float = pydantic.Field(50, ge=0)  # ratings that every film is short of
    noise: float = pydantic.Field(0.8, gt=0)  # in variances of what biases leave


Spoiling = Literal["empty", "retitled", "reversed", "shuffled"]


class Probe(pydantic.BaseModel, frozen=True, extra="forbid"):
    """How contexts are spoilt to see whether they are read, and for how many of the test users."""

    spoilings: tuple[Spoiling, ...] = ("empty", "retitled", "reversed", "shuffled")
    users: int = pydantic.Field(100, ge=2)
    seed: int = 0


class Prompt(pydantic.BaseModel, frozen=True, extra="forbid"):
    """How histories become prompts."""

    template: Template = Compact()
    choice: Literal["recent", "top", "mixed"] = "recent"  # which known ratings are shown
    context_films: int = pydantic.Field(30, ge=1)
    context_tokens: int | None = pydantic.Field(None, ge=16)  # whole lines within that many
    learn_from: Literal["history", "targets"] = "history"
    step: int = pydantic.Field(30, ge=1)  # ratings learnt from each window of a history
    windows: int | None = pydantic.Field(None, ge=1)  # the latest of each user; None: all
    answer_order: Literal["best", "given"] = "best"  # of a list to be learnt: best rated first
    list_length: int = pydantic.Field(10, ge=1)
    # Of when a target's facts are: before the rating itself, or at the end of the earlier folds,
    # which is what baselines know that are fitted on them, and what is known tonight. Lines that
    # are shown or learnt in passing always have the facts of their own time.
    facts_as_of: Literal["rating", "fold"] = "fold"
    item_damping: float = pydantic.Field(2, ge=0)
    user_damping: float = pydantic.Field(10, ge=0)
    # What a guess at the end of earlier folds looks at: biases, in time that grows as the ratings
    # do; or at films that are rated alike, too.
    guess: Literal["bias", "neighbours"] = "neighbours"
    neighbours: Neighbours = Neighbours()
    users_per_shard: int = pydantic.Field(8192, ge=1)
    workers: int = pydantic.Field(1, ge=1, exclude=True)  # threads that share the shards
    cluster: Address = None  # whose workers share them instead

    @pydantic.model_validator(mode="after")
    def _history_needs_lines(self) -> Self:
        if self.learn_from == "history" and not self.template.by_line:
            raise ValueError(
                f'learn_from="history" needs a template that is tokenised by line, and '
                f'"{self.template.wording}" is not: set learn_from="targets"'
            )
        return self

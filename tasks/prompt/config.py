"""What can be set about prompts."""

from typing import Literal, Self

import pydantic

from tasks.executor import Address
from tasks.features.config import FeatureSettings
from tasks.templates import Compact, Template


class Prompt(FeatureSettings, frozen=True, extra="forbid"):
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

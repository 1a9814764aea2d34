"""Settings of prompts."""

from typing import Literal, Self

import pydantic

from tasks.executor import DaskAddress
from tasks.features.config import FeatureSettings
from tasks.templates import Compact, Template


class Prompt(FeatureSettings, frozen=True, extra="forbid"):
    """How ratings become prompts."""

    template: Template = Compact()
    context_selection: Literal["recent", "top", "mixed"] = "recent"
    """Which earlier ratings are context: the newest, the best, or half of each."""
    context_films: int = pydantic.Field(30, ge=1)
    """Films in a context."""
    context_tokens: int | None = pydantic.Field(None, ge=16)
    """Tokens in a context, in whole lines; null: no limit."""
    learn_from: Literal["history", "targets"] = "targets"
    """`targets`: train on blocks of ratings, each predicted from what precedes the block, as test
    targets are; `history`: on the ratings of each context, each predicted from those before it."""
    stride: int = pydantic.Field(30, ge=1)
    """Ratings that each window of a history trains on."""
    max_windows: int | None = pydantic.Field(4, ge=1)
    """Newest windows or blocks of each user; null: all."""
    answer_order: Literal["best", "given"] = "best"
    """Order of a training list: best rated first, or as in the history."""
    list_length: int = pydantic.Field(10, ge=1)
    """Films in a training list, and ratings in a block."""
    users_per_shard: int = pydantic.Field(8192, ge=1)
    """Users in each file of prompts."""
    workers: int = pydantic.Field(1, ge=1, exclude=True)
    """Threads that make shards."""
    dask_address: DaskAddress = None
    """Dask scheduler whose workers do the work; null: this machine."""

    @property
    def needs_priors(self) -> bool:
        """Whether prompts show and anchor to what the prior stage fits."""
        return self.prior == "fitted" and "prior" in self.template.features

    @property
    def needs_features(self) -> bool:
        """Whether prompts show features that are computed from the histories."""
        fitted = {"prior"} if self.needs_priors else set()
        return not fitted.issuperset(self.template.features)

    @pydantic.model_validator(mode="after")
    def _history_needs_lines(self) -> Self:
        if self.learn_from == "history" and not self.template.tokenize_per_line:
            raise ValueError(
                f'learn_from="history" needs a template that is tokenised by line, and '
                f'"{self.template.wording}" is not: set learn_from="targets"'
            )
        return self

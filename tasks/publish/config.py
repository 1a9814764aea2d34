"""What can be set about publishing, and who competes with whom."""

from dataclasses import dataclass

import pydantic

from tasks.store.artifacts import Adapter


class Margins(pydantic.BaseModel, frozen=True, extra="forbid"):
    """What a challenger may lose to the champion, and still take its place.

    Over everyone the worse end of the 95 % interval counts, so that a night of few users cannot
    hide a loss; in a slice the better end, so that a small one cannot claim a loss.
    """

    rmse: float = pydantic.Field(0.01, ge=0)
    """Stars of RMSE that may be lost over everyone."""
    ndcg: float = pydantic.Field(0.01, ge=0)
    """NDCG that may be lost over everyone, at the length of the lists."""
    slice_rmse: float = pydantic.Field(0.02, ge=0)
    """Stars of RMSE that may be lost in any slice."""
    coverage: float = pydantic.Field(0.05, ge=0)
    """Distance of the 80 % intervals' coverage from 0.8, to either side."""
    shift: float = pydantic.Field(0.05, ge=0)
    """Share of the ratings that may have moved to other stars."""
    volume: float = pydantic.Field(20, ge=0)
    """Ratings that one day may have gained, in usual days' ratings."""


@dataclass(frozen=True)
class Contest:
    """A night's adapter, by which margins it competes, and with whom.

    Where it competes with nobody, `settled` says whether it becomes champion, and why.
    """

    challenger: Adapter
    margins: Margins
    champion: Adapter | None = None
    settled: tuple[bool, str] = (True, "the first that was held to this split of these data")

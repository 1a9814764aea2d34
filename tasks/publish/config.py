"""Settings of promotion."""

import pydantic


class PromotionMargins(pydantic.BaseModel, frozen=True, extra="forbid"):
    """Losses against the champion with which a challenger is still promoted.

    Over everyone the worse end of the 95 % interval counts: few users cannot hide a loss. In a
    slice the better end counts: a small slice cannot claim one.
    """

    rmse: float = pydantic.Field(0.01, ge=0)
    """Stars of RMSE that may be lost over everyone."""
    ndcg: float = pydantic.Field(0.01, ge=0)
    """NDCG that may be lost over everyone, at the length of the lists."""
    llm_value: float = pydantic.Field(0, ge=0)
    """Stars of RMSE, or NDCG, that the served ratings and lists may lose by having the language
    models: the better end of the 95 % interval counts."""
    slice_rmse: float = pydantic.Field(0.02, ge=0)
    """Stars of RMSE that may be lost in any slice."""
    coverage: float = pydantic.Field(0.05, ge=0)
    """Distance of the 80 % intervals' coverage from 0.8, to either side."""
    missing: float = pydantic.Field(0, ge=0)
    """Share of the champion's ratings that may be missing, counted by user and film."""
    shift: float = pydantic.Field(0.05, ge=0)
    """Share of the ratings that may have moved to other stars."""
    volume: float = pydantic.Field(20, ge=0)
    """Ratings that one day may have gained, in multiples of a usual day's."""
    ask_within: float = pydantic.Field(0, ge=0, lt=1)
    """Share of its margin by which the deciding check misses or holds it so that the run pauses
    until a person decides; 0: nobody is asked."""
    ask_hours: float = pydantic.Field(12, gt=0)
    """Hours after which a run that nobody answered fails; the champion stays."""

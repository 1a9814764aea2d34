"""What can be set about reading a language model."""

import pydantic

from tasks.executor import DaskAddress


class Inference(pydantic.BaseModel, frozen=True, extra="forbid"):
    """How examples are read. What changes no byte of a result is kept out of its recipe."""

    pack_length: int = pydantic.Field(512, ge=1)
    """Tokens of a row that several examples share; 1: each has rows of its own, and what is read of
    it is kept for later runs."""
    whole_ratings: int | None = pydantic.Field(10, ge=1)
    """Candidates of a user whose ratings are read whole where several tokens spell one, as BLOOM's
    half stars; what follows the first token is then the mean of these, for all candidates. Null:
    all are read whole, as ratings that are measured always are."""
    users_per_batch: int = pydantic.Field(256, ge=1)
    """Users in a batch; an interrupted run repeats at most one."""
    micro_batch_rows: int = pydantic.Field(32, ge=1, exclude=True)
    """Rows in one forward pass; halved when memory runs out."""
    workers: int = pydantic.Field(1, ge=1, exclude=True)
    """Processes that share the batches."""
    dask_address: DaskAddress = None
    """Dask scheduler whose workers do the work; null: this machine."""

    @property
    def keeps_readings(self) -> bool:
        """Whether what is read of an example depends on that example alone."""
        return self.pack_length == 1

"""What can be set about reading a language model."""

import pydantic

from tasks.executor import Address


class Inference(pydantic.BaseModel, frozen=True, extra="forbid"):
    """How examples are batched. What changes no byte of a result is kept out of its recipe."""

    pack_length: int = pydantic.Field(512, ge=1)  # tokens of a row that examples share
    users_per_batch: int = pydantic.Field(256, ge=1)  # a batch is finished or done again
    micro_batch_rows: int = pydantic.Field(32, ge=1, exclude=True)  # halved when memory runs out
    workers: int = pydantic.Field(1, ge=1, exclude=True)  # processes that share the batches
    dask_address: Address = None  # whose workers share them instead

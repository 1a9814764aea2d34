"""Tasks: adapter, base and prompts in, lists that the model writes out."""

from pathlib import Path
from typing import Any

from prefect import task

from tasks.decode.config import Decode, FreeText
from tasks.executor import open_executor
from tasks.readout.config import Inference
from tasks.store.artifacts import Adapter, Base, Prompts, RankedLists, SplitRatings
from tasks.store.store import Store


@task
def decode_lists(
    adapter: Adapter,
    base: Base,
    prompts: Prompts,
    split: SplitRatings,
    *,
    config: Decode,
    inference: Inference,
    store: Store,
) -> RankedLists:
    """Decode a list for every user of the test fold, of films that the user has not rated."""

    def write(draft: Path) -> None:
        from tasks.decode.lists import write_lists

        with open_executor(1, inference.dask_address, store, parents) as executor:
            write_lists(draft, adapter, base, prompts, split, config, inference, executor)

    parents = [adapter, base, prompts, split]
    batched = inference.model_dump(mode="json", exclude={"pack_length", "whole_ratings"})
    recipe = config.model_dump(mode="json") | {"inference": batched}
    return store.build(RankedLists, recipe=recipe, parents=parents, write=write, resumable=True)


@task
def generate_lists(
    adapter: Adapter,
    base: Base,
    prompts: Prompts,
    split: SplitRatings,
    *,
    config: FreeText,
    store: Store,
) -> RankedLists:
    """Generate lists as free text; each entry that is no eligible film names its error."""

    def write(draft: Path) -> dict[str, Any]:
        from tasks.decode.free_text import write_free_lists

        return write_free_lists(draft, adapter, base, prompts, split, config)

    parents = [adapter, base, prompts, split]
    return store.build(RankedLists, recipe=config, parents=parents, write=write)

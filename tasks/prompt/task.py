"""Door: split in, prompts out."""

from pathlib import Path
from typing import Any

from prefect import task

from tasks.executor import open_executor
from tasks.prompt.config import Prompt
from tasks.store.artifacts import (
    CandidatePrompts,
    Candidates,
    Prompts,
    SplitRatings,
    Tokenizer,
    ValidatedRatings,
)
from tasks.store.store import Store


@task
def write_prompts(
    split: SplitRatings,
    ratings: ValidatedRatings,
    tokenizer: Tokenizer,
    *,
    config: Prompt,
    store: Store,
) -> Prompts:
    """Word every example of every fold, tokenise it, and mark what is supervised."""

    def write(draft: Path) -> dict[str, Any]:
        from tasks.prompt.shards import write_shards

        with open_executor(
            config.workers, config.dask_address, store, [ratings, tokenizer]
        ) as workers:
            return write_shards(draft, split, ratings, tokenizer, config, workers)

    return store.build(Prompts, recipe=config, parents=[split, ratings, tokenizer], write=write)


@task
def write_candidate_prompts(
    split: SplitRatings,
    ratings: ValidatedRatings,
    tokenizer: Tokenizer,
    candidates: Candidates,
    *,
    config: Prompt,
    store: Store,
) -> CandidatePrompts:
    """For each user and fold of a table of lists, one `rate` example asking for all its films.

    The ratings of these examples are null: nobody has told what they would be.
    """

    def write(draft: Path) -> dict[str, Any]:
        from tasks.prompt.shards import write_candidate_shards

        with open_executor(
            config.workers, config.dask_address, store, [ratings, tokenizer]
        ) as workers:
            return write_candidate_shards(
                draft, split, ratings, tokenizer, candidates, config, workers
            )

    return store.build(
        CandidatePrompts,
        recipe=config,
        parents=[split, ratings, tokenizer, candidates],
        write=write,
    )

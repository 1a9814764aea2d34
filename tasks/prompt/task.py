"""Tasks: prompts of every fold, and prompts that ask for candidates."""

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
    """Write every example of every fold as text and tokens, with its supervised spans."""

    def write(draft: Path) -> dict[str, Any]:
        from tasks.prompt.shards import write_shards

        with open_executor(
            config.workers, config.dask_address, store, [ratings, tokenizer]
        ) as executor:
            return write_shards(draft, split, ratings, tokenizer, config, executor)

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
    """Write one `rate` example for each user and fold with candidates; its ratings are null."""

    def write(draft: Path) -> dict[str, Any]:
        from tasks.prompt.shards import write_candidate_shards

        with open_executor(
            config.workers, config.dask_address, store, [ratings, tokenizer]
        ) as executor:
            return write_candidate_shards(
                draft, split, ratings, tokenizer, candidates, config, executor
            )

    return store.build(
        CandidatePrompts,
        recipe=config,
        parents=[split, ratings, tokenizer, candidates],
        write=write,
    )

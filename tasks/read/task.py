"""Task: adapter, base and prompts in, what the model makes of them out."""

from pathlib import Path
from typing import Any

from prefect import task

from tasks.executor import open_executor
from tasks.readout.config import Inference
from tasks.store.artifacts import Adapter, Base, CandidatePrompts, Prompts, Readings
from tasks.store.store import Store


@task
def read_prompts(
    adapter: Adapter,
    base: Base,
    prompts: Prompts | None,
    candidate_prompts: CandidatePrompts | None = None,
    *,
    inference: Inference,
    store: Store,
    likelihoods: bool = True,
) -> Readings:
    """Read ratings of targets and candidates, and likelihoods of candidates' lines.

    The context of a user is run once for all of these. Where `inference` keeps readings, those of
    users with the same questions as before are taken from an earlier artifact.
    """
    named = {"target": prompts, "candidate": candidate_prompts}
    given = {role: made for role, made in named.items() if made is not None}

    def write(draft: Path) -> dict[str, Any]:
        from tasks.read.pipeline import write_readings

        earlier = None
        if inference.keeps_readings:
            earlier = store.find_earlier(
                Readings, recipe=recipe, write=write, parents=[adapter, base]
            )
        needed = [*parents, *([earlier] if earlier else [])]
        with open_executor(1, inference.dask_address, store, needed) as executor:
            return write_readings(
                draft, adapter, base, given, inference, executor, earlier, likelihoods=likelihoods
            )

    parents = [adapter, base, *given.values()]
    recipe = {"inference": inference.model_dump(mode="json"), "likelihoods": likelihoods}
    return store.build(Readings, recipe=recipe, parents=parents, write=write, resumable=True)

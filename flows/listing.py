"""A night's lists beside the model's own: retrieve, then rank; and text that nothing holds."""

from dataclasses import dataclass

from flows.prepare import Prepared
from flows.settings import Settings
from tasks.artifacts import Adapter, Artifact, Base, Predictions
from tasks.predict.task import predict, rank, retrieve, weigh, write_freely
from tasks.prompt.config import Prompt
from tasks.prompt.task import write_candidates
from tasks.store import Store


@dataclass(frozen=True)
class Listed:
    """The lists to be scored, and what they were made of."""

    told: list[Predictions]
    made_of: list[Artifact]


def listed(
    settings: Settings,
    store: Store,
    data: Prepared,
    base: Base,
    adapter: Adapter,
    said: Predictions,
) -> Listed:
    """Have the model rank what others' ratings propose, and write freely where that is asked for.

    `said` is what the model says of the night's targets: candidates are calibrated alike.
    """
    films = retrieve(data.histories, config=settings.retrieve, store=store)
    # Worded as the adapter has learnt it, whatever the profile says today.
    wording = Prompt.model_validate(data.prompts.manifest["recipe"])
    asked = write_candidates(
        data.histories, data.ratings, data.tokenizer, films, config=wording, store=store
    )
    rated = predict(
        adapter, base, asked, data.histories, config=settings.predict, store=store, calibrated=said
    )
    weighed = weigh(adapter, base, asked, config=settings.predict, store=store)
    ranked = rank(
        data.histories, data.ratings, films, rated, weighed, config=settings.rank, store=store
    )
    told, free = [ranked], settings.free_text
    if free is not None:
        told += [
            write_freely(adapter, base, data.prompts, data.histories, config=free, store=store)
        ]
    return Listed(told, [films, asked, rated, weighed])

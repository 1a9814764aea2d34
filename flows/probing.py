"""Whether the model reads its prompts: the night's questions again, behind spoilt contexts."""

from flows.prepare import Prepared
from flows.settings import Settings
from tasks.artifacts import Adapter, Base, Predictions, Probes
from tasks.predict.task import predict
from tasks.prompt.task import spoil_prompts
from tasks.score.task import score_probes
from tasks.store import Store


def probed(
    settings: Settings,
    store: Store,
    data: Prepared,
    base: Base,
    adapter: Adapter,
    said: Predictions,
) -> Probes:
    """What the model says where contexts are spoilt, beside what it `said` where they are not."""
    told: dict[str, Predictions] = {}
    for how in settings.probe.spoilings:
        asked = spoil_prompts(data.prompts, data.tokenizer, how, config=settings.probe, store=store)
        told[how] = predict(
            adapter, base, asked, data.histories,
            config=settings.predict, store=store, calibrated=said,
        )  # fmt: skip
    return score_probes(said, told, config=settings.score, store=store)

"""The champion's predictions for the run's test users, for the comparison with its adapter."""

from flows.prepare import PreparedData
from flows.settings import Settings
from flows.stages import OPPONENT, Stages
from tasks.decode.task import decode_lists
from tasks.predict.task import predict_ratings
from tasks.prior.config import Prior
from tasks.prior.task import fit_priors
from tasks.prompt.config import Prompt
from tasks.prompt.task import write_prompts
from tasks.store.artifacts import (
    Adapter,
    Base,
    Prompts,
    RankedLists,
    RatingPredictions,
    Tokenizer,
)
from tasks.store.store import Store


def predict_with_champion(
    settings: Settings, store: Store, stages: Stages, data: PreparedData, champion: Adapter | None
) -> tuple[list[RatingPredictions], list[RankedLists]]:
    """The champion's ratings and lists for the run's targets, in the wording it was trained on."""
    if champion is None:
        stages.skip(*OPPONENT)
        return [], []
    prompt, predict, decode = OPPONENT
    wording = Prompt.model_validate(store.recipe(Prompts, champion))
    tokenizer, base = store.ancestor(Tokenizer, champion), store.ancestor(Base, champion)
    priors = data.priors
    if wording.needs_priors and priors is None:
        priors = stages("fit priors", fit_priors)(
            data.split, data.ratings, config=Prior(), store=store
        )
    prompts = stages(prompt, write_prompts)(
        data.split, data.ratings, tokenizer, priors, config=wording, store=store
    )
    inputs, inference = (champion, base, prompts, data.split), settings.inference
    ratings = settings.predict.model_copy(update={"predictor": "champion", "greedy": False})
    predictions = stages(predict, predict_ratings)(
        *inputs, config=ratings, inference=inference, store=store
    )
    lists = settings.decode.model_copy(update={"predictor": "champion"})
    decoded = stages(decode, decode_lists)(*inputs, config=lists, inference=inference, store=store)
    return [predictions], [decoded]

"""What can be set about training: the objective, the loop, the adapter. No tensors here."""

from typing import Literal

import pydantic


class Objective(pydantic.BaseModel, frozen=True, extra="forbid"):
    """Weights of what is minimised, each a mean over the ratings or tokens of a step.

    `rating` is cross-entropy over the whole vocabulary, `scale` over the values of the scale
    alone, `squared` the squared error of the expected rating in stars (RAFT: Lukasik et al.,
    arXiv 2403.04182), `answer` cross-entropy on answers in words, `text` on all other text.
    With `mean="tokens"` the three over the vocabulary share one mean over all their tokens.
    """

    rating: float = pydantic.Field(1.0, ge=0)
    scale: float = pydantic.Field(0.0, ge=0)
    squared: float = pydantic.Field(1.0, ge=0)
    answer: float = pydantic.Field(1.0, ge=0)
    text: float = pydantic.Field(0.0, ge=0)
    mean: Literal["kinds", "tokens"] = "kinds"


class Fit(pydantic.BaseModel, frozen=True, extra="forbid"):
    """The loop. Budgets are in passes, steps and tokens, never in seconds: those do not repeat."""

    epochs: float = pydantic.Field(1.0, gt=0)
    max_steps: int | None = pydantic.Field(None, ge=1)
    step_tokens: int = pydantic.Field(8192, ge=1)  # of examples, in one optimiser step
    step_examples: int | None = pydantic.Field(None, ge=1)  # so many instead
    row_tokens: int = pydantic.Field(512, ge=1)  # examples share rows of that many
    rows_at_once: int = pydantic.Field(8, ge=1)  # in one forward pass
    # flex: by FlexAttention, BLOOM on a GPU only; plain: the library's own, an example a row.
    forward: Literal["fused", "flex", "plain"] = "fused"
    recompute: bool = False  # activations in the backward pass: less memory, a third more time
    learning_rate: float = pydantic.Field(1e-3, gt=0)
    warmup: float = pydantic.Field(0.05, ge=0)  # share of the steps, or that many from 1 on
    decay: Literal["cosine", "linear", "none"] = "cosine"
    weight_decay: float = pydantic.Field(0.0, ge=0)
    betas: tuple[float, float] = (0.9, 0.95)
    clip: float | None = pydantic.Field(1.0, gt=0)
    seed: int = 0
    kinds: tuple[Literal["rate", "recommend"], ...] = ("rate", "recommend")
    log_steps: int = pydantic.Field(10, ge=1)
    validate_steps: int | None = pydantic.Field(100, ge=1)
    validation_examples: int = pydantic.Field(256, ge=1)
    patience: int | None = pydantic.Field(None, ge=1)  # validations without a better one
    checkpoint_steps: int = pydantic.Field(100, ge=1)


class Lora(pydantic.BaseModel, frozen=True, extra="forbid"):
    """The adapter. `targets`: those of the model's family, all linear layers, or by name."""

    r: int = pydantic.Field(8, ge=1)
    alpha: int = pydantic.Field(16, ge=1)
    dropout: float = pydantic.Field(0.05, ge=0, lt=1)
    targets: Literal["family", "all-linear"] | tuple[str, ...] = "family"
    rank_stabilised: bool = False
    dora: bool = False

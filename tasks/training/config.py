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
    """Weight of cross-entropy of the rating tokens over the whole vocabulary."""
    scale: float = pydantic.Field(0.0, ge=0)
    """Weight of cross-entropy of the rating over the values of the scale."""
    squared: float = pydantic.Field(1.0, ge=0)
    """Weight of the squared error of the expected rating, in stars (RAFT: Lukasik et al., arXiv
    2403.04182)."""
    answer: float = pydantic.Field(1.0, ge=0)
    """Weight of cross-entropy of answers in words."""
    text: float = pydantic.Field(0.0, ge=0)
    """Weight of cross-entropy of all other text."""
    mean: Literal["kinds", "tokens"] = "kinds"
    """`kinds`: each loss has a mean of its own; `tokens`: the three over the vocabulary share one
    mean over their tokens."""


class Fit(pydantic.BaseModel, frozen=True, extra="forbid"):
    """The loop. Budgets are in passes, steps and tokens, never in seconds: those do not repeat."""

    epochs: float = pydantic.Field(1.0, gt=0)
    """Passes over the examples."""
    max_steps: int | None = pydantic.Field(None, ge=1)
    """Stop after this many optimiser steps."""
    step_tokens: int = pydantic.Field(8192, ge=1)
    """Tokens of examples in one optimiser step."""
    step_examples: int | None = pydantic.Field(None, ge=1)
    """Examples in one optimiser step, instead of a number of tokens."""
    row_tokens: int = pydantic.Field(512, ge=1)
    """Tokens of a row that several examples share."""
    rows_at_once: int = pydantic.Field(8, ge=1)
    """Rows in one forward pass; halved when memory runs out."""
    forward: Literal["fused", "flex", "plain"] = "fused"
    """`fused`: scaled-dot-product attention; `flex`: FlexAttention, BLOOM on a GPU only; `plain`:
    the library's own, one example per row."""
    recompute: bool = False
    """Recompute activations in the backward pass: less memory, a third more time."""
    learning_rate: float = pydantic.Field(1e-3, gt=0)
    """Peak learning rate of AdamW."""
    warmup: float = pydantic.Field(0.05, ge=0)
    """Share of the steps with a rising learning rate; from 1 on, a number of steps."""
    decay: Literal["cosine", "linear", "none"] = "cosine"
    """Course of the learning rate after the warm-up."""
    weight_decay: float = pydantic.Field(0.0, ge=0)
    """Weight decay of AdamW."""
    betas: tuple[float, float] = (0.9, 0.95)
    """Decay rates of AdamW's two moments."""
    clip: float | None = pydantic.Field(1.0, gt=0)
    """Largest norm of the gradient; null: no clipping."""
    seed: int = 0
    """Seed of the order of examples, of dropout and of new weights."""
    kinds: tuple[Literal["rate", "recommend"], ...] = ("rate", "recommend")
    """Which examples to train on: ratings, lists or both."""
    log_steps: int = pydantic.Field(10, ge=1)
    """Steps between two rows of the training history."""
    validate_steps: int | None = pydantic.Field(100, ge=1)
    """Steps between two validations; null: none."""
    validation_examples: int = pydantic.Field(256, ge=1)
    """Examples in each validation."""
    patience: int | None = pydantic.Field(None, ge=1)
    """Stop after this many validations without a better one; null: never."""
    checkpoint_steps: int = pydantic.Field(100, ge=1)
    """Steps between two checkpoints."""


class Lora(pydantic.BaseModel, frozen=True, extra="forbid"):
    """The adapter. `targets`: those of the model's family, all linear layers, or by name."""

    r: int = pydantic.Field(8, ge=1)
    """Rank of the adapter's matrices."""
    alpha: int = pydantic.Field(16, ge=1)
    """Scale of the adapter: it is added `alpha / r` times."""
    dropout: float = pydantic.Field(0.05, ge=0, lt=1)
    """Dropout in front of the adapter's matrices."""
    targets: Literal["family", "all-linear"] | tuple[str, ...] = "family"
    """Layers with an adapter: those usual for the model's family, all linear ones, or a list of
    names."""
    rank_stabilised: bool = False
    """Scale by `alpha / sqrt(r)` instead (rsLoRA)."""
    dora: bool = False
    """Decompose weights into magnitude and direction (DoRA)."""

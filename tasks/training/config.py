"""Settings of training: the objective, the loop, the adapter. Imports no torch."""

from typing import Literal

import pydantic


class Objective(pydantic.BaseModel, frozen=True, extra="forbid"):
    """Weights of the losses, each a mean over the ratings or tokens of an optimiser step."""

    vocab_ce: float = pydantic.Field(1.0, ge=0)
    """Weight of cross-entropy of the rating tokens over the whole vocabulary."""
    scale_ce: float = pydantic.Field(0.0, ge=0)
    """Weight of cross-entropy of the rating over the values of the scale."""
    mse: float = pydantic.Field(1.0, ge=0)
    """Weight of the squared error of the expected rating, in stars (RAFT: Lukasik et al., arXiv
    2403.04182)."""
    answer_ce: float = pydantic.Field(1.0, ge=0)
    """Weight of cross-entropy of answers in words."""
    text_ce: float = pydantic.Field(0.0, ge=0)
    """Weight of cross-entropy of all other text."""
    mean: Literal["kinds", "tokens"] = "kinds"
    """`kinds`: each loss has a mean of its own; `tokens`: the three over the vocabulary share one
    mean over their tokens."""


class TrainingConfig(pydantic.BaseModel, frozen=True, extra="forbid"):
    """The training loop. Budgets are in epochs, steps and tokens, which repeat; seconds do not."""

    epochs: float = pydantic.Field(1.0, gt=0)
    """Passes over the training examples; 0.5 is half of them."""
    max_steps: int | None = pydantic.Field(None, ge=1)
    """Stop after this many optimiser steps."""
    tokens_per_step: int = pydantic.Field(8192, ge=1)
    """Tokens of examples in one optimiser step."""
    examples_per_step: int | None = pydantic.Field(None, ge=1)
    """Examples in one optimiser step, instead of a number of tokens."""
    pack_length: int = pydantic.Field(512, ge=1)
    """Tokens of a row that several examples share."""
    micro_batch_rows: int = pydantic.Field(8, ge=1)
    """Rows in one forward pass; halved when memory runs out."""
    attention: Literal["auto", "fused", "flex", "plain"] = "auto"
    """`auto`: `flex` for BLOOM on a GPU that can compile it, else `fused`; `fused`:
    scaled-dot-product attention; `flex`: FlexAttention, which skips what no token attends to;
    `plain`: the library's own, one example per row."""
    gradient_checkpointing: bool = False
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
    max_grad_norm: float | None = pydantic.Field(1.0, gt=0)
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
    """The LoRA adapter (Hu et al., arXiv 2106.09685)."""

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

"""Settings of the base model."""

import pydantic

from tasks.training.config import Objective, TrainingConfig


class Mini(pydantic.BaseModel, frozen=True, extra="forbid"):
    """bloom-mini: the shape and training of a small BLOOM from scratch."""

    vocabulary: int = pydantic.Field(4096, ge=300)
    """Size of the tokenizer, which is trained on the data."""
    hidden: int = pydantic.Field(128, ge=8)
    """Width of the model."""
    layers: int = pydantic.Field(4, ge=1)
    """Transformer layers."""
    heads: int = pydantic.Field(4, ge=1)
    """Attention heads; `hidden` is a multiple."""
    dropout: float = pydantic.Field(0.1, ge=0, lt=1)
    """Dropout while training the base."""
    objective: Objective = Objective(vocab_ce=0.0, scale_ce=1.0, mse=1.0, answer_ce=0.2)
    fit: TrainingConfig = TrainingConfig(
        epochs=2.0,
        tokens_per_step=2048,  # 4 times the steps of 8192; lower validation loss after each epoch
        learning_rate=1e-3,
        weight_decay=0.1,
        validate_steps=250,
    )


class Encoder(pydantic.BaseModel, frozen=True, extra="forbid"):
    """The frozen language model whose hidden states say which films are alike."""

    name: str = "smollm2-135m"
    """As `base.name`; the base model itself where it is the same."""
    depth: float = pydantic.Field(1 / 3, gt=0, le=1)
    """Share of the model's layers that a film's line is read through."""
    width: int = pydantic.Field(64, ge=1)
    """Principal components that are kept of a state."""


class BaseModelConfig(pydantic.BaseModel, frozen=True, extra="forbid"):
    """Which base model."""

    name: str = "bloom-mini"
    """Name in tasks/base_models.py, owner/name on the Hugging Face hub, or a folder."""
    four_bit: bool = False
    """Weights in 4 bits while in use (QLoRA): needs CUDA and bitsandbytes."""
    mini: Mini = Mini()

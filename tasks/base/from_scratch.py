"""Trains bloom-mini, a small BLOOM, and its tokenizer from scratch."""

from pathlib import Path
from typing import Any

import torch
from transformers import BloomConfig, BloomForCausalLM, PreTrainedTokenizerBase

from tasks.base.config import Mini
from tasks.base.tokenizer import train_tokenizer
from tasks.base.tokenizer_corpus import iter_corpus
from tasks.base_models import BASE_MODELS
from tasks.hub import save_base
from tasks.nn.examples import Examples
from tasks.store.artifacts import Prompts, SplitRatings, Tokenizer, ValidatedRatings
from tasks.text_tokenizer import load_tokenizer
from tasks.training.train_model import train_model

NAME = "bloom-mini"


def write_tokenizer(
    draft: Path, ratings: ValidatedRatings, split: SplitRatings, mini: Mini
) -> dict[str, Any]:
    """Train the tokenizer on titles and feature texts; write it into the draft."""
    texts = iter_corpus(ratings, split)
    scale = ratings.metadata["scale"]
    tokenizer = train_tokenizer(texts, scale=scale, vocabulary=mini.vocabulary)
    tokenizer.save_pretrained(str(draft))
    return {"name": NAME, "vocabulary": len(tokenizer)}


def train_bloom_mini(
    draft: Path, tokenizer: Tokenizer, prompts: Prompts, mini: Mini
) -> dict[str, Any]:
    """Train on the prompts' train fold; write model and tokenizer into the draft."""
    loaded = load_tokenizer(tokenizer)
    model = init_model(loaded, mini)
    last = train_model(
        model,
        loaded,
        prompts,
        Examples.read(prompts, "train", mini.fit.kinds),
        objective=mini.objective,
        config=mini.fit,
        draft=draft,
        stage="base",
    )
    save_base(model, draft)
    loaded.save_pretrained(str(draft))
    return {
        "name": NAME,
        "licence": BASE_MODELS[NAME].licence,
        "parameters": model.num_parameters(),
        "best_step": last["step"],
        "validation_rmse": last["validation_rmse"],
    }


def init_model(tokenizer: PreTrainedTokenizerBase, mini: Mini) -> BloomForCausalLM:
    """Initialise a model with seeded random weights."""
    torch.manual_seed(mini.fit.seed)
    config = BloomConfig(
        vocab_size=len(tokenizer),
        hidden_size=mini.hidden,
        n_layer=mini.layers,
        n_head=mini.heads,
        hidden_dropout=mini.dropout,
        attention_dropout=0.0,  # the fused attention kernel has none
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    return BloomForCausalLM(config)

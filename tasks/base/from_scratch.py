"""Builds bloom-mini: a small model of the BLOOM architecture, and its tokenizer, from nothing."""

from pathlib import Path
from typing import Any

import torch
from transformers import BloomConfig, BloomForCausalLM, PreTrainedTokenizerBase

from tasks.base.config import Mini
from tasks.base.tokenizer import train_tokenizer
from tasks.base.tokenizer_corpus import tokenizer_texts
from tasks.base_models import CATALOGUE
from tasks.hub import load_tokenizer, save_base
from tasks.nn.examples import Examples
from tasks.store.artifacts import Prompts, SplitRatings, Tokenizer, ValidatedRatings
from tasks.training.train_model import learn

NAME = "bloom-mini"


def learn_tokenizer(
    draft: Path, ratings: ValidatedRatings, split: SplitRatings, mini: Mini
) -> dict[str, Any]:
    """Leave a tokenizer in the draft that knows the films and the facts."""
    texts = tokenizer_texts(ratings, split)
    scale = ratings.metadata["scale"]
    tokenizer = train_tokenizer(texts, scale=scale, vocabulary=mini.vocabulary)
    tokenizer.save_pretrained(str(draft))
    return {"name": NAME, "vocabulary": len(tokenizer)}


def build_mini(draft: Path, tokenizer: Tokenizer, prompts: Prompts, mini: Mini) -> dict[str, Any]:
    """Train a new model on the prompts' train fold; leave it with its tokenizer in the draft."""
    loaded = load_tokenizer(tokenizer)
    model = new_model(loaded, mini)
    last = learn(
        model,
        loaded,
        prompts,
        Examples.read(prompts, "train", mini.fit.kinds),
        objective=mini.objective,
        fit=mini.fit,
        draft=draft,
        stage="base",
    )
    save_base(model, draft)
    loaded.save_pretrained(str(draft))
    return {
        "name": NAME,
        "licence": CATALOGUE[NAME].licence,
        "parameters": model.num_parameters(),
        "best_step": last["step"],
        "validation_rmse": last["validation_rmse"],
    }


def new_model(tokenizer: PreTrainedTokenizerBase, mini: Mini) -> BloomForCausalLM:
    """Random weights, drawn by the seed."""
    torch.manual_seed(mini.fit.seed)
    config = BloomConfig(
        vocab_size=len(tokenizer),
        hidden_size=mini.hidden,
        n_layer=mini.layers,
        n_head=mini.heads,
        hidden_dropout=mini.dropout,
        attention_dropout=0.0,  # within attention it would cost the fused kernel
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    return BloomForCausalLM(config)

"""Rates candidates with CTranslate2 on the merged model, in the fastest way it offers.

A user's context is its static prompt, which it runs once; the candidates are one batch behind it.
Not a dependency of the project: `pip install ctranslate2`.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray

from bench.predict_peers import ChampionRun

Floats = NDArray[np.float64]


def convert(run: ChampionRun, folder: Path) -> Callable[[int], Floats]:
    """Convert the model; return a function that rates the candidates of the first users.

    Raises ImportError if CTranslate2 is not installed.
    """
    import ctranslate2

    merged, target = folder / "merged", folder / "converted"
    cast(Any, run.reader.model).save_pretrained(merged)
    run.tokenizer.save_pretrained(merged)
    ctranslate2.converters.TransformersConverter(str(merged)).convert(str(target))
    _name_special_tokens(target / "config.json", run.tokenizer.convert_ids_to_tokens(0))
    model = ctranslate2.Generator(str(target), device="cpu", intra_threads=torch.get_num_threads())
    ratings = [path[0] for path in run.reader.trie.paths]
    scale = np.asarray(run.reader.trie.scale)
    words = run.tokenizer.convert_ids_to_tokens

    def rate(users: int) -> Floats:
        found = []
        for example in run.candidates[:users]:
            lengths = np.array([len(branch) for branch in example.branches])
            expected = np.empty(len(lengths))
            for length in np.unique(lengths):  # prompts of one batch are cut to the shortest
                same = np.flatnonzero(lengths == length)
                results = model.generate_batch(
                    [words(example.branches[i].tolist()) for i in same.tolist()],
                    static_prompt=words(example.prefix.tolist()),
                    max_length=1,
                    return_logits_vocab=True,
                    include_prompt_in_result=False,
                )
                logits = np.array(
                    [np.array(one.logits[0]).ravel()[ratings] for one in results], float
                )
                p = np.exp(logits - logits.max(1, keepdims=True))
                expected[same] = p / p.sum(1, keepdims=True) @ scale
            found.append(expected)
        return np.concatenate(found)

    return rate


def _name_special_tokens(file: Path, name: str) -> None:
    """CTranslate2 needs a name for each: tokens that no prompt uses and the tokenizer may lack."""
    config = json.loads(file.read_text())
    named = {key: name for key, value in config.items() if key.endswith("_token") and value is None}
    file.write_text(json.dumps(config | named))

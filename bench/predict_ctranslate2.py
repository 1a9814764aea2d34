"""Rates candidates by CTranslate2, on the merged model, in the best way it offers for that.

A user's context is its static prompt, which it runs once; the candidates are one batch behind it.
It is no dependency of the project: `pip install ctranslate2` beside it.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray

from bench.predict_peers import Night

Floats = NDArray[np.float64]


def converted(night: Night, folder: Path) -> Callable[[int], Floats]:
    """What gives the expected ratings of the first users' candidates.

    Raises ImportError where CTranslate2 is not installed.
    """
    import ctranslate2

    merged, own = folder / "merged", folder / "converted"
    cast(Any, night.reader.model).save_pretrained(merged)
    night.tokenizer.save_pretrained(merged)
    ctranslate2.converters.TransformersConverter(str(merged)).convert(str(own))
    _name_special_tokens(own / "config.json", night.tokenizer.convert_ids_to_tokens(0))
    model = ctranslate2.Generator(str(own), device="cpu", intra_threads=torch.get_num_threads())
    ratings = [path[0] for path in night.reader.trie.paths]
    scale = np.asarray(night.reader.trie.scale)
    words = night.tokenizer.convert_ids_to_tokens

    def rate(users: int) -> Floats:
        found = []
        for example in night.candidates[:users]:
            lengths = np.array([len(branch) for branch in example.branches])
            expected = np.empty(len(lengths))
            for length in np.unique(lengths):  # prompts of one batch are cut to the shortest
                alike = np.flatnonzero(lengths == length)
                said = model.generate_batch(
                    [words(example.branches[i].tolist()) for i in alike.tolist()],
                    static_prompt=words(example.prefix.tolist()),
                    max_length=1,
                    return_logits_vocab=True,
                    include_prompt_in_result=False,
                )
                logits = np.array([np.array(one.logits[0]).ravel()[ratings] for one in said], float)
                p = np.exp(logits - logits.max(1, keepdims=True))
                expected[alike] = p / p.sum(1, keepdims=True) @ scale
            found.append(expected)
        return np.concatenate(found)

    return rate


def _name_special_tokens(file: Path, name: str) -> None:
    """It wants a name for each; bloom-mini's tokenizer lacks some, and its prompts have none."""
    told = json.loads(file.read_text())
    named = {key: name for key, value in told.items() if key.endswith("_token") and value is None}
    file.write_text(json.dumps(told | named))

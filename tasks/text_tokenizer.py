"""Loads a tokenizer for text from data: what looks like a special token is text there."""

from transformers import AutoTokenizer, PreTrainedTokenizerBase

from tasks.store.artifacts import Base, Tokenizer


def load_tokenizer(artifact: Tokenizer | Base) -> PreTrainedTokenizerBase:
    """Load the tokenizer in the artifact's folder.

    It spells `</s>` or `<pad>` in a title letter by letter: as the end mark it would end a prompt
    or an answer. A template's own end mark is tokenised with `split_special_tokens=False`.
    """
    loaded: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(
        artifact.path, trust_remote_code=False
    )
    loaded.split_special_tokens = True
    return loaded

"""Loads a tokenizer for text from data: what looks like a special token is text there."""

from collections.abc import Sequence

from transformers import AutoTokenizer, PreTrainedTokenizerBase, PreTrainedTokenizerFast

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


def tokenize_texts(
    tokenizer: PreTrainedTokenizerFast, texts: Sequence[str], *, split_special_tokens: bool
) -> list[list[int]]:
    """The token ids of each text, nothing added to them.

    As `tokenizer(texts)` has them, without its masks and offsets, which take as long again.
    """
    backend = tokenizer.backend_tokenizer
    before = backend.encode_special_tokens
    backend.no_truncation()
    backend.no_padding()
    backend.encode_special_tokens = split_special_tokens
    encoded = backend.encode_batch_fast(list(texts), add_special_tokens=False)
    backend.encode_special_tokens = before
    return [text.ids for text in encoded]

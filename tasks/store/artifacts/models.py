"""Language models and what was trained on top of them."""

from tasks.store.artifacts.artifact import Artifact, Table


class Base(Artifact):
    """A frozen causal language model and its tokenizer in Hugging Face layout."""

    top_level = "artifacts"


class FilmStates(Artifact):
    """What a frozen language model makes of each film's line."""

    top_level = "artifacts"
    tables = {
        "states": Table(
            "states.parquet",
            "one row a film of the catalogue, sorted by film_id",
            {
                "film_id": ("int32", "which film"),
                "state": ("list<float>", "of length 1; near films have a large inner product"),
            },
        )
    }


class Adapter(Artifact):
    """LoRA weights (safetensors) over a frozen base, with their training history."""

    top_level = "artifacts"
    tables = {
        "history": Table(
            "history.parquet",
            "one row a logged step",
            {
                "step": ("int32", "optimiser steps done"),
                "examples": ("int64", "examples seen"),
                "tokens": ("int64", "tokens seen"),
                "loss": (
                    "double",
                    "mean training loss since the last row; null at step 0, before training",
                ),
                "learning_rate": ("double", "at that step"),
                "validation_loss": ("double", "null where none was taken"),
                "validation_rmse": ("double", "of the expected rating; null where none was taken"),
            },
        )
    }


class StageForecast(Artifact):
    """What the long stages of the language model take on a machine, tried before they begin."""

    top_level = "artifacts"
    tables = {
        "stages": Table(
            "measured-forecast.parquet",
            "one row a stage",
            {
                "stage": ("string", "as the log names it"),
                "examples": ("int64", "that it reads or learns from"),
                "tokens_each": ("double", "mean tokens of an example, branches included"),
                "seconds_each": ("double", "that an example took in the trial"),
                "seconds": ("double", "of the whole stage, with loading the base"),
                "peak_bytes": ("int64", "of the GPU where there is one, or of the process"),
                "settings": ("string", "what makes the stage shorter"),
            },
        )
    }

"""Settings of predicted ratings."""

import pydantic


class Predict(pydantic.BaseModel, frozen=True, extra="forbid"):
    """The predictors to write."""

    predictor: str = "llm"
    """Name in every table."""
    head: str = "llm_head"
    """Name in every table of the head on hidden states."""
    greedy: bool = True
    """Also write the rating that greedy decoding would spell, as `{predictor}_greedy`."""

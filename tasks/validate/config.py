"""Settings of validation."""

import pydantic


class Validate(pydantic.BaseModel, frozen=True, extra="forbid"):
    """How many rows may go to quarantine."""

    max_quarantined: float = pydantic.Field(0.05, ge=0, le=1)
    """Largest share of a table's rows in quarantine before the run stops."""

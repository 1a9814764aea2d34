"""What can be set about validation."""

import pydantic


class Validate(pydantic.BaseModel, frozen=True, extra="forbid"):
    """How much may be wrong before the night stops."""

    most_set_aside: float = pydantic.Field(0.05, ge=0, le=1)
    """Largest share of a table's rows in quarantine before the run stops."""

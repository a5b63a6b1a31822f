"""The base of every section of a station file."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Section(BaseModel):
    """Refuses keys that it does not know, and numbers that are none; never changed once read.

    What stood in the file is in no error of pydantic's: a password in the wrong place is printed by nobody.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, hide_input_in_errors=True)

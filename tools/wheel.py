"""Puts ``_quarto.yml`` into a wheel; an editable install reads it from the checkout.

Hatchling calls this when it builds. Its setting ``force-include`` would do the same, but for an editable install, too,
and leave a lone file among the environment's packages; its ``sources`` move folders only.
"""

from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class WheelHook(BuildHookInterface):
    """The build hook that pyproject.toml names."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Add the file to a standard wheel."""
        if version == "standard":
            build_data["force_include"]["_quarto.yml"] = "analysis/_shipped/_quarto.yml"

"""Puts ``_quarto.yml`` and ``CITATION.cff`` into a wheel; an editable install reads them from the checkout.

Hatchling calls this when it builds. Its setting ``force-include`` would do the same, but for an editable install, too,
and leave lone files among the environment's packages; its ``sources`` move folders only.
"""

from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class WheelHook(BuildHookInterface):
    """The build hook that pyproject.toml names."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Add the files to a standard wheel."""
        if version == "standard":
            for name in ("_quarto.yml", "CITATION.cff"):
                build_data["force_include"][name] = f"analysis/_shipped/{name}"

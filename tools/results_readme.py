"""Write results/README.md, which describes each file of a run, from the declarations in analysis/results/artifacts.py.

Usage: ``python tools/results_readme.py``; with ``--check`` the exit code says whether the page is current.
"""

import sys
from pathlib import Path

from analysis.results.publish import README, description

ROOT = Path(__file__).resolve().parent.parent


def main() -> int:
    """Rewrite the page, or check it."""
    page = ROOT / "results" / README
    if "--check" in sys.argv[1:]:
        return int(not page.exists() or page.read_text(encoding="utf-8") != description())
    page.write_text(description(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())

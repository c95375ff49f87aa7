"""What a training needs on this machine before it starts: ingested data sets, and networks of others to begin with.

Imports neither Keras nor TensorFlow, so that commands can look before these are loaded.
"""

from collections.abc import Iterable

from analysis.core.errors import UserError
from analysis.data.backbones import open_backbone
from analysis.data.dataset import Dataset


def check_inputs(datasets: Iterable[str], backbones: Iterable[str] = ()) -> None:
    """Check that data sets are ingested and backbones fetched.

    Parameters
    ----------
    datasets
        Names of data sets; repeated ones count once.
    backbones
        Names of backbones; empty ones are left out.

    Raises
    ------
    UserError
        If some are not here; one line names each of them and what to do.
    """
    missing = []
    for name in filter(None, dict.fromkeys(backbones)):
        try:
            open_backbone(name)
        except UserError as error:
            missing.append(str(error))
    for name in dict.fromkeys(datasets):
        try:
            Dataset.open(name).facts  # noqa: B018 - reads what was ingested
        except UserError as error:
            missing.append(str(error))
    if len(missing) > 1:
        numbered = "; ".join(f"({number}) {line}" for number, line in enumerate(missing, 1))
        raise UserError(f"{len(missing)} inputs are missing: {numbered}")
    if missing:
        raise UserError(missing[0])

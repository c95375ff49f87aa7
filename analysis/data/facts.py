"""What ``ingest.json`` holds of a data set, as typed records. Knows fields; reads and computes nothing."""

from typing import Literal

from analysis.data.alignment import FRAME
from analysis.results.records import Data, Record


class Conflicts(Record):
    """Pictures that repeat, and what was in two splits of the source."""

    exact: int
    """Images whose file is equal to that of an earlier one."""
    near: int
    """Pairs of images that show the same picture in different files."""
    identities_across_splits: int
    """People in two splits of the source."""
    duplicates_across_splits: int
    """Pairs of images of one picture in two splits of the source."""
    excluded: int
    """Images that were left out so that neither is so any more."""
    copies: int = 0
    """Images that were left out since an earlier one shows the same picture."""
    contradicted: int = 0
    """Images that were left out since copies of their picture have different labels."""


COPIES_COUNT_ONCE = 3
"""Version of what a manifest holds from which on copies of a picture are excluded in it."""


class IngestOptions(Record):
    """All that the result of an ingest depends on."""

    format: int
    """Version of what a manifest holds."""
    source: str
    """Checksum of the images and the metadata beside them."""
    align: Literal["detect", "source"]
    """By what faces were aligned: their own landmarks, or as the source has them."""
    seed: int
    """Random seed of the splits, where the source has none."""
    part: int
    """Images per task and per chunk of the cube."""
    frame: tuple[int, int] = FRAME
    """Height and width of the stored faces in pixels."""


class DatasetFacts(Record):
    """ingest.json: what was ingested, in numbers."""

    dataset: str
    """Name of the data set."""
    fingerprint: str
    """SHA-256, hexadecimal, which changes with any image, label, split or status."""
    images: int
    """Rows of the manifest."""
    status: dict[str, int]
    """Images of each status: "ok", "broken", "no_face" or "excluded"."""
    conflicts: Conflicts
    """Pictures that repeat, and what was in two splits."""
    configuration: IngestOptions
    """All that the result depends on."""
    fetched: str | None = None
    """Checksum of the images and the metadata when the data set was fetched; those in a folder may change later."""

    @property
    def seen(self) -> Data:
        """What a run's record says of the data set."""
        return Data(fingerprint=self.fingerprint, images=self.images)

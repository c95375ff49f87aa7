"""Duplicates and splits: no person and no picture may be in two splits.

Knows the manifest's identities, hashes and aligned pixels; knows nothing of where images come from.
"""

from typing import Any

import cv2
import numpy as np
import pandas as pd
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from analysis.core.schema import SPLITS
from analysis.data.facts import Conflicts

NEAR_BITS = 3  # of 64: perceptual hashes this close are compared pixel by pixel
NEAR_DIFFERENCE = 8.0  # mean absolute difference in grey levels (0 to 255) below which two pictures are near duplicates
_CODES_AT_ONCE = 1024  # hashes that are compared with all others of their bucket, which may hold thousands
_PAIRS_AT_ONCE = 1024  # pairs whose pixels are in memory: 60 MB


def duplicate_pairs(manifest: pd.DataFrame, faces: Any) -> pd.DataFrame:
    """Pairs of images that show the same picture.

    Exact duplicates share their file's hash. Near duplicates have perceptual hashes within 3 of 64 bits *and*
    aligned pixels that differ by less than 8 of 255 steps on average: aligned portraits are alike enough for their
    hashes alone to accuse innocent pairs.

    Parameters
    ----------
    manifest
        With ``hash``, ``phash`` (hexadecimal) and ``status``; only "ok" rows are compared.
    faces
        uint8 (image, y, x, channel), rows as in the manifest; read only for near-duplicate candidates.

    Returns
    -------
    pandas.DataFrame
        ``first``, ``second`` (row numbers, first < second) and ``kind`` ("exact" or "near"). Equal files are paired
        with the first of them alone, which stands for them among the near duplicates: a picture that is there a
        thousand times gives 999 pairs.
    """
    usable = np.flatnonzero(manifest["status"].to_numpy() == "ok")
    first = usable[_first_alike(manifest["hash"].iloc[usable])]
    exact = pd.DataFrame({"first": first, "second": usable, "kind": "exact"})[first != usable]
    close = _close_codes(manifest["phash"], np.unique(first))
    near = pd.DataFrame({"first": close[:, 0], "second": close[:, 1], "kind": "near"})
    near = near[_differences(faces, close) < NEAR_DIFFERENCE]
    return pd.concat([exact, near]).sort_values(["first", "second"], ignore_index=True)


def _first_alike(values: pd.Series) -> np.ndarray:
    """Place of the first of the values that are equal to each value, int64 (n,)."""
    codes, _ = pd.factorize(values.to_numpy())
    return np.unique(codes, return_index=True)[1][codes] if len(codes) else np.empty(0, np.int64)


def _close_codes(phash: pd.Series, rows: np.ndarray) -> np.ndarray:
    """Pairs of rows, int64 (pair, 2), whose perceptual hashes are close."""
    codes = np.array([int(code, 16) for code in phash.iloc[rows]], dtype=np.uint64)
    pairs = set()
    # Two codes within 3 bits agree in at least one of four 16-bit bands (pigeonhole).
    for band in range(4):
        key = (codes >> np.uint64(16 * band)) & np.uint64(0xFFFF)
        order = np.argsort(key, kind="stable")
        edges = np.flatnonzero(np.diff(key[order])) + 1
        for bucket in np.split(order, edges):
            if len(bucket) < 2:
                continue
            for start in range(0, len(bucket), _CODES_AT_ONCE):
                some = bucket[start : start + _CODES_AT_ONCE]
                near = np.bitwise_count(codes[some, None] ^ codes[None, bucket]) <= NEAR_BITS
                for i, j in zip(*np.nonzero(np.triu(near, start + 1)), strict=True):
                    pairs.add(tuple(sorted((int(rows[some[i]]), int(rows[bucket[j]])))))
    return np.array(sorted(pairs), dtype=np.int64).reshape(-1, 2)


def _differences(faces: Any, pairs: np.ndarray) -> np.ndarray:
    """Mean absolute difference of the pixels of each pair, float64 (pair,), in grey levels (0 to 255)."""
    differences = np.zeros(len(pairs))
    for start in range(0, len(pairs), _PAIRS_AT_ONCE):
        some = pairs[start : start + _PAIRS_AT_ONCE]
        rows, position = np.unique(some, return_inverse=True)
        pixels = np.asarray(faces[rows])  # each chunk of the cube is read once for all of them
        for i, (first, second) in enumerate(position.reshape(-1, 2)):
            differences[start + i] = cv2.absdiff(pixels[first], pixels[second]).mean()
    return differences


def _groups(size: int, *links: np.ndarray) -> np.ndarray:
    """Number of the group of each row: rows that are linked, int (link, 2), at whatever remove are in one group."""
    edges = np.concatenate([pairs.reshape(-1, 2) for pairs in links]).astype(np.int64)
    graph = coo_array((np.ones(len(edges), dtype=bool), (edges[:, 0], edges[:, 1])), shape=(size, size))
    return connected_components(graph, directed=False)[1]


def _people(manifest: pd.DataFrame) -> np.ndarray:
    """Links, int64 (link, 2), between each image and the first one of the same person."""
    if "identity" not in manifest or manifest["identity"].isna().all():
        return np.empty((0, 2), np.int64)
    known = manifest["identity"].dropna()
    return np.column_stack([known.index, known.index[_first_alike(known)]]).astype(np.int64)


def resolve_splits(manifest: pd.DataFrame, faces: Any, *, seed: int = 0) -> tuple[pd.DataFrame, Conflicts]:
    """Give every image a split that shares no person and no picture with another split, and every picture one image.

    Where the source has splits of its own they stand, and of a person or picture in two of them only the images in
    the later one (test before validation before train) stay: the others become "excluded", with the reason. Where
    the source has none, people are drawn 70 : 10 : 20 into train, validation and test, stratified by label.

    Of the copies of a picture that are left, exact and near ones, the first counts and the others are "excluded"; all
    of them are where they have different labels. Near ones of two people, where a source says so, are two pictures.

    Parameters
    ----------
    manifest
        As from ingest: ``image_id, label, split, identity, hash, phash, status, reason``, index 0 to n - 1.
    faces
        uint8 (image, y, x, channel), rows as in the manifest.
    seed
        Random seed of the draw.

    Returns
    -------
    manifest : pandas.DataFrame
        Copy with ``split``, ``status``, ``reason`` resolved and ``near_duplicate_of`` (image_id) added.
    conflicts : Conflicts
        Pictures that repeat, and what was in two splits.
    """
    manifest = manifest.copy()
    pairs = duplicate_pairs(manifest, faces)
    links = pairs[["first", "second"]].to_numpy(np.int64)
    manifest["near_duplicate_of"] = pd.Series(pd.NA, index=manifest.index, dtype="string")
    later = pairs.drop_duplicates("second")
    manifest.loc[later["second"], "near_duplicate_of"] = manifest["image_id"].iloc[later["first"]].to_numpy()
    groups = _groups(len(manifest), links, _people(manifest))
    usable = (manifest["status"] == "ok").to_numpy()
    identities = across = excluded = 0
    if manifest["split"].isna().all():
        # Copies are drawn, too: who learns of copies later finds every image in the split that it had.
        manifest["split"] = _draw_splits(manifest["label"], groups, usable, seed)
    else:
        split = manifest["split"].to_numpy()
        if "identity" in manifest:
            spread = manifest[usable & manifest["identity"].notna()].groupby("identity")["split"].nunique()
            identities = int((spread > 1).sum())
        across = int((split[links[:, 0]] != split[links[:, 1]]).sum())
        excluded = _exclude_earlier_splits(manifest, groups, usable)
    copies, contradicted = _exclude_copies(manifest, links[~_of_two_people(manifest, pairs)])
    return manifest, Conflicts(
        exact=int((pairs["kind"] == "exact").sum()),
        near=int((pairs["kind"] == "near").sum()),
        identities_across_splits=identities,
        duplicates_across_splits=across,
        excluded=excluded,
        copies=copies,
        contradicted=contradicted,
    )


def without_copies(manifest: pd.DataFrame) -> pd.DataFrame:
    """Exclude copies of pictures as `resolve_splits` does, in a manifest that knows of them but still counts them.

    Parameters
    ----------
    manifest
        With ``near_duplicate_of``, index 0 to n - 1; without that column, it is returned as it is.
    """
    if "near_duplicate_of" not in manifest:
        return manifest
    manifest = manifest.copy()
    first = pd.Index(manifest["image_id"]).get_indexer(manifest["near_duplicate_of"])
    second = np.flatnonzero(first >= 0)
    pairs = pd.DataFrame({"first": first[second], "second": second})
    equal = (manifest["hash"].iloc[pairs["first"]].to_numpy() == manifest["hash"].iloc[second].to_numpy()).astype(bool)
    pairs["kind"] = np.where(equal, "exact", "near")
    _exclude_copies(manifest, pairs[["first", "second"]].to_numpy(np.int64)[~_of_two_people(manifest, pairs)])
    return manifest


def _exclude_earlier_splits(manifest: pd.DataFrame, groups: np.ndarray, usable: np.ndarray) -> int:
    """Exclude images whose person or picture is in a later split, too; returns how many."""
    rank = manifest["split"].map(SPLITS.index).where(usable, -1)
    highest = rank.groupby(groups).transform("max")
    excluded = (usable & (rank < highest)).to_numpy()
    reasons = [f"the same person or picture is also in {SPLITS[int(value)]}" for value in highest[excluded]]
    _exclude(manifest, excluded, reasons)
    return int(excluded.sum())


def _of_two_people(manifest: pd.DataFrame, pairs: pd.DataFrame) -> np.ndarray:
    """Which near pairs show two people by what the source says, bool (pair,): they are alike, but no copies."""
    if "identity" not in manifest:
        return np.zeros(len(pairs), dtype=bool)
    first, second = (manifest["identity"].iloc[pairs[side]].reset_index(drop=True) for side in ("first", "second"))
    return ((first != second).fillna(False) & (pairs["kind"] == "near")).to_numpy(dtype=bool)


def _exclude_copies(manifest: pd.DataFrame, links: np.ndarray) -> tuple[int, int]:
    """Exclude all copies of a picture but the first, or all of them where labels differ; returns how many of each."""
    usable = (manifest["status"] == "ok").to_numpy()
    pictures = pd.Series(_groups(len(manifest), links), index=manifest.index)
    contradicted = usable & manifest["label"].where(usable).groupby(pictures).transform("nunique").gt(1).to_numpy()
    _exclude(manifest, contradicted, ["copies of this picture have different labels"] * int(contradicted.sum()))
    rest = np.flatnonzero(usable & ~contradicted)
    first = rest[_first_alike(pictures.iloc[rest])]
    copies = np.zeros(len(manifest), dtype=bool)
    copies[rest[first != rest]] = True
    originals = manifest["image_id"].iloc[first[first != rest]]
    _exclude(manifest, copies, [f"a copy of {original}" for original in originals])
    return int(copies.sum()), int(contradicted.sum())


def _exclude(manifest: pd.DataFrame, rows: np.ndarray, reasons: list[str]) -> None:
    manifest.loc[rows, "status"] = "excluded"
    manifest.loc[rows, "reason"] = reasons


def _draw_splits(labels: pd.Series, groups: np.ndarray, usable: np.ndarray, seed: int) -> np.ndarray:
    split = np.full(len(labels), "train", dtype=object)
    rows = np.flatnonzero(usable)
    if len(np.unique(groups[rows])) < 10 or labels.iloc[rows].value_counts().max() < 10:
        return split  # too few people for ten folds: all of them train
    from sklearn.model_selection import StratifiedGroupKFold  # noqa: PLC0415 - slow to import, and workers do without

    folds = StratifiedGroupKFold(n_splits=10, shuffle=True, random_state=seed)
    drawn = folds.split(rows, labels.iloc[rows], groups[rows])
    for fold, (_, chosen) in enumerate(drawn):
        if fold < 3:
            split[rows[chosen]] = "validation" if fold == 2 else "test"
    return split

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
NEAR_DIFFERENCE = 8.0  # mean absolute difference in 8-bit steps below which two pictures are near duplicates
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
        ``first``, ``second`` (row numbers, first < second) and ``kind`` ("exact" or "near").
    """
    rows = np.flatnonzero(manifest["status"].to_numpy() == "ok")
    codes = np.array([int(code, 16) for code in manifest["phash"].iloc[rows]], dtype=np.uint64)
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
    hashes = manifest["hash"].to_numpy()
    close = np.array(sorted(pairs), dtype=np.int64).reshape(-1, 2)
    exact = hashes[close[:, 0]] == hashes[close[:, 1]]
    near = exact.copy()
    near[~exact] = _differences(faces, close[~exact]) < NEAR_DIFFERENCE
    table = pd.DataFrame({"first": close[:, 0], "second": close[:, 1], "kind": np.where(exact, "exact", "near")})
    return table[near].reset_index(drop=True)


def _differences(faces: Any, pairs: np.ndarray) -> np.ndarray:
    """Mean absolute difference of the pixels of each pair, float64 (pair,), in 8-bit steps."""
    differences = np.zeros(len(pairs))
    for start in range(0, len(pairs), _PAIRS_AT_ONCE):
        some = pairs[start : start + _PAIRS_AT_ONCE]
        rows, position = np.unique(some, return_inverse=True)
        pixels = np.asarray(faces[rows])  # each chunk of the cube is read once for all of them
        for i, (first, second) in enumerate(position.reshape(-1, 2)):
            differences[start + i] = cv2.absdiff(pixels[first], pixels[second]).mean()
    return differences


def _groups(manifest: pd.DataFrame, pairs: pd.DataFrame) -> np.ndarray:
    """Number of the group of each row: rows that share an identity or a picture are in one group."""
    size = len(manifest)
    links = [pairs[["first", "second"]].to_numpy(dtype=np.int64).reshape(-1, 2)]
    if "identity" in manifest and manifest["identity"].notna().any():
        known = manifest["identity"].dropna()
        first = known.groupby(known).transform(lambda group: group.index[0])
        links.append(np.column_stack([known.index, first]).astype(np.int64))
    edges = np.concatenate(links)
    graph = coo_array((np.ones(len(edges), dtype=bool), (edges[:, 0], edges[:, 1])), shape=(size, size))
    return connected_components(graph, directed=False)[1]


def resolve_splits(manifest: pd.DataFrame, faces: Any, *, seed: int = 0) -> tuple[pd.DataFrame, Conflicts]:
    """Give every image a split that shares no person and no picture with another split.

    Where the source has splits of its own they stand, and of a person or picture in two of them only the images in
    the later one (test before validation before train) stay: the others become "excluded", with the reason. Where
    the source has none, people are drawn 70 : 10 : 20 into train, validation and test, stratified by label.

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
    manifest["near_duplicate_of"] = pd.Series(pd.NA, index=manifest.index, dtype="string")
    later = pairs.drop_duplicates("second")
    manifest.loc[later["second"], "near_duplicate_of"] = manifest["image_id"].iloc[later["first"]].to_numpy()
    groups = _groups(manifest, pairs)
    usable = (manifest["status"] == "ok").to_numpy()
    exact, near = (int((pairs["kind"] == kind).sum()) for kind in ("exact", "near"))
    if manifest["split"].isna().all():
        manifest["split"] = _draw_splits(manifest["label"], groups, usable, seed)
        return manifest, Conflicts(
            exact=exact, near=near, identities_across_splits=0, duplicates_across_splits=0, excluded=0
        )

    split = manifest["split"].to_numpy()
    identities = 0
    if "identity" in manifest:
        spread = manifest[usable & manifest["identity"].notna()].groupby("identity")["split"].nunique()
        identities = int((spread > 1).sum())
    rank = manifest["split"].map(SPLITS.index).where(usable, -1)
    highest = rank.groupby(groups).transform("max")
    excluded = (usable & (rank < highest)).to_numpy()
    manifest.loc[excluded, "status"] = "excluded"
    manifest.loc[excluded, "reason"] = [
        f"the same person or picture is also in {SPLITS[int(value)]}" for value in highest[excluded]
    ]
    return manifest, Conflicts(
        exact=exact,
        near=near,
        identities_across_splits=identities,
        duplicates_across_splits=int((split[pairs["first"]] != split[pairs["second"]]).sum()),
        excluded=int(excluded.sum()),
    )


def _draw_splits(labels: pd.Series, groups: np.ndarray, usable: np.ndarray, seed: int) -> np.ndarray:
    split = np.full(len(labels), "train", dtype=object)
    rows = np.flatnonzero(usable)
    if len(np.unique(groups[rows])) < 10:  # too few people for ten folds: all of them train
        return split
    from sklearn.model_selection import StratifiedGroupKFold  # noqa: PLC0415 - slow to import, and workers do without

    folds = StratifiedGroupKFold(n_splits=10, shuffle=True, random_state=seed)
    drawn = folds.split(rows, labels.iloc[rows], groups[rows])
    for fold, (_, chosen) in enumerate(drawn):
        if fold < 3:
            split[rows[chosen]] = "validation" if fold == 2 else "test"
    return split

"""The map of faces keeps neighbours, and says how many."""

import numpy as np

from model.evaluation.network_map import map_features


def test_groups_stay_apart_and_neighbours_are_counted(rng: np.random.Generator) -> None:
    group = np.repeat(np.arange(3), 40)
    features = rng.normal(size=(120, 24)).astype(np.float32) + 12 * np.eye(3, 24, dtype=np.float32)[group]
    places, record = map_features(features, seed=1)
    assert places.shape == (120, 2) and places.dtype == np.float32
    closest = np.square(places[:, None] - places[None]).sum(axis=-1) + 1e9 * np.eye(120)
    assert (group[closest.argmin(axis=1)] == group).all()
    assert record.images == 120 and record.features == 24
    assert record.by_chance < record.kept <= 1


def test_the_same_seed_gives_the_same_map(rng: np.random.Generator) -> None:
    features = rng.normal(size=(60, 8)).astype(np.float32)
    assert np.array_equal(map_features(features)[0], map_features(features)[0])


def test_few_faces_have_a_map(rng: np.random.Generator) -> None:
    places, record = map_features(rng.normal(size=(16, 4)).astype(np.float32))
    assert np.isfinite(places).all()
    assert record.neighbours == 15

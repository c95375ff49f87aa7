"""Faces on disk give what faces in memory give."""

import os
import resource
from pathlib import Path

import numpy as np
import pytest
from made_faces import made_faces

from analysis.core.errors import UserError
from analysis.hypothesis import effect, people
from analysis.hypothesis.matrix import WIDTH, Matrix, Rows, row_blocks
from analysis.hypothesis.people import average_by_person


def stored(values: np.ndarray, folder: Path | None = None) -> Matrix:
    matrix = Matrix(values.shape[1], folder)
    for part in np.array_split(values, [700, 705]):  # parts of unlike sizes, one larger than a block
        matrix.append(part)
    return matrix


@pytest.mark.parametrize("columns", [3, WIDTH, 2 * WIDTH + 5])
def test_what_is_written_by_rows_is_read_by_columns_and_by_rows(columns: int) -> None:
    values = np.random.default_rng(0).normal(size=(2500, columns)).astype(np.float32)
    matrix = stored(values)
    assert matrix.shape == values.shape
    for part in (slice(None), slice(0, 2), slice(WIDTH - 3, WIDTH + 3), slice(columns - 1, columns), slice(5, 5)):
        np.testing.assert_array_equal(matrix[:, part], values[:, part])
    for blocks in (row_blocks(matrix), row_blocks(values)):
        found = list(blocks)
        assert max(len(block) for _, block in found) <= 1024
        np.testing.assert_array_equal(np.concatenate([block for _, block in found]), values)
        np.testing.assert_array_equal(np.concatenate([np.arange(2500)[part] for part, _ in found]), np.arange(2500))


def test_rows_are_chosen_and_averaged_as_they_are_read() -> None:
    rng = np.random.default_rng(0)
    values = rng.normal(size=(900, WIDTH + 7)).astype(np.float32)
    matrix, chosen = stored(values), rng.uniform(size=900) < 0.4
    few = Rows(matrix, chosen)
    assert few.shape == values[chosen].shape
    np.testing.assert_array_equal(few[:, 1000:1030], values[chosen][:, 1000:1030])
    numbers = np.arange(0, len(few), 3)
    np.testing.assert_array_equal(Rows(few, numbers)[:, :9], values[chosen][numbers, :9])
    group = rng.permutation(np.arange(len(few)) // 2)
    averaged = Rows(matrix, chosen, group)
    expected = np.stack([values[chosen][group == number].mean(axis=0) for number in range(group.max() + 1)])
    np.testing.assert_allclose(averaged[:, :], expected, rtol=1e-5, atol=1e-6)
    assert len(averaged) == len(expected)


def test_the_tests_are_the_same_on_disk_and_in_memory() -> None:
    rng = np.random.default_rng(0)
    values = rng.normal(50, 5, size=(60, WIDTH + 40)).astype(np.float32)
    male = np.arange(60) < 25
    pools = np.ones((values.shape[1], 1), dtype=np.float32) / values.shape[1]
    for function in (
        lambda images: (
            effect.permutation_test(
                images, male, permutations=50, rng=np.random.default_rng(1), pools=pools
            ).null_maximum
        ),
        lambda images: effect.pooled_deviation(images, male),
        lambda images: effect.bootstrap_g(images, male, np.ones((2, 60), np.float32), pools)[1],
        lambda images: effect.weighted_effects(images, effect.contrast(male)[None], np.ones(values.shape[1])),
    ):
        before = values.copy()
        np.testing.assert_array_equal(function(stored(values)), function(values))
        np.testing.assert_array_equal(values, before)  # what is done in place is not done to what was given


def test_labels_are_permuted_as_their_weights_would_be() -> None:
    male = np.arange(50) % 3 == 0
    weights = effect.permute(effect.contrast(male), 20, np.random.default_rng(4))
    labels = effect.permute(male, 20, np.random.default_rng(4))
    np.testing.assert_array_equal(weights > 0, labels)


def test_people_are_averaged_in_as_many_passes_as_memory_asks_for(monkeypatch: pytest.MonkeyPatch) -> None:
    faces, manifest = made_faces(60, shift=10)
    whole = average_by_person(faces, manifest).images[:, :]
    monkeypatch.setattr(people, "_AT_ONCE", 7 * 4 * whole.shape[1])
    np.testing.assert_array_equal(average_by_person(faces, manifest).images[:, :], whole)


@pytest.mark.skipif(not hasattr(os, "O_TMPFILE"), reason="files without a name are Linux's")
def test_nothing_is_left_in_the_folder_even_while_it_is_used(tmp_path: Path) -> None:
    matrix = stored(np.ones((800, 4), np.float32), tmp_path / "new")
    assert list((tmp_path / "new").iterdir()) == []
    assert len(matrix) == 800


def test_a_full_disk_is_told_in_one_line(tmp_path: Path) -> None:
    matrix = Matrix(4, tmp_path)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 12, limits[1]))
    try:
        with pytest.raises(UserError, match="cannot be written"):
            matrix.append(np.ones((5000, 4), np.float32))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)

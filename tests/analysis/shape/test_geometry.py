"""Geometry: pose is found and removed, distances follow the points that they are named for, warps meet their target."""

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest
import xarray as xr

from analysis.averages.grouping import aggregate
from analysis.averages.shape_aggregates import ShapeAggregates
from analysis.averages.shape_free import SCALE, enlarged, prototypes, shape_free, sharpness
from analysis.averages.shape_grouping import AggregatedShapes, aggregate_shapes, pools
from analysis.core.errors import UserError
from analysis.core.schema import MIN_FACES
from analysis.data.dataset import Dataset
from analysis.hypothesis.contrast import FEATURES, contrast_table, contrasts, feature_masks
from analysis.hypothesis.shape import Shapes, examine_shapes, measure_shapes
from analysis.results import Results, artifacts
from analysis.shape import geometry
from analysis.shape.landmarks import find_landmarks, read_landmarks
from analysis.shape.mesh import face_mesh
from analysis.shape.warp import Warp
from analysis.study.rows import face_rows
from analysis.study.shapes import study_shapes

pytest.importorskip("ai_edge_litert")


@pytest.fixture(scope="module")
def measured(demo_home: Path) -> tuple[np.ndarray, np.ndarray]:
    """Sixty composites and their meshes."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MEANFACE_HOME", str(demo_home))
        faces = Dataset.open("demo").faces[:300:5].to_numpy()
    return faces, face_mesh(faces)[0]


def turned(mesh: np.ndarray, yaw: float = 0, pitch: float = 0) -> np.ndarray:
    a, b = np.radians([yaw, pitch])
    about_y = np.array([[np.cos(a), 0, -np.sin(a)], [0, 1, 0], [np.sin(a), 0, np.cos(a)]])
    about_x = np.array([[1, 0, 0], [0, np.cos(b), np.sin(b)], [0, -np.sin(b), np.cos(b)]])
    return mesh @ about_x @ about_y


def test_pose_is_found_and_taken_out_of_the_distances(measured: tuple[np.ndarray, np.ndarray]) -> None:
    average = geometry.average_mesh(measured[1])
    meshes = np.stack([average, turned(average, yaw=20), turned(average, pitch=12), 3 * average + 50])
    found = geometry.solids(meshes, average)
    assert np.abs(found.pose["yaw"]).round(1).tolist() == [0, 20, 0, 0]
    assert np.abs(found.pose["pitch"]).round(1).tolist() == [0, 0, 12, 0]
    assert found.pose["roll"].abs().max() < 1e-3
    ahead = (
        meshes[:3, 4] - (meshes[:3, 234] + meshes[:3, 454]) / 2
    )  # from between the cheekbones to the tip of the nose
    assert np.sign(ahead[1, 0] - ahead[0, 0]) == -np.sign(found.pose["yaw"][1])  # to the left of the picture
    assert np.sign(ahead[2, 1] - ahead[0, 1]) == np.sign(found.pose["pitch"][2])  # down
    measured_distances = geometry.distances(found.points)
    np.testing.assert_allclose(measured_distances, measured_distances.iloc[[0] * 4], rtol=1e-4)


def test_the_average_mesh_is_symmetric_and_straight(measured: tuple[np.ndarray, np.ndarray]) -> None:
    average = geometry.average_mesh(measured[1])
    other = geometry.mirrored(average)
    assert (other[other] == np.arange(468)).all()
    assert [other[i] for i in (33, 61, 234, 172, 152)] == [263, 291, 454, 397, 152]
    np.testing.assert_allclose(average[other] * [-1, 1, 1], average, atol=0.5)


@pytest.mark.parametrize(
    ("points", "moved", "name"),
    [((176, 400), (0.1, 0), "chin width"), ((172, 397), (0.1, 0), "jaw width"), ((61, 291), (0.1, 0), "mouth width")],
)
def test_a_distance_follows_its_points(
    measured: tuple[np.ndarray, np.ndarray], points: tuple[int, int], moved: tuple[float, float], name: str
) -> None:
    average = geometry.average_mesh(measured[1])
    mesh = geometry.solids(average[None], average).points
    before = geometry.distances(mesh)[name][0]
    wider = mesh.copy()
    wider[0, points[0], :2] -= moved
    wider[0, points[1], :2] += moved
    assert geometry.distances(wider)[name][0] == pytest.approx(before + 0.2, abs=0.01)
    assert list(geometry.distances(mesh)) == list(geometry.DISTANCES)


def test_a_warp_to_the_own_shape_changes_nothing_and_one_that_is_moved_moves(
    measured: tuple[np.ndarray, np.ndarray],
) -> None:
    faces, points = measured
    same = Warp(points[0, :, :2])(faces[0], points[0, :, :2])
    assert np.abs(same.astype(int) - faces[0]).max() <= 2
    there = points[0, :, :2] + [3, 0]
    moved = Warp(there)(faces[0], points[0, :, :2])
    x, y = points[0, 4, :2].round().astype(int)  # the tip of the nose
    assert np.abs(moved[y - 2 : y + 3, x + 1 : x + 6].astype(int) - faces[0][y - 2 : y + 3, x - 2 : x + 3]).max() <= 8


def test_a_larger_frame_has_its_points_at_the_same_places_and_warps_alike(
    measured: tuple[np.ndarray, np.ndarray],
) -> None:
    faces, points = measured
    large = np.stack([cv2.resize(face, (178, 218), interpolation=cv2.INTER_CUBIC) for face in faces[:8]])
    found = face_mesh(large)[0]
    assert np.abs(found[..., :2] - points[:8, :, :2]).mean() < 0.3
    target = Warp(points[..., :2].mean(axis=0), 2)
    for face, twice, mesh in zip(faces, large, points[:8, :, :2], strict=False):
        assert np.abs(target(twice, mesh).astype(int) - target(face, mesh)).mean() < 2


def made_shapes(n: int, g: float, seed: int = 0) -> Shapes:
    """Noise in place of distances, in which the chin of men is wider by ``g`` deviations; two photos a person."""
    rng = np.random.default_rng(seed)
    person = np.repeat(np.arange(n), 2)
    male = person % 2 == 1
    own = rng.normal(size=(n, len(geometry.DISTANCES)))[person]
    values = pd.DataFrame(own, columns=list(geometry.DISTANCES))
    values["chin width"] += g * male
    table = pd.DataFrame(
        {
            "label": np.where(male, "male", "female"),
            "person": person,
            "kept": True,
            "split": np.where(person < 0.7 * n, "train", "test"),
            "brightness": rng.normal(size=2 * n),
        }
    )
    pose = pd.DataFrame(rng.normal(0, 8, (2 * n, 3)), columns=["yaw", "pitch", "roll"])
    mouth = pd.DataFrame(rng.normal(size=(2 * n, 2)), columns=["corners", "open"])
    front = rng.normal(size=(2 * n, 468, 2)).astype(np.float32)
    return Shapes(table, values, pose, mouth, front, missed=0)


def test_the_geometric_test_finds_what_is_planted_and_only_that(rng: np.random.Generator) -> None:
    quick = {"permutations": 199, "control_permutations": 99, "resamples": 20}
    found = examine_shapes(("own", made_shapes(600, 0.8)), {"other": made_shapes(400, 0.8, 1)}, rng=rng, **quick)
    people = found.distances.query("dataset == 'own' and comparison == 'people'").set_index("distance")
    assert found.record.comparisons[0].largest == "chin width"
    assert people.loc["chin width", "low"] < 0.8 < people.loc["chin width", "high"]
    assert people.loc["chin width", "p_value"] == pytest.approx(1 / 200)
    assert (people.drop("chin width")["p_value"] > 0.05).all()
    assert people.loc["chin width", "overlap"] == pytest.approx(0.69, abs=0.06)  # two normal curves 0.8 apart
    assert [each.key for each in found.record.comparisons] == ["people", "all", "pose", "weights"]
    assert found.record.same_elsewhere is True
    assert found.record.accuracy is not None and found.record.accuracy.accuracy > 0.55


def test_ages_that_nobody_has_and_a_race_of_one_label_are_left_out(rng: np.random.Generator) -> None:
    shapes = made_shapes(300, 0.8)
    shapes.table["age"] = np.where(shapes.male, 20, 25)
    shapes.table["race"] = np.where(shapes.male, "White", "Black")
    found = examine_shapes(("own", shapes), {}, permutations=99, control_permutations=99, resamples=20, rng=rng)
    assert set(found.groups["kind"]) == {"age"}
    assert found.groups["group"].nunique() == 1


def test_a_difference_that_is_all_pose_does_not_survive_equal_pose(rng: np.random.Generator) -> None:
    shapes = made_shapes(600, 0.0)
    male = shapes.male
    shapes.pose["pitch"] += 6 * male
    shapes.distances["chin height"] += 0.12 * shapes.pose["pitch"]
    found = examine_shapes(("own", shapes), {}, permutations=99, control_permutations=99, resamples=20, rng=rng)
    g = found.distances.query("distance == 'chin height'").set_index("comparison")["g"]
    assert g["all"] > 0.3
    assert abs(g["pose"]) < 0.15
    assert found.record.same_elsewhere is None


def test_contrast_is_higher_where_lips_are_darker(measured: tuple[np.ndarray, np.ndarray]) -> None:
    _, points = measured
    warp = Warp(points[..., :2].mean(axis=0), 2)
    masks = feature_masks(warp)
    for feature, skin in masks.values():
        assert feature.sum() > 50 and skin.sum() > 50 and not (feature & skin).any()
    plain = np.full((1, *warp.size, 3), 160, np.uint8)
    painted = plain.copy()
    painted[0, masks["lips"][0]] = 80
    before, after = contrasts(plain, masks)[0], contrasts(painted, masks)[0]
    np.testing.assert_allclose(before, 0, atol=1e-6)
    assert after[FEATURES.index("lips")] > 0.5
    assert after[FEATURES.index("eyes")] == pytest.approx(0, abs=1e-6)
    assert after[FEATURES.index("eyes and lips")] == pytest.approx(after[1] / 2)


def test_contrast_of_bare_faces_is_tested_where_make_up_is_known(rng: np.random.Generator) -> None:
    n = 400
    male = np.arange(n) % 2 == 1
    table = pd.DataFrame(
        {
            "label": np.where(male, "male", "female"),
            "person": [str(i) for i in range(n)],
            "kept": True,
            "Wearing_Lipstick": pd.array(~male & (np.arange(n) % 4 == 0), dtype="boolean"),
        }
    )
    values = rng.normal(0.3, 0.1, (n, 4)).astype(np.float32)
    values[:, 1] -= 0.1 * male
    found = contrast_table("made", table, values, permutations=99, resamples=20, rng=rng).set_index(["kind", "feature"])
    assert found.loc[("all", "lips"), "high"] < 0
    assert found.loc[("all", "eyes"), "p_value"] > 0.05
    assert found.loc[("bare", "lips"), "females"].item() == 100


@pytest.fixture(scope="module")
def demo_with_landmarks(demo_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dataset]:
    """The demo faces in a home of this module's own."""
    home = tmp_path_factory.mktemp("shape-home")
    shutil.copytree(demo_home / "data" / "demo", home / "data" / "demo")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MEANFACE_HOME", str(home))
        dataset = Dataset.open("demo")
        find_landmarks(dataset)
        yield dataset


@pytest.fixture(scope="module")
def aligned(demo_with_landmarks: Dataset) -> xr.Dataset:
    labels = demo_with_landmarks.manifest["label"].to_numpy()
    faces = demo_with_landmarks.faces.to_numpy() / 255
    mean = np.stack([faces[labels == label].mean(axis=0) for label in ("female", "male")])
    return xr.Dataset({"mean": (("label", "y", "x", "channel"), mean)}, coords={"label": ["female", "male"]})


@pytest.fixture(scope="module")
def pictures(demo_with_landmarks: Dataset, aligned: xr.Dataset) -> xr.Dataset:
    landmarks = read_landmarks(demo_with_landmarks)
    assert landmarks is not None
    return shape_free(prototypes(demo_with_landmarks, landmarks), aligned)


def test_faces_of_different_shapes_average_sharply_once_they_are_warped(
    measured: tuple[np.ndarray, np.ndarray], rng: np.random.Generator
) -> None:
    faces, points = measured
    own = points[..., :2] + rng.normal(0, 2.5, (len(points), 1, 2)) * [0, 1]  # longer and shorter faces
    shaped = np.stack([Warp(to)(face, mesh[:, :2]) for face, mesh, to in zip(faces, points, own, strict=True)])
    target = Warp(own.mean(axis=0))
    warped = np.stack([target(face, mesh) for face, mesh in zip(shaped, own, strict=True)])
    blurred, sharp = (sharpness(each.mean(axis=0).astype(np.uint8), target) for each in (shaped, warped))
    assert sharp > 1.2 * blurred


def test_shape_free_averages_are_stored_with_their_sharpness(pictures: xr.Dataset) -> None:
    gain = pictures["sharpness"].sel(kind="shape-free") / pictures["sharpness"].sel(kind="aligned")
    assert (gain > 1).all()  # composites are alike: there is little to gain
    assert pictures["count"].values.tolist() == [200, 200]
    assert pictures["picture"].shape == (9, 109 * SCALE, 89 * SCALE, 3)


def test_half_of_a_blend_lies_between_its_ends(pictures: xr.Dataset) -> None:
    of = list(zip(pictures["shape_of"].values.tolist(), pictures["texture_of"].values.tolist(), strict=True))
    female, half, male = (
        pictures["picture"].to_numpy()[of.index((s, s))].astype(float).mean() for s in (0.0, 0.5, 1.0)
    )
    assert half == pytest.approx((female + male) / 2, abs=1.5)


def test_an_average_of_few_people_is_refused(demo_with_landmarks: Dataset) -> None:
    found = read_landmarks(demo_with_landmarks)
    assert found is not None
    men = np.flatnonzero(demo_with_landmarks.manifest["label"] == "male")
    found.table.loc[men[15:], "found"] = False
    with pytest.raises(UserError, match="the faces labelled male has 15 faces"):
        prototypes(demo_with_landmarks, found)


def test_study_of_shape_is_written_as_results_read_it(
    demo_with_landmarks: Dataset, aligned: xr.Dataset, tmp_path: Path
) -> None:
    found = study_shapes(demo_with_landmarks, [], aligned, permutations=100, seed=0)
    assert found is not None
    (tmp_path / "study").mkdir()
    found.write(tmp_path / "study")
    results = Results(tmp_path)
    assert results.has_shape and results.has_shape_free
    assert results.shape.photos == 400
    assert set(results.shape_distances["distance"]) == set(geometry.DISTANCES)
    assert set(results.contrast["feature"]) == set(FEATURES)
    assert results.shape_maps["shape"].shape == (2, 468, 2)


def test_without_landmarks_there_is_no_study_of_shape(demo: Path, aligned: xr.Dataset) -> None:
    assert study_shapes(Dataset.open("demo"), [], aligned, permutations=100, seed=0) is None


def test_an_enlarged_average_is_smooth() -> None:
    step = np.zeros((109, 89, 3), np.float32)
    step[:, 45:] = 1
    assert {80, 175} <= set(enlarged(step)[100, :, 0].tolist())  # steps between black and white


@pytest.fixture(scope="module")
def pooled(demo_with_landmarks: Dataset) -> tuple[pd.DataFrame, AggregatedShapes]:
    """Rows of the demo faces and shape and texture of their groups, of which one lacks most landmarks."""
    landmarks = read_landmarks(demo_with_landmarks)
    assert landmarks is not None
    group = aggregate([demo_with_landmarks], [face_rows(demo_with_landmarks)]).rows["aggregate"]
    table = landmarks.table.copy()
    table.loc[face_rows(demo_with_landmarks).loc[group == 3, "row"].to_numpy()[2:], "found"] = False
    known = replace(landmarks, table=table)
    measured = measure_shapes(demo_with_landmarks, known, rng=np.random.default_rng(0))
    found = aggregate([demo_with_landmarks], [face_rows(demo_with_landmarks, measured, known.found)])
    assert found.rows["aggregate"].equals(group)
    drawn = prototypes(demo_with_landmarks, landmarks)
    return found.rows, aggregate_shapes(
        [demo_with_landmarks], {"demo": known}, found.rows, found.arrays["coefficient"].to_numpy(), drawn
    )


def test_shape_and_texture_of_a_selection_are_close_to_the_exact_ones(
    pooled: tuple[pd.DataFrame, AggregatedShapes], demo_with_landmarks: Dataset, tmp_path: Path
) -> None:
    rows, made = pooled
    made.write(tmp_path)
    engine = ShapeAggregates(artifacts.AGGREGATE_SHAPES.read_file(tmp_path / artifacts.AGGREGATE_SHAPES.name), rows)
    landmarks = read_landmarks(demo_with_landmarks)
    assert landmarks is not None
    exact = landmarks.read(rows["row"].to_numpy())[..., :2]
    male = (rows["label"] == "male").to_numpy()
    points, _ = engine.means(male)
    off, whole = (
        np.sqrt(np.square(each - exact[male].mean(axis=0)).sum(-1).mean()) for each in (points, exact.mean(0))
    )
    assert off < 0.3 * whole
    assert (made.errors["points"] < made.errors["points_difference"]).mean() > 0.6
    assert (made.errors["texture"] < made.errors["texture_difference"]).all()


def test_groups_with_few_landmarks_share_a_pool_and_none_is_of_few_people(
    pooled: tuple[pd.DataFrame, AggregatedShapes],
) -> None:
    rows, made = pooled
    pool = made.arrays["pool"].to_numpy()
    assert made.arrays["people"].min() >= MIN_FACES
    assert (pool == pool[3]).sum() == 2
    labels = rows.groupby("aggregate")["label"].first()
    assert labels[pool == pool[3]].nunique() == 1


def test_an_average_of_a_selection_is_drawn_crisply_and_refuses_few(
    pooled: tuple[pd.DataFrame, AggregatedShapes], pictures: xr.Dataset
) -> None:
    rows, made = pooled
    engine = ShapeAggregates(made.arrays, rows)
    male = (rows["label"] == "male").to_numpy()
    drawn = engine.picture(engine.average(male)).astype(float)
    own = pictures["picture"].to_numpy()[pictures["shape_of"].values.tolist().index(1.0)].astype(float)
    assert np.abs(drawn - own).mean() < 3
    with pytest.raises(UserError, match="an average of fewer than 16"):
        engine.average(np.arange(15))


@pytest.mark.parametrize("older", [False, True])
def test_a_crisp_average_counts_the_faces_that_have_landmarks_themselves(
    pooled: tuple[pd.DataFrame, AggregatedShapes], older: bool
) -> None:
    rows, made = pooled
    engine = ShapeAggregates(made.arrays, rows.drop(columns="landmarks") if older else rows)
    lacking, having = (np.flatnonzero(rows["yaw"].isna() == lacks) for lacks in (True, False))
    assert len(lacking) >= 10
    assert engine.known(np.ones(len(rows), bool)).sum() == len(having)
    assert engine.average(np.concatenate([lacking, having[:16]])).faces == 16
    with pytest.raises(UserError, match="15 of the selected faces have landmarks"):
        engine.average(np.concatenate([lacking[:1], having[:15]]))


def test_a_label_with_few_people_stays_in_one_pool() -> None:
    rows = pd.DataFrame(
        {"dataset": "a", "label": "female", "person": [f"{i}" for i in range(12)], "aggregate": [0] * 6 + [1] * 6}
    )
    assert pools(rows, np.array([[0.0], [1.0]])).tolist() == [0, 0]

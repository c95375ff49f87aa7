"""Ingest: what is refused, what is kept, what a killed run leaves, and splits that share nobody."""

import io
import json
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from analysis.core.errors import UserError
from analysis.data import ingest as module
from analysis.data.dataset import Dataset
from analysis.data.ingest import ingest
from analysis.data.sources import demo_source, register
from analysis.data.splits import duplicate_pairs, resolve_splits


def demo_members(count: int) -> dict[str, bytes]:
    with zipfile.ZipFile(demo_source()) as archive:
        names = [name for name in archive.namelist() if name.endswith(".jpg")]
        return {name: archive.read(name) for name in names[:: len(names) // count][:count]}


def write_zip(path: Path, members: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return path


def test_demo_faces_are_all_aligned_by_their_landmarks(demo: Path) -> None:
    manifest, faces = Dataset.open("demo").manifest, Dataset.open("demo").faces
    assert len(manifest) == 400 == faces.sizes["image"]
    assert faces.dtype == np.uint8
    assert faces.dims == ("image", "y", "x", "channel")
    assert (manifest["status"] == "ok").all()
    assert (manifest["aligned_by"] == "landmarks").all()
    assert manifest["label"].value_counts().to_dict() == {"female": 200, "male": 200}
    assert manifest["brightness"].between(0, 1).all()


def test_cube_rows_follow_the_manifest(demo: Path) -> None:
    manifest, faces = Dataset.open("demo").manifest, Dataset.open("demo").faces
    luma = faces.isel(image=7).to_numpy() @ [0.299, 0.587, 0.114]
    assert manifest["brightness"].iloc[7] == pytest.approx(luma.mean() / 255, abs=0.01)


def test_broken_files_are_listed_with_the_reason_and_do_not_stop_the_run(home: Path) -> None:
    members = demo_members(6)
    first = next(iter(members))
    members["Dataset/Train/Male/900001.jpg"] = members[first][: len(members[first]) // 2]
    members["Dataset/Train/Male/900002.jpg"] = b"not a photo"
    members["Dataset/Train/Male/900003.jpg"] = b""
    register(write_zip(home / "faces.zip", members), "faces")
    facts = ingest("faces", progress=False)
    manifest = Dataset.open("faces").manifest.set_index("image_id")
    assert facts.status == {"ok": 6, "broken": 3}
    assert "cut short" in manifest.loc["900001.jpg", "reason"]
    assert "can be read" in manifest.loc["900002.jpg", "reason"]
    assert "empty" in manifest.loc["900003.jpg", "reason"]


def test_an_image_without_a_face_is_set_aside_where_the_source_is_not_aligned(home: Path) -> None:
    buffer = io.BytesIO()
    Image.fromarray(np.full((200, 200, 3), 128, np.uint8)).save(buffer, "JPEG")
    faces = [data for _, data in zip(range(4), demo_members(4).values(), strict=True)]
    members = {f"UTKFace/3{i}_{i % 2}_0_2017010912345678{i}.jpg.chip.jpg": data for i, data in enumerate(faces)}
    members["UTKFace/30_0_0_20170109123456789.jpg.chip.jpg"] = buffer.getvalue()
    register(write_zip(home / "utk.zip", members), "utk")
    assert ingest("utk", progress=False).status == {"ok": 4, "no_face": 1}


def test_killed_run_continues_and_ends_with_the_same_files(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    register(write_zip(home / "faces.zip", demo_members(12)), "faces")
    monkeypatch.setattr(module, "PART", 4)
    whole = ingest("faces", progress=False)
    cube = Dataset.open("faces").faces.to_numpy()
    (home / "data/faces/ingest.json").unlink()

    real, seen = module._record, []

    def killed(source, path, *rest):
        if len(seen) >= 9:
            raise KeyboardInterrupt
        seen.append(path)
        return real(source, path, *rest)

    monkeypatch.setattr(module, "_record", killed)
    with pytest.raises(KeyboardInterrupt):
        ingest("faces", progress=False)
    assert not (home / "data/faces/ingest.json").exists()
    again = []
    monkeypatch.setattr(module, "_record", lambda s, p, *rest: (again.append(p), real(s, p, *rest))[1])
    assert ingest("faces", progress=False).fingerprint == whole.fingerprint
    assert len(again) < 12  # whole parts were kept; how many depends on the threads
    np.testing.assert_array_equal(Dataset.open("faces").faces.to_numpy(), cube)
    assert not list((home / "data/faces").glob(".ingest-*"))


def test_finished_ingest_is_not_done_again(demo: Path) -> None:
    before = (demo / "data/demo/manifest.parquet").stat().st_mtime_ns
    assert ingest("demo", progress=False) == Dataset.open("demo").facts
    assert (demo / "data/demo/manifest.parquet").stat().st_mtime_ns == before


@pytest.mark.parametrize(("file", "damage"), [("ingest.json", "{"), ("ingest.json", "{}"), ("manifest.parquet", "no")])
def test_damaged_ingest_is_named_and_done_again(home: Path, file: str, damage: str) -> None:
    register(write_zip(home / "faces.zip", demo_members(4)), "faces")
    whole = ingest("faces", progress=False)
    (home / "data/faces" / file).write_text(damage)
    with pytest.raises(UserError, match=rf"{file}.*run `meanface ingest faces` again"):
        _ = Dataset.open("faces").facts, Dataset.open("faces").manifest
    assert ingest("faces", progress=False) == Dataset.open("faces").facts == whole


def test_person_in_two_splits_is_reported_and_stays_in_the_later_one_only(home: Path) -> None:
    members = demo_members(8)
    renamed = {f"Dataset/{'Train' if i < 5 else 'Test'}/Female/{i:06d}.jpg": d for i, d in enumerate(members.values())}
    renamed["identity_CelebA.txt"] = "".join(f"{i:06d}.jpg {i if i != 6 else 2}\n" for i in range(8)).encode()
    register(write_zip(home / "faces.zip", renamed), "faces")
    facts = ingest("faces", progress=False)
    manifest = Dataset.open("faces").manifest.set_index("image_id")
    assert facts.conflicts.identities_across_splits == 1
    assert facts.conflicts.excluded == 1
    assert manifest.loc["000002.jpg", "status"] == "excluded"
    assert "test" in manifest.loc["000002.jpg", "reason"]
    assert manifest.loc["000006.jpg", "status"] == "ok"


def test_same_picture_in_two_splits_is_found_exact_or_recompressed(home: Path) -> None:
    first, second, *others = demo_members(6).values()
    recompressed = io.BytesIO()
    Image.open(io.BytesIO(second)).save(recompressed, "JPEG", quality=60)
    members = {f"Dataset/Train/Male/{i:06d}.jpg": data for i, data in enumerate([first, second, *others])}
    members["Dataset/Test/Male/000100.jpg"] = first
    members["Dataset/Validation/Male/000101.jpg"] = recompressed.getvalue()
    register(write_zip(home / "faces.zip", members), "faces")
    conflicts = ingest("faces", progress=False).conflicts
    assert conflicts.exact == 1
    assert conflicts.near == 1
    assert conflicts.duplicates_across_splits == 2
    usable = Dataset.open("faces").manifest.query("status == 'ok'")
    assert set(usable["split"]) == {"train", "validation", "test"}
    assert len(usable) == 6


def test_copies_of_a_picture_count_once_whatever_folder_they_lie_in(home: Path) -> None:
    members = demo_members(12)
    names = [f"{30 + i}_{i % 2}_0_2017010912345678{i % 10}.jpg.chip.jpg" for i in range(12)]
    once = dict(zip(names, members.values(), strict=True))
    folders = ("UTKFace", "crop_part1", "utkface_aligned_cropped/UTKFace")
    thrice = {f"{folder}/{name}": data for folder in folders for name, data in once.items()}
    register(write_zip(home / "once.zip", once), "once")
    register(write_zip(home / "thrice.zip", thrice), "thrice")
    first, second = ingest("once", progress=False), ingest("thrice", progress=False)
    assert first.conflicts.copies == 0 and second.conflicts.copies == 24
    manifests = [Dataset.open(name).manifest.query("status == 'ok'") for name in ("once", "thrice")]
    columns = ["hash", "label", "age", "race", "brightness"]
    pd.testing.assert_frame_equal(*(each[columns].reset_index(drop=True) for each in manifests))
    left_out = Dataset.open("thrice").manifest.query("status == 'excluded'")
    assert left_out["reason"].iloc[0] == f"a copy of UTKFace/{left_out['source_path'].iloc[0].rpartition('/')[2]}"


def test_recompressed_copies_count_once_and_copies_under_both_labels_not_at_all(home: Path) -> None:
    first, second, *others = demo_members(6).values()
    again = io.BytesIO()
    Image.open(io.BytesIO(first)).save(again, "JPEG", quality=60)
    members = {f"male/{i}.jpg": data for i, data in enumerate([first, again.getvalue(), second, *others])}
    members["female/2.jpg"] = second
    register(write_zip(home / "faces.zip", members), "faces")
    facts = ingest("faces", progress=False)
    assert (facts.conflicts.copies, facts.conflicts.contradicted) == (1, 2)
    manifest = Dataset.open("faces").manifest.set_index("source_path")
    assert manifest["status"].to_dict() == {
        "female/2.jpg": "excluded",
        "male/0.jpg": "ok",
        "male/1.jpg": "excluded",
        "male/2.jpg": "excluded",
        **{f"male/{i}.jpg": "ok" for i in range(3, 7)},
    }
    assert manifest.loc["male/1.jpg", "reason"] == "a copy of 0.jpg"
    assert manifest.loc["male/2.jpg", "reason"] == "copies of this picture have different labels"


def test_copies_count_once_in_a_data_set_that_was_ingested_before_that_rule(home: Path) -> None:
    members = demo_members(24)
    copies = {f"{name.removesuffix('.jpg')}9.jpg": data for name, data in list(members.items())[:5]}
    register(write_zip(home / "faces.zip", members | copies), "faces")
    ingest("faces", progress=False)
    folder = home / "data/faces"
    now = Dataset.open("faces").manifest
    assert now["status"].value_counts().to_dict() == {"ok": 24, "excluded": 5}
    facts = json.loads((folder / "ingest.json").read_text())
    facts["configuration"]["format"] = 2
    for name in ("copies", "contradicted"):
        del facts["conflicts"][name]
    (folder / "ingest.json").write_text(json.dumps(facts))
    now.assign(status="ok", reason=None).to_parquet(folder / "manifest.parquet")
    before = Dataset.open("faces")
    assert before.manifest["status"].tolist() == now["status"].tolist()
    assert before.manifest["reason"].dropna().tolist() == now["reason"].dropna().tolist()
    assert before.usable.sum() == 24


def test_pictures_of_two_people_that_are_alike_are_no_copies() -> None:
    manifest = synthetic_manifest(people=20, photos=1)
    manifest.loc[[0, 2, 4], "phash"] = "0" * 16
    manifest.loc[4, "identity"] = 2
    resolved, conflicts = resolve_splits(manifest, np.zeros((20, 2, 2, 3), np.uint8))
    assert (conflicts.near, conflicts.copies) == (3, 1)
    assert resolved["reason"].dropna().to_dict() == {4: "a copy of 2.jpg"}


def test_copies_change_no_split_of_the_images_beside_them() -> None:
    manifest = synthetic_manifest(people=60, photos=2)
    faces = np.zeros((140, 4, 4, 3), np.uint8)
    plain, _ = resolve_splits(manifest, faces[:120], seed=1)
    assert (plain["status"] == "ok").all() and plain["near_duplicate_of"].isna().all()
    copies = manifest.iloc[:20].assign(image_id=[f"copy {i}" for i in range(20)])
    mixed, conflicts = resolve_splits(pd.concat([manifest, copies], ignore_index=True), faces, seed=1)
    assert conflicts.copies == 20 and mixed["status"].tolist() == ["ok"] * 120 + ["excluded"] * 20
    assert mixed["split"].iloc[120:].tolist() == mixed["split"].iloc[:20].tolist()


def test_a_picture_that_is_there_a_thousand_times_is_compared_once() -> None:
    manifest = synthetic_manifest(people=3000, photos=1)
    manifest.loc[:2000, ["hash", "phash"]] = ["0" * 64, "0" * 16]
    pairs = duplicate_pairs(manifest, np.zeros((3000, 2, 2, 3), np.uint8))
    assert len(pairs) == 2000 and set(pairs["first"]) == {0} and set(pairs["kind"]) == {"exact"}


def synthetic_manifest(people: int, photos: int) -> pd.DataFrame:
    count = people * photos
    identity = np.repeat(np.arange(people), photos)
    return pd.DataFrame(
        {
            "image_id": [f"{i}.jpg" for i in range(count)],
            "label": np.where(identity % 2 == 0, "female", "male"),
            "split": pd.array([pd.NA] * count, dtype="string"),
            "identity": pd.array(identity, dtype="Int64"),
            "hash": [f"{i:064x}" for i in range(count)],
            "phash": [f"{value:016x}" for value in np.random.default_rng(0).integers(0, 2**63, count)],
            "status": "ok",
            "reason": None,
        }
    )


def test_source_without_splits_is_divided_by_people_and_by_seed() -> None:
    manifest = synthetic_manifest(people=200, photos=3)
    faces = np.zeros((600, 4, 4, 3), np.uint8)
    first, _ = resolve_splits(manifest, faces, seed=1)
    again, _ = resolve_splits(manifest, faces, seed=1)
    other, _ = resolve_splits(manifest, faces, seed=2)
    assert first.groupby("identity")["split"].nunique().max() == 1
    assert first["split"].equals(again["split"])
    assert not first["split"].equals(other["split"])
    shares = first["split"].value_counts(normalize=True)
    assert shares["test"] == pytest.approx(0.2, abs=0.03)
    assert shares["validation"] == pytest.approx(0.1, abs=0.03)


def test_alike_hashes_of_different_pictures_accuse_nobody(rng: np.random.Generator) -> None:
    manifest = synthetic_manifest(people=2, photos=1)
    manifest["phash"] = "00000000000000ff"
    faces = rng.integers(0, 255, (2, 8, 8, 3)).astype(np.uint8)
    assert duplicate_pairs(manifest, faces).empty


def test_data_set_that_was_not_fetched_or_ingested_says_what_to_run(home: Path) -> None:
    with pytest.raises(UserError, match="meanface fetch"):
        ingest("nothing", progress=False)
    with pytest.raises(UserError, match="meanface ingest nothing"):
        _ = Dataset.open("nothing").manifest


def test_malformed_manifest_says_what_to_run(home: Path) -> None:
    folder = home / "data/bad"
    folder.mkdir(parents=True)
    (folder / "manifest.parquet").write_bytes(b"not parquet")
    with pytest.raises(UserError, match="meanface ingest bad"):
        _ = Dataset.open("bad").manifest
    pd.DataFrame({"image_id": ["a"]}).to_parquet(folder / "manifest.parquet")
    with pytest.raises(UserError, match="lacks hash, label, split, status"):
        _ = Dataset.open("bad").manifest


def test_source_alignment_is_refused_for_images_that_are_not_aligned(home: Path) -> None:
    faces = demo_members(2).values()
    members = {f"UTKFace/3{i}_{i}_0_2017010912345678{i}.jpg.chip.jpg": data for i, data in enumerate(faces)}
    register(write_zip(home / "utk.zip", members), "utk")
    with pytest.raises(UserError, match="leave out"):
        ingest("utk", align="source", progress=False)


def test_facts_name_the_source_and_the_configuration(demo: Path) -> None:
    facts = json.loads((demo / "data/demo/ingest.json").read_text())
    assert facts["configuration"]["align"] == "detect"
    assert len(facts["fingerprint"]) == 64


def test_the_command_lists_names_that_a_terminal_cannot_show_escaped(tmp_path: Path, home: Path) -> None:
    from typer.testing import CliRunner

    from analysis.commands import app

    register(write_zip(tmp_path / "x.zip", {"male/\x1b[31m\n.jpg": b"no photo", "female/b.jpg": b""}), "odd")
    said = CliRunner().invoke(app, ["ingest", "odd"]).output
    assert "  male/\\x1b[31m\\n.jpg: not a photo" in said and "\x1b" not in said

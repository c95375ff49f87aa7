"""Large data: a cluster of processes, a bucket, a worker that is killed half-way, and what cannot be reached."""

import logging
import os
import pickle
import shutil
import signal
import socket
import threading
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path

import fsspec
import numpy as np
import pandas as pd
import pytest
from distributed import Client, LocalCluster

from analysis.averages.exact import ExactEngine, average_faces
from analysis.core import compute, storage
from analysis.core.errors import UserError
from analysis.core.paths import parse_location
from analysis.data import ingest as module
from analysis.data.dataset import Dataset
from analysis.data.facts import Conflicts
from analysis.data.ingest import ingest
from analysis.data.sources import demo_source, open_source, register

BUCKET = "s3://faces"


@pytest.fixture(scope="module")
def bucket() -> Iterator[fsspec.AbstractFileSystem]:
    """An S3 service on loopback that holds 160 demo faces, as ``faces.zip`` and in the folder ``photos``."""
    moto = pytest.importorskip("moto.server")
    s3fs = pytest.importorskip("s3fs")
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = moto.ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    with pytest.MonkeyPatch.context() as patch:  # the workers' processes inherit it
        patch.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
        patch.setenv("AWS_ACCESS_KEY_ID", "any")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "any")
        patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        s3fs.S3FileSystem.clear_instance_cache()
        there = s3fs.S3FileSystem(use_listings_cache=False)
        there.mkdir(BUCKET)
        with zipfile.ZipFile(demo_source()) as archive:
            names = [name for name in archive.namelist() if name.endswith(".jpg")]
            members = {name: archive.read(name) for name in names[: 2 * 160 : 2]}
        with there.open(f"{BUCKET}/faces.zip", "wb") as file, zipfile.ZipFile(file, "w") as archive:
            for name, data in members.items():
                archive.writestr(name, data)
        for name in list(members)[:6]:
            there.pipe_file(f"{BUCKET}/photos/{name}", members[name])
        yield there
        s3fs.S3FileSystem.clear_instance_cache()
    server.stop()


@pytest.fixture(scope="module")
def workers(bucket: fsspec.AbstractFileSystem) -> Iterator[LocalCluster]:
    """Two worker processes, whose nannies start them again when they die."""
    with LocalCluster(n_workers=2, threads_per_worker=1, processes=True, dashboard_address=":0") as started:
        yield started


@pytest.fixture
def far(home: Path, monkeypatch: pytest.MonkeyPatch, bucket: fsspec.AbstractFileSystem) -> str:
    """Data sets lie in the bucket."""
    monkeypatch.setenv("MEANFACE_DATA", f"{BUCKET}/{home.name}")
    return f"{BUCKET}/{home.name}"


def test_worker_killed_half_way_changes_nothing(
    bucket: fsspec.AbstractFileSystem,
    workers: LocalCluster,
    home: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "PART", 8)
    bucket.get(f"{BUCKET}/faces.zip", str(home / "faces.zip"))
    register(home / "faces.zip", "faces")
    local = ingest("faces", progress=False)
    manifest, faces = Dataset.open("faces").manifest, Dataset.open("faces").faces
    averages = average_faces(faces, manifest["label"])

    place = f"{BUCKET}/killed"
    monkeypatch.setenv("MEANFACE_DATA", place)
    register(f"{BUCKET}/faces.zip", "faces")
    victim = workers.workers[0]
    killed: list[tuple[int, int]] = []  # process, parts that were written by then

    def kill() -> None:
        while not killed:
            parts = [each for each in bucket.find(f"{place}/faces") if ".parquet" in each]
            if len(parts) >= 5:
                killed.append((victim.pid, len(parts)))
                os.kill(victim.pid, signal.SIGKILL)
            time.sleep(0.01)

    killer = threading.Thread(target=kill, daemon=True)
    with compute.connected(workers.scheduler_address):
        killer.start()
        far = ingest("faces", progress=False)
        killer.join(10)
        assert 5 <= killed[0][1] < 20
        assert far == local
        pd.testing.assert_frame_equal(Dataset.open("faces").manifest, manifest, check_exact=True)
        far_faces = Dataset.open("faces").faces
        np.testing.assert_array_equal(far_faces.to_numpy(), faces.to_numpy())
        assert average_faces(far_faces, manifest["label"]).identical(averages)
        rows = (manifest["label"] == "male").to_numpy()
        found = ExactEngine(far_faces).average(rows)
    np.testing.assert_array_equal(found.mean, ExactEngine(faces).average(rows).mean)
    deadline = time.monotonic() + 20
    while victim.pid in (None, killed[0][0]) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert victim.pid != killed[0][0]  # it was a worker, and its nanny has started another
    names = {each.split("/faces/", 1)[1].split("/")[0] for each in bucket.find(f"{place}/faces")}
    assert names == {"source.json", "faces.zarr", "manifest.parquet", "ingest.json"}
    assert not list((home / "data").glob("faces/.ingest-*"))


def test_killed_run_in_a_bucket_continues(far: str, bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PART", 2)
    register(f"{BUCKET}/photos", "photos")
    real, seen = module._record, []

    def killed(source, path, *rest):
        if len(seen) >= 4:
            raise KeyboardInterrupt
        seen.append(path)
        return real(source, path, *rest)

    monkeypatch.setattr(module, "_record", killed)
    with pytest.raises(KeyboardInterrupt):
        ingest("photos", progress=False)
    with pytest.raises(UserError, match="is not ingested"):
        _ = Dataset.open("photos").facts
    again = []
    monkeypatch.setattr(module, "_record", lambda s, p, *rest: (again.append(p), real(s, p, *rest))[1])
    facts = ingest("photos", progress=False)
    assert facts.status == {"ok": 6}
    assert len(again) < 6
    assert ingest("photos", progress=False) == facts
    assert Dataset.open("photos").faces.max() > 0


def test_killed_as_the_cube_was_put_away_does_not_leave_black_faces(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    register(demo_source(), "demo")
    none = Conflicts(exact=0, near=0, identities_across_splits=0, duplicates_across_splits=0, excluded=0)
    monkeypatch.setattr(module, "_manifest", lambda source, records, *_: (_few(source, records), none))
    monkeypatch.setattr(module, "_record", _black_but_ok)
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(storage, "write_whole", _interrupted_at("manifest.parquet", storage.write_whole))
        ingest("demo", progress=False)
    seen = []
    monkeypatch.setattr(module, "_record", lambda *args: (seen.append(1), _black_but_ok(*args))[1])
    ingest("demo", progress=False)
    assert len(seen) == 400  # tables of parts without their cube are not trusted


def _few(source, records: pd.DataFrame) -> pd.DataFrame:
    columns = ["image_id", "label", "split"]
    return pd.concat([source.images[columns], records], axis=1)


def _black_but_ok(source, path, align, out):
    return {"hash": path, "status": "ok"}


def _interrupted_at(name: str, real):
    def write(target, data):
        if target.name == name:
            raise KeyboardInterrupt
        real(target, data)

    return write


def test_another_process_reads_a_source_by_its_place_alone(home: Path, bucket) -> None:
    register(f"{BUCKET}/faces.zip", "faces")
    source = open_source("faces")
    sent = pickle.dumps(source._store)
    assert len(sent) < 1000
    path = source.images["source_path"].iloc[3]
    assert pickle.loads(sent).read(path) == source.read(path)
    assert pickle.loads(sent) is pickle.loads(sent)  # a zip's directory is read once a process


def test_same_faces_have_one_fingerprint_wherever_they_lie(home: Path, bucket) -> None:
    bucket.get(f"{BUCKET}/faces.zip", str(home / "faces.zip"))
    register(home / "faces.zip", "near")
    register(f"{BUCKET}/faces.zip", "far")
    assert open_source("near").fingerprint == open_source("far").fingerprint


def test_metadata_is_found_beside_a_remote_zip_or_where_it_is_named(home: Path, bucket) -> None:
    names = [name.rsplit("/", 1)[1] for name in open_source_names(f"{BUCKET}/faces.zip")]
    table = "".join(f"{name} {i}\n" for i, name in enumerate(names)).encode()
    bucket.pipe_file(f"{BUCKET}/known/identity_CelebA.txt", table)
    bucket.copy(f"{BUCKET}/faces.zip", f"{BUCKET}/known/faces.zip")
    register(f"{BUCKET}/known/faces.zip", "beside")
    assert open_source("beside").images["identity"].notna().all()
    register(f"{BUCKET}/faces.zip", "named", [f"{BUCKET}/known/identity_CelebA.txt"])
    assert open_source("named").images["identity"].notna().all()


def open_source_names(url: str) -> list[str]:
    register(url, "names")
    return open_source("names").images["source_path"].tolist()


@pytest.mark.parametrize("address", ["10.0.0.5:8786", "tcp://", "tcp://host", "http://host:8786", "tcp://host:port"])
def test_malformed_address_of_a_scheduler_is_refused(address: str) -> None:
    with pytest.raises(UserError, match="is not a valid scheduler address"), compute.connected(address):
        pass


def test_scheduler_that_does_not_answer_says_how_to_start_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compute, "_PATIENCE", 1)
    with pytest.raises(UserError, match="no scheduler answers at .*dask scheduler"):  # noqa: SIM117
        with compute.connected(f"tcp://127.0.0.1:{_closed_port()}"):
            pass


def test_scheduler_without_workers_says_how_to_start_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compute, "_PATIENCE", 1)
    with LocalCluster(n_workers=0, processes=False, dashboard_address=":0", protocol="tcp") as empty:
        address = empty.scheduler_address
        with pytest.raises(UserError, match=f"has no workers: start one with `dask worker {address}`"):  # noqa: SIM117
            with compute.connected(address):
                pass


def test_work_goes_back_to_threads_after_a_cluster(workers: LocalCluster) -> None:
    with compute.connected(workers.scheduler_address):
        assert isinstance(compute._client(), Client)
    assert compute._client() is None
    done: list[int] = []
    compute.run(done.append, range(4), description="", unit="", progress=False)
    assert sorted(done) == [0, 1, 2, 3]


def test_service_that_cannot_be_reached_is_told_in_one_line(home: Path, bucket, monkeypatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{_closed_port()}")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    kept = type(bucket)._cache.copy()
    type(bucket).clear_instance_cache()
    try:
        with pytest.raises(UserError, match="s3://faces/faces.zip cannot be reached .*AWS_ENDPOINT_URL") as refused:
            register(f"{BUCKET}/faces.zip", "faces")
        assert "\n" not in str(refused.value)
        monkeypatch.setenv("MEANFACE_DATA", BUCKET)
        for part in ("manifest", "faces", "facts"):
            with pytest.raises(UserError, match="cannot be reached"):
                getattr(Dataset.open("faces"), part)
        with pytest.raises(UserError, match="cannot be reached"):
            ingest("faces")
    finally:
        type(bucket)._cache.update(kept)


def _closed_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


@pytest.mark.parametrize("place", [f"{BUCKET}/none.zip", "s3://no-such-bucket/faces.zip"])
def test_missing_object_or_bucket_says_what_to_give(home: Path, bucket, place: str) -> None:
    with pytest.raises(UserError, match=f"nothing is at {place}: give"):
        register(place, "faces")


def test_a_bucket_that_is_missing_is_told_before_anything_is_written(bucket) -> None:
    for write in (storage.check_writable, lambda place: storage.write_whole(place, b"x")):
        with pytest.raises(UserError, match="s3://no-such-bucket/a.csv cannot be written .*: make s3://no-such-bucket"):
            write(parse_location("s3://no-such-bucket/a.csv"))
    with pytest.raises(UserError, match="s3:// names nothing: give s3://BUCKET"):
        parse_location("s3://")


def test_data_that_were_lost_from_a_bucket_are_named(home: Path, bucket) -> None:
    bucket.copy(f"{BUCKET}/faces.zip", f"{BUCKET}/gone.zip")
    register(f"{BUCKET}/gone.zip", "gone")
    bucket.rm(f"{BUCKET}/gone.zip")
    with pytest.raises(UserError, match="has lost s3://faces/gone.zip"):
        open_source("gone")


def test_url_that_no_package_reads_says_what_to_install(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UserError, match="nosuch:// is not known"):
        register("nosuch://bucket/faces.zip", "faces")

    def missing(protocol: str) -> None:
        raise ImportError("Install s3fs to access S3")

    monkeypatch.setattr(fsspec, "get_filesystem_class", missing)
    with pytest.raises(UserError, match=r"Install s3fs.*pip install 'meanface\[s3\]'"):
        register(f"{BUCKET}/faces.zip", "faces")


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        (lambda table: b"not parquet", "cannot be read"),
        (lambda table: table.drop(columns=["hash", "status"]), "lacks hash, status"),
        (lambda table: table.assign(label="Male"), "has the label 'Male'"),
        (lambda table: table.assign(label=None), "has the label"),
        (lambda table: table.iloc[:-1], "has 399 rows, but the cube 400 faces"),
        (lambda table: table.assign(image_id=table["image_id"].iloc[5]), "lists .* twice"),
    ],
)
def test_malformed_manifest_says_what_is_wrong_and_what_to_run(demo_home: Path, home: Path, damage, told: str) -> None:
    folder = home / "data/demo"
    shutil.copytree(demo_home / "data/demo", folder)
    damaged = damage(Dataset.open("demo").manifest)
    content = damaged if isinstance(damaged, bytes) else damaged.to_parquet()
    (folder / "manifest.parquet").write_bytes(content)
    with pytest.raises(UserError, match=f"{told}.*: run `meanface ingest demo` again") as refused:
        _ = Dataset.open("demo").manifest
    assert "\n" not in str(refused.value)

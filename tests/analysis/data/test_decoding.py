"""Decoding in processes of their own: what takes too long, too much memory or a crash costs one photo its score."""

import os
import signal
import sys
import time
from collections.abc import Iterator
from concurrent.futures import wait
from multiprocessing import current_process

import numpy as np
import photos
import pytest
from PIL import Image

from analysis.data import decoding
from analysis.data.decoding import Decoders
from analysis.data.photo import PhotoError
from model.faces import NoFaceError, faces_in_photo

PLAIN = photos.encoded(photos.portrait())
OTHER = photos.encoded(photos.portrait(), "WEBP")


@pytest.fixture(scope="module")
def decoders() -> Iterator[Decoders]:
    started = Decoders()
    assert started.start()
    yield started
    started.close()


def where(data: bytes) -> int:
    return os.getpid()


def spin(data: bytes) -> None:
    while True:
        pass


def sleep(data: bytes) -> None:
    time.sleep(100)


def crash(data: bytes) -> None:
    os.kill(os.getpid(), signal.SIGSEGV)


def hoard(data: bytes) -> int:
    return int(np.ones(200_000_000).sum())


def fail(data: bytes) -> None:
    raise NoFaceError("no face found")


def test_plain_photos_are_worked_on_here_and_others_in_a_process_each() -> None:
    assert decoding.call(where, OTHER) == os.getpid()  # outside of a block
    with decoding.processes():
        assert decoding.call(where, PLAIN) == os.getpid()
        assert len({decoding.call(where, OTHER), decoding.call(where, OTHER), os.getpid()}) == 3


def test_faces_from_a_process_are_those_found_here(decoders: Decoders) -> None:
    (there,) = decoders.submit(faces_in_photo, OTHER, "detect").result()
    (here,) = faces_in_photo(OTHER, "detect")
    assert there.box == here.box
    np.testing.assert_array_equal(there.pixels, here.pixels)


def test_what_takes_too_long_is_ended_and_others_go_on(decoders: Decoders) -> None:
    hasty = Decoders(seconds=0.5)
    spinning = [hasty.submit(spin, OTHER) for _ in range(2)]
    assert decoders.submit(where, OTHER).result() != os.getpid()
    for each in spinning:
        with pytest.raises(PhotoError, match="takes too long to decode"):
            each.result(timeout=60)
    hasty.close()


def test_what_waits_is_ended_too() -> None:
    patient = Decoders(seconds=0.2)
    with pytest.raises(PhotoError, match="takes too long to decode"):
        patient.submit(sleep, OTHER).result()
    patient.close()


def test_a_decoder_that_crashes_takes_its_process_only(decoders: Decoders) -> None:
    both = [decoders.submit(crash, OTHER), decoders.submit(where, OTHER)]
    wait(both)
    with pytest.raises(PhotoError, match="breaks its decoder"):
        both[0].result()
    assert both[1].result() != os.getpid()


@pytest.mark.skipif(sys.platform != "linux", reason="memory is limited on Linux")
def test_memory_is_limited(decoders: Decoders) -> None:
    with pytest.raises(PhotoError, match="too large to decode"):
        decoders.submit(hoard, OTHER).result()


def test_what_the_work_raises_is_raised_here(decoders: Decoders) -> None:
    with pytest.raises(NoFaceError, match="no face found"):
        decoders.submit(fail, OTHER).result()


def test_a_daemon_decodes_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    """As a worker of Dask's, which may not have processes of its own."""
    monkeypatch.setitem(current_process()._config, "daemon", True)
    alone = Decoders()
    assert not alone.start()
    assert alone.submit(where, OTHER).result() == os.getpid()


def test_a_photo_that_is_large_once_decoded_leaves_no_memory_here(decoders: Decoders) -> None:
    with pytest.raises(NoFaceError):
        decoders.submit(faces_in_photo, photos.encoded(Image.new("L", (3000, 3000), 90), "WEBP")).result()

"""Seeded mutations of every kind of photo: there is an answer or a PhotoError, and nothing hangs."""

import time
from collections.abc import Callable

import numpy as np
import photos
import pytest

from analysis.data.photo import PhotoError
from model.faces import FaceCrop, faces_in_photo

KINDS = photos.every_kind(photos.portrait().crop((20, 40, 160, 190)).resize((70, 75)))
SECONDS = 20  # on a busy machine


def look(data: bytes) -> str:
    """Look for faces as the server does; "" or what is wrong."""
    began = time.monotonic()
    try:
        faces = faces_in_photo(data)
    except PhotoError as error:
        said = str(error)
        assert said and "\n" not in said and len(said) < 400
        return said
    finally:
        assert time.monotonic() - began < SECONDS
    assert faces and all(isinstance(face, FaceCrop) and face.pixels.shape == (109, 89, 3) for face in faces)
    return ""


def mutate(kind: str, times: int, seed: int) -> dict[str, int]:
    """How often which answer is given to mutations of a kind of photo."""
    rng = np.random.default_rng([seed, *kind.encode()])
    said: dict[str, int] = {}
    for number in range(times):
        change = photos.MUTATIONS[number % len(photos.MUTATIONS)]
        answer = look(change(KINDS[kind], rng))
        said[answer] = said.get(answer, 0) + 1
    return said


@pytest.mark.parametrize("kind", KINDS)
def test_mutations_give_an_answer_or_say_what_is_wrong(kind: str) -> None:
    said = mutate(kind, 2 * len(photos.MUTATIONS), seed=0)
    assert len(said) > 1  # not all are refused for one reason


def test_odd_exif_of_every_sort_gives_the_answer_of_the_photo() -> None:
    rng = np.random.default_rng(0)
    plain = photos.encoded(photos.portrait(), quality=90)
    (expected,) = faces_in_photo(plain)
    for _ in range(60):
        value = rng.bytes(int(rng.integers(0, 24)))
        block = photos.exif(
            1, tag=int(rng.integers(1 << 16)), kind=int(rng.integers(20)), count=int(rng.integers(6)), value=value
        )
        (face,) = faces_in_photo(photos.with_exif(plain, block))
        np.testing.assert_array_equal(face.pixels, expected.pixels)


@pytest.mark.slow
@pytest.mark.torture
@pytest.mark.parametrize("seed", range(1, 11))
def test_thousands_of_mutations(seed: int, record_property: Callable[[str, object], None]) -> None:
    tried = sum(sum(mutate(kind, 45, seed).values()) for kind in KINDS)
    record_property("reliability", {"inputs": tried, "hangs": 0})  # one that hangs ends the test

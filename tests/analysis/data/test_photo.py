"""Photos: bytes of any kind become upright RGB pixels, or one clear line about what is wrong with them."""

import io

import numpy as np
import pytest
from PIL import Image

from analysis.data.photo import PhotoError, decode_photo


def encoded(image: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def test_truncated_jpeg_is_refused_and_says_why(rng: np.random.Generator) -> None:
    data = encoded(Image.fromarray(rng.integers(0, 256, (218, 178, 3)).astype(np.uint8)), "JPEG")
    with pytest.raises(PhotoError, match="cut short"):
        decode_photo(data[: len(data) // 2])


def test_photo_is_turned_upright_by_its_orientation() -> None:
    image = Image.new("RGB", (40, 20), "red")
    exif = image.getexif()
    exif[0x0112] = 6  # turn by 90 degrees to show it upright
    assert decode_photo(encoded(image, "JPEG", exif=exif)).shape == (40, 20, 3)


def test_transparent_grey_and_deep_photos_become_rgb() -> None:
    transparent = decode_photo(encoded(Image.new("RGBA", (20, 20), (255, 0, 0, 0))))
    assert (transparent == 255).all()
    assert decode_photo(encoded(Image.new("L", (20, 20), 77))).tolist()[0][0] == [77, 77, 77]
    deep = Image.fromarray(np.full((20, 20), 32768, np.uint16))
    assert abs(int(decode_photo(encoded(deep))[0, 0, 0]) - 127) <= 1
    assert decode_photo(encoded(Image.new("P", (20, 20)), "GIF")).shape == (20, 20, 3)


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "empty"),
        (b"hello", "can be read"),
        (encoded(Image.new("RGB", (8, 8))), "8 x 8"),
        (encoded(Image.new("1", (10_000, 6_000))), "megapixels"),
    ],
)
def test_what_is_no_usable_photo_is_refused_with_the_reason(data: bytes, why: str) -> None:
    with pytest.raises(PhotoError, match=why):
        decode_photo(data)

"""Photos: bytes of any kind become upright RGB pixels, or one clear line about what is wrong with them."""

import gzip
import io
import struct
import tarfile
import time
import zipfile
import zlib
from pathlib import Path

import numpy as np
import photos
import pytest
import pyvips
from photos import encoded
from PIL import Image, ImageOps

from analysis.data import containers, contents
from analysis.data.detection import detect_faces
from analysis.data.kinds import kind_of
from analysis.data.photo import FULL_PIXELS, MAX_PIXELS, PhotoError, decode_photo, read_photo

KINDS = photos.every_kind(photos.portrait())
FACE = np.asarray(photos.portrait())


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_shows_the_same_picture(kind: str) -> None:
    pixels = decode_photo(KINDS[kind])
    assert pixels.shape == FACE.shape and pixels.dtype == np.uint8 and pixels.flags.c_contiguous
    expected = FACE if pixels[..., 0].tobytes() != pixels[..., 1].tobytes() else FACE.mean(axis=2, keepdims=True)
    assert np.abs(pixels[20:].astype(int) - expected[20:]).mean() < (18 if "cmyk" in kind else 12)
    assert not np.isclose(pixels.mean(), 255, atol=5)


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_cut_short_is_said_to_be(kind: str) -> None:
    data = KINDS[kind]
    with pytest.raises(PhotoError, match="cut short"):
        decode_photo(data[: len(data) // 3])


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF"])
def test_photo_is_turned_upright_by_its_orientation(orientation: int, kind: str) -> None:
    image = photos.portrait()
    block = image.getexif()
    block[0x0112] = orientation
    data = encoded(image, kind, exif=block, **({"quality": 95} if kind != "TIFF" else {}))
    photo = read_photo(data)
    expected = np.asarray(ImageOps.exif_transpose(Image.open(io.BytesIO(data))).convert("RGB"))
    assert photo.pixels.shape == expected.shape
    assert (photo.height, photo.width) == expected.shape[:2]
    assert np.abs(photo.pixels.astype(int) - expected).mean() < 3


ODD_TAGS = {
    "rational minus one over zero": {"kind": 10, "count": 1, "value": struct.pack("<ii", -1, 0)},
    "resolution as text": {"kind": 2, "count": 4, "value": b"72a\0"},
    "a type that does not exist": {"kind": 99, "count": 1, "value": b"abcd"},
    "more values than bytes": {"kind": 5, "count": 1 << 28, "value": bytes(8)},
    "no values": {"kind": 3, "count": 0, "value": b""},
    "not UTF-8": {"tag": 0x010E, "kind": 2, "count": 4, "value": b"\xff\xfe\xe9\0"},
    "GPS that points to itself": {"tag": 0x8825, "kind": 4, "count": 1, "value": struct.pack("<I", 8)},
    "EXIF that points nowhere": {"tag": 0x8769, "kind": 4, "count": 1, "value": b"\xff\xff\xff\xff"},
    "a note of the camera's": {"tag": 0x927C, "kind": 7, "count": 12, "value": b"Nikon\0\x02\x10\0\0MM"},
    "NaN": {"kind": 11, "count": 1, "value": struct.pack("<f", float("nan"))},
}


@pytest.mark.parametrize("odd", ODD_TAGS)
def test_an_odd_tag_costs_a_photo_nothing(odd: str) -> None:
    plain = encoded(photos.portrait().crop((0, 0, 178, 100)), quality=90)
    pixels = decode_photo(photos.with_exif(plain, photos.exif(6, **ODD_TAGS[odd])))
    np.testing.assert_array_equal(pixels, np.rot90(decode_photo(plain), -1))


@pytest.mark.parametrize(
    "block", [b"Exif\0\0", b"Exif\0\0II*\0", b"Exif\0\0MM\0*\xff\xff\xff\xff", b"Exif\0\0" + b"\xff" * 40]
)
def test_exif_that_is_none_costs_a_photo_nothing(block: bytes) -> None:
    plain = encoded(photos.portrait())
    np.testing.assert_array_equal(decode_photo(photos.with_exif(plain, block)), decode_photo(plain))


def test_orientation_that_makes_no_sense_is_passed_over() -> None:
    plain = encoded(photos.portrait())
    for orientation in (0, 9, 65535):
        np.testing.assert_array_equal(
            decode_photo(photos.with_exif(plain, photos.exif(orientation))), decode_photo(plain)
        )


def test_metadata_of_a_png_that_is_damaged_costs_it_nothing() -> None:
    plain = encoded(photos.portrait(), "PNG")
    text = b"iCCP" + b"name\0\0" + b"no zlib"
    chunk = struct.pack(">I", len(text) - 4) + text + struct.pack(">I", 12345)
    np.testing.assert_array_equal(decode_photo(plain[:33] + chunk + plain[33:]), decode_photo(plain))


def test_what_follows_a_whole_photo_is_passed_over() -> None:
    plain = encoded(photos.portrait())
    np.testing.assert_array_equal(decode_photo(plain + b"motion picture" * 1000), decode_photo(plain))


def test_transparent_parts_are_white() -> None:
    assert (decode_photo(encoded(Image.new("RGBA", (20, 20), (255, 0, 0, 0)), "PNG")) == 255).all()
    assert (decode_photo(encoded(Image.new("RGBA", (20, 20), (255, 0, 0, 0)), "WEBP", lossless=True)) == 255).all()
    assert decode_photo(encoded(Image.new("L", (20, 20), 77), "PNG")).tolist()[0][0] == [77, 77, 77]


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_deep_grey_keeps_its_brightness(kind: str) -> None:
    deep = Image.fromarray(np.full((20, 20), 32768, np.uint16))
    assert abs(int(decode_photo(encoded(deep, kind))[0, 0, 0]) - 127) <= 1


@pytest.mark.parametrize("white", [65535, 32767, 1.0])
@pytest.mark.parametrize("shades", [1, 3])
def test_deep_pictures_with_an_alpha_channel_keep_their_brightness(white: float, shades: int) -> None:
    kinds = {
        65535: (np.uint16, "rgb16" if shades == 3 else "grey16"),
        32767: (np.int16, "srgb"),
        1.0: (np.float32, "scrgb"),
    }
    of, interpretation = kinds[white]
    pixels = np.full((20, 20, shades + 1), white, of)
    pixels[..., :shades] = white * 0.4 if white == 1 else int(white * 0.4)
    pixels[:5, :, shades] = 0
    picture = pyvips.Image.new_from_array(pixels).copy(interpretation=interpretation)
    decoded = decode_photo(picture.tiffsave_buffer())
    assert np.abs(decoded[12:].astype(int) - 102).max() <= 1
    assert (decoded[:1] > 250).all()


@pytest.mark.parametrize("bits", [8, 10, 12, 14, 16])
@pytest.mark.parametrize("kind", ["png", "tiff", "png-rgb", "tiff-rgb"])
def test_few_bits_in_a_file_of_16_keep_their_brightness(bits: int, kind: str) -> None:
    deep = (FACE.astype(int) * (2**bits - 1) // 255).astype(np.uint16)
    deep = deep if "rgb" in kind else deep[..., 1]
    picture = pyvips.Image.new_from_array(deep).copy(interpretation="rgb16" if "rgb" in kind else "grey16")
    data = picture.pngsave_buffer() if "png" in kind else picture.tiffsave_buffer()
    expected = FACE if "rgb" in kind else FACE[..., 1:2]
    assert np.abs(decode_photo(data).astype(int) - expected).max() <= 2


@pytest.mark.parametrize("most", [13, 55, 255])
@pytest.mark.parametrize("kind", ["16 bits", "32 bits"])
def test_eight_bits_widened_to_more_keep_their_brightness(most: int, kind: str) -> None:
    shades = (FACE.astype(int) * most // 255)[..., 1]
    of = np.uint16 if kind == "16 bits" else np.int32
    data = encoded(Image.fromarray((257 * shades).astype(of)), "TIFF")
    assert np.abs(decode_photo(data)[..., 0].astype(int) - shades).max() <= 1


def test_a_tiff_of_luminance_and_colour_in_logarithms_is_read() -> None:
    data = pyvips.Image.new_from_array(FACE).copy(interpretation="srgb").colourspace("xyz").tiffsave_buffer()
    assert np.abs(decode_photo(data).astype(int) - FACE).mean() < 3


@pytest.mark.parametrize("kinds", [(2, 0), (1, 0), (0, 2), (0, 0)])
def test_of_further_channels_the_one_that_is_transparency_counts(kinds: tuple[int, int]) -> None:
    further = [np.full_like(FACE[..., 0], 255 if kind else 0) for kind in kinds]  # all is opaque, nothing selected
    data = bytearray(pyvips.Image.new_from_array(np.dstack([FACE, *further])).tiffsave_buffer())
    at = data.rindex(struct.pack("<HH", 338, 3))
    start = int.from_bytes(data[at + 8 : at + 12], "little")
    values = start if int.from_bytes(data[at + 4 : at + 8], "little") > 2 else at + 8
    data[values : values + 4] = struct.pack("<HH", *kinds)
    np.testing.assert_array_equal(decode_photo(bytes(data)), FACE)


@pytest.mark.parametrize("colours", ["black and white", "red, green and blue"])
@pytest.mark.parametrize("kind", ["PNG", "TIFF", "BMP", "GIF"])
def test_pictures_of_dots_are_seen_as_the_eye_does(colours: str, kind: str) -> None:
    face = photos.portrait()
    dots = [channel.convert("1").convert("L") for channel in face.split()]
    picture = face.convert("1") if colours == "black and white" else Image.merge("RGB", dots)
    pixels = decode_photo(encoded(picture.convert("RGB").quantize(8) if kind == "GIF" else picture, kind))
    assert len(detect_faces(pixels)) == 1
    assert np.abs(pixels.mean(axis=2) - FACE.mean(axis=2)).mean() < 30


def test_highlights_above_white_do_not_darken_the_rest() -> None:
    picture = FACE[..., 1].astype(np.float32) / 255
    picture[0, :3] = 1.4, np.inf, 3000
    decoded = decode_photo(encoded(Image.fromarray(picture), "TIFF"))
    assert np.abs(decoded[1:, :, 0].astype(int) - FACE[1:, :, 1]).max() <= 1


def test_channels_of_a_tiff_that_are_not_transparency_are_left_out() -> None:
    selected = np.dstack([FACE, np.zeros_like(FACE[..., :2])])
    for channels in (4, 5):
        data = bytearray(pyvips.Image.new_from_array(selected[..., :channels]).tiffsave_buffer())
        at = data.rindex(struct.pack("<HH", 338, 3))
        if channels == 4:
            assert (decode_photo(bytes(data)) == 255).all()
            data[at + 8 : at + 10] = bytes(2)  # says that nothing is known of the channel
        else:
            start = int.from_bytes(data[at + 8 : at + 12], "little")
            values = start if int.from_bytes(data[at + 4 : at + 8], "little") > 2 else at + 8
            data[values : values + 4] = bytes(4)
        np.testing.assert_array_equal(decode_photo(bytes(data)), FACE)


@pytest.mark.parametrize("method", [34925, 50000, 34887, 34712, 50002, 34933])
@pytest.mark.parametrize("tiled", [False, True])
@pytest.mark.parametrize("big", [False, True])
def test_a_tiff_that_is_compressed_by_a_method_that_is_not_known_is_not_black(
    method: int, tiled: bool, big: bool
) -> None:
    options = {"tile": tiled, "tile_width": 64, "tile_height": 64, "bigtiff": big, "compression": "deflate"}
    data = bytearray(pyvips.Image.new_from_array(FACE).tiffsave_buffer(**options))
    at = data.rindex(struct.pack("<HH", 259, 3)) + (12 if big else 8)
    data[at : at + 2] = struct.pack("<H", method)
    with pytest.raises(PhotoError, match="this TIFF cannot be decoded"):
        decode_photo(bytes(data))


def test_a_jpeg_that_lacks_nothing_but_its_end_is_whole() -> None:
    for kind in ("jpeg", "jpeg-grey"):
        np.testing.assert_array_equal(decode_photo(KINDS[kind][:-2]), decode_photo(KINDS[kind]))
    for kind in ("jpeg", "jpeg-grey", "jpeg-progressive"):
        for missing in (300, 1000):
            with pytest.raises(PhotoError, match="cut short"):
                decode_photo(KINDS[kind][:-missing])


def test_what_a_decoder_of_tiff_holds_is_known_from_its_pieces() -> None:
    def held(**options: object) -> int:
        return containers.read_tiff(pyvips.Image.new_from_array(FACE).tiffsave_buffer(**options)).held

    assert held(compression="deflate") == held(compression="lzw") == held() == 0
    assert held(compression="jpeg") > 0
    assert held(compression="deflate", tile=True, tile_width=256, tile_height=256) == round(2.5 * 256 * 256 * 3)


def test_colour_differences_that_would_be_taken_for_red_green_and_blue_are_refused() -> None:
    with pytest.raises(PhotoError, match="this TIFF cannot be decoded"):
        decode_photo(encoded(photos.portrait().convert("YCbCr"), "TIFF"))


@pytest.mark.parametrize(("most", "expected"), [(1.0, 255), (200.0, 200), (65535.0, 255)])
def test_float_pictures_are_brought_to_eight_bits(most: float, expected: int) -> None:
    picture = np.full((20, 20), most, np.float32)
    picture[0, 0] = 0
    assert abs(int(decode_photo(encoded(Image.fromarray(picture), "TIFF"))[9, 9, 1]) - expected) <= 1


def test_float_pictures_with_holes_are_read() -> None:
    picture = np.full((20, 20), 0.5, np.float32)
    picture[3, 3], picture[4, 4] = np.nan, np.inf
    assert decode_photo(encoded(Image.fromarray(picture), "TIFF")).shape == (20, 20, 3)


def zipped() -> bytes:
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w") as archive:
        archive.writestr(zipfile.ZipInfo("face.jpg"), b"...")  # without the time: a test is called after its data
    return held.getvalue()


def tarred() -> bytes:
    held = io.BytesIO()
    with tarfile.open(fileobj=held, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("face.jpg"))
    return held.getvalue()


@pytest.mark.parametrize(
    "data",
    [b"<!---->" * 500 + b"x", b"<html><title>" + b" " * 4000, b"<title" * 600, b"../" * 1300, b"<?xml " * 600],
    ids=["comments", "title", "titles", "annex", "declarations"],
)
def test_a_text_does_not_take_long_to_be_told_from_a_photo(data: bytes) -> None:
    began = time.perf_counter()
    with pytest.raises(PhotoError, match="not a photo"):
        decode_photo(data)
    contents.mistaken(data)  # which reads titles, too
    assert time.perf_counter() - began < 5  # it takes milliseconds; a search that tries all divisions has no end


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "empty"),
        (b"hello", "not a photo that can be read: send a JPEG, PNG"),
        (b"BMW is a car", "^not a photo"),
        (b"%PDF-1.7 ...", "^a PDF, not a photo that can be read: send a JPEG"),
        (b"\0\0\0\x20ftypisom\0\0\2\0isomiso2avc1mp41", "^a video, not a photo"),
        (b"\0\0\0\x18ftypcrx \0\0\0\1crx isom", "^a camera's raw file, not a photo"),
        (b"\0\0\0\x0cJXL \r\n\x87\n", "^a JPEG XL picture, not a photo"),
        (b"RIFF\0\0\0\0WAVEfmt ", "^not a photo"),
        (b"RIFF\0\0\0\0AVI LIST", "^a video, not a photo"),
        (zipped(), "^a zip archive or a document, not a photo: send the photos that are in it$"),
        (gzip.compress(b"hello", mtime=0), "^a file compressed by gzip, not a photo: send the photos"),
        (b"7z\xbc\xaf\x27\x1c\0\4", "^a 7z archive, not a photo: send the photos"),
        (tarred(), "^a tar archive, not a photo: send the photos"),
        (b'<?xml version="1.0"?>\n<!-- a face -->\n<svg xmlns="...">', "^an SVG drawing, not a photo"),
        (b"\xef\xbb\xbf<!DOCTYPE html><title>Sign in</title>", "^a web page, not a photo that can be read: send"),
        (b"<!-- saved -->\n<!DOCTYPE html><svg>", "^a web page, not a photo"),
        (b"BZhang went home", "^not a photo"),
        (b"%PDF is a format", "^not a photo"),
        (b"\0\0\0\x18ftypM4A \0\0\0\0M4A mp42isom", "^not a photo"),
        (b'<ns0:svg xmlns:ns0="..."/>', "^an SVG drawing, not a photo"),
        (b"<svg><foreignObject><html>", "^an SVG drawing, not a photo"),
        (b"How to write <html> in a page", "^not a photo"),
        (b"<html><title>Internet Archive</title>", "^a web page, not a photo that can be read: send"),
        (b'{"access_token": "secret"}', "^a JSON answer, not a photo"),
        (b"<!-- a\nface -->\n<!DOCTYPE svg>\n<svg>", "^an SVG drawing, not a photo"),
        (b"version https://git-lfs.github.com/spec/v1\noid", "^a pointer of Git LFS, not a photo"),
        (encoded(Image.new("RGB", (8, 8)), "PNG"), "8 x 8"),
        (encoded(Image.new("1", (10_000, 6_000)), "PNG"), "10000 x 6000 pixels, 60.0 megapixels.*up to 52 megapixels"),
        (encoded(Image.new("1", (10_000, 6_000)), "BMP"), "10000 x 6000 pixels, 60.0 megapixels.*up to 52 megapixels"),
        (
            b"GIF89a" + struct.pack("<HH", 65535, 65535) + photos.every_kind(photos.portrait())["gif"][10:],
            "up to 52 mega",
        ),
        (encoded(Image.new("L", (10_000, 6_000)), "JPEG"), "10000 x 6000 pixels, 60.0 megapixels.*up to 52 megapixels"),
        (photos.progressive_bomb(7000, 7000, 30), "31 scans and takes too long"),
        (photos.progressive_bomb(700, 700, 1000), "scans and takes too long"),
        (encoded(Image.new("RGB", (64, 64)), "TIFF", tiffinfo={254: 1}), "raw file"),
    ],
)
def test_what_is_no_usable_photo_is_refused_with_the_reason(data: bytes, why: str) -> None:
    with pytest.raises(PhotoError, match=why):
        decode_photo(data)


def test_whole_photo_that_no_decoder_knows_is_not_called_damaged() -> None:
    data = bytearray(encoded(photos.portrait()))
    data[data.index(b"\xff\xc0") + 4] = 12  # bits of a colour
    with pytest.raises(PhotoError, match="this JPEG cannot be decoded: save it again"):
        decode_photo(bytes(data))


def test_kind_without_its_package_names_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("analysis.data.photo.kinds", lambda: ())
    with pytest.raises(PhotoError, match="HEIC photos cannot be read here: install the package pillow-heif"):
        decode_photo(KINDS["heic"])


@pytest.mark.parametrize("error", [struct.error, TypeError, ZeroDivisionError, zlib.error, KeyError, RecursionError])
def test_whatever_a_decoder_raises_is_a_photo_error(error: type[Exception], monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*args: object, **options: object) -> None:
        raise error("inner detail")

    monkeypatch.setattr(Image.Image, "load", fail)
    monkeypatch.setattr("PIL.ImageFile.ImageFile.load", fail)
    with pytest.raises(PhotoError) as raised:
        decode_photo(KINDS["jpeg"])
    assert "inner detail" not in str(raised.value)


def test_photos_of_up_to_16_megapixels_keep_their_size_and_larger_ones_are_halved() -> None:
    for kind in ("JPEG", "PNG", "GIF", "TIFF"):
        options = {"compression": "tiff_lzw"} if kind == "TIFF" else {}
        large = read_photo(encoded(Image.new("L", (4001, 4001), 90), kind, **options))
        assert (large.width, large.height, large.shrink) == (4001, 4001, 2)
        assert large.pixels.shape[0] in (2000, 2001)
        assert (large.pixels == 90).all()
    full = read_photo(encoded(Image.new("L", (4000, 4000), 90), "JPEG"))
    assert (full.shrink, full.pixels.shape) == (1, (4000, 4000, 3))
    assert FULL_PIXELS == 4000 * 4000 and 8160 * 6144 < 8192 * 6144 < MAX_PIXELS


def test_plain_photos_are_small_and_of_the_usual_kinds() -> None:
    assert {kind for kind, data in KINDS.items() if containers.is_plain(data)} == {
        *(kind for kind in KINDS if kind.startswith(("jpeg", "png"))), "mpo"
    }  # fmt: skip
    assert not containers.is_plain(encoded(Image.new("L", (1500, 1500)), "PNG"))
    assert not containers.is_plain(photos.progressive_bomb(1400, 1400, 60))
    assert not containers.is_plain(KINDS["jpeg"][:30])
    assert containers.is_plain(b"no photo") and containers.is_plain(b"")  # nothing will be decoded
    assert not containers.is_plain(KINDS["jpeg"] + bytes(5 << 20))
    assert kind_of(KINDS["mpo"]).name == "JPEG"


def test_scans_are_counted() -> None:
    assert containers.read_jpeg(KINDS["jpeg"]).scans == 1
    assert containers.read_jpeg(KINDS["jpeg-progressive"]).scans == 10
    assert containers.read_jpeg(photos.progressive_bomb(64, 64, 40)).scans == 41


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads Linux's own count of memory")
def test_no_photo_takes_more_than_250_megabytes(tmp_path: Path) -> None:
    """Of the whole process, Python and the detector included."""
    taken = photos.memory_of_large_photos(tmp_path)
    assert {kind: peak for kind, (peak, _) in taken.items() if peak > 250} == {}
    refused = {kind for kind, (_, said) in taken.items() if "too large to decode" in said}
    assert refused <= {"webp-lossless", "webp-animated"}

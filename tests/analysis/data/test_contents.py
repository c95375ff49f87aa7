"""What files are that were taken for archives or tables: no table is refused for what stands in one of its cells."""

import pytest

from analysis.data.contents import mistaken


@pytest.mark.parametrize(
    "table",
    [
        b'file,label,caption\na.jpg,male,"shows a <html> tag"\n',
        b"<DATE>,<AGE>\na.jpg,34\n",
        b"MSCF.jpg,male\n",
        b"BZhou.jpg,male\n",
    ],
)
def test_a_table_is_a_table_whatever_stands_in_it(table: bytes) -> None:
    assert mistaken(table) is None


@pytest.mark.parametrize(
    ("start", "said"),
    [
        (
            b"<!-- saved -->\n<!DOCTYPE html><title> Sign\n in </title>",
            "is a web page (Sign in) and not the file itself",
        ),
        (b'<?xml version="1.0"?><html><head>', "is a web page and not the file itself"),
        (b"<Error><Code>AccessDenied</Code></Error>", "is an XML answer (AccessDenied) and not the file itself"),
        (b'{"error": "expired"}', 'is a JSON answer ({"error": "expired"}) and not the file itself'),
        (b"../.git/annex/objects/x", "is a pointer of git-annex and not the file itself"),
        (b"MSCF\0\0\0\0", "is a CAB archive, which cannot be read"),
    ],
)
def test_what_was_saved_in_place_of_a_file_is_named(start: bytes, said: str) -> None:
    assert (mistaken(start) or "").startswith(said)

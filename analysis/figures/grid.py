"""A responsive grid of small pictures, as HTML without further files."""

import base64
import io
from collections.abc import Iterable
from html import escape

import numpy as np
from PIL import Image

from analysis.figures.html import PageHtml

_GRID = (
    "list-style:none;padding:0;margin:1rem 0;display:grid;gap:16px 12px;"
    "grid-template-columns:repeat(auto-fill,minmax({width}px,1fr))"
)


def picture_grid(pictures: Iterable[tuple[np.ndarray, str, str]], *, width: int = 104) -> PageHtml:
    """Lay pictures out.

    Parameters
    ----------
    pictures
        Pixels, uint8 (y, x, 3), RGB; alternative text; and caption as HTML.
    width
        Smallest width of a picture, in CSS pixels.
    """
    items = []
    for pixels, alt, caption in pictures:
        buffer = io.BytesIO()
        Image.fromarray(pixels).save(buffer, "WEBP", quality=88)
        source = base64.b64encode(buffer.getvalue()).decode()
        below = f'<span style="display:block;margin-top:4px;font-size:.85rem;line-height:1.3">{caption}</span>'
        items.append(
            f'<li style="margin:0"><img src="data:image/webp;base64,{source}" '
            f'width="{pixels.shape[1]}" height="{pixels.shape[0]}" alt="{escape(alt, quote=True)}" '
            f'style="width:100%;height:auto;border-radius:8px;display:block">{below if caption else ""}</li>'
        )
    return PageHtml(f'<ul style="{_GRID.format(width=width)}">{"".join(items)}</ul>')

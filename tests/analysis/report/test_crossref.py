"""Figures and tables are numbered, captioned and referred to as Quarto does it."""

import pytest

from analysis.core.errors import UserError
from analysis.report.crossref import resolve

PAGE = """\
As @fig-b (@tbl-a) show; not `@fig-b`, a@fig-b.org nor \\@fig-b.

::: {#fig-a}

::: {.cell}
```{=html}
<p>::: @fig-b</p>
:::
```
:::

The *first*,
on two lines.

:::

::: {.panel-tabset}

### Tab

::: {#fig-b .wide}
content

Second, see @fig-a.
:::

:::

::: {#tbl-a}
| a |
|:--|

Third.
:::
"""


def test_figures_and_tables_are_numbered_apart_and_linked() -> None:
    text = resolve(PAGE, "page.qmd")
    assert text.startswith(
        "As [Figure\u00a02](#fig-b){.quarto-xref} ([Table\u00a01](#tbl-a){.quarto-xref}) show; not `@fig-b`, a@"
    )
    assert "\\@fig-b" in text and "<p>::: @fig-b</p>" in text
    assert "\nFigure\u00a01: The *first*, on two lines.\n" in text and "\nTable\u00a01: Third.\n" in text
    assert "\nFigure\u00a02: Second, see [Figure\u00a01](#fig-a){.quarto-xref}.\n" in text
    assert text.index('<div id="fig-a"') < text.index("The *first*") < text.index("::: @fig-b")
    assert text.count("</figure>") == text.count("<figcaption") == 3
    assert ":::\n" in text.split("</figure></div>")[2]  # the tab set is still open there


@pytest.mark.parametrize(
    ("page", "message"),
    [
        ("See @fig-none.", "page page.qmd refers to @fig-none, which is not on it"),
        ("::: {#fig-a}\n\n```\ncode\n```\n\n:::", "fig-a has no caption"),
        ("::: {#fig-a}\n:::", "fig-a has no caption"),
        ("::: {#tbl-a}\nx\n\nOne.\n:::\n\n::: {#tbl-a}\nx\n\nTwo.\n:::", "two of tbl-a"),
    ],
)
def test_what_quarto_would_show_as_a_fault_is_told(page: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        resolve(page, "page.qmd")


def test_text_without_any_stays_as_it_is() -> None:
    page = "# A\n\n```{=html}\n<p>mail@fig-x</p>\n```\n\n::: {.note}\ntext\n:::\n"
    assert resolve(page, "page.qmd") == page

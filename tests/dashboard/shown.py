"""What a page shows: its parts, by the name of their class, and its text. Panel is imported when a test asks."""


def panel(viewable):
    import panel as pn

    return pn.panel(viewable)


def parts_of(viewable, kind):
    """Parts whose class, or a base of it, is called ``kind``: "Markdown", "Select", "HoloViews" ..."""
    return panel(viewable).select(lambda part: kind in {base.__name__ for base in type(part).__mro__})


def text_of(viewable):
    """The text of all panes and notices."""
    shown = panel(viewable)
    said = [str(pane.object) for kind in ("Markdown", "HTML", "Alert") for pane in parts_of(shown, kind)]
    return "\n".join(said + [notice.title or "" for notice in parts_of(shown, "Alert")])

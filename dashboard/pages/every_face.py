"""The page of all faces: a map, histograms and chips that select, and what follows from the selection.

The page's parameters are the one state of the selection. Plots and controls change them, and everything that is shown
follows from them; nothing is handed from plot to plot.
"""

from collections.abc import Collection
from functools import partial
from html import escape
from typing import Any, NamedTuple

import numpy as np
import panel as pn
import panel_material_ui as pmui
import param
from bokeh.events import Event, SelectionGeometry
from bokeh.models import (
    BasicTicker,
    BoxSelectTool,
    ColumnDataSource,
    CustomJSTickFormatter,
    DataRange1d,
    Range1d,
    SingleIntervalTicker,
)
from bokeh.models.annotations.geometry import BoxAnnotation
from bokeh.plotting import figure

from analysis.core.errors import UserError
from analysis.core.schema import LABELS, SPLITS
from analysis.core.words import percent, share
from analysis.figures.attributes import attribute_name
from analysis.figures.theme import CATEGORIES, LABEL_COLOURS, QUIET
from dashboard import chrome, parts
from dashboard.pages.between import Between
from dashboard.pages.busy import Busy
from dashboard.pages.everyone import SCORED, VERDICTS, Everyone, everyone, inside_area
from dashboard.pages.face_map import SELECTED, Box, FaceMap, drawn_shape
from dashboard.pages.gallery import Gallery
from dashboard.pages.map_keys import MapKeys
from dashboard.pages.measures import SCALES, Measure
from dashboard.pages.portraits import ORDERS, Portraits, portraits
from dashboard.pages.selected_faces import KINDS, faces

_VERDICT_COLOURS = {"right": CATEGORIES[2], "uncertain": QUIET, "wrong": CATEGORIES[1]}
_MOST_CORNERS = 120  # of an area in an address
_SHOWN = 12  # attributes in the table
_CHIPS = {  # parameter -> column, what it says
    "label": ("label", "Label"),
    "split": ("split", "Split"),
    "source": ("dataset", "Data set"),
    "answer": ("decision", "Answer of the model"),
    "verdict": ("verdict", "The answer is"),
    "race": ("race", "Race, as annotated"),
}
_SHOWN_THERE = ("one", "blend")  # parameters that the browser follows by itself
_VIEWS = ("colour", "average", "distance", "order", *_SHOWN_THERE)  # parameters that select nothing
_COLOURED = {"label": "label", "answer": "decision", "verdict": "verdict", "source": "dataset"}


class EveryFacePage(chrome.ExplorerPage):
    """All images of a run as points, and the average face of any selection of them."""

    label = param.ListSelector(default=[], objects=list(LABELS), doc="Labels that are selected; none for all.")
    split = param.ListSelector(default=[], objects=list(SPLITS), doc="Splits.")
    source = param.ListSelector(default=[], objects=[], doc="Data sets.")
    answer = param.ListSelector(default=[], objects=list(SCORED), doc="Answers of the model.")
    verdict = param.ListSelector(default=[], objects=list(VERDICTS), doc="Whether answers are right.")
    race = param.ListSelector(default=[], objects=[], doc="Races as annotated.")
    having = param.ListSelector(default=[], objects=[], doc="Attributes that the faces have.")
    lacking = param.ListSelector(default=[], objects=[], doc="Attributes that they do not have.")
    area = param.String(doc='Corners of an area of the map, "x,y x,y ..."; empty for all of it.')
    distance = param.Selector(objects=[""], doc="Distance of the face with a histogram.")
    colour = param.Selector(
        objects={"Label": "label", "Answer": "answer", "Right or wrong": "verdict", "Data set": "source"},
        doc="What the colour of a point says.",
    )
    average = param.Selector(objects=KINDS, doc="How faces are brought together before they are averaged.")
    blend = param.Integer(
        default=200, bounds=(0, 200), doc="How far the drawn face is from that of the rest to that of the selection, %."
    )
    p_male = param.Range(default=None, allow_None=True, doc="Probability of male.")
    age = param.Range(default=None, allow_None=True, doc="Age in years.")
    brightness = param.Range(default=None, allow_None=True, doc="Brightness.")
    contrast = param.Range(default=None, allow_None=True, doc="Contrast.")
    sharpness = param.Range(default=None, allow_None=True, doc="Logarithm of the sharpness.")
    yaw = param.Range(default=None, allow_None=True, doc="Turn of the head in degrees.")
    pitch = param.Range(default=None, allow_None=True, doc="Nod of the head in degrees.")
    size = param.Range(default=None, allow_None=True, doc="The distance that is chosen.")
    order = param.Selector(objects=list(ORDERS), doc="Order of the gallery.")
    one = param.Integer(default=-1, doc="Number of the portrait that is open in the gallery; -1 for none.")

    path = "/explore"
    title = "Every face"
    lead = (
        "Each point is one image. Draw a box or a lasso on the map, brush a histogram or press a chip: everything on "
        "this page follows, and so does the average face of what is selected."
    )
    in_url = (
        *_CHIPS,
        "having",
        "lacking",
        "area",
        "distance",
        "colour",
        "average",
        *SCALES,
        "size",
        "order",
        "one",
        "blend",
    )

    def __init__(self, shared: chrome.Shared, **params: Any) -> None:
        super().__init__(shared, **params)
        self._all: Everyone | None = None
        try:
            found = self._all = everyone(shared.results)
        except UserError:
            return  # a notice says so in place of the page
        self.param.one.bounds = (-1, self.portraits().count - 1)
        self.param.order.objects = self.portraits().orders
        for name, column in (("source", "dataset"), ("race", "race")):
            self.param[name].objects = found.known(column)
        for name in ("having", "lacking"):
            self.param[name].objects = found.attributes
        if found.distances:
            self.param.distance.objects = found.distances
            self.distance = found.distances[0]

    def spoilt(self, values: dict[str, Any], refused: set[str]) -> Collection[str]:
        """Name what an address says in vain: an area without corners, a range of a distance that this run lacks."""
        no_map = self._all is None or self._all.places is None
        nowhere = values["area"] and (no_map or corners(values["area"]) is None)
        return [*(["size"] if "distance" in refused else []), *(["area"] if nowhere else [])]

    def portraits(self) -> Portraits:
        """What the gallery shows: photos where nobody else can see them, else averages of small groups."""
        return portraits(everyone(self.results), private=self.shared.settings.for_this_machine_alone)

    # ---- what is selected

    def selected(self) -> np.ndarray:
        """Bool (face,): which faces fit everything that is chosen.

        Raises
        ------
        UserError
            If the run has no rows of single images.
        """
        found = everyone(self.results)
        chosen = np.ones(len(found.rows), dtype=bool)
        for name, (column, _) in _CHIPS.items():
            if (wanted := getattr(self, name)) and column in found.rows:
                chosen &= found.rows[column].isin(wanted).fillna(False).to_numpy(dtype=bool)
        for name, matrix in (("having", found.has), ("lacking", found.lacks)):
            for attribute in getattr(self, name):
                chosen &= matrix[:, found.attributes.index(attribute)]
        for name, measure in self._measures(found).items():
            if (ends := getattr(self, name)) is not None:
                chosen &= measure.inside(*ends)
        if (area := corners(self.area)) is not None and found.places is not None:
            chosen &= inside_area(found.places, area)
        return chosen

    def _measures(self, found: Everyone) -> dict[str, Measure]:
        """Parameter -> the measure that it selects by."""
        own = {name: found.measures[name] for name in SCALES if name in found.measures}
        return own | ({"size": found.measures[self.distance]} if self.distance else {})

    def anything(self) -> bool:
        """Whether anything is chosen."""
        return any(getattr(self, name) not in ([], "", None) for name in self.in_url if name not in _VIEWS)

    def clear(self, *events: Any) -> None:
        """Select all faces again."""
        self.param.update({name: self.param[name].default for name in self.in_url if name not in _VIEWS})

    # ---- what is shown

    def content(self) -> list[Any]:
        """List the chips, the map beside the average face, the histograms and the attributes."""
        try:
            found = everyone(self.results)
        except UserError as error:
            return [parts.notice(parts.sentence(error), severity="warning")]
        shown = _Shown(self, found)
        return [shown.chips, shown.above, shown.middle, shown.gallery, shown.histograms, shown.below]


class _Histogram(NamedTuple):
    """A histogram of all faces and of the selected ones, with a range that selects."""

    all: ColumnDataSource
    own: ColumnDataSource
    range: BoxAnnotation
    plot: Any
    slider: pmui.RangeSlider
    head: pn.pane.HTML
    known: pn.pane.HTML


class _Shown:
    """The parts of a page and how they follow its state."""

    def __init__(self, page: EveryFacePage, found: Everyone) -> None:
        self.page, self.found = page, found
        self.chips = self._chips()
        self._summary = parts.html("", "everyone")
        again = pmui.Button(label="Select everything", variant="outlined", margin=0, on_click=page.clear)
        self._again = again
        self.above = parts.controls(self._summary, again, Busy())
        self._faces, self._how = parts.html("", "everyone"), parts.html("", "everyone")
        self._between = Between(found.shapes, share=page.blend)
        self._between.link(page, share="blend", bidirectional=True)
        self._legend = parts.html("", "everyone")
        self._table = parts.html("", "everyone")
        self.middle = pn.FlexBox(
            self._map(),
            pn.Column(
                *([parts.choice(page.param.average)] if found.shapes is not None else []),
                self._faces,
                self._between,
                self._how,
                sizing_mode="stretch_width",
                margin=0,
                styles={"flex": "1 1 330px", "min-width": "0", "gap": "8px"},
            ),
            gap="16px 28px",
            sizing_mode="stretch_width",
            margin=0,
            align_items="start",
        )
        self._bars: dict[str, _Histogram] = {}
        self.histograms = parts.section(
            "Histograms",
            pn.Column(parts.later(self._histograms), min_height=220, sizing_mode="stretch_width", margin=0),
            about="Share of the faces in each bin, of all (grey) and of those selected (violet). Drag across one to "
            "select a range, or move the handles under it.",
        )
        self.gallery = self._gallery()
        self.below = parts.section("What the selected faces have in common", self._table)
        for part in (self.middle, self.gallery, self.histograms, self.below):
            part.param.update(css_classes=["follows"], stylesheets=[parts.theme_css()])
        page.param.watch(self._follow, [name for name in page.in_url if name not in _SHOWN_THERE])
        self._redraw(set())

    def _chips(self) -> pn.viewable.Viewable:
        groups: list[Any] = []
        for name, (column, title) in _CHIPS.items():
            if len(self.found.known(column)) < 2:
                continue
            said = parts.html(f"<small>{escape(title)}</small>", "everyone")
            wide = {"width": "max-content", "max-width": "100%"}
            groups.append(pn.Column(said, parts.chips(self.page.param[name]), margin=0, styles=wide))
        if self.found.attributes:
            for name, title in (("having", "Having"), ("lacking", "Not having")):
                groups.append(
                    pmui.MultiChoice.from_param(
                        self.page.param[name],
                        label=title,
                        description="",
                        width=260,
                        margin=0,
                        options={attribute_name(each): each for each in self.found.attributes},
                    )
                )
        return parts.controls(*groups)

    # ---- the map

    def _map(self) -> pn.viewable.Viewable:
        if self.found.places is None:
            return parts.notice("This run has no map of its faces: `meanface evaluate` draws one unless it is brief.")
        self._face_map = FaceMap(self.found.places, self._drawn)
        self._keys = MapKeys(lambda act, box: parts.in_turn(partial(self._keyed, act, box)))
        self._keys.param.watch(
            lambda event: parts.in_turn(lambda: self._face_map.show_cursor(self._keys.shares)), "box"
        )
        colour = parts.choice(self.page.param.colour)
        kept = self.page.results.network
        note = ""
        if kept is not None and kept.map is not None:
            note = (
                f"Faces lie together that the network sees alike ({kept.map.method}): {percent(kept.map.kept)} of a "
                f"face's {kept.map.neighbours} nearest are among its nearest on the map, too (by chance "
                f"{share(kept.map.by_chance)}). Neighbours mean something here, far distances do not."
            )
        return pn.Column(
            colour,
            self._legend,
            pn.pane.Bokeh(self._face_map.plot, sizing_mode="stretch_width", margin=0),
            self._keys,
            parts.text(note),
            margin=0,
            styles={"flex": "1 1 480px", "min-width": "0", "gap": "8px"},
        )

    def _drawn(self, corners: list[tuple[float, float]]) -> None:
        self.page.area = " ".join(f"{x:.1f},{y:.1f}" for x, y in corners)

    def _keyed(self, act: str, box: Box) -> None:
        """Do what a key on the map asks for."""
        if act == "select":
            self._face_map.select(box)
        else:
            self._face_map.zoom(box if act == "in" else None)

    # ---- the gallery

    def _gallery(self) -> pn.viewable.Viewable:
        own = self.page.portraits()
        self._portraits = Gallery(own, one=self.page.one)
        self._portraits.link(self.page, one="one", bidirectional=True)
        return parts.section(
            "Who is selected", parts.controls(parts.choice(self.page.param.order)), self._portraits, about=own.about
        )

    # ---- the histograms

    def _histograms(self) -> pn.viewable.Viewable:
        cells = [self._histogram(name) for name in SCALES if name in self.found.measures]
        if self.found.distances:
            cells.append(self._histogram("size"))
        self._follow_histograms(self.page.selected())
        return pn.FlexBox(*cells, gap="20px 24px", sizing_mode="stretch_width", margin=0)

    def _measure(self, name: str) -> Measure:
        return self.found.measures[self.page.distance if name == "size" else name]

    def _histogram(self, name: str) -> pn.viewable.Viewable:
        measure = self._measure(name)
        plot = figure(
            height=130,
            sizing_mode="stretch_width",
            min_width=200,
            toolbar_location=None,
            tools=[],
            outline_line_color=None,
            x_range=Range1d(start=0, end=1),
            y_range=DataRange1d(start=0),
        )
        plot.yaxis.visible = False
        plot.grid.visible = False
        empty = {"left": [], "right": [], "top": []}
        all_, own = ColumnDataSource(empty), ColumnDataSource(empty)
        plot.quad("left", "right", "top", 0, source=all_, color=QUIET, alpha=0.35, line_color=None)
        plot.quad("left", "right", "top", 0, source=own, color=SELECTED, alpha=0.65, line_color=None)
        range_ = BoxAnnotation(fill_color=SELECTED, fill_alpha=0.12, line_color=SELECTED, visible=False)
        plot.add_layout(range_)
        tool = BoxSelectTool(dimensions="width", continuous=False, renderers=[])
        plot.add_tools(tool)
        plot.toolbar.active_drag = tool
        plot.on_event(SelectionGeometry, partial(self._brushed, name))
        slider = pmui.RangeSlider(
            label=measure.scale.name,
            start=0.0,
            end=1.0,
            value=(0.0, 1.0),
            step=0.1,
            margin=0,
            size="small",
            sizing_mode="stretch_width",
            sx={"& .MuiFormLabel-root": {"display": "none"}},  # the head says it; what reads aloud is told it
        )
        slider.param.watch(partial(self._slid, name), "value_throttled")
        head, known = parts.html("", "everyone"), parts.html("", "everyone")
        self._bars[name] = _Histogram(all_, own, range_, plot, slider, head, known)
        self._scale(name)
        choice = (
            [
                pmui.Select.from_param(
                    self.page.param.distance,
                    label="Distance",
                    description="",
                    size="small",
                    margin=0,
                    sizing_mode="stretch_width",
                )
            ]
            if name == "size"
            else []
        )
        return pn.Column(
            *choice,
            head,
            pn.pane.Bokeh(plot, sizing_mode="stretch_width", margin=0),
            slider,
            known,
            margin=0,
            styles={"flex": "1 1 240px", "min-width": "0", "max-width": "360px"},
        )

    def _scale(self, name: str) -> None:
        """Fit a histogram to its measure."""
        measure, bars = self._measure(name), self._bars[name]
        left, right = measure.edges[:-1], measure.edges[1:]
        bars.all.data = {"left": left, "right": right, "top": measure.counts()}
        bars.plot.x_range.update(start=float(left[0]), end=float(right[-1]))
        bars.plot.xaxis.formatter = CustomJSTickFormatter(code=measure.scale.script)
        bars.plot.xaxis.ticker = SingleIntervalTicker(interval=1) if measure.scale.powers else BasicTicker()
        bars.slider.param.update(
            label=measure.scale.name,
            format=CustomJSTickFormatter(code=measure.scale.script),
            start=float(left[0]),
            end=float(right[-1]),
            step=float(right[0] - left[0]) / 2,
            value=(float(left[0]), float(right[-1])),
        )

    def _brushed(self, name: str, event: Event) -> None:
        if shape := drawn_shape(event):
            low, high = sorted((shape["x0"], shape["x1"]))
            self._set(name, low, high)

    def _slid(self, name: str, event: Any) -> None:
        if event.new is not None:
            self._set(name, *event.new)

    def _set(self, name: str, low: float, high: float) -> None:
        """Select by a range; the whole range is no selection."""
        edges = self._measure(name).edges
        step = (edges[1] - edges[0]) / 4
        low, high = max(low, edges[0]), min(high, edges[-1])
        whole = low <= edges[0] + step and high >= edges[-1] - step
        setattr(self.page, name, None if whole or low > high else (float(f"{low:.4g}"), float(f"{high:.4g}")))

    # ---- what follows

    def _follow(self, *events: Any) -> None:
        parts.in_turn(partial(self._redraw, {event.name for event in events}))

    def _redraw(self, changed: set[str]) -> None:
        """Draw what follows from the parameters that have changed; all of it if none is named."""
        if "distance" in changed and "size" in self._bars:
            if self.page.size is not None and "size" not in changed:
                self.page.size = None  # a range of another distance means nothing; this comes back here
            self._scale("size")
        chosen = self.page.selected()
        every = not changed or not changed <= set(_VIEWS)  # others select
        if every:
            self._again.disabled = not self.page.anything()
            self._summary.object = _summary(self.found, chosen)
            self._table.object = _attributes(self.found, chosen)
        if every or "distance" in changed:
            self._follow_histograms(chosen)
        if self.found.places is not None and (every or "colour" in changed):
            self._follow_map(chosen)
        if every or "average" in changed:
            drawn = faces(self.found, chosen, self.page.source, self.page.average)
            self._faces.object, self._between.pair, self._how.object = drawn
        if every or "order" in changed:
            self._portraits.choose(chosen, self.page.order)

    def _follow_histograms(self, chosen: np.ndarray) -> None:
        for name, bars in self._bars.items():
            measure, ends = self._measure(name), getattr(self.page, name)
            bars.own.data = {"left": measure.edges[:-1], "right": measure.edges[1:], "top": measure.counts(chosen)}
            bars.range.update(visible=ends is not None, left=ends and ends[0], right=ends and ends[1])
            bars.slider.value = ends or (float(measure.edges[0]), float(measure.edges[-1]))
            bars.head.object = f"<p><b>{escape(measure.scale.name)}</b> {escape(measure.range(ends))}</p>"
            about = f"{measure.scale.about[:1].upper()}{measure.scale.about[1:]}."
            bars.known.object = f"<small>{escape(about)} {_known(measure, chosen)}</small>"

    def _follow_map(self, chosen: np.ndarray) -> None:
        names, colours = _colours(self.found, self.page.colour)
        column = self.found.rows[_COLOURED[self.page.colour]]
        codes = (
            column.astype("string")
            .map({name: place for place, name in enumerate(names)})
            .to_numpy(np.float32, na_value=np.nan)
        )
        self._face_map.show(chosen, codes, colours, corners(self.page.area))
        marks = "".join(
            f'<span><i style="background:{colour}"></i>{escape(name)}</span>'
            for name, colour in zip(names, colours, strict=True)
        )
        self._legend.object = f'<div class="keys">{marks}</div>'


def corners(area: str) -> np.ndarray | None:
    """Read the corners of an area of the map.

    Parameters
    ----------
    area
        "x,y x,y ..."

    Returns
    -------
    numpy.ndarray or None
        float (corner, 2); None where it does not name at least three corners.
    """
    try:
        found = np.array([[float(number) for number in each.split(",")] for each in area.split()])
    except ValueError:
        return None
    drawn = found.ndim == 2 and 2 < len(found) <= _MOST_CORNERS and found.shape[1] == 2
    return found if drawn and np.isfinite(found).all() else None


def _colours(found: Everyone, by: str) -> tuple[list[str], list[str]]:
    """Names and colours of what a point's colour says."""
    if by == "source":
        names = found.known("dataset")
        return names, [CATEGORIES[place % len(CATEGORIES)] for place in range(len(names))]
    table: dict[str, str] = {"label": {name: LABEL_COLOURS[name] for name in LABELS}, "answer": LABEL_COLOURS}.get(
        by, _VERDICT_COLOURS
    )
    return list(table), list(table.values())


def _summary(found: Everyone, chosen: np.ndarray) -> str:
    """How many are selected, and their labels and answers beside those of all."""
    count, rows = int(chosen.sum()), found.rows
    text = f"<p><b>{count:,} of {len(rows):,} faces</b> ({share(count / len(rows))})"
    if count:
        male = (rows["label"] == "male").to_numpy()
        text += f"; {share(float(male[chosen].mean()))} are labelled male, of all {share(float(male.mean()))}"
        if "verdict" in rows:
            scored = rows["verdict"].notna().to_numpy()
            if (chosen & scored).any():
                wrong, unsure = (
                    (rows["verdict"] == verdict).fillna(False).to_numpy(dtype=bool)
                    for verdict in ("wrong", "uncertain")
                )
                text += (
                    f"; the model is wrong on {share(float(wrong[chosen & scored].mean()))} (of all scored "
                    f"{share(float(wrong[scored].mean()))}) and does not decide on "
                    f"{share(float(unsure[chosen & scored].mean()))} ({share(float(unsure[scored].mean()))})"
                )
            seen = chosen & (rows["split"] == "train").to_numpy()
            if seen.any():
                text += (
                    f". The model was trained on {share(float(seen.sum() / count))} of them: choose test to judge it"
                )
            if (unscored := int((chosen & ~scored).sum())) and "p_male" in rows:
                text += (
                    f". {unscored:,} {'has' if unscored == 1 else 'have'} no score and no place on the map: another "
                    "split of the data sets holds the same person or picture"
                )
    return text + ".</p>"


def _known(measure: Measure, chosen: np.ndarray) -> str:
    """Of how many selected faces a measure is known, where not of all."""
    count, known = int(chosen.sum()), int(np.isfinite(measure.values[chosen]).sum())
    if known == count:
        return ""
    return f"Known of {f'{known:,}' if known else 'none'} of the {count:,} selected faces."


def _attributes(found: Everyone, chosen: np.ndarray) -> str:
    """Table of the attributes whose share differs most from that of all faces."""
    if chosen.all() or not chosen.any():
        return f"<p>{'Every' if chosen.all() else 'No'} face is selected: select some to see what sets them apart.</p>"
    shares = found.shares(chosen).head(_SHOWN)
    if shares.empty:
        return "<p>Nothing is annotated of the selected faces beyond the label.</p>"
    rows = "".join(
        f'<tr><th scope="row">{escape(attribute_name(name))}</th><td class="number">{percent(row["chosen"])}</td>'
        f'<td class="number">{percent(row["all"])}</td><td><span class="share" '
        f'style="--own:{100 * row["chosen"]:.1f}%;--all:{100 * row["all"]:.1f}%"></span></td></tr>'
        for name, row in shares.iterrows()
    )
    return (
        '<div class="scroll" tabindex="0"><table><thead><tr><th scope="col">Attribute</th>'
        '<th scope="col" class="number">Selected</th><th scope="col" class="number">All</th>'
        f'<th scope="col">Violet: selected; line: all</th></tr></thead><tbody>{rows}</tbody></table></div>'
        "<p>Attributes whose share differs most, among the faces of which they are known.</p>"
    )

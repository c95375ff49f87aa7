"""One grammar of colours: what stands for a label stands for nothing else, and is told apart by all, everywhere."""

import itertools
import re

import cv2
import numpy as np
import pytest

from analysis.core.paths import PROJECT
from analysis.core.schema import LABELS

# Colours as people with full colour blindness see them, in linear RGB (Machado, Oliveira and Fernandes, 2009).
SIGHTS = {
    "all": np.eye(3),
    "no red cones": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "no green cones": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.01182, 0.04294, 0.968881]],
    "no blue cones": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.3039]],
}


@pytest.fixture(scope="module")
def theme():
    from analysis.figures import theme

    return theme


def linear(colour):
    rgb = np.array([int(colour[at : at + 2], 16) for at in (1, 3, 5)]) / 255
    return np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)


def lab(colour, sight="all"):
    seen = np.clip(np.asarray(SIGHTS[sight]) @ linear(colour), 0, 1)
    gamma = np.where(seen <= 0.0031308, 12.92 * seen, 1.055 * seen ** (1 / 2.4) - 0.055)
    return cv2.cvtColor(gamma.astype(np.float32)[None, None], cv2.COLOR_RGB2LAB)[0, 0]


def contrast(one, other):
    bright, dark = sorted((linear(each) @ [0.2126, 0.7152, 0.0722] for each in (one, other)), reverse=True)
    return (bright + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("sight", SIGHTS)
def test_labels_are_told_apart_with_any_sight(theme, sight):
    female, male = (lab(theme.LABEL_COLOURS[label], sight) for label in LABELS)
    assert np.linalg.norm(female - male) > 40


def test_labels_are_told_apart_in_grey_print_and_seen_on_light_and_dark_pages(theme):
    female, male = (lab(theme.LABEL_COLOURS[label])[0] for label in LABELS)
    assert abs(female - male) > 15
    for colour, page in itertools.product((*theme.LABEL_COLOURS.values(), *theme.CATEGORIES), ("#fdfcfa", "#16171d")):
        assert contrast(colour, page) > 3


def test_no_other_thing_has_the_colour_of_a_label(theme):
    from dashboard.pages.face_map import SELECTED

    others = (*theme.CATEGORIES, SELECTED, theme.OPPOSED[40], theme.OPPOSED[-40], theme.SEQUENTIAL[-1], theme.HEAT)
    for label, other in itertools.product(LABELS, others):
        assert np.linalg.norm(lab(theme.LABEL_COLOURS[label]) - lab(other)) > 20, (label, other)
    for label, place in (("female", 42), ("male", -43)):  # the ends of a difference between labels
        assert np.linalg.norm(lab(theme.LABEL_COLOURS[label]) - lab(theme.DIVERGING[place])) < 3


@pytest.mark.parametrize("sight", SIGHTS)
def test_heat_over_a_grey_face_is_told_from_grey_and_from_the_labels(theme, sight):
    heat = lab(theme.HEAT, sight)
    for grey in range(0x40, 0x100, 0x20):
        assert np.linalg.norm(heat - lab(f"#{grey:02x}{grey:02x}{grey:02x}", sight)) > 25, grey
    for label in LABELS:
        assert np.linalg.norm(heat - lab(theme.LABEL_COLOURS[label], sight)) > 25, label


def test_outlines_of_controls_are_seen_on_light_and_dark_pages():
    from dashboard.chrome import THEME

    css = (PROJECT / "dashboard/theme.css").read_text(encoding="utf-8")
    share = int(re.search(r"--outline: color-mix\(in srgb, currentColor (\d+)%, transparent\)", css)[1]) / 100
    for scheme, ink in (("light", "#1c1b22"), ("dark", "#ffffff")):
        page = THEME[scheme]["palette"]["background"]["default"]
        styles = {name: each["styleOverrides"] for name, each in THEME[scheme]["components"].items()}
        drawn = [styles[name]["root"]["&:not(.Mui-disabled)"] for name in ("MuiButton", "MuiToggleButton")]
        drawn.append(styles["MuiOutlinedInput"]["notchedOutline"])
        mixed = (
            share * int(i, 16) + (1 - share) * int(p, 16)
            for i, p in zip(*(re.findall("..", c[1:]) for c in (ink, page)), strict=True)
        )
        outlines = [*(each["borderColor"] for each in drawn), "#" + "".join(f"{round(each):02x}" for each in mixed)]
        for outline in outlines:
            assert contrast(outline, page) >= 3, (scheme, outline)


def test_styles_of_report_and_explorer_have_the_colours_of_the_figures(theme):
    report = (PROJECT / "site/assets/meanface.css").read_text(encoding="utf-8")
    explorer = (PROJECT / "dashboard/theme.css").read_text(encoding="utf-8")
    for label in LABELS:
        colour = theme.LABEL_COLOURS[label].lower()
        assert re.search(rf"--{label}: {colour};", report), label
        assert colour in explorer

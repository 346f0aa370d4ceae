from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QColor, QFontInfo, QGuiApplication, QImage, QPainter
from PySide6.QtWidgets import QApplication, QLabel, QPlainTextEdit, QWidget

import resources
from desktop.theme import DARK, LIGHT, TYPE, ThemeManager, Tokens, font, icons, manager
from desktop.theme.colour import channels, contrast, difference, from_lab, luminance, mix, on_surface, over, to_lab
from desktop.theme.diverging import HEAT_NEGATIVE, HEAT_POSITIVE, heat, heat_table, weight_of
from desktop.theme.stylesheet import stylesheet

both = pytest.mark.parametrize("tokens", [LIGHT, DARK], ids=["light", "dark"])
colours = st.tuples(*[st.integers(0, 255)] * 3).map(lambda rgb: "#{:02x}{:02x}{:02x}".format(*rgb))

# Severity 1.0 of Machado, Oliveira, Fernandes (2009), "A physiologically-based model for simulation of color vision
# deficiency", in linear RGB.
BLINDNESS = {
    "protanopia": ((0.152286, 1.052583, -0.204868), (0.114503, 0.786281, 0.099216), (-0.003882, -0.048116, 1.051998)),
    "deuteranopia": ((0.367322, 0.860646, -0.227968), (0.280085, 0.672501, 0.047413), (-0.011820, 0.042940, 0.968881)),
    "tritanopia": ((1.255528, -0.076749, -0.178779), (-0.078411, 0.930809, 0.147602), (0.004733, 0.691367, 0.303900)),
}


def seen(colour: str, matrix: tuple[tuple[float, ...], ...]) -> str:
    linear = [
        value / 255 / 12.92 if value <= 10 else ((value / 255 + 0.055) / 1.055) ** 2.4 for value in channels(colour)
    ]
    mixed = [min(1.0, max(0.0, sum(a * b for a, b in zip(row, linear, strict=True)))) for row in matrix]
    coded = [12.92 * v if v <= 0.0031308 else 1.055 * v ** (1 / 2.4) - 0.055 for v in mixed]
    return "#" + "".join(f"{round(255 * value):02x}" for value in coded)


def test_contrast_agrees_with_the_published_examples() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)  # WebAIM's well-known near miss
    assert contrast("#ffffff", "#777777") == contrast("#777777", "#ffffff")


def test_oklab_agrees_with_its_published_values() -> None:
    light, a, b = to_lab("#ff0000")
    assert (light, a, b) == pytest.approx((0.6280, 0.2249, 0.1258), abs=1e-3)
    assert to_lab("#ffffff") == pytest.approx((1, 0, 0), abs=1e-3)


@given(colours)
def test_oklab_goes_there_and_back(colour: str) -> None:
    back = channels(from_lab(to_lab(colour)))
    assert all(abs(one - other) <= 1 for one, other in zip(back, channels(colour), strict=True))


@pytest.mark.parametrize("wrong", ["red", "#fff", "123456#", ""])
def test_what_is_no_colour_is_refused(wrong: str) -> None:
    with pytest.raises(ValueError, match="is not a colour"):
        channels(wrong)


@both
def test_every_text_is_readable_on_every_surface(tokens: Tokens) -> None:
    inks = ("text", "quiet", "accent_text", "good", "warning", "danger", "busy")
    poor = [
        (ink, surface) for ink in inks for surface in tokens.surfaces if contrast(getattr(tokens, ink), surface) < 4.5
    ]
    assert poor == []


@both
def test_text_on_fills_and_washes_is_readable(tokens: Tokens) -> None:
    pairs = [(tokens.on_accent, tokens.accent), (tokens.on_accent, tokens.accent_hover)]
    pairs += [(tokens.text, tokens.pressed), (tokens.text, tokens.key_cap), (tokens.quiet, tokens.key_cap)]
    for kind in ("good", "warning", "danger", "busy"):
        wash = getattr(tokens, f"{kind}_wash")
        pairs += [(tokens.text, wash), (getattr(tokens, kind), wash)]
    assert [pair for pair in pairs if contrast(*pair) < 4.5] == []


@both
def test_the_focus_ring_and_field_borders_can_be_seen(tokens: Tokens) -> None:
    for surface in tokens.surfaces:
        assert contrast(tokens.focus, surface) >= 3
        assert contrast(tokens.strong_border, surface) >= 3


@both
def test_nothing_glares(tokens: Tokens) -> None:
    surfaces = [luminance(surface) for surface in tokens.surfaces]
    assert min(surfaces) > 0
    assert max(surfaces) < 0.97
    assert contrast(tokens.text, tokens.surface) < 16
    for surface in tokens.surfaces:
        _, a, b = to_lab(surface)
        assert (a * a + b * b) ** 0.5 < 0.04


@both
def test_text_stays_readable_on_every_weight_of_the_map(tokens: Tokens) -> None:
    assert min(contrast(tokens.text, tokens.diverging.colour(step / 50 - 1)) for step in range(101)) >= 4.5


@both
def test_the_map_has_even_steps_and_arms_of_the_same_length(tokens: Tokens) -> None:
    row = [tokens.diverging.colour(step / 8 - 1) for step in range(17)]
    steps = [difference(one, other) for one, other in pairwise(row)]
    assert max(steps) / min(steps) < 1.25
    arms = [difference(end, tokens.diverging.middle) for end in (row[0], row[-1])]
    assert max(arms) / min(arms) < 1.05


@both
@pytest.mark.parametrize("kind", BLINDNESS)
def test_both_ends_stay_apart_for_the_colour_blind(tokens: Tokens, kind: str) -> None:
    for blue, orange in ((tokens.diverging.negative, tokens.diverging.positive), (HEAT_NEGATIVE, HEAT_POSITIVE)):
        assert difference(seen(blue, BLINDNESS[kind]), seen(orange, BLINDNESS[kind])) > 0.15


def test_weights_beyond_the_scale_are_clipped() -> None:
    assert LIGHT.diverging.colour(7) == LIGHT.diverging.colour(1) == LIGHT.diverging.positive
    assert heat(-9) == (HEAT_NEGATIVE, 1.0)


def test_the_heat_table_is_premultiplied_and_clear_in_the_middle() -> None:
    table = heat_table()
    assert len(table) == 256
    for index in (0, 60, 128, 200, 255):
        colour, opacity = heat(weight_of(index))
        image = QImage(1, 1, QImage.Format.Format_ARGB32_Premultiplied)
        wanted = QColor(colour)
        wanted.setAlphaF(opacity)
        image.fill(wanted)
        got = QColor.fromRgba(image.pixel(0, 0))
        entry = table[index]
        assert entry >> 24 == pytest.approx(got.alpha(), abs=1)
        assert all((entry >> shift) & 255 <= entry >> 24 for shift in (16, 8, 0))
    assert table[127] >> 24 < 8


@given(colours, st.sampled_from([*LIGHT.surfaces, *DARK.surfaces]), st.sampled_from([3.0, 4.5]))
def test_any_label_colour_becomes_readable_on_any_surface(colour: str, surface: str, ratio: float) -> None:
    assert contrast(on_surface(colour, surface, ratio), surface) >= ratio


def test_a_readable_colour_is_left_alone() -> None:
    assert on_surface("#0072b2", LIGHT.surface, 3.0) == "#0072b2"


def test_mixing_and_covering_reach_their_ends() -> None:
    assert mix("#102030", "#405060", 0) == "#102030"
    assert mix("#102030", "#405060", 1) == "#405060"
    assert over("#ffffff", "#000000", 0.5) == "#808080"


@both
def test_the_stylesheet_names_every_token_it_uses(tokens: Tokens) -> None:
    sheet = stylesheet(tokens)
    assert "$" not in sheet
    assert tokens.window in sheet
    assert f"{TYPE.body}px" in sheet


def test_the_application_is_dressed_and_dressed_again(theme: ThemeManager, qapp: QApplication, qtbot: Any) -> None:
    assert qapp.palette().window().color().name() == LIGHT.window
    with qtbot.waitSignal(theme.changed):
        theme.toggle()
    assert qapp.palette().window().color().name() == DARK.window
    assert theme.mode == "dark"
    assert DARK.window in qapp.styleSheet()


@pytest.mark.parametrize("mode", ["light", "dark"])
def test_nothing_stands_in_the_corner_between_two_scroll_bars(theme: ThemeManager, qtbot: Any, mode: str) -> None:
    theme.set_mode(mode)
    holder = QWidget()
    view = QPlainTextEdit(f"{'long ' * 200}\n" * 50, holder)
    view.setLineWrapMode(QPlainTextEdit.LineWrapMode.NoWrap)
    view.setProperty("role", "code")
    view.setStyleSheet("border: none; background: transparent;")
    view.resize(200, 120)
    holder.resize(200, 120)
    qtbot.addWidget(holder)
    holder.show()
    image = holder.grab().toImage()
    corner = {image.pixelColor(x, y).name() for x in range(189, 199) for y in range(109, 119)}
    assert corner == {theme.tokens.window}


def test_the_same_theme_again_changes_nothing(theme: ThemeManager, qtbot: Any) -> None:
    with qtbot.assertNotEmitted(theme.changed):
        theme.set_mode("light")


def test_the_theme_follows_the_system_until_one_insists(
    theme: ThemeManager, qtbot: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    at_dusk = QGuiApplication.styleHints().colorSchemeChanged
    theme.set_mode("system")
    monkeypatch.setattr(manager, "system_is_dark", lambda: True)
    with qtbot.waitSignal(theme.changed):
        at_dusk.emit(Qt.ColorScheme.Dark)
    assert theme.tokens is DARK
    theme.set_mode("light")
    at_dusk.emit(Qt.ColorScheme.Dark)
    assert theme.tokens is LIGHT


def test_an_unknown_mode_is_refused(theme: ThemeManager) -> None:
    with pytest.raises(ValueError, match="sepia"):
        theme.set_mode("sepia")


def test_every_icon_draws_something_in_the_wanted_colour(qapp: QApplication) -> None:
    for file in resources.path("icons").glob("*.svg"):
        assert "currentColor" in file.read_text(encoding="utf-8")
        image = icons.pixmap(file.stem, "#ff0000", 24, 2.0).toImage()
        assert (image.width(), image.devicePixelRatio()) == (48, 2.0)
        inks = {
            image.pixelColor(x, y).name() for x in range(48) for y in range(48) if image.pixelColor(x, y).alpha() > 200
        }
        assert inks == {"#ff0000"}, file.stem


def test_an_icon_that_does_not_exist_is_an_error(qapp: QApplication) -> None:
    with pytest.raises(FileNotFoundError):
        icons.pixmap("no-such-icon", "#000000")


def test_text_is_drawn_in_latin_and_greek(theme: ThemeManager, qtbot: Any) -> None:
    assert QFontInfo(font()).family()
    for words in ("Second Look", "Δεύτερη ματιά"):
        image = QImage(240, 40, QImage.Format.Format_RGB32)
        image.fill(QColor("#ffffff"))
        painter = QPainter(image)
        painter.setFont(font(TYPE.heading))
        painter.drawText(QRectF(image.rect()), words)
        painter.end()
        dark = sum(image.pixelColor(x, y).lightness() < 128 for x in range(0, 240, 2) for y in range(0, 40, 2))
        assert dark > 50


def test_labels_take_their_size_from_the_scale(theme: ThemeManager, qtbot: Any) -> None:
    shown = QLabel("Models")
    shown.setProperty("role", "display")
    qtbot.addWidget(shown)
    shown.ensurePolished()
    assert QFontInfo(shown.font()).pixelSize() == TYPE.display


def test_a_font_is_made_once_until_the_system_has_other_fonts(theme: ThemeManager, qapp: QApplication) -> None:
    small, bold = font(TYPE.caption), font(TYPE.caption, bold=True)
    assert font(TYPE.caption) is small
    assert (small.pixelSize(), small.bold(), bold.weight().name) == (TYPE.caption, False, "DemiBold")
    painted: list[bool] = []
    theme.changed.connect(lambda: painted.append(True))
    qapp.fontDatabaseChanged.emit()
    assert font(TYPE.caption) is not small
    assert painted == [True]

from __future__ import annotations

import pytest
from PySide6.QtCore import QPoint, QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QImage, QPainter, QWheelEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from desktop.review.capture_view import FIT_MOST, PAN_STEP, PAN_VIEW, ZOOM_MOST, CaptureView
from desktop.theme import ThemeManager

SIZE = QSize(400, 400)


@pytest.fixture
def view(qtbot: QtBot, theme: ThemeManager) -> CaptureView:
    made = CaptureView(theme)
    qtbot.addWidget(made)
    made.resize(640, 480)
    with qtbot.waitExposed(made):
        made.show()
    return made


def plain(colour: str, size: QSize) -> QImage:
    image = QImage(size, QImage.Format.Format_RGB32)
    image.fill(QColor(colour))
    return image


def halves(size: QSize) -> QImage:
    image = plain("red", size)
    for x in range(size.width() // 2, size.width()):
        for y in range(size.height()):
            image.setPixelColor(x, y, QColor("lime"))
    return image


def middle(view: CaptureView) -> QColor:
    return view.grab().toImage().pixelColor(view.width() // 2, view.height() // 2)


def test_a_capture_fits_whole_and_keeps_its_shape(view: CaptureView) -> None:
    assert view.fitted_size(SIZE) == QSize(448, 448)
    wide = view.fitted_size(QSize(1200, 300))
    assert wide == QSize(608, 152)
    assert view.fitted_size(QSize(10, 10)) == QSize(round(10 * FIT_MOST), round(10 * FIT_MOST))
    assert view.fitted_size(QSize()) == QSize()


def test_the_heatmap_lies_over_the_capture_at_its_opacity(view: CaptureView) -> None:
    heat = QImage(QSize(448, 448), QImage.Format.Format_ARGB32_Premultiplied)
    heat.fill(QColor("blue"))
    view.show_capture(plain("red", QSize(448, 448)), heat, SIZE)
    view.set_opacity(0.5)
    mixed = middle(view)
    assert abs(mixed.red() - 128) <= 2
    assert abs(mixed.blue() - 128) <= 2
    view.set_heat_shown(False)
    assert middle(view).name() == "#ff0000"


def test_what_is_missing_is_said_in_words(view: CaptureView) -> None:
    view.show_capture(None, None, SIZE, "This item came without a screenshot.")
    assert view.accessibleDescription() == "This item came without a screenshot."
    view.show_capture(plain("red", QSize(448, 448)), None, SIZE, "Loading…")
    assert middle(view).name() != "#ff0000"


def test_zooming_keeps_the_point_under_the_pointer(view: CaptureView) -> None:
    view.show_capture(halves(QSize(448, 448)), None, SIZE)
    edge = QPointF(320, 240)
    view.zoom_by(3.0, edge)
    assert not view.fitted
    image = view.grab().toImage()
    assert image.pixelColor(300, 240).name() == "#ff0000"
    assert image.pixelColor(340, 240).name() == "#00ff00"
    view.fit()
    assert view.zoom == pytest.approx(1.12)


def test_zoom_has_an_end(view: CaptureView, qtbot: QtBot) -> None:
    view.show_capture(plain("red", QSize(448, 448)), None, SIZE)
    with qtbot.waitSignal(view.zoomed):
        view.zoom_by(1000)
    assert view.zoom == ZOOM_MOST


def test_control_and_wheel_zoom_and_dragging_pans(view: CaptureView, qtbot: QtBot) -> None:
    view.show_capture(halves(QSize(448, 448)), None, SIZE)
    at = QPointF(320, 240)
    event = QWheelEvent(
        at,
        view.mapToGlobal(at),
        QPoint(),
        QPoint(0, 480),
        Qt.MouseButton.NoButton,
        Qt.KeyboardModifier.ControlModifier,
        Qt.ScrollPhase.NoScrollPhase,
        False,
    )
    QApplication.sendEvent(view, event)
    assert view.zoom > 2
    QTest.mousePress(view, Qt.MouseButton.LeftButton, pos=QPoint(320, 240))
    QTest.mouseMove(view, QPoint(220, 240))
    QTest.mouseRelease(view, Qt.MouseButton.LeftButton, pos=QPoint(220, 240))
    assert middle(view).name() == "#00ff00"
    assert view.grab().toImage().pixelColor(205, 240).name() == "#ff0000"


def test_the_pointer_is_told_in_shares_of_the_capture(view: CaptureView, qtbot: QtBot) -> None:
    view.show_capture(plain("red", QSize(448, 448)), None, SIZE)
    with qtbot.waitSignal(view.hovered) as hovered:
        QTest.mouseMove(view, QPoint(320, 240))
    assert hovered.args is not None
    assert hovered.args[0] == pytest.approx(0.5, abs=0.01)
    assert hovered.args[1] == pytest.approx(0.5, abs=0.01)


TALL = QSize(400, 4000)


def bands(size: QSize) -> QImage:
    """An image of forty bands, so that a height is known by its colour."""
    image = plain("black", size)
    painter = QPainter(image)
    for band in range(40):
        high = size.height() / 40
        painter.fillRect(QRectF(0, band * high, size.width(), high), QColor(band, 255 - band, 0))
    painter.end()
    return image


def row_at(view: CaptureView, y: int) -> float:
    """The share of the capture's height that is painted at this height of the view."""
    return view.share_at(QPoint(view.width() // 2, y))[1]


def test_a_page_is_read_from_its_top_at_the_views_width(view: CaptureView, qtbot: QtBot) -> None:
    view.show_capture(bands(QSize(45, 448)), None, TALL)
    with qtbot.waitSignal(view.zoomed):
        view.fit_width()
    assert view.zoom == pytest.approx(608 / 400)
    assert not view.fitted
    assert row_at(view, 16) == pytest.approx(0, abs=1e-6)
    view.show_full(bands(TALL))
    image = view.grab().toImage()
    assert image.pixelColor(320, 17).red() == 0
    assert image.pixelColor(320, 470).red() == int((470 - 16) / 1.52) // 100 == 2


def test_keys_move_an_enlarged_capture_to_its_ends_and_no_further(view: CaptureView) -> None:
    view.show_capture(bands(QSize(45, 448)), None, TALL)
    view.pan_by(0, PAN_VIEW)
    assert view.fitted
    view.fit_width()
    view.pan_by(0, PAN_STEP)
    assert row_at(view, 16) == pytest.approx(60 / 6080)
    view.pan_by(0, -PAN_VIEW)
    assert row_at(view, 16) == pytest.approx(0, abs=1e-6)
    for _ in range(30):
        view.pan_by(0, PAN_VIEW)
    assert row_at(view, 480 - 16) == pytest.approx(1)
    view.pan_by(0, -PAN_VIEW)
    assert row_at(view, 480 - 16) == pytest.approx(1 - 420 / 6080)
    view.zoom_by(4.0)
    left = view.share_at(QPoint(0, 240))[0]
    view.pan_by(PAN_STEP, 0)
    assert view.share_at(QPoint(0, 240))[0] == pytest.approx(left + 80 / (400 * view.zoom))


def test_the_width_stays_chosen_for_the_items_after_it_until_one_is_fitted(view: CaptureView) -> None:
    view.show_capture(bands(QSize(45, 448)), None, TALL)
    view.fit_width()
    view.pan_by(0, PAN_VIEW)
    view.begin()
    view.show_capture(plain("red", QSize(448, 448)), None, QSize(300, 900))
    assert view.zoom == pytest.approx(FIT_MOST)
    assert row_at(view, 16) == pytest.approx(0, abs=1e-6)
    view.begin()
    view.show_capture(plain("red", QSize(608, 152)), None, QSize(1200, 300))
    assert view.fitted, "a wide page is whole in view anyway"
    view.fit()
    view.begin()
    view.show_capture(bands(QSize(45, 448)), None, TALL)
    assert view.fitted


def test_another_item_is_never_painted_with_the_pixels_of_the_one_before(view: CaptureView) -> None:
    view.show_capture(plain("red", QSize(45, 448)), None, TALL)
    view.fit_width()
    view.show_full(plain("red", TALL))
    view.begin()
    view.show_capture(plain("blue", QSize(45, 448)), None, TALL)
    assert not view.fitted
    assert middle(view).name() == "#0000ff"


def test_a_part_that_is_framed_comes_into_view(view: CaptureView) -> None:
    view.show_capture(bands(QSize(45, 448)), None, TALL)
    view.show_marks([], [(100, 3000, 50, 40)])
    assert view.fitted
    view.fit_width()
    view.show_marks([], [(100, 2000, 50, 40)])
    assert row_at(view, 240) == pytest.approx(2020 / 4000)
    view.pan_by(0, PAN_STEP)
    moved = row_at(view, 240)
    view.show_marks([[(0, 0, 10, 10)]], [(100, 2000, 50, 40)])
    assert row_at(view, 240) == moved, "the same part again"
    view.show_marks([], [(100, 2050, 50, 40)])
    assert row_at(view, 240) == moved, "it is in view"
    view.show_marks([], [(0, 500, 400, 1000)])
    assert row_at(view, 0) == pytest.approx(500 / 4000)

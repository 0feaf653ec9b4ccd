"""The page in a real browser: it sorts, filters, explains and fits, without a complaint."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from selenium.webdriver import ActionChains, Chrome, Keys
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.ui import Select, WebDriverWait

from benchmark.leaderboard.frames.all import Frames
from benchmark.leaderboard.writing import contents

from .browser import (
    CHROMIUM,
    DESKTOP,
    DRIVER,
    NARROW,
    PAPER,
    PATIENCE,
    PHONE,
    WIDE,
    accessibility_faults,
    browser,
    picture,
    prefer,
    resize,
    visit,
)
from .gallery import EVIL
from .lab import Lab
from .test_answers import HOSTILE, finish

pytestmark = [
    pytest.mark.slow,
    pytest.mark.xdist_group("site"),
    pytest.mark.skipif(not (CHROMIUM and DRIVER), reason="chromium and chromedriver are not there"),
]


@pytest.fixture(scope="module")
def driver() -> Iterator[Chrome]:
    with browser() as found:
        yield found


@pytest.fixture
def page(driver: Chrome, gallery_page: Path) -> Chrome:
    resize(driver, *DESKTOP)
    prefer(driver, color_scheme="light", reduced_motion="reduce")
    visit(driver, gallery_page)
    return driver


def test_answers_are_text_and_searched(driver: Chrome, lab: Lab, tmp_path: Path) -> None:
    for algorithm in ("linear", "ctwa"):
        finish(lab, tmp_path / "files", lab.expect("m", algorithm), HOSTILE[:4], ["plain"] * 4)
    page = contents(Frames(lab.collect()), ["html"], store=lab.uri)["index.html"]
    file = tmp_path / "index.html"
    file.write_text(page, encoding="utf-8")
    visit(driver, file)  # which fails on an alert, an error or a complaint
    written = [each.text for each in every(driver, "#answers-list tbody pre")]
    assert len(written) == 4 * 3
    assert HOSTILE[0] in written
    one(driver, "#answer-search").send_keys("ONERROR")
    assert {each.text for each in every(driver, "#answers-list tbody pre")} == {HOSTILE[1]}
    one(driver, "#answer-search").clear()
    one(driver, "#answer-search").send_keys("nothing has this")
    assert every(driver, "#answers-list table") == []
    assert one(driver, "#answers-shown").text == "0 answers"


def one(page: Chrome, selector: str) -> WebElement:
    return page.find_element(By.CSS_SELECTOR, selector)


def every(page: Chrome, selector: str) -> list[WebElement]:
    return page.find_elements(By.CSS_SELECTOR, selector)


def texts(page: Chrome, selector: str) -> list[str]:
    return [element.text for element in every(page, selector) if element.is_displayed()]


def column(page: Chrome, index: int) -> list[str]:
    return texts(page, f"#overall-table tbody tr > :nth-child({index})")


def numbers(page: Chrome, index: int) -> list[float]:
    """Return the values of a column's cells; an interval stands on a line of its own below."""
    return [float(text.split()[0]) for text in column(page, index)]


def head(page: Chrome, text: str, table: str = "#overall-table") -> WebElement:
    (found,) = [th for th in every(page, f"{table} thead th") if th.text.startswith(text)]
    return found


def press(page: Chrome, element: WebElement) -> None:
    """Click an element clear of the bar at the top of the window."""
    page.execute_script("arguments[0].scrollIntoView({block: 'center'})", element)
    element.click()


def sort_by(page: Chrome, text: str, table: str = "#overall-table") -> None:
    press(page, head(page, text, table).find_element(By.TAG_NAME, "button"))


def wait(page: Chrome) -> WebDriverWait[Any]:
    return WebDriverWait(page, PATIENCE, poll_frequency=0.05)


def test_the_browser_has_nothing_to_complain_about(page: Chrome) -> None:
    assert every(page, "#panels svg")
    assert every(page, "#pareto svg")
    assert "worst objective" in str(one(page, "#plane-chart svg").get_attribute("aria-label"))
    assert page.get_log("browser") == []


def test_a_click_on_a_heading_sorts_and_a_second_one_turns_round(page: Chrome) -> None:
    sort_by(page, "Severity")
    values = numbers(page, 7)
    assert len(set(values)) > 2
    assert values == sorted(values)
    assert head(page, "Severity").get_attribute("aria-sort") == "ascending"
    assert head(page, "Verdict").get_attribute("aria-sort") is None
    sort_by(page, "Severity")
    assert numbers(page, 7) == sorted(values, reverse=True)
    assert head(page, "Severity").get_attribute("aria-sort") == "descending"


def test_the_keyboard_sorts_too(page: Chrome) -> None:
    button = head(page, "Algorithm").find_element(By.TAG_NAME, "button")
    page.execute_script("arguments[0].focus()", button)
    page.switch_to.active_element.send_keys(Keys.ENTER)
    assert head(page, "Algorithm").get_attribute("aria-sort") == "ascending"
    names = column(page, 1)
    assert names.index("ctwa") < names.index("linear")
    page.switch_to.active_element.send_keys(Keys.TAB)
    assert page.switch_to.active_element.text.startswith("Verdict")


def test_what_has_no_value_stays_last_however_a_table_is_sorted(page: Chrome) -> None:
    for _ in range(2):
        sort_by(page, "Mean rank", "#gain-and-loss-table")
        cells = texts(page, "#gain-and-loss-table tbody tr > :nth-child(7)")
        assert cells[-1] == "–"


def test_the_filter_holds_in_all_tables_and_says_so(page: Chrome) -> None:
    one(page, "#filter").send_keys("linear, ctwa")
    assert sorted(column(page, 1)) == ["ctwa", "linear"]
    assert sorted(texts(page, "#heat tbody th")) == ["ctwa", "linear"]
    assert len(texts(page, ".results tbody th")) == 4  # of two models
    assert one(page, "#shown").text == "2 of 4 shown, in all tables"
    one(page, "#filter").clear()
    one(page, "#filter").send_keys("<IMG")
    assert column(page, 1) == [EVIL]


def test_references_can_be_left_out(page: Chrome) -> None:
    assert any("reference" in name for name in column(page, 1))
    press(page, one(page, "#references"))
    assert sorted(column(page, 1)) == sorted(["linear", "ctwa", EVIL])


def test_a_cell_tells_all_changes_to_mouse_and_keyboard(page: Chrome) -> None:
    cell = one(page, "#heat a.cell")
    assert not one(page, "#tip").is_displayed()
    ActionChains(page).move_to_element(cell).perform()
    assert one(page, "#tip").is_displayed()
    assert "conciseness +" in one(page, "#tip").text
    page.switch_to.active_element.send_keys(Keys.ESCAPE)
    assert not one(page, "#tip").is_displayed()
    page.execute_script("arguments[0].focus()", cell)
    assert one(page, "#tip").is_displayed()


def test_a_cell_leads_to_its_curves(page: Chrome) -> None:
    cells = every(page, "#heat a.cell")
    (cell,) = [c for c in cells if c.get_attribute("data-algorithm") == EVIL][1:]
    page.execute_script("arguments[0].click()", cell)
    wait(page).until(lambda _: EVIL in one(page, "#traces-title").text)
    assert Select(one(page, "#curve-place")).first_selected_option.text == "small-instruct"
    assert one(page, "#panels .chosen .choose").text == EVIL
    assert page.get_log("browser") == []


def test_the_heat_map_is_coloured_by_what_is_asked_for(page: Chrome) -> None:
    cell = one(page, "#heat td")
    before = cell.value_of_css_property("background-color")
    press(page, one(page, "input[value=by-rate]"))
    assert cell.value_of_css_property("background-color") != before


def test_curves_have_traces_of_the_algorithm_that_is_chosen(page: Chrome) -> None:
    captions = texts(page, "#traces figcaption")
    assert captions == [
        "Covariance with the score",
        "Covariance with the update’s weights",
        "Scalarizer’s weights",
    ]
    press(page, every(page, "#panels .choose")[1])
    wait(page).until(lambda _: "ctwa" in one(page, "#traces-title").text)
    assert Select(one(page, "#curve-algorithm")).first_selected_option.text == "ctwa"


def test_a_chart_tells_the_point_under_the_pointer(page: Chrome) -> None:
    chart = one(page, "#panels svg")
    page.execute_script("arguments[0].scrollIntoView({block: 'center'})", chart)
    for offset in (-20, 0, 20):  # across a point, wherever the panel puts it
        ActionChains(page).move_to_element_with_offset(chart, offset, 10).perform()
    tip = wait(page).until(lambda _: one(page, "#vg-tooltip-element.visible"))
    assert "objective" in tip.text
    assert "mean of 2 seeds" in tip.text


def test_any_two_objectives_can_be_set_against_each_other(page: Chrome) -> None:
    def titles() -> str:
        return str(one(page, "#pareto svg").get_attribute("textContent"))

    assert "accuracy →" in titles()
    assert "conciseness →" in titles()
    Select(one(page, "#pareto-x")).select_by_visible_text("clarity")
    wait(page).until(lambda _: "clarity →" in titles())
    assert "accuracy →" not in titles()
    Select(one(page, "#pareto-place")).select_by_visible_text("small-instruct")
    wait(page).until(lambda _: "accuracy →" in titles())
    assert EVIL in titles()
    assert page.get_log("browser") == []


@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_nothing_sticks_out_of_the_window(
    page: Chrome, gallery_page: Path, tmp_path: Path, size: tuple[int, int]
) -> None:
    resize(page, *size)
    visit(page, gallery_page)
    width = page.execute_script("return document.documentElement.scrollWidth")
    assert width <= size[0]
    assert every(page, "#panels svg")[0].size["width"] <= size[0]
    image = picture(page, 0, size[1], size[0])
    assert len(image.convert("RGB").getcolors(maxcolors=1 << 24) or []) > 20  # there is something


def test_the_dark_is_dark(page: Chrome) -> None:
    def luminance(image: Any) -> float:
        histogram = image.convert("L").histogram()
        return sum(value * count for value, count in enumerate(histogram)) / sum(histogram)

    light = luminance(picture(page, 0, 900, 1280))
    prefer(page, color_scheme="dark")
    dark = luminance(picture(page, 0, 900, 1280))
    assert light > 200
    assert dark < 60


def test_on_paper_there_are_no_controls_and_the_paper_is_white(page: Chrome) -> None:
    prefer(page, color_scheme="dark")
    page.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    assert texts(page, ".controls, .contents") == []
    white = "rgba(255, 255, 255, 1)"
    assert one(page, "html").value_of_css_property("background-color") == white
    page.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})


def test_without_scripts_there_are_all_tables_and_no_dead_controls(
    page: Chrome, gallery_page: Path
) -> None:
    page.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    page.get(gallery_page.as_uri())
    assert len(texts(page, "table.results")) == 2
    assert "linear" in column(page, 1)
    assert texts(page, ".scripted, button") == []
    assert any("drawn by a script" in text for text in texts(page, ".unscripted"))
    page.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})


def test_an_axis_has_a_width_around_a_constant(page: Chrome) -> None:
    """The weights of `linear` stay at a third; the one tick of their axis said 0."""
    press(page, next(b for b in every(page, "#panels .choose") if b.text == "linear"))
    weights = next(
        figure
        for figure in every(page, "#traces figure")
        if figure.find_element(By.TAG_NAME, "figcaption").text == "Scalarizer’s weights"
    )
    ticks = weights.find_elements(By.CSS_SELECTOR, ".role-axis-label text")
    numbers = [float(tick.text.replace("−", "-")) for tick in ticks]
    assert any(0.15 < number < 1 / 3 for number in numbers)
    assert any(1 / 3 < number < 0.55 for number in numbers)


# ---- at every width, for everybody -----------------------------------------------------------


@pytest.mark.parametrize("size", [NARROW, WIDE], ids=["narrow", "wide"])
def test_axe_finds_no_fault(page: Chrome, gallery_page: Path, size: tuple[int, int]) -> None:
    resize(page, *size)
    visit(page, gallery_page)
    for scheme in ("light", "dark"):
        prefer(page, color_scheme=scheme, reduced_motion="reduce")
        assert accessibility_faults(page) == [], scheme


def test_axe_finds_a_fault_where_there_is_one(page: Chrome) -> None:
    page.execute_script("document.querySelector('#filter').parentElement.replaceWith(filter)")
    page.execute_script("document.documentElement.removeAttribute('lang')")
    assert [fault.split(":")[0] for fault in accessibility_faults(page)] == ["html-has-lang"]


def test_a_table_that_scrolls_says_so_and_to_where(page: Chrome, gallery_page: Path) -> None:
    resize(page, *NARROW)
    visit(page, gallery_page)
    frame = one(page, "#overall .frame")
    region = frame.find_element(By.CSS_SELECTOR, ".scroll")
    assert texts(page, "#overall .more")[0] == "Scroll sideways for more columns"
    assert frame.get_attribute("class") == "frame beyond"
    assert region.get_attribute("tabindex") == "0"
    page.execute_script("arguments[0].focus()", region)
    for _ in range(40):  # the keyboard scrolls it
        page.switch_to.active_element.send_keys(Keys.ARROW_RIGHT)
    wait(page).until(lambda _: frame.get_attribute("class") == "frame before")


def test_a_table_that_fits_says_nothing_of_scrolling(page: Chrome, gallery_page: Path) -> None:
    resize(page, *WIDE)
    visit(page, gallery_page)
    assert texts(page, "#overall .more") == []
    assert one(page, "#overall .scroll").get_attribute("tabindex") is None


def test_a_desktop_is_used_to_its_whole_width(page: Chrome, gallery_page: Path) -> None:
    resize(page, *WIDE)
    visit(page, gallery_page)
    ends = page.execute_script(
        "return [...document.querySelectorAll('main > section')].map((section) => Math.max("
        "...[...section.querySelectorAll('*')].map((each) => each.getBoundingClientRect().right)))"
    )
    assert len(ends) == 10
    assert min(ends) > WIDE[0] - 80
    assert one(page, "#overall-table").size["width"] > WIDE[0] - 160


@pytest.mark.parametrize("size", [NARROW, WIDE], ids=["narrow", "wide"])
@pytest.mark.parametrize("chart", ["#plane-chart", "#pareto"])
def test_names_in_a_chart_lie_on_no_other(
    page: Chrome, gallery_page: Path, chart: str, size: tuple[int, int]
) -> None:
    resize(page, *size)
    visit(page, gallery_page)
    names = every(page, f"{chart} svg .mark-text.role-mark text")
    boxes = [name.rect for name in names if name.text not in ("", "×")]
    assert boxes
    for i, one_box in enumerate(boxes):
        for other in boxes[:i]:
            apart = (
                one_box["x"] + one_box["width"] <= other["x"] + 1
                or other["x"] + other["width"] <= one_box["x"] + 1
                or one_box["y"] + one_box["height"] <= other["y"] + 3
                or other["y"] + other["height"] <= one_box["y"] + 3
            )
            assert apart, (one_box, other)


def test_paper_shows_every_column(page: Chrome, gallery_page: Path) -> None:
    page.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    resize(page, *PAPER)
    visit(page, gallery_page)
    tables = [table for table in every(page, "main table") if table.is_displayed()]
    assert len(tables) >= 6
    assert max(table.rect["x"] + table.rect["width"] for table in tables) <= PAPER[0] + 1
    assert texts(page, ".more") == []
    page.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})

"""The page's text: what it says, that it loads nothing, and that no name becomes markup."""

import base64
import hashlib
import json
import re
import tomllib
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pandas
import pytest
from required import REQUIRED

from benchmark.common.errors import CrosstalkError
from benchmark.common.paths import PACKAGE
from benchmark.leaderboard.files import FILES, INDEX
from benchmark.leaderboard.frames.all import Frames
from benchmark.leaderboard.pages.sheet import Cell
from benchmark.leaderboard.pages.sheets import all_sheets
from benchmark.leaderboard.results.table import Table
from benchmark.leaderboard.site.curves import (
    POINTS,
    TITLES,
    curves_of,
    families,
    title,
    titles,
    validation_rows,
)
from benchmark.leaderboard.site.findings import findings
from benchmark.leaderboard.site.payload import as_script
from benchmark.leaderboard.site.rendering import render
from benchmark.leaderboard.site.tables import View, heat_map, shade, whisker
from benchmark.leaderboard.writing import write_leaderboard
from benchmark.scalarizers import SCALARIZERS, make_scalarizer

from .gallery import DESCRIPTION, EVIL, OBJECTIVES, START, STEPS, Gallery
from .lab import Lab

pytestmark = pytest.mark.xdist_group("site")

NO_CURVES = pandas.DataFrame(columns=["cell", "metric", "step", "value"])
SITE = PACKAGE / "leaderboard" / "site"


class Page(HTMLParser):
    """A page's elements, in order, and the text of each script and style."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.verbatim: list[tuple[str, str]] = []
        self.words: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        if self.cdata_elem is None:
            self.words.append(data)
        else:
            self.verbatim.append((self.cdata_elem, data))

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]

    def scripts(self) -> list[str]:
        return [text for tag, text in self.verbatim if tag == "script"]


@pytest.fixture(scope="module")
def text(gallery_page: Path) -> str:
    return gallery_page.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def page(text: str) -> Page:
    return Page(text)


def rendered(results: Table, curves: pandas.DataFrame = NO_CURVES, **options: str) -> str:
    frames = Frames(results)
    return render(frames, all_sheets(frames), curves, **options)


# ---- safety ----------------------------------------------------------------------------------


def test_a_name_with_markup_is_text_everywhere(text: str, page: Page) -> None:
    assert EVIL not in text
    assert page.all("img") == []
    assert not any(name.startswith("on") for _, found in page.elements for name in found)
    assert {row.get("data-algorithm") for row in page.all("tr")} >= {EVIL}
    assert EVIL in page.words  # the parser has undone the escapes


def test_the_data_of_the_charts_survives_its_escapes(page: Page) -> None:
    (data,) = [json.loads(each) for each in page.scripts() if each.startswith('{"places"')]
    first = data["places"][0]
    assert [a["id"] for a in first["algorithms"]] == ["linear", "ctwa", EVIL, "single-accuracy"]
    assert first["objectives"] == list(OBJECTIVES)
    runs = first["algorithms"][0]["runs"]
    assert [run["seed"] for run in runs] == [0, 1]
    steps, values = runs[0]["curves"]["validation"]["accuracy"]
    assert steps == list(STEPS)
    assert values[0] == START[0]


def test_json_in_a_script_holds_nothing_that_ends_it() -> None:
    name = "</script><!--\u2028&"
    found = as_script([name])
    assert not set("<>&\u2028") & set(found)
    assert json.loads(found) == [name]


def test_the_page_loads_nothing(page: Page, text: str) -> None:
    assert not any({"src", "srcset", "poster", "data", "action"} & set(a) for _, a in page.elements)
    assert [found["href"] for found in page.all("link")] == ["data:,"]
    (style,) = [found for tag, found in page.verbatim if tag == "style"]
    assert "url(" not in style
    assert "@import" not in style
    leads = {found["href"] for found in page.all("a")}
    assert {lead for lead in leads if not str(lead).startswith("#")} == {
        "https://arxiv.org/abs/2602.06869"
    }
    assert not any("style" in found for _, found in page.elements)  # the policy would refuse it


def test_the_policy_lets_these_scripts_and_this_style_run_and_no_others(page: Page) -> None:
    (policy,) = [
        str(found["content"])
        for found in page.all("meta")
        if found.get("http-equiv") == "Content-Security-Policy"
    ]
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    assert rules["default-src"] == "'none'"
    for tag, rule in (("script", "script-src"), ("style", "style-src")):
        bodies = [body for name, body in page.verbatim if name == tag and body[0] != "{"]
        digests = [base64.b64encode(hashlib.sha256(b.encode()).digest()).decode() for b in bodies]
        assert rules[rule].split() == [f"'sha256-{digest}'" for digest in digests]
    assert "unsafe" not in policy


def test_the_page_is_small_enough_to_send_around(text: str) -> None:
    assert len(text.encode()) < 3_000_000


# ---- the same runs, the same page ------------------------------------------------------------


def test_the_same_tracked_runs_give_the_same_bytes(gallery: Gallery, text: str) -> None:
    results = gallery.collect()
    curves = curves_of(gallery.uri, results)
    assert rendered(results, curves, description=DESCRIPTION) == text


def test_a_page_that_cannot_be_made_leaves_the_one_before(study_lab: Lab, tmp_path: Path) -> None:
    frames = Frames(study_lab.collect())
    write_leaderboard(frames, tmp_path, store=study_lab.uri)
    before = (tmp_path / INDEX).read_bytes()
    assert sorted(file.name for file in tmp_path.iterdir()) == sorted(FILES)
    with pytest.raises(CrosstalkError):
        write_leaderboard(frames, tmp_path, store=f"sqlite:///{tmp_path}/none.db")
    assert (tmp_path / INDEX).read_bytes() == before


# ---- tables that need no script --------------------------------------------------------------


def test_every_heading_of_a_table_says_what_it_heads(page: Page) -> None:
    assert len(page.all("table")) >= 6
    assert {found.get("scope") for found in page.all("th")} == {"col", "row"}


def test_a_change_is_drawn_where_it_lies() -> None:
    change = Cell("-0.100", -0.1, -0.12, 0.5)
    # 0.42 is the largest on the page, so -0.1 is at 50 - 47 * 0.1 / 0.42; the end is held back
    assert whisker(change, 0.42) == {"at": "38.8", "low": "36.6", "high": "97.0"}
    assert whisker(Cell("-0.100", -0.1), 0.42) == dict.fromkeys(("at", "low", "high"), "38.8")


def heat(results: Table) -> View:
    frames = Frames(results)
    return heat_map(frames, all_sheets(frames))


def test_the_heat_map_names_what_is_given_up(results: Table) -> None:
    found = heat(results)
    assert found["heads"] == ["m", "n"]
    rows = {row["algorithm"].text: row["cells"] for row in found["rows"]}
    assert (rows["linear"][0]["worst"], rows["linear"][0]["given_up"]) == ("−0.10", ["b"])
    assert rows["linear"][0]["rate"] == "50.0%"
    assert rows["ctwa"][0]["given_up"] == []
    assert rows["linear"][0]["changes"] == "a +0.200, b −0.100"


@pytest.mark.parametrize(
    ("value", "found"),
    [
        (-1.0, "loss-5"),
        (-0.01, "loss-1"),
        (0.0, "none"),
        (0.5, "gain-3"),
        (2.0, "gain-5"),
        (float("nan"), "none"),
    ],
)
def test_a_shade_grows_with_the_change(value: float, found: str) -> None:
    assert shade(value, 1.0) == found


def test_why_an_objective_fell_is_told_and_escaped(results: Table) -> None:
    cells = results.cells.assign(attribution="its covariance is <0")
    text = rendered(replace(results, cells=cells))
    assert 'data-tip="its covariance is &lt;0"' in text
    assert "b: its covariance is &lt;0" in text


def test_missing_cells_and_mixtures_are_told(lab: Lab) -> None:
    lab.complete(lab.expect("m<b>", "linear"), (0.5, 0.7))
    lab.expect("m<b>", "ctwa")
    results = replace(
        lab.collect(),
        mixture="2 environments: torch <1>",
        selection="model <i>",
        notes=("Joined & counted once.",),
    )
    text = rendered(results)
    assert "<code>m&lt;b&gt;/pair/ctwa/seed0</code> never started" in text
    assert "2 environments: torch &lt;1&gt;." in text
    assert "model &lt;i&gt;." in text
    assert "Joined &amp; counted once." in text
    assert "1 of 2 cells" in text


def test_models_are_told_apart_by_their_objective_sets_where_there_are_several(lab: Lab) -> None:
    for objectives in ("pair", "other"):
        lab.complete(lab.expect("m", "linear", objectives=objectives), (0.9, 0.5))
    results = lab.collect()
    assert heat(results)["heads"] == ["m on pair", "m on other"]
    assert told(results)[0].startswith(
        "In every one of the 2 pairs of algorithm and model with an objective set"
    )


# ---- findings --------------------------------------------------------------------------------


def told(results: Table) -> list[str]:
    return [re.sub("</?(b|span)>", "", sentence) for sentence in findings(Frames(results))]


def test_findings_say_who_gives_up_what(results: Table) -> None:
    assert told(results) == [
        "In 1 of the 4 pairs of algorithm and model, training gives up at least one objective "
        "while the scalarized score rises.",
        "ctwa leads: on its worst objective it gains +0.38 of what training on that alone does.",
        "Training on a alone costs b most: −0.10 on average, a loss on 1 of 2 models.",
    ]


def test_findings_leave_open_what_intervals_do_not_tell_apart(lab: Lab) -> None:
    lab.complete(lab.expect("m", "linear"), (0.6, 0.7))
    lab.complete(lab.expect("m", "ctwa"), (0.605, 0.7))
    for name, finals in (("a", (0.9, 0.6)), ("b", (0.4, 0.9))):
        lab.complete(lab.expect("m", f"single-{name}"), finals)
    assert "The ranking is open between linear and ctwa: their differences are within error." in (
        told(lab.collect())
    )


def test_findings_name_what_most_algorithms_give_up(lab: Lab) -> None:
    for algorithm in ("linear", "ctwa"):
        lab.complete(lab.expect("m", algorithm), (0.9, 0.5))
        lab.complete(lab.expect("n", algorithm), (0.3, 0.9))
    assert told(lab.collect())[:2] == [
        "In every one of the 4 pairs of algorithm and model, training gives up at least one "
        "objective while the scalarized score rises.",
        "What most algorithms give up depends on the model: b on m (2 of 2) and a on n (2 of 2).",
    ]


def test_findings_of_a_study_without_losses_say_so(lab: Lab) -> None:
    lab.complete(lab.expect("m", "linear"), (0.5, 0.7))
    assert told(lab.collect()) == [
        "No objective is given up in any of the 1 pairs of algorithm and model."
    ]


# ---- runs and curves -------------------------------------------------------------------------


def test_runs_are_linked_on_a_server_and_without_its_password(results: Table) -> None:
    run_id = results.origins["m/pair/linear/seed0"].run_id
    local = rendered(results, tracking="sqlite:///somewhere/mlflow.db")
    assert f"<code>{run_id}</code>" in local
    assert "somewhere" not in local
    remote = rendered(results, tracking="https://me:secret@tracking.example/sub/")
    assert f'<a href="https://tracking.example/sub/#/runs/{run_id}">{run_id}</a>' in remote
    assert "secret" not in remote


def test_curves_are_read_for_every_counted_run(gallery: Gallery) -> None:
    results = gallery.collect()
    curves = curves_of(gallery.uri, results)
    assert set(curves["cell"]) == set(results.origins)
    one = curves[curves["cell"] == "small-base/math3/linear/seed0"]
    found = families(one, OBJECTIVES)
    assert list(found) == [
        "covariance/score",
        "covariance/weight",
        "scalarizer/weight",
        "validation",
    ]
    assert found["covariance/weight"]["clarity"][0] == list(range(0, 61, 10))


def test_long_curves_are_thinned_and_infinite_points_left_out() -> None:
    values = [float(step) for step in range(1000)]
    values[500:510] = [float("nan"), 1.797e308] * 5
    curve = pandas.DataFrame({"metric": "validation/a", "step": range(1000), "value": values})
    steps, kept = families(curve, ["a"])["validation"]["a"]
    assert len(steps) == POINTS
    assert (steps[0], steps[-1]) == (0, 999)
    assert not set(steps) & set(range(500, 510))
    assert kept == [float(step) for step in steps]


def test_validation_curves_stand_in_a_table_too(gallery: Gallery) -> None:
    results = gallery.collect()
    rows = validation_rows(results, curves_of(gallery.uri, results))
    assert len(rows) == len(results.origins) * len(OBJECTIVES)
    lost = next(row for row in rows if float(row["fall"]) > 0.1)
    assert (lost["first"], lost["best_step"]) == (lost["best"], "0")
    assert float(lost["best"]) - float(lost["last"]) == pytest.approx(float(lost["fall"]), abs=2e-3)


def test_a_study_without_curves_has_a_page(results: Table) -> None:
    assert '"runs":[]' in rendered(results)


def test_every_family_of_curves_has_a_title_in_words() -> None:
    tracked = {f"covariance/{of}" for of in ("score", "advantage", "weight", "unclipped_weight")}
    for name, cls in SCALARIZERS.items():
        if not cls.reference:
            found = make_scalarizer(name, ["a", "b", "c"], **REQUIRED.get(name, {})).metrics()
            tracked |= {f"scalarizer/{key.rpartition('/')[0]}" for key in found}
    assert tracked <= TITLES.keys()
    assert not [words for words in TITLES.values() if "/" in words or "_" in words]


def test_a_family_of_a_plug_in_is_told_in_its_own_words() -> None:
    assert title("scalarizer/trust_region") == "Scalarizer: trust region"
    assert title("gradient/cosine/brief") == "Cosine of its gradient with that of brief"
    assert list(titles(["scalarizer/a", "scalarizer/weight", "covariance/score"])) == [
        "covariance/score",
        "scalarizer/weight",
        "scalarizer/a",
    ]


def test_hardware_is_told_in_words(results: Table) -> None:
    parts = {"cpu": "Abacus 3", "cores": "2", "memory_gib": "24", "gpus": "none", "disk": "big"}
    origins = {cell: replace(o, hardware=parts) for cell, o in results.origins.items()}
    text = rendered(replace(results, origins=origins))
    assert "<dd>Abacus 3, 2 cores, 24 GiB of memory, disk big</dd>" in text


def test_tables_work_before_the_library_of_the_charts_is_there(page: Page) -> None:
    own, library = [s for s in page.scripts() if not s.startswith("{")]
    assert "function sort(" in own
    assert "window.vegaEmbed" in library


# ---- what is installed -----------------------------------------------------------------------


def test_all_files_of_the_page_are_installed_with_the_package() -> None:
    settings = tomllib.loads((PACKAGE.parent / "pyproject.toml").read_text())["tool"]["setuptools"]
    patterns = settings["package-data"]["benchmark.leaderboard.site"]
    files = {path for path in SITE.iterdir() if path.is_file() and path.suffix != ".py"}
    assert files == {path for pattern in patterns for path in SITE.glob(pattern)}


def test_licences_of_what_is_embedded_are_on_the_page(text: str) -> None:
    for notice in ("University of Washington Interactive Data Lab", "Mike Bostock", "BSD-3-Clause"):
        assert notice in text

"""The page: whole in itself, deaf to what is in it, and shown by a real browser at every width, light and dark."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import shutil
import struct
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from bs4 import BeautifulSoup
from cases import CLIENTS, hostile, large, made, split, stale, thirty

from zcheck import cli
from zcheck.report.structs import ClientNode, Level, Pair, Report, Topology

LIMIT_S = 90
CASES = {"split": split, "hostile": hostile, "thirty": thirty, "stale": stale, "large": large}
every_case = pytest.mark.parametrize("case", CASES.values(), ids=CASES)
WIDTHS = (375, 768, 1280)


def page_of(report: Report) -> BeautifulSoup:
    return BeautifulSoup(cli.rendered(report, "html"), "html.parser")


@pytest.mark.parametrize(("seen", "word"), [(True, "can be balanced"), (None, "nothing wrong was seen")])
def test_that_clients_can_be_balanced_is_said_where_it_was_proven(seen: bool | None, word: str) -> None:
    pairs = tuple(Pair(a, b, seen, None) for a in CLIENTS for b in CLIENTS if a != b)
    heading = page_of(made(levels=(Level("http", "main", pairs),))).select_one("h1 .word")
    assert heading is not None
    assert word == heading.text


@every_case
def test_the_page_needs_nothing_from_elsewhere(case: Callable[[], Report]) -> None:
    page = page_of(case())
    for tag in page.find_all(True):
        assert tag.name not in ("link", "iframe", "object", "embed", "base", "img", "image", "use", "foreignobject")
        for name, value in tag.attrs.items():
            assert not name.startswith("on")
            assert name not in ("style", "src", "srcset", "xlink:href", "action", "formaction")
            assert name != "href" or re.fullmatch(r"#c-[a-z-]+", str(value))
    assert "url(" not in str(page.style)
    assert "@import" not in str(page.style)


@every_case
def test_the_policy_allows_the_one_style_and_the_one_script_and_nothing_else(case: Callable[[], Report]) -> None:
    page = page_of(case())
    policy = str(page.select_one("meta[http-equiv=Content-Security-Policy]")["content"])  # type: ignore[index]
    assert policy.startswith("default-src 'none'; ")
    assert "unsafe" not in policy
    for kind in ("style", "script"):
        (own,) = page.find_all(kind)
        digest = base64.b64encode(hashlib.sha256(own.string.encode()).digest()).decode()
        assert f"{kind}-src 'sha256-{digest}'" in policy


@every_case
def test_everything_of_the_report_is_on_the_page(case: Callable[[], Report]) -> None:
    report = case()
    page = page_of(report)
    text = page.get_text()
    assert report.verdict.status == page.select_one(".status").get_text()  # type: ignore[union-attr]
    assert {f"f-{finding.fingerprint}" for finding in report.findings} == {
        str(article["id"]) for article in page.select("article.finding")
    }
    assert {f"c-{result.check}" for result in report.checks} == {str(row["id"]) for row in page.select("#list tr")}
    for finding in report.findings:
        article = page.find(id=f"f-{finding.fingerprint}")
        assert len(finding.places) == len(article.select(".places li"))  # type: ignore[union-attr]
        assert not finding.hint or article.select_one(".hint") is not None  # type: ignore[union-attr]
    for result in report.checks:
        assert not result.because or result.because in text


def test_the_split_is_drawn() -> None:
    page = page_of(split())
    assert ["front", "app1", "app2", "app3", "zeo1:8100", "copy:8100"] == [
        str(box.select_one(".name").get_text())  # type: ignore[union-attr]
        for box in page.select("svg .box")
    ]
    frames = [frame.get_text() for frame in page.select("svg .frame")]
    assert ["✗ side A: see each other's edits", "✗ side B: apart"] == frames
    assert 1 == len(page.select("svg .line.bad"))
    assert "not as its file says" in page.select_one("svg .broken").get_text()  # type: ignore[union-attr]
    cells = [[cell.get_text() for cell in row.find_all("td")] for row in page.select(".matrix")[0].select("tbody tr")]
    assert [["-", "13.1 ms", "✗ not seen"], ["6.3 ms", "-", "✗ not seen"], ["not tried", "not tried", "-"]] == cells


@every_case
def test_every_drawing_is_told_in_words_beside_it(case: Callable[[], Report]) -> None:
    page = page_of(case())
    identities = [str(tag["id"]) for tag in page.find_all(id=True)]
    assert len(identities) == len(set(identities))
    for svg in page.select("svg[role=img]"):
        told = [page.find(id=name) for name in str(svg["aria-labelledby"]).split()]
        assert told and all(one is not None and one.get_text() for one in told)
    assert {"true"} >= {str(svg.get("aria-hidden")) for svg in page.select("svg:not([role=img])")}
    for figure in page.select("figure"):
        assert figure.select("table tbody tr")


def test_a_stale_read_is_drawn_with_the_write_that_it_did_not_show() -> None:
    page = page_of(stale())
    (figure,) = page.select("figure.anomaly")
    assert "fractured read" in figure.figcaption.get_text()  # type: ignore[union-attr]
    told = [item.get_text() for item in figure.select(".witnesses li")]
    assert ["app1 wrote version 30 of app1", "app3 read version 29 of app1"] == [words.split(", ")[0] for words in told]
    assert ["1", "2"] == [number.get_text() for number in figure.select(".bar.witness .number")]
    assert ["app1", "app3"] == [name.get_text() for name in figure.select("text.client.witness")]
    assert 2 == len(figure.select("tr.marked"))


def test_how_long_writes_took_is_drawn_with_its_quantiles() -> None:
    report = stale()
    page = page_of(report)
    (lags,) = report.consistency.lags
    assert len(lags.points) == str(page.select_one("path.points")["d"]).count("M")  # type: ignore[index]
    names = [name.get_text() for name in page.select(".quantile-name")]
    assert [f"median {lags.whole.median_ms:.1f} ms", f"95 % {lags.whole.p95_ms:.1f} ms"] == names[:2]
    assert len(lags.windows) == len(page.select(".figures-table tbody tr"))
    assert not page.select(".limit")


def test_the_limit_is_drawn_where_somebody_came_near_it() -> None:
    assert page_of(hostile()).select("path.limit")


def test_fifty_clients_are_drawn_side_by_side() -> None:
    page = page_of(large())
    names = [name.get_text() for name in page.select(".matrix-drawing .client:not([transform])")]
    assert ["zope-07", "zope-23", "zope-41", "zope-30"] == names[-4:]
    crosses = str(page.select_one(".matrix-drawing .squares.bad")["d"]).count("M")  # type: ignore[index]
    assert 2 * 3 * 46 == crosses
    assert [len(names), 5] == [
        len(page.select(".matrix tbody tr")),
        len(page.select(".matrix tbody tr")[0].find_all(True)),
    ]
    assert ["zope-07, zope-23, zope-41: see each other", "zope-30: not tried"] == [
        side.get_text() for side in page.select(".sides li")
    ][1:]
    assert "all 50 clients" in page.select_one("article.finding").get_text()  # type: ignore[union-attr]


def test_those_for_whom_another_stood_have_no_row() -> None:
    clients = ("app1", "app2", "app3", "app4")
    level = Level("zeo", "main", both_at("app1", "app3", 1.0), {"app2": "app1", "app4": "app3"})
    page = page_of(made(levels=(level,), clients=clients))
    assert ["app1", "app3"] == [row.th.get_text() for row in page.select(".matrix tbody tr")]  # type: ignore[union-attr]
    caption = page.select_one("#matrix ~ figure figcaption")
    assert caption is not None
    assert "database main, over ZEO: 2 of 2 pairs proven; 2 connections stood for 4 clients" == caption.get_text()


def test_a_cluster_that_nobody_could_follow_is_told_by_its_figures_alone() -> None:
    clients = tuple(f"c{number}" for number in range(101))
    pairs = tuple(Pair(one, other, True, 2.0) for one in clients for other in clients if one != other)
    page = page_of(made(levels=(Level("zeo", "main", pairs),), clients=clients))
    assert not page.select(".matrix-drawing")
    assert 101 == len(page.select(".matrix tbody tr"))


@pytest.mark.parametrize(
    ("expected", "lag_ms"),
    [("shade0", 0.0), ("shade0", 0.999), ("shade1", 1.0), ("shade2", 99.9), ("shade3", 100.0), ("shade4", 1000.0)],
)
def test_the_shade_tells_the_lag(expected: str, lag_ms: float) -> None:
    page = page_of(made(levels=(Level("zeo", "main", both_at("app1", "app2", lag_ms)),), clients=("app1", "app2")))
    kinds = [str(cell["class"][1]) for cell in page.select(".matrix-drawing .cell") if "none" not in cell["class"]]
    assert [expected, expected] == kinds


def luminance(colour: str) -> float:
    """Of ``#rrggbb`` (WCAG 2)."""
    channels = [int(colour[n : n + 2], 16) / 255 for n in (1, 3, 5)]
    linear = [one / 12.92 if one <= 0.03928 else ((one + 0.055) / 1.055) ** 2.4 for one in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    darker, lighter = sorted((luminance(one), luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


@pytest.mark.parametrize("number", [0, 1], ids=["light", "dark"])
def test_what_stands_in_a_drawing_can_be_read(number: int) -> None:
    """What axe-core does not look at: text in SVG."""
    style = str(page_of(split()).style)
    colours = dict(re.findall(r"--([a-z0-9-]+): (#[0-9a-f]{6});", style.split(":root {")[1 + number].split("}")[0]))
    pairs = [
        ("front", "back"),
        ("front", "soft"),
        ("dim", "back"),
        ("dim", "soft"),
        ("bad", "bad-soft"),
        ("bad", "back"),
    ]
    pairs += [("front", f"shade{shade}") for shade in range(5)] + [("unknown", "unknown-soft"), ("back", "bad")]
    pairs += [("back", "dim"), ("good", "back"), ("bad", "soft")]
    assert [] == [pair for pair in pairs if contrast(colours[pair[0]], colours[pair[1]]) < 4.5]


def both_at(one: str, other: str, lag_ms: float) -> tuple[Pair, Pair]:
    return Pair(one, other, True, lag_ms), Pair(other, one, True, lag_ms)


def frames_of(*pairs: Pair) -> list[str]:
    return [str(frame.get_text()) for frame in page_of(drawn(*pairs)).select("svg .frame")]


def drawn(*pairs: Pair) -> Report:
    nodes = tuple(ClientNode(name, name, name, "balanced") for name in CLIENTS)
    return msgspec.structs.replace(made(levels=(Level("http", "main", pairs),)), topology=Topology(nodes))


def both(one: str, other: str, seen: bool | None) -> tuple[Pair, Pair]:
    return Pair(one, other, seen), Pair(other, one, seen)


@pytest.mark.parametrize(
    ("expected", "pairs"),
    [
        pytest.param(
            ["✓ all see each other's edits"],
            [*both("app1", "app2", True), *both("app1", "app3", True), *both("app2", "app3", True)],
            id="one site",
        ),
        pytest.param(
            ["✓ see each other's edits", "? not tried"],
            [*both("app1", "app2", True), *both("app1", "app3", None), *both("app2", "app3", None)],
            id="one was not tried",
        ),
        pytest.param(
            ["✗ side A: apart", "✗ side B: apart", "? not tried"],
            [*both("app1", "app2", False), *both("app1", "app3", None), *both("app2", "app3", None)],
            id="two are apart, and one was not tried",
        ),
        pytest.param(
            ["✓ all see each other's edits"],
            [
                *both("app1", "app2", True),
                Pair("app1", "app3", True),
                Pair("app3", "app1"),
                *both("app2", "app3", True),
            ],
            id="a reader",
        ),
        pytest.param([], [*both("app1", "app2", None)], id="nothing was tried"),
    ],
)
def test_nobody_is_drawn_apart_who_was_not_seen_to_be(expected: list[str], pairs: list[Pair]) -> None:
    assert expected == frames_of(*pairs)


# --- in a browser --------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def chromium() -> str:
    found = shutil.which("chromium") or shutil.which("chromium-browser")
    if found is None:
        pytest.skip("chromium is not installed")
    return found


def browse(chromium: str, folder: Path, *options: str, dark: bool = False) -> str:
    command = [
        chromium,
        "--headless=new",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-dev-shm-usage",
        "--hide-scrollbars",
        "--allow-file-access-from-files",
        f"--user-data-dir={folder / 'profile'}",
        f"--blink-settings=preferredColorScheme={0 if dark else 1}",
        "--virtual-time-budget=3000",
        *options,
    ]
    return subprocess.run(command, capture_output=True, text=True, timeout=LIMIT_S, check=True).stdout


def framed(folder: Path, report: Report, *widths: int) -> Path:
    """A page that shows ours at widths that no window can be made as narrow as, and tells what it finds there."""
    (folder / "page.html").write_text(cli.rendered(report, "html"), encoding="utf-8")
    frame = folder / "frame.html"
    frames = "".join(
        f'<iframe src="page.html" style="border:0;display:block;width:{width}px;height:2400px"></iframe>'
        for width in widths
    )
    frame.write_text(
        f"""<body style="margin:0">{frames}<script>
        onload = function () {{
          var found = [].map.call(document.querySelectorAll("iframe"), function (frame) {{
            var inside = frame.contentDocument;
            var shown = inside.getElementById("shown").textContent;
            inside.querySelector("input[value=problem]").click();
            return {{
              wide: inside.documentElement.scrollWidth, title: inside.title, shown: shown,
              filtered: inside.getElementById("shown").textContent,
              scripts: inside.scripts.length, images: inside.images.length,
              back: getComputedStyle(inside.body).backgroundColor
            }};
          }});
          document.body.dataset.found = JSON.stringify(found);
        }};
        </script>""",
        encoding="utf-8",
    )
    return frame


def told(html: str) -> list[dict[str, Any]]:
    body = BeautifulSoup(html, "html.parser").body
    assert body is not None
    found: list[dict[str, Any]] = json.loads(str(body["data-found"]))
    return found


@every_case
def test_nothing_is_wider_than_the_screen_and_the_filter_works(
    case: Callable[[], Report], chromium: str, tmp_path: Path
) -> None:
    report = case()
    total = len(report.checks)
    problems = sum(result.outcome == "problem" for result in report.checks)
    frame = framed(tmp_path, report, *WIDTHS)
    for width, seen in zip(WIDTHS, told(browse(chromium, tmp_path, "--dump-dom", frame.as_uri())), strict=True):
        assert seen["wide"] <= width
        assert f"{total} of {total} checks" == seen["shown"]
        assert f"{total - problems} of {total} checks" == seen["filtered"]


def test_nothing_that_came_from_a_file_is_executed(chromium: str, tmp_path: Path) -> None:
    (seen,) = told(browse(chromium, tmp_path, "--dump-dom", framed(tmp_path, hostile(), 1280).as_uri()))
    assert "CRITICAL: intranet – zcheck" == seen["title"]  # noqa: RUF001
    assert (1, 0) == (seen["scripts"], seen["images"])


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_the_page_follows_the_reader_s_choice_of_light_or_dark(dark: bool, chromium: str, tmp_path: Path) -> None:
    frame = framed(tmp_path, split(), 768)
    (seen,) = told(browse(chromium, tmp_path, "--dump-dom", frame.as_uri(), dark=dark))
    channels = [int(channel) for channel in re.findall(r"\d+", seen["back"])]
    assert (max(channels) < 64) is dark


def test_a_picture_can_be_made_and_the_page_printed(chromium: str, tmp_path: Path) -> None:
    frame = framed(tmp_path, split(), 375)
    picture, paper = tmp_path / "page.png", tmp_path / "page.pdf"
    browse(chromium, tmp_path, f"--screenshot={picture}", "--window-size=375,2400", frame.as_uri())
    assert (375, 2400) == struct.unpack(">II", picture.read_bytes()[16:24])
    # A page of one colour is compressed to next to nothing.
    assert picture.stat().st_size > 50_000
    browse(chromium, tmp_path, f"--print-to-pdf={paper}", (tmp_path / "page.html").as_uri())
    assert paper.read_bytes().startswith(b"%PDF-")


def test_without_its_script_the_page_is_complete(tmp_path: Path) -> None:
    page = page_of(split())
    assert page.select_one("#filter[hidden]") is not None
    assert [] == page.select("#list tr[hidden]")

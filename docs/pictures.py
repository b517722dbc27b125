"""Make the pictures of the documentation from a real run: make pictures (needs chromium and the extra [demo]).

A cluster is broken in the way that is hardest to see and verified, and what zcheck says of it is shown: the terminal as
an SVG that needs no font from elsewhere, the page and its drawings as browsers show them.
"""

from __future__ import annotations

import io
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.text import Text

PICTURES = Path(__file__).parent / "pictures"
COLUMNS = 104
LARGEST = 200_000
"""Bytes of one picture: it is fetched by everybody who looks at the project."""
DRAWINGS = ("timelines", "matrix", "lags")
# Rich's own frame without its fonts, which would come from elsewhere.
TERMINAL = """<svg class="rich-terminal" viewBox="0 0 {width} {height}" xmlns="http://www.w3.org/2000/svg">
<style>
.{unique_id}-matrix {{ font: {char_height}px "DejaVu Sans Mono", Menlo, Consolas, monospace; }}
.{unique_id}-title {{ font: 18px system-ui, sans-serif; }}
{styles}
</style>
<defs>
<clipPath id="{unique_id}-clip-terminal"><rect width="{terminal_width}" height="{terminal_height}"/></clipPath>
{lines}
</defs>
{chrome}
<g transform="translate({terminal_x}, {terminal_y})" clip-path="url(#{unique_id}-clip-terminal)">
{backgrounds}
<g class="{unique_id}-matrix">
{matrix}
</g>
</g>
</svg>
"""


def photograph(page: Path, picture: Path, width: int, height: int, *options: str) -> None:
    with tempfile.TemporaryDirectory() as profile:
        command = ["chromium", "--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", *options]
        command += [f"--user-data-dir={profile}", f"--window-size={width},{height}", f"--screenshot={picture}"]
        subprocess.run([*command, page.as_uri()], check=True, capture_output=True, timeout=90)


def terminal(said: str, title: str) -> str:
    """What a terminal of so many columns shows, as an SVG."""
    console = Console(record=True, width=COLUMNS, file=io.StringIO(), force_terminal=True, color_system="256")
    for line in said.splitlines():
        for part in folded(line, COLUMNS):
            console.print(Text.from_ansi(part), soft_wrap=True)
    return console.export_svg(title=title, code_format=TERMINAL, unique_id="zcheck")


def folded(line: str, width: int) -> list[str]:
    """A line as a terminal of this width shows it."""
    from zcheck.report.formats.text import wrapped

    return list(wrapped([line], width))


def drawings(page: str) -> str:
    """The page with nothing but its drawings of what was seen, their tables closed."""
    head, body = page.split("<body>")
    sections = [re.search(rf'<section aria-labelledby="{name}">.*?</section>', body, re.DOTALL) for name in DRAWINGS]
    return f"{head}<body>{''.join(found[0] for found in sections if found)}</body></html>"


def run(folder: Path) -> tuple[str, str]:
    """What the terminal and the page say of the broken cluster."""
    page = folder / "page.html"
    env = {**os.environ, "FORCE_COLOR": "1", "XDG_STATE_HOME": str(folder)}
    env.pop("NO_COLOR", None)
    demo = [sys.executable, "-m", "zcheck", "demo", "--fault", "copy-hidden", "-o", f"html:{page}"]
    done = subprocess.run(demo, env=env, capture_output=True, text=True, timeout=120, check=False)
    said, shown = (
        re.sub(r"/tmp/zcheck-demo-\w+/?", "/srv/demo/", text)
        for text in (done.stdout, page.read_text(encoding="utf-8"))
    )
    return said, shown


def main() -> int:
    if shutil.which("chromium") is None:
        print("chromium is not installed", file=sys.stderr)
        return 3
    PICTURES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        said, shown = run(folder)
        (PICTURES / "terminal.svg").write_text(terminal(said, "zcheck demo --fault copy-hidden"), encoding="utf-8")
        light = "--blink-settings=preferredColorScheme=1"
        for what, text, height in (("page", shown, 1240), ("drawings", drawings(shown), 1330)):
            (folder / f"{what}.html").write_text(text, encoding="utf-8")
            photograph(folder / f"{what}.html", PICTURES / f"{what}.png", 1000, height, light)
    pictures = sorted(path for path in PICTURES.iterdir() if path.suffix in (".svg", ".png"))
    print(*(f"{path} ({path.stat().st_size // 1000} kB)" for path in pictures), sep="\n")
    return 0 if all(path.stat().st_size <= LARGEST for path in pictures) else 2


if __name__ == "__main__":
    raise SystemExit(main())

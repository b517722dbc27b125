"""Make the pictures of the documentation from a real run: make pictures (needs chromium and the extra [demo]).

A cluster is broken in the way that is hardest to see and verified, and what zcheck says of it is photographed: the
terminal, and the page.
"""

from __future__ import annotations

import html
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

PICTURES = Path(__file__).parent / "pictures"
COLOURS = {"1;31": "#ff6b74", "1;35": "#d59bf2", "1;33": "#ffcf70", "36": "#7fd3ea", "1;32": "#83dba0"}
TERMINAL = """<meta charset="utf-8"><style>body {{ margin: 0; background: #14181d; }}
pre {{ margin: 0; padding: 18px 22px; color: #e7ebef; font: 14px/1.4 "DejaVu Sans Mono", monospace; }}
</style><pre>{}</pre>"""


def photograph(page: Path, picture: Path, width: int, height: int, *options: str) -> None:
    with tempfile.TemporaryDirectory() as profile:
        command = ["chromium", "--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", *options]
        command += [f"--user-data-dir={profile}", f"--window-size={width},{height}", f"--screenshot={picture}"]
        subprocess.run([*command, page.as_uri()], check=True, capture_output=True, timeout=90)


def coloured(text: str) -> str:
    """ANSI colours as HTML."""
    text = html.escape(text, quote=False)
    return re.sub("\033\\[([0-9;]+)m(.*?)\033\\[0m", lambda m: f'<b style="color:{COLOURS[m[1]]}">{m[2]}</b>', text)


def main() -> int:
    if shutil.which("chromium") is None:
        print("chromium is not installed", file=sys.stderr)
        return 3
    PICTURES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        env = {
            **os.environ,
            "FORCE_COLOR": "1",
            "ZCHECK_OUTPUT": f"html:{folder / 'page.html'}",
            "XDG_STATE_HOME": name,
        }
        env.pop("NO_COLOR", None)
        demo = [sys.executable, "-m", "zcheck", "demo", "--fault", "copy-hidden"]
        done = subprocess.run(demo, env=env, capture_output=True, text=True, timeout=120, check=False)
        terminal = folder / "terminal.html"
        said = re.sub(r"/tmp/zcheck-demo-\w+/", "/srv/demo/", f"$ zcheck demo --fault copy-hidden\n{done.stdout}")
        lines = [part for line in said.splitlines() for part in folded(line, 118)]
        terminal.write_text(TERMINAL.format(coloured("\n".join(lines))), encoding="utf-8")
        photograph(terminal, PICTURES / "terminal.png", 1050, 20 * len(lines) + 40)
        photograph(folder / "page.html", PICTURES / "page.png", 1050, 1250, "--blink-settings=preferredColorScheme=1")
    print(f"{PICTURES / 'terminal.png'} {PICTURES / 'page.png'}")
    return 0


def folded(line: str, width: int) -> list[str]:
    """A line as a terminal of this width shows it."""
    from zcheck.reporters.text import wrapped

    return list(wrapped([line], width))


if __name__ == "__main__":
    raise SystemExit(main())

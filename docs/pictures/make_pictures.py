"""The README's pictures: the top of a report as chromium shows it, light and dark.

.venv/bin/python docs/pictures/make_pictures.py DEMO/report.html
The browser is that of the tests, and the page must be without an error in it here too.
"""

import io
import sys
from pathlib import Path

from PIL import Image

sys.path.insert(0, str(Path(__file__).parents[2] / "tests" / "reports"))

from browser import browser

FOLDER = Path(__file__).parent
WIDTH, HEIGHT = 1000, 900
N_COLOURS = 128  # a page has few, and so a picture has fewer bytes


def make_pictures(report: Path, folder: Path) -> list[Path]:
    """Write `report-light.png` and `report-dark.png` of the page's top."""
    made = []
    with browser() as page:
        for scheme in ("light", "dark"):
            page.look(scheme=scheme, width=WIDTH, height=HEIGHT)
            page.open(report)
            page.run("document.documentElement.style.scrollbarWidth = 'none'")
            picture = Image.open(io.BytesIO(page.screenshot())).convert("RGB").quantize(N_COLOURS)
            if page.problems() or len(page.requests()) != 1:
                raise SystemExit("\n".join([*page.problems(), *page.requests()]))
            made.append(folder / f"report-{scheme}.png")
            picture.save(made[-1], optimize=True)
    return made


if __name__ == "__main__":
    for path in make_pictures(Path(sys.argv[1]), FOLDER):
        print(f"{path}: {path.stat().st_size:,} bytes")

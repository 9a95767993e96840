"""Plans the days of fixtures/, and its large fleet, and draws them into docs/plans/.

python tools/draw_days.py                 all of them, some minutes
python tools/draw_days.py spike-day ...   some of them

tools/draw_sheets.py draws the small ones.
"""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))

from scheduler import make_plan  # noqa: E402
from scheduler.plot import write_picture  # noqa: E402
from tools.draw_sheets import sheets  # noqa: E402

FIXTURES = ROOT / "fixtures"
PLANS = ROOT / "docs" / "plans"
FOLDERS = {"days": "", "scale": "scale-"}
"""Of fixtures, and what the names of their pictures begin with."""

INTRODUCTION = """\
# The plans of the fixtures, drawn

Price and what energy is worth to the machines, power by group and mode, reserve held, money by stream; to be read in
black and white too. `scheduler plot REQUEST.json PLAN.json -o plan.svg` draws one. `python tools/draw_days.py` planned
and drew the days, `python tools/draw_sheets.py` the toys and the pairs at the end, and tests compare them with what the
code draws.
"""

SECTION = """\
## {title}

![{name}]({name}.svg)

Derived in [its fixture](../../fixtures/{folder}/README.md).
"""

SHEETS = """\
## {title}

What each shows stands in [its fixture](../../fixtures/{folder}).
"""

FOLDER_TITLES = {"toy": "The toys", "pairs": "The pairs"}


def pictures() -> dict[str, Path]:
    """The folder of the fixture of each picture that is drawn alone, by the name of the picture."""
    return {
        f"{begin}{path.parent.name}": path.parent
        for folder, begin in FOLDERS.items()
        for path in sorted((FIXTURES / folder).glob("*/request.json"))
    }


def index() -> str:
    """The page that shows them all, those drawn alone under the first line of their fixture's README."""
    parts = [INTRODUCTION]
    for name, place in pictures().items():
        readme = next(path for path in (place / "README.md", place.parent / "README.md") if path.exists())
        title = readme.read_text("utf-8").splitlines()[0].removeprefix("# ")
        parts.append(SECTION.format(title=title, name=name, folder=readme.parent.relative_to(FIXTURES)))
    for folder, title in FOLDER_TITLES.items():
        parts.append(SHEETS.format(title=title, folder=folder))
        parts += [f"![{sheet}]({sheet}.svg)\n" for sheet in sheets(folder)]
    return "\n".join(parts)


def main(names: list[str]) -> None:
    """Draws the named pictures, or all."""
    for name, folder in pictures().items():
        if not names or name in names:
            result = make_plan(folder / "request.json")
            write_picture(PLANS / f"{name}.svg", result.schedule)
            print(f"{name}: {result!r}")
    (PLANS / "README.md").write_text(index(), "utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])

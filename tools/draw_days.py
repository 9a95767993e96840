"""Plans the days of fixtures/ and draws them into docs/plans/.

python tools/draw_days.py                 every day
python tools/draw_days.py spike-day ...   some of them
"""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))

from scheduler import make_plan  # noqa: E402
from scheduler.plot import write_picture  # noqa: E402

DAYS = ROOT / "fixtures" / "days"
PLANS = ROOT / "docs" / "plans"


INTRODUCTION = """\
# The days of the fixtures, planned and drawn

Price and what energy is worth to the machines, power by group and mode, reserve held, money by stream; to be read in
black and white too. `scheduler plot REQUEST.json PLAN.json -o plan.svg` draws one. `python tools/draw_days.py` planned
and drew these, and a test compares them with what the code draws.
"""

SECTION = """\
## {title}

![{day}]({day}.svg)

Derived by hand in [its fixture](../../fixtures/days/{day}/README.md).
"""


def index() -> str:
    """The page that shows them all, each under the first line of its fixture's README."""
    parts = [INTRODUCTION]
    for path in sorted(DAYS.glob("*/README.md")):
        title = path.read_text("utf-8").splitlines()[0].removeprefix("# ")
        parts.append(SECTION.format(title=title, day=path.parent.name))
    return "\n".join(parts)


def main(names: list[str]) -> None:
    """Draws the named days, or all."""
    for path in sorted(DAYS.glob("*/request.json")):
        day = path.parent.name
        if not names or day in names:
            result = make_plan(path)
            write_picture(PLANS / f"{day}.svg", result.schedule)
            print(f"{day}: {result!r}")
    (PLANS / "README.md").write_text(index(), "utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])

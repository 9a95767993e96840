"""Writes the request.json of every fixture from its description in tools/fixtures.

python tools/make_fixtures.py            write them all
python tools/make_fixtures.py --check    change nothing; name the files that differ and return 1
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def differing(only: str, write: bool) -> list[str]:
    """Files that are missing, changed or left over; with ``write`` they are written first."""
    sys.path.insert(0, str(ROOT))
    from tools.fixtures import FIXTURES
    from tools.fixtures.build import to_json

    found = []
    for name, make in FIXTURES.items():
        if not name.startswith(only):
            continue
        path = ROOT / "fixtures" / name / "request.json"
        text = to_json(make())
        if path.is_file() and path.read_text("utf-8") == text:
            continue
        found.append(f"{path.relative_to(ROOT)}: {'differs' if path.is_file() else 'missing'}")
        if write:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, "utf-8")
    for path in sorted((ROOT / "fixtures").rglob("request.json")):
        name = path.parent.relative_to(ROOT / "fixtures").as_posix()
        if name not in FIXTURES:
            found.append(f"{path.relative_to(ROOT)}: no description gives this")
    return found


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="change nothing, only compare")
    parser.add_argument("--only", default="", help="fixtures whose name begins so, such as toy/")
    options = parser.parse_args()
    found = differing(options.only, write=not options.check)
    for line in found:
        print(line, file=sys.stderr)
    return 1 if options.check and found else 0


if __name__ == "__main__":
    sys.exit(main())

"""The committed requests are what tools/fixtures describes."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def test_requests_are_what_their_descriptions_give():
    result = subprocess.run(
        [sys.executable, "tools/make_fixtures.py", "--check"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr


def test_every_fixture_has_its_three_files():
    folders = {path.parent for path in (ROOT / "fixtures").rglob("request.json")}
    assert folders
    for folder in folders:
        assert {path.name for path in folder.iterdir()} >= {"request.json", "expected.json", "README.md"}, (
            folder
        )

"""The committed requests are what tools/fixtures describes."""

import importlib
import subprocess
import sys
from pathlib import Path

from scheduler.wire.request import schedule_request_from_pb

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
        assert {path.name for path in folder.iterdir()} >= {"request.json", "expected.json", "README.md"}, folder


def test_scale_is_the_same_for_the_same_seed_and_valid(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT))
    scale = importlib.import_module("tools.fixtures.scale")
    for make, size, machines in (
        (scale.scale_request, "S", 8_236),
        (scale.scale_request, "M", 84_513),
        (scale.scale_request, "L", 399_214),
        (scale.lumpy_request, 50, 50),
        (scale.lumpy_request, 300, 300),
    ):
        request = make(size, seed=1)
        assert request == make(size, seed=1)
        assert request != make(size, seed=2)
        groups = [asset.miner_group for site in request.problem.sites for asset in site.assets]
        assert sum(group.machine_count for group in groups) == machines
        schedule_request_from_pb(request)

"""docs/a-day-at-the-desk.md: every command of the page is run, in its order, and prints what the page says."""

import re
import shlex
import shutil
from pathlib import Path

import pytest

from scheduler import cli
from tools import desk_day
from tools.fixtures.build import to_json

PAGE = desk_day.PAGE.with_suffix(".md")
COMMAND = "$ scheduler "


def steps(text: str) -> list[tuple[str, list[str]]]:
    """Commands with the lines that they print, from the console blocks of a page."""
    found: list[tuple[str, list[str]]] = []
    for block in re.findall(r"```console\n(.*?)```", text, re.DOTALL):
        for line in block.splitlines():
            if line.startswith(COMMAND):
                found.append((line.removeprefix(COMMAND), []))
            else:
                found[-1][1].append(line)
    return found


AMOUNT = re.compile(r"-?[\d,]+\.\d+")
TOLERANCE_FRAC = 1e-3  # a plan is proven to a tenth of it: another sound plan may earn a little more or less


def same(wanted: str, got: str) -> bool:
    """Whether two lines say the same, amounts within the tolerance."""
    if AMOUNT.sub("#", wanted).split() != AMOUNT.sub("#", got).split():
        return False
    pairs = zip(AMOUNT.findall(wanted), AMOUNT.findall(got), strict=True)
    amounts = ((float(one.replace(",", "")), float(other.replace(",", ""))) for one, other in pairs)
    return all(one == pytest.approx(other, rel=TOLERANCE_FRAC) for one, other in amounts)


def assert_printed(wanted: list[str], printed: list[str]) -> None:
    """Line by line; where the page has `...`, any lines may stand."""
    rest = iter(printed)
    skipping = False
    for line in wanted:
        if line == "...":
            skipping = True
            continue
        for got in rest:
            if same(line, got):
                break
            assert skipping, f"printed {got!r}, not {line!r}"
        else:
            pytest.fail(f"never printed: {line!r}")
        skipping = False
    assert skipping or not list(rest)


def test_the_page(tmp_path, monkeypatch, capsys):
    shutil.copytree(desk_day.PAGE, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    found = steps(PAGE.read_text("utf-8"))
    assert {words.split()[0] for words, _ in found} == {"bid", "award", "plan", "audit"}
    before = Path("request.json").read_bytes()
    for words, wanted in found:
        code = cli.main(shlex.split(words))
        out, err = capsys.readouterr()
        assert (code, err) == (0, ""), words
        assert_printed(wanted, out.splitlines())
    assert Path("request.json").read_bytes() == before


def test_the_request_of_the_page_is_what_the_tool_describes():
    assert (desk_day.PAGE / "request.json").read_text("utf-8") == to_json(desk_day.request_of())


@pytest.mark.parametrize(
    ("wanted", "fits"), [(["a", "..."], True), (["b"], False), (["a", "c"], False), (["a"], False)]
)
def test_lines_are_compared(wanted, fits):
    if fits:
        assert_printed(wanted, ["a", "b", "c"])
    else:
        with pytest.raises((AssertionError, pytest.fail.Exception)):
            assert_printed(wanted, ["a", "b", "c"])

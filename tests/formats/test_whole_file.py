"""Files are whole or as they were; what reads and writes one path is refused before any work."""

import errno
import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from scheduler import cli
from scheduler.formats.whole_file import in_place_of, write_text
from tools import desk_day

TOY = Path(__file__).resolve().parents[2] / "fixtures" / "toy" / "whole-steps" / "request.json"


def test_the_old_file_stays_until_the_new_one_is_whole(tmp_path):
    path = tmp_path / "plan.json"
    path.write_text("old")
    path.chmod(0o640)
    with pytest.raises(KeyError), in_place_of(path) as beside:
        beside.write_text("half")
        raise KeyError
    assert path.read_text() == "old" and list(tmp_path.iterdir()) == [path]
    write_text(path, "new")
    assert path.read_text() == "new" and list(tmp_path.iterdir()) == [path]
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


def test_a_full_disk_is_named_with_the_file(tmp_path):
    path = tmp_path / "plan.json"
    path.write_text("old")
    with pytest.raises(OSError, match=r"No space left on device: .*plan\.json"), in_place_of(path):
        raise OSError(28, os.strerror(28))
    assert path.read_text() == "old"
    with pytest.raises(OSError, match=r"No such file or directory: .*none/plan\.json"):
        write_text(tmp_path / "none" / "plan.json", "new")


def test_a_link_keeps_pointing_and_a_pipe_is_written_to(tmp_path):
    (tmp_path / "plan.json").write_text("old")
    (tmp_path / "link").symlink_to("plan.json")
    write_text(tmp_path / "link", "new")
    assert (tmp_path / "link").is_symlink() and (tmp_path / "plan.json").read_text() == "new"
    os.mkfifo(tmp_path / "pipe")
    reader = os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    write_text(tmp_path / "pipe", "through")
    assert os.read(reader, 100) == b"through"
    os.close(reader)


def test_standard_output_by_its_name_is_written_to():
    code = "from pathlib import Path; from scheduler.formats.whole_file import write_text"
    command = [sys.executable, "-c", f"{code}; write_text(Path('/dev/stdout'), 'through')"]
    assert subprocess.run(command, capture_output=True, check=True, timeout=60).stdout == b"through"


def test_a_file_that_is_mounted_by_itself_is_written_in_its_place(tmp_path, monkeypatch):
    (tmp_path / "plan.json").write_text("old")

    def busy(beside, target):
        raise OSError(errno.EBUSY, os.strerror(errno.EBUSY))

    monkeypatch.setattr(Path, "replace", busy)
    write_text(tmp_path / "plan.json", "new")
    assert (tmp_path / "plan.json").read_text() == "new" and len(list(tmp_path.iterdir())) == 1


def test_a_plan_that_cannot_be_written_is_printed(tmp_path, capsys):
    assert cli.main(["plan", str(TOY), "-o", "/dev/full", "--quiet"]) == 1
    said = capsys.readouterr()
    assert "proven" in said.out and said.err == "scheduler: /dev/full: No space left on device\n"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["plan", "request.json", "-o", "./request.json"], "./request.json: is read by this command"),
        (["plan", "request.json", "--prices", "day-ahead-result.csv", "-o", "day-ahead-result.csv"], "is read by"),
        (["bid", "request.json", "afrr-up", "-o", "b.csv", "--save-plan", "request.json"], "is read by this command"),
        (["bid", "request.json", "afrr-up", "-o", "b.csv", "--save-plan", "b.csv"], "is written twice by this command"),
        (["award", "request.json", "fcr-result.csv", "-o", "fcr-result.csv"], "is read by this command"),
        (["write", "schedule", "request.json", "plan.csv", "-o", "plan.csv"], "is read by this command"),
        (["plan", "request.json", "--prices", "fcr-result.csv", "--csv", ".", "--force"], "fcr-result.csv: is read by"),
        (["plan", "request.json", "-o", "d/cash.csv", "--csv", "d"], "d/cash.csv: is written twice"),
        (["write", "tables", "fcr-result.csv", "plan.json", "-o", "."], "fcr-result.csv: is read by this command"),
        (["stress", "request.json", "-o", "a.svg", "--plot", "a.svg"], "is written twice by this command"),
    ],
)
def test_no_command_writes_over_what_it_reads(words, message, tmp_path, monkeypatch, capsys):
    shutil.copytree(desk_day.PAGE, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert cli.main(words) == 1
    assert message in capsys.readouterr().err
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before

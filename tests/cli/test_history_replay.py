"""`synthprobe history replay` says of a recorded series what the detector would have said."""

import json
import random
import subprocess
import sys
from pathlib import Path

import pytest


def replay(path: Path, *options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "synthprobe", "history", "replay", str(path), *options]
    return subprocess.run(command, capture_output=True, text=True, timeout=250, check=False)


def series(path: Path, durations: list[float], status: list[int] | None = None, stamp=lambda n: str(300 * n)) -> Path:
    rows = [f"{stamp(n)},{ms},{(status or [1] * len(durations))[n]}" for n, ms in enumerate(durations)]
    path.write_text("timestamp,ms,status\n" + "\n".join(rows) + "\n")
    return path


@pytest.fixture
def quiet() -> list[float]:
    noise = random.Random(3)
    return [100 * (1 + noise.gauss(0, 0.05)) for _ in range(200)]


def test_each_alarm_is_one_line_with_the_figures(tmp_path, quiet):
    done = replay(series(tmp_path / "a.csv", quiet + [300.0] * 5), "--json")
    (line,) = [json.loads(text) for text in done.stdout.splitlines()]
    assert list(line) == ["index", "time", "rule", "since", "ratio", "usual_ms", "now_ms"]
    assert (line["index"], line["rule"], line["since"], line["time"]) == (201, "burst", 300.0 * 200, 300.0 * 201)
    assert line["ratio"] == pytest.approx(3, rel=0.05)
    assert line["usual_ms"] == pytest.approx(100, rel=0.03)


def test_a_person_reads_sentences_and_what_the_step_can_show(tmp_path, quiet):
    done = replay(series(tmp_path / "sign-in.csv", quiet + [300.0] * 5))
    assert "sign-in takes 3.0 × its usual" in done.stdout
    assert "The least slowdown this step can show is 1." in done.stdout


def test_reports_carry_their_lane(tmp_path, quiet):
    many = quiet * 6
    status = [1] * len(many) + [0, 0, 1, 1]
    done = replay(series(tmp_path / "a.csv", [*many, 100, 100, 100, 100], status), "--json")
    (line,) = [json.loads(text) for text in done.stdout.splitlines()]
    assert (line["rule"], line["lane"]) == ("failing", "failures")


def test_iso_times_and_rows_that_cannot_be_used(tmp_path, quiet):
    path = series(
        tmp_path / "a.csv", quiet, stamp=lambda n: f"2026-11-0{1 + n // 144}T{n // 12 % 12:02}:{n % 12 * 5:02}:00Z"
    )
    path.write_text(path.read_text() + "nonsense,100,1\n2026-11-03T00:00:00Z,-5,1\n2026-11-03T00:05:00Z,nan,1\n\n")
    done = replay(path, "--json")
    assert (done.returncode, done.stdout) == (0, "")
    assert "3 rows have no usable time, duration or status" in done.stderr
    assert "Column timestamp: 1 row, for example 'nonsense' in row 200" in done.stderr
    assert "Column ms: 2 rows, for example '-5' in row 201; expected was milliseconds above zero." in done.stderr


def test_a_run_that_stands_there_twice_counts_once(tmp_path, quiet):
    path = series(tmp_path / "a.csv", [*quiet, 4000.0])
    path.write_text(path.read_text() + f"{300 * 200},4000.0,1\n" * 3)
    done = replay(path, "--json")
    assert done.stdout == ""
    assert "3 rows said in every column what the row before said" in done.stderr


def test_runs_that_share_a_time_are_all_judged(tmp_path, quiet):
    durations = quiet * 4 + [300.0 + n for n in range(5)]
    fine = replay(series(tmp_path / "a.csv", durations), "--json")
    coarse = series(tmp_path / "a.csv", durations, stamp=lambda n: f"2026-11-01T{n // 240:02}:{n // 4 % 60:02}Z")
    done = replay(coarse, "--json")
    (line,), (same,) = ([json.loads(text) for text in process.stdout.splitlines()] for process in (done, fine))
    assert (line["index"], line["rule"], line["usual_ms"]) == (801, "burst", same["usual_ms"])
    assert (line["since"], line["time"]) == (1793491200 + 800 // 4 * 60,) * 2
    assert done.stderr == ""


@pytest.mark.parametrize("back_s", [86_400, 3_600])
def test_a_clock_that_was_set_back_is_said_and_the_rows_stay_in_their_order(tmp_path, quiet, back_s):
    durations = quiet[:200] + quiet[:100] + [300.0 + n for n in range(300)]
    path = series(tmp_path / "a.csv", durations, stamp=lambda n: str(900_000 + 300 * n - back_s * (n >= 250)))
    done = replay(path, "--json")
    line = json.loads(done.stdout.splitlines()[0])
    assert (line["index"], line["since"]) == (301, 900_000 + 300 * 300 - back_s)
    assert "The times go backwards at row 250, from " in done.stderr
    assert "the rows are taken in the order of the file" in done.stderr


def test_the_share_that_fails_is_right_though_the_clock_was_set_back_meanwhile(tmp_path, quiet):
    status = [1] * 200 + [0, 0]
    path = series(
        tmp_path / "a.csv", [*quiet, 0, 0], status, stamp=lambda n: str(900_000 + 300 * n - 86_400 * (n >= 201))
    )
    done = replay(path)
    assert "fails in 100% of its runs" in done.stdout
    assert "(2 runs)" in done.stdout


def test_what_stands_where_a_failed_run_took_long_does_not_matter(tmp_path, quiet):
    path = series(tmp_path / "a.csv", [*quiet, "timeout", "timeout"], [1] * 200 + [0, 0])
    done = replay(path, "--json")
    (line,) = [json.loads(text) for text in done.stdout.splitlines()]
    assert (line["index"], line["rule"], line["ratio"]) == (201, "failing", 1.0)
    assert done.stderr == ""


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        ([], "has no rows"),
        (["1793000000000,100,1"] * 30, "Column timestamp: 30 rows, for example '1793000000000' in row 0"),
        ([f"{300 * n},0,1" for n in range(30)], "Column ms: 30 rows, for example '0' in row 0; expected was millisec"),
        ([f"{300 * n},9,200" for n in range(30)], "'200' in row 0; expected was 1 for passed or 0 for failed"),
    ],
)
def test_a_file_of_which_nothing_can_be_judged_is_refused_and_says_why(tmp_path, rows, says):
    path = tmp_path / "a.csv"
    path.write_text("\n".join(["timestamp,ms,status", *rows]) + "\n")
    done = replay(path, "--json")
    assert (done.returncode, done.stdout) == (2, "")
    assert "nothing could be judged" in done.stderr
    assert says in done.stderr


def test_too_few_rows_are_said_beside_the_json_as_well(tmp_path, quiet):
    done = replay(series(tmp_path / "a.csv", quiet[:19]), "--json")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "Too few runs to judge by: 20 are needed.\n")


def test_the_order_of_the_rows_does_not_matter_and_the_index_is_the_row(tmp_path, quiet):
    path = series(tmp_path / "a.csv", quiet + [300.0] * 5)
    head, *rows = path.read_text().splitlines()
    (line,) = [json.loads(text) for text in replay(path, "--json").stdout.splitlines()]
    path.write_text("\n".join([head, *reversed(rows)]) + "\n")
    done = replay(path, "--json")
    (turned,) = [json.loads(text) for text in done.stdout.splitlines()]
    assert turned == {**line, "index": 204 - line["index"]}
    assert "the file is not sorted, so its rows are taken in the order of their times" in done.stderr


@pytest.mark.parametrize("head", ["Timestamp,MS,Status", "\ufefftimestamp,ms,status", " timestamp , ms , status"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_table_from_a_spreadsheet_is_read_like_any_other(tmp_path, quiet, head, end):
    path = series(tmp_path / "a.csv", quiet + [300.0] * 5)
    plain = replay(path, "--json").stdout
    _, *rows = path.read_text().splitlines()
    path.write_bytes(end.join([head + ",more", *(f'{row},"a, b"' for row in rows)]).encode())
    assert replay(path, "--json").stdout == plain != ""


@pytest.mark.parametrize("row", ["1e300,100,1", "60300,100,", "60300,100,banana"])
def test_a_row_that_says_nothing_certain_is_passed_over(tmp_path, quiet, row):
    path = series(tmp_path / "a.csv", quiet)
    path.write_text(path.read_text() + row + "\n")
    done = replay(path)
    assert done.returncode == 0
    assert "1 rows have no usable time, duration or status and were passed over: 200" in done.stderr


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (None, "cannot be read"),
        ("a,b\n1,2\n", "has no column timestamp, ms, status"),
        ("", "has no column"),
        ("timestamp,ms,status,MS\n", "has more than one column ms"),
    ],
)
def test_what_is_no_series_is_refused_with_a_sentence(tmp_path, text, says):
    path = tmp_path / "a.csv"
    if text is not None:
        path.write_text(text)
    done = replay(path, "--json")
    assert done.returncode == 2
    assert says in done.stderr
    assert "Traceback" not in done.stderr

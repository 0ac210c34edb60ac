"""Every wrong configuration is answered with a sentence that names the key."""

import re
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from msgspec.inspect import DictType, FloatType, IntType, StructType, VarTupleType, type_info
from typer.testing import CliRunner

from synthprobe import ConfigurationError
from synthprobe.cli.main import app, main
from synthprobe.config import Config, read_config

REFERENCE = Path(__file__).parents[1] / "docs" / "reference" / "configuration.md"

BAD = [
    ("default_taget = 'x'", "unknown key 'default_taget'. Did you mean 'default_target'?"),
    ("[targets.a]\nbase_ur = 'http://x'", "unknown key 'targets.a.base_ur'. Did you mean 'base_url'?"),
    ("[targets.a]\nname = 'b'\nbase_url = 'http://x'", "unknown key 'targets.a.name'"),
    ("[report]\nsite = 'x'", "unknown key 'report.site'. Did you mean 'site_url'?"),
    ("[targets.a]\nbase_url = 'http://x'\nwebsocket_paths = '/live'", "Expected `array`, got `str`"),
    ("[targets.a]\nbase_url = 'http://x'\nwebsocket_path = ['/live']", "Did you mean 'websocket_paths'?"),
    ("[targets.a]\nbase_url = 3", "Expected `str`, got `int`"),
    ("interval_s = 'often'", "Expected `int`, got `str`"),
    ("targets = [", "synthprobe.toml cannot be read"),
    ("interval_s = " + 5000 * "9", "synthprobe.toml cannot be read"),
    ("interval_s = 0", "interval_s = 0: a whole number from 10 to 86,400 was expected. Correct it"),
    ("interval_s = -300", "interval_s = -300: a whole number"),
    ("suspicion_reruns = -3", "suspicion_reruns = -3: a whole number from 0 to 100 was expected"),
    ("[history]\nraw_days = inf", "history.raw_days = inf: a number from 1 to 3,660 was expected"),
    ("[history]\ndaily_days = nan", "history.daily_days = nan: a number from"),
    ("[objectives.default]\nwindow_days = inf", "objectives.default.window_days = inf: a number from 1 to 366"),
    (
        "[[objectives.sign-in.rules]]\nlong = '1h'\nshort = '5m'\nfactor = nan",
        "objectives.sign-in.rules 1.factor = nan: a number above 0, at most 100,000 was expected",
    ),
    ("[targets.a]\nbase_url = 'http://x'\ninterval_s = 60", "write it above the first table"),
    ("[targets.a]\nbase_url = 'http://x'\n[targets.a.keep]\nruns = 9", "write it as the table [keep]"),
    ("[[alerts.routes]]\nname = 'a'\nto = []\nrepeet = '1h'", "unknown key 'alerts.routes 1.repeet'. Did you mean"),
]


@pytest.mark.parametrize(("text", "sentence"), BAD)
def test_a_wrong_file_is_refused_with_a_sentence(tmp_path: Path, text: str, sentence: str):
    (tmp_path / "synthprobe.toml").write_text(text)
    with pytest.raises(ConfigurationError) as caught:
        read_config(tmp_path)
    assert sentence in str(caught.value)


MANY = """\
default_taget = "x"
interval_s = 0

[history]
raw_days = \"\"\"
many\"\"\"
url = "mysql://h/x"

[targets.a]
trace_url = "http://me:hunter2@h/"
http_credentials = ["me", "hunter2"]
[[alerts.routes]]
name = "first"
to = []
[[alerts.routes]]
to = 3
"""


@pytest.mark.parametrize(("name", "head"), [("synthprobe.toml", ""), ("pyproject.toml", "[project]\nname = 'x'\n\n")])
def test_all_mistakes_are_told_at_once_each_with_its_key_and_line(tmp_path: Path, name: str, head: str):
    text = MANY
    if head:
        text = re.sub(r"^(\[+)", r"\1tool.synthprobe.", text, flags=re.MULTILINE)
        text = head + "[tool.synthprobe]\n" + text
    (tmp_path / name).write_text(text)
    with pytest.raises(ConfigurationError) as caught:
        read_config(tmp_path)
    title, *mistakes = str(caught.value).splitlines()
    assert title.startswith(f"{name} has 9 mistakes")
    assert "hunter2" not in str(caught.value)
    below = head.count("\n") + bool(head)
    expected = [
        (1, "default_taget"),
        (2, "interval_s = 0"),
        (5, "history.raw_days"),
        (7, "history.url"),
        (9, "targets.a.base_url"),
        (10, "targets.a.trace_url"),
        (11, "targets.a.http_credentials"),
        (15, "alerts.routes 2.name"),
        (16, "alerts.routes 2.to"),
    ]
    assert len(mistakes) == len(expected)
    for sentence, (line, key) in zip(mistakes, expected, strict=True):
        assert sentence.startswith(f"{name}:{line + below} "), sentence
        assert key in sentence


def test_what_is_wrong_with_any_target_is_told_at_once_with_its_line_and_no_password(tmp_path: Path):
    lines = (
        "[targets.a]",
        'base_url = "https://a.example"',
        'trace_url = "https://me:hunter2@traces.example/"',
        'session_key = "gone"',
        "[targets.b]",
        'base_url = "https://b.example"',
        'kill_switch = "somewhere"',
        "[targets.b.testdata.order]",
        'delete = "/orders/{id}"',
    )
    (tmp_path / "synthprobe.toml").write_text("\n".join(lines))
    with pytest.raises(ConfigurationError) as caught:
        read_config(tmp_path)
    title, *mistakes = str(caught.value).splitlines()
    assert title.startswith("synthprobe.toml has 5 mistakes")
    assert "hunter2" not in str(caught.value)
    expected = [
        (3, "targets.a.trace_url"),
        (3, "A web address with {trace_id} in it was expected"),
        (4, "session_key of [targets.a] names the secret 'gone'"),
        (5, "[targets.b] has the kill switch 'somewhere'"),
        (8, "[targets.b.testdata.order] has neither find nor look"),
    ]
    found = sorted(mistakes, key=lambda sentence: int(sentence.split(":")[1].split()[0]))
    for line, says in expected:
        assert any(sentence.startswith(f"synthprobe.toml:{line} ") and says in sentence for sentence in found), (
            line,
            says,
            found,
        )


def test_pyproject_serves_as_well(tmp_path: Path):
    """With the mark that editors of Windows begin a file with, too."""
    (tmp_path / "pyproject.toml").write_text(
        "[tool.synthprobe.targets.demo]\nbase_url = 'http://127.0.0.1:1/'", encoding="utf-8-sig"
    )
    assert read_config(tmp_path).target().base_url == "http://127.0.0.1:1"


def test_of_several_targets_none_is_taken_unless_it_is_chosen(tmp_path: Path):
    """A run of the wrong system would be worse than none. A project's only target needs no default."""
    (tmp_path / "synthprobe.toml").write_text(
        "[targets.shop]\nbase_url = 'https://s.example'\n[targets.desk]\nbase_url = 'https://d.example'"
    )
    with pytest.raises(ConfigurationError, match=r"No target was chosen\. Known targets: desk, shop"):
        read_config(tmp_path).target()
    assert read_config(tmp_path).target("desk").name == "desk"
    (tmp_path / "synthprobe.toml").write_text("[targets.shop]\nbase_url = 'https://s.example'")
    assert read_config(tmp_path).target().name == "shop"


def test_an_unknown_target_names_the_nearest(tmp_path: Path):
    (tmp_path / "synthprobe.toml").write_text("[targets.staging]\nbase_url = 'https://s.example'")
    with pytest.raises(ConfigurationError, match="no target 'stagin'. Did you mean 'staging'"):
        read_config(tmp_path).target("stagin")


@pytest.mark.parametrize("url", ["staging.example.org", "ftp://x", "http://"])
def test_an_address_without_scheme_or_host_is_refused(tmp_path: Path, url: str):
    (tmp_path / "synthprobe.toml").write_text(f"[targets.demo]\nbase_url = '{url}'")
    with pytest.raises(ConfigurationError, match="has no http:// or https:// scheme and host"):
        read_config(tmp_path).target()


COMPANY = [
    (
        'proxy.address = "http://proxy.example:3128"\nproxy.bypass = ["http://x"]',
        "'http://x' in targets.demo.proxy.bypass",
    ),
    ('proxy.address = "http://proxy.example:3128"\nproxy.port = 1', "an unknown key 'targets.demo.proxy.port'"),
    (
        'proxy.address = "socks5://proxy.example:1080"',
        "a proxy of the kind socks5. One for HTTP and CONNECT was expected",
    ),
    ('ca_file = "nowhere.pem"', "nowhere.pem', which cannot be read (No such file or directory). A file with the"),
    ('client_certificates."a.example".file = " "', ".file = ' '. The path of a certificate was expected"),
    ('allowed_hosts = ["https://cdn.example"]', "'https://cdn.example' in allowed_hosts. A host name without scheme"),
    ('blocked_hosts = ["ads.example/x"]', "'ads.example/x' in blocked_hosts. A host name without scheme"),
    ('reads = ["POST search"]', "'POST search' in targets.demo.reads. A method and a path were expected"),
    ('reads = ["GET /search"]', "targets.demo.reads. GET is never a change: leave it out."),
]


@pytest.mark.parametrize(("keys", "sentence"), COMPANY)
def test_what_a_companys_network_needs_is_refused_with_key_and_way_out(tmp_path: Path, keys: str, sentence: str):
    (tmp_path / "synthprobe.toml").write_text(f'[targets.demo]\nbase_url = "https://a.example"\n{keys}\n')
    with pytest.raises(ConfigurationError) as caught:
        read_config(tmp_path).target()
    assert sentence in str(caught.value)


def test_the_environment_names_the_browser(tmp_path: Path):
    assert read_config(tmp_path, {"SYNTHPROBE_BROWSER": "/opt/b"}).browser.executable == "/opt/b"


def numbers(kind: msgspec.inspect.Type, place: str = "") -> Iterator[tuple[str, IntType | FloatType]]:
    if isinstance(kind, StructType):
        for field in msgspec.structs.fields(kind.cls):
            yield from numbers(type_info(field.type), f"{place}.{field.encode_name}".lstrip("."))
    elif isinstance(kind, DictType):
        yield from numbers(kind.value_type, f"{place}.NAME")
    elif isinstance(kind, VarTupleType):
        yield from numbers(kind.item_type, place)
    elif isinstance(kind, IntType | FloatType):
        yield place, kind


@pytest.mark.parametrize(("key", "kind"), list(numbers(type_info(Config))))
def test_every_number_has_a_range_and_the_reference_names_it(key: str, kind: IntType | FloatType):
    assert kind.le is not None
    assert (kind.ge is None) != (kind.gt is None)
    section = REFERENCE.read_text().split(f"## `{key}`\n")[1].split("\n## ")[0]
    least = f"From {kind.ge:,} to" if kind.gt is None else f"Above {kind.gt:,}, at most"
    assert f"{least} {kind.le:,}" in section


@pytest.mark.parametrize("value", ["-1", "inf", "nan", "1e12"])
def test_a_retention_out_of_range_deletes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, value: str):
    keys = ("raw_days", "failures_days", "hourly_days", "daily_days")
    (tmp_path / "synthprobe.toml").write_text("[history]\n" + "".join(f"{key} = {value}\n" for key in keys))
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigurationError, match=r"history\.raw_days = .* from 1 to 3,660 was expected"):
        CliRunner().invoke(app, ["doctor", "history", "--fix"], catch_exceptions=False)
    assert not (tmp_path / ".synthprobe").exists()


KEEP = [
    *(
        (f"{key} = {value}", key)
        for key in ("runs", "megabytes", "days", "failures_days")
        for value in ("'all'", "-1", 0)
    ),
    ("runs = 2.5", "runs"),
    ("days = nan", "days"),
    ("megabytes = true", "megabytes"),
    ("day = 7", "keep.day'. Did you mean 'days'?"),
]


@pytest.mark.parametrize(("line", "key"), KEEP)
def test_a_wrong_keep_is_a_sentence_that_names_the_key_and_deletes_nothing(tmp_path, monkeypatch, capsys, line, key):
    (tmp_path / "synthprobe.toml").write_text(f"[keep]\n{line}\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", ["synthprobe", "doctor", "history", "--fix"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    assert f"keep.{key.removeprefix('keep.')}" in " ".join(capsys.readouterr().err.split())
    assert not (tmp_path / ".synthprobe").exists()


@pytest.mark.parametrize("key", ["login_paths", "websocket_paths"])
def test_a_path_that_fits_no_request_is_refused(tmp_path: Path, key: str):
    (tmp_path / "synthprobe.toml").write_text(f"[targets.a]\nbase_url = 'http://x'\n{key} = ['wss://x/live']\n")
    with pytest.raises(ConfigurationError, match=rf"\[targets.a\] has 'wss://x/live' in {key}.* for example \"/live\""):
        read_config(tmp_path).target("a")

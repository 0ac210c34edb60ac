"""Each mistake is answered with a sentence that says what to do, and nothing already recorded is lost."""

import pytest

PASSING = "def test_passes(api):\n    pass\n"


@pytest.mark.parametrize(
    ("options", "journey", "sentence"),
    [
        (["--target", "stagin"], PASSING, "There is no target 'stagin'. Did you mean 'staging'?"),
        (["--base-url", "cad.example.org"], PASSING, "has no http:// or https:// scheme and host"),
        (
            [],
            "import pytest\n@pytest.mark.journey(ownr='x')\n" + PASSING,
            "unknown argument 'ownr'. Did you mean 'owner'?",
        ),
        ([], "import pytest\n@pytest.mark.journey(budget='soon')\n" + PASSING, "'soon' is not a duration"),
        ([], "import pytest\n@pytest.mark.journey(severity='bad')\n" + PASSING, "one of blocker, critical, normal"),
        (
            [],
            "import pytest\n@pytest.mark.journey(tags=['skip'])\n" + PASSING,
            "tags has 'skip', which pytest, a plugin or a conftest.py declares as a marker",
        ),
        (
            [],
            "import pytest\n@pytest.mark.journey(tags='smoke')\n" + PASSING,
            "tags is 'smoke', a list of names was expected: tags=[\"smoke\"]",
        ),
        (
            ["-n", "2"],
            "import pytest\n@pytest.mark.journey(tags='smoke')\n" + PASSING,
            "tags is 'smoke', a list of names",
        ),
        ([], "import pytest\n@pytest.mark.journey(tags=['a b'])\n" + PASSING, "tags has 'a b', a word of letters"),
        (
            [],
            "from playwright.async_api import Page\n" + PASSING,
            "imports playwright.async_api. Its pages would not be",
        ),
        ([], "import playwright.async_api as p\n" + PASSING, "imports playwright.async_api. Its pages would not be"),
        (
            [],
            "import pytest\n@pytest.mark.journey(every='1m')\n" + PASSING,
            "every is '1m', and runs are 300 s apart: from 300s to 24h was expected",
        ),
        ([], "import pytest\n@pytest.mark.journey(every='often')\n" + PASSING, "every: 'often' is not a duration"),
        (
            [],
            "import pytest\n@pytest.mark.journey(targets=['stage'])\n" + PASSING,
            "targets names 'stage'. Did you mean 'staging'? Known targets: demo, staging",
        ),
    ],
)
def test_usage_errors_are_sentences(project, options, journey, sentence):
    project.configure("http://127.0.0.1:47999", '[targets.staging]\nbase_url = "https://s.example"\n')
    project.journeys(journey)
    ran = project.run("--target=demo", *options)
    assert ran.code == 4, ran.output
    assert sentence in ran.output
    assert "Traceback" not in ran.output
    assert "INTERNALERROR" not in ran.output


def test_a_folder_that_cannot_be_written_is_a_sentence(project):
    project.configure("http://127.0.0.1:47999")
    (project.root / ".synthprobe").write_text("in the way")
    project.journeys(PASSING)
    ran = project.run(folder=None)
    assert ran.code == 4, ran.output
    assert ".synthprobe" in ran.output
    assert "INTERNALERROR" not in ran.output


GOES_WRONG = [
    ("def test_x(api):\n    api.get('/')\n", "failed", "the connection was refused"),
    ("def test_x(page):\n    page.goto('/')\n", "failed", "ERR_CONNECTION_REFUSED"),
    (
        "import pytest\n@pytest.fixture(scope='session')\ndef target():\n    return 7\n"
        "def test_x(api):\n    api.get('/')\n",
        "unknown",
        "The fixture `target` gives a value of type int",
    ),
    ("def test_x(secrets):\n    secrets['user']\n", "unknown", "PLANTED, which is not set or empty"),
    ("def test_x(secrets):\n    secrets['usr']\n", "unknown", "declares no secret 'usr'; it declares: user"),
    (
        "from synthprobe import step\ndef test_x():\n    step('a', budget='soon')\n",
        "unknown",
        "'soon' is not a duration",
    ),
    ("def test_x():\n    {}['missing']\n", "unknown", "The journey itself broke with KeyError"),
    ("def test_x(api):\n    api.get(None)\n", "unknown", "'path', and takes str"),
    ("def test_x(api):\n    api.get('/', headers=['a'])\n", "unknown", "'headers', and takes Mapping[str, str]"),
    ("def test_x(secrets):\n    secrets[7]\n", "unknown", "'name', and takes str"),
    ("from synthprobe import step\ndef test_x():\n    with step(None):\n        pass\n", "unknown", "title None"),
    ("def test_x(new_context):\n    new_context(bogus=1)\n", "unknown", "keyword argument 'bogus'"),
    (
        "def test_x(api):\n    try:\n        raise ExceptionGroup('', [ValueError('odd'), AssertionError('no till')])\n"
        "    except ExceptionGroup as group:\n        raise RuntimeError('wrapped') from group\n",
        "failed",
        "no till",
    ),
    ("import pytest\ndef test_x():\n    pytest.skip('not on a Sunday')\n", "skipped", "not on a Sunday"),
]


@pytest.fixture(scope="module")
def went_wrong(new_project, tmp_path_factory):
    """The result of each of these journeys, which stand in a file of their own."""
    made = new_project(tmp_path_factory.mktemp("wrong"))
    made.configure("http://127.0.0.1:47999", '[targets.demo.secrets]\nuser = "env:PLANTED"\n')
    for number, (journey, _, _) in enumerate(GOES_WRONG):
        made.journeys(journey.replace("test_x", f"test_{number}"), f"test_file_{number}.py")
    return made.run().results


@pytest.mark.parametrize("number", range(len(GOES_WRONG)))
def test_what_goes_wrong_in_a_journey_is_an_outcome_with_a_cause(went_wrong, number):
    _, outcome, cause = GOES_WRONG[number]
    result = went_wrong[f"test_{number}"]
    assert (result.outcome, cause in result.cause) == (outcome, True), result.cause


def test_a_mistake_of_the_journey_is_not_called_one_of_the_probe(went_wrong):
    kinds = {result.failure.kind for result in went_wrong.values() if result.failure is not None}
    assert kinds >= {"journey error", "configuration", "refused", "expectation"}
    assert "probe error" not in kinds


SILENT = """
import asyncio, http.client, smtplib, socket, struct, urllib.request
import psycopg
from synthprobe import step

HERE = ("127.0.0.1", 47999)

def reset():
    with socket.create_server(("127.0.0.1", 0)) as server:
        client = http.client.HTTPConnection(*server.getsockname())
        client.connect()
        peer, _ = server.accept()
        client.request("GET", "/")
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        peer.close()
        client.getresponse()

def late():
    with socket.create_server(("127.0.0.1", 0)) as server:
        http.client.HTTPConnection(*server.getsockname(), timeout=0.1).request("GET", "/")
        smtplib.SMTP(*server.getsockname(), timeout=0.1)

def test_refused_socket():
    with step("ask"):
        socket.create_connection(HERE, 2)

def test_refused_http():
    with step("ask"):
        http.client.HTTPConnection(*HERE).request("GET", "/")

def test_refused_urllib():
    with step("ask"):
        urllib.request.urlopen("http://127.0.0.1:47999/orders")

def test_refused_smtp():
    with step("ask"):
        smtplib.SMTP(*HERE)

def test_refused_asyncio():
    with step("ask"):
        asyncio.run(asyncio.open_connection(*HERE))

def test_refused_psycopg():
    with step("ask"):
        psycopg.connect("host=127.0.0.1 port=47999 dbname=x", connect_timeout=2)

def test_dns():
    with step("ask"):
        socket.create_connection(("db.example.invalid", 5432), 2)

def test_protocol():
    with step("ask"):
        reset()

def test_deadline():
    with step("ask"):
        late()

def test_ours_elsewhere():
    with step("ask"):
        smtplib.SMTP("127.0.0.2", 47999)

def test_ours_of_no_place():
    with step("ask"):
        raise ConnectionRefusedError(111, "Connection refused")
"""


@pytest.fixture(scope="module")
def silent(new_project, tmp_path_factory):
    made = new_project(tmp_path_factory.mktemp("silent"))
    made.configure("http://127.0.0.1:47999", 'allowed_hosts = ["db.example.invalid"]')
    made.journeys(SILENT)
    ran = made.run()
    return ran, ran.results


@pytest.mark.parametrize("way", ["refused", "dns", "protocol", "deadline"])
def test_a_target_that_gives_no_answer_to_any_library_has_failed(silent, way):
    ran, results = silent
    found = [result for name, result in results.items() if name.startswith(f"test_{way}")]
    assert found
    for result in found:
        refusal = result.failure.finding.refusal
        assert (result.outcome, refusal.kind) == ("failed", way), (result.cause, ran.output)
        place = "db.example.invalid:5432" if way == "dns" else "127.0.0.1:47999" if way == "refused" else "127.0.0.1:"
        assert place in result.cause


def test_what_is_not_known_to_be_the_target_s_is_unknown_and_named_where_the_error_names_it(silent):
    _, results = silent
    elsewhere, nowhere = results["test_ours_elsewhere"], results["test_ours_of_no_place"]
    assert (elsewhere.outcome, nowhere.outcome) == ("unknown", "unknown")
    assert "127.0.0.2:47999" in elsewhere.cause


def test_all_that_refuse_the_connection_of_one_host_are_one_incident(silent):
    ran, results = silent
    refused = [name for name in results if name.startswith("test_refused")]
    assert ran.output.count("The target cannot be reached (refused)") == len(refused), ran.output


TOGETHER = """
import asyncio

def test_checks(api):
    raise ExceptionGroup("two checks", [KeyError("k"), AssertionError("no till"), AssertionError("no door")])

def test_tasks(api):
    async def look():
        assert False, "no till"
    async def ask():
        api.get("/orders").expect(200)
    async def both():
        async with asyncio.TaskGroup() as group:
            group.create_task(look())
            group.create_task(ask())
    asyncio.run(both())
"""


def test_all_that_was_raised_together_is_told_and_what_the_target_shows_first(project):
    project.journeys(TOGETHER)
    ran = project.run()
    checks, tasks = ran.results["test_checks"], ran.results["test_tasks"]
    assert (checks.outcome, checks.failure.message, len(checks.failure.beside)) == ("failed", "no till", 2)
    for text in ("no till", "KeyError: 'k'", "no door"):
        assert text in checks.cause
        assert any(text in result["statusDetails"]["message"] for result in ran.allure())
    assert (tasks.failure.kind, tasks.failure.beside) == ("refused", ("no till",))
    assert "no till" in tasks.cause


def test_no_browser_is_said_and_api_journeys_are_still_judged(project, centre):
    project.configure(centre.url)
    project.journeys("def test_page(page):\n    pass\ndef test_api(api):\n    api.get('/healthz').expect(200)\n")
    ran = project.run(environ={"SYNTHPROBE_BROWSER": "/nonexistent/browser"})
    assert ran.results["test_api"].outcome == "passed"
    assert ran.results["test_page"].outcome == "unknown"
    assert "/nonexistent/browser" in ran.results["test_page"].cause


def test_a_journey_file_with_a_syntax_error_does_not_stop_the_others(project, centre):
    project.configure(centre.url)
    project.journeys("def test_fine(api):\n    api.get('/healthz').expect(200)\n", "test_fine.py")
    project.journeys("def test_broken(:\n", "test_broken.py")
    ran = project.run()
    broken = next(result for result in ran.results.values() if "test_broken" in result.journey.node_id)
    assert (broken.outcome, broken.failure.kind) == ("unknown", "journey file")
    assert "test_broken.py could not be read as journeys" in broken.cause
    assert ran.results["test_fine"].outcome == "passed"

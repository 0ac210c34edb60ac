"""Steps in threads and asyncio tasks stand in the right tree with the right times, and none of them is lost."""

from __future__ import annotations

import pytest

JOURNEYS = """
import asyncio, threading
from concurrent.futures import ThreadPoolExecutor
import allure
from synthprobe import step

def test_pool(api):
    together = threading.Barrier(2)
    def look(name):
        with step(name), step(f"{name} within"):
            api.get("/healthz").expect(200)
            together.wait(10)
    with allure.step("around"), step("both"), ThreadPoolExecutor(2) as pool:
        list(pool.map(look, ["one", "two"]))

async def look(name, mine, other):
    with step(name):
        mine.set()
        await other.wait()
        with step(f"{name} within"):
            await asyncio.sleep(0)

def test_tasks():
    async def both():
        one, two = asyncio.Event(), asyncio.Event()
        with step("both"):
            await asyncio.gather(look("one", one, two), look("two", two, one))
    asyncio.run(both())

@step("wait a little")
async def wait():
    await asyncio.sleep(0.05)

def test_coroutine():
    asyncio.run(wait())

def test_unheard():
    def check():
        with step("compare"):
            assert 1 == 2, "the other desk differs"
    with step("both"), ThreadPoolExecutor(1) as pool:
        pool.submit(check)

def test_tolerated():
    async def check():
        with step("compare"):
            assert 1 == 2, "the other desk differs"
    async def both():
        await asyncio.gather(check(), return_exceptions=True)
    asyncio.run(both())

def test_thread_without_a_step():
    def check():
        assert 1 == 2, "the other desk differs"
    thread = threading.Thread(target=check)
    thread.start()
    thread.join()

def test_task_nobody_awaits():
    async def check():
        assert 1 == 2, "the other desk differs"
    async def main():
        asyncio.create_task(check())
        await asyncio.sleep(0.01)
    asyncio.run(main())

def test_thread_of_a_library():
    thread = threading.Thread(target=lambda: 1 / 0, name="feeder")
    thread.start()
    thread.join()
    assert not thread.is_alive()

def test_unended():
    began = threading.Event()
    def wait_for_ever():
        with step("wait for the stream"):
            began.set()
            threading.Event().wait(60)
    threading.Thread(target=wait_for_ever, daemon=True).start()
    began.wait(10)

LEFT = threading.Event()
WENT_ON = threading.Event()
REFUSED = []

def go_on():
    with step("begun here"):
        LEFT.wait(60)
        try:
            with step("entered too late"):
                pass
        except Exception as error:
            REFUSED.append(str(error))
    WENT_ON.set()

def test_leaves_a_thread():
    began = threading.Thread(target=go_on, daemon=True)
    began.start()
    with step("its own"):
        raise ValueError("the journey's own error")

def test_next():
    with step("next"):
        LEFT.set()
        assert WENT_ON.wait(10)
    assert "left running" in REFUSED[0], REFUSED
"""


def tree(steps):
    return {step.title: tree(step.steps) for step in steps}


def allure_tree(steps):
    return {step["name"]: allure_tree(step.get("steps", [])) for step in steps}


@pytest.fixture(scope="module")
def ran(new_project, one_centre, tmp_path_factory):
    project = new_project(tmp_path_factory.mktemp("flows"))
    project.configure(one_centre.url)
    project.journeys(JOURNEYS)
    return project.run("--reruns", "1")


@pytest.mark.parametrize("name", ["test_pool", "test_tasks"], ids=["F99 threads", "F99 tasks"])
def test_steps_of_threads_and_tasks_stand_in_the_step_around_them(ran, name):
    result = ran.results[name]
    assert result.outcome == "passed", ran.output
    assert tree(result.steps) == {"both": {"one": {"one within": {}}, "two": {"two within": {}}}}
    (both,) = result.steps
    for step in both.steps:
        assert both.started_at <= step.started_at <= step.steps[0].started_at
        assert both.duration_s >= step.duration_s >= step.steps[0].duration_s


def test_requests_of_a_thread_belong_to_its_step_f99(ran):
    assert sorted({operation.step for operation in ran.results["test_pool"].operations}) == [
        "both › one › one within",
        "both › two › two within",
    ]


def test_allure_shows_the_same_tree_f99(ran):
    steps = {result["name"]: allure_tree(result.get("steps", [])) for result in ran.allure()}
    both = {"both": {"one": {"one within": {}}, "two": {"two within": {}}}}
    assert steps["pool"] == {"around": both}
    assert steps["tasks"] == both


def test_a_decorated_coroutine_is_timed_to_its_end_f99(ran):
    (step,) = ran.results["test_coroutine"].steps
    assert step.duration_s >= 0.05


@pytest.mark.parametrize("name", ["test_unheard", "test_tolerated"], ids=["F99 thread", "F99 task"])
def test_a_step_that_broke_where_nobody_listened_breaks_the_journey(ran, name):
    result = ran.results[name]
    assert (result.outcome, result.failure.kind) == ("failed", "expectation")
    assert "the other desk differs" in result.failure.message
    assert result.failure.step.endswith("compare")
    assert result.attempt == 2, "a second attempt decides, as for any other failure"


@pytest.mark.parametrize("name", ["test_thread_without_a_step", "test_task_nobody_awaits"], ids=["F99 one", "F99 two"])
def test_an_assertion_outside_of_steps_that_nobody_heard_breaks_the_journey(ran, name):
    result = ran.results[name]
    assert (result.outcome, result.failure.kind) == ("failed", "expectation")
    assert "the other desk differs" in result.failure.message


def test_what_else_breaks_in_a_thread_is_noted_f99(ran):
    result = ran.results["test_thread_of_a_library"]
    assert result.outcome == "passed"
    assert result.notes == ("The thread 'feeder' ended with ZeroDivisionError: division by zero",)


def test_a_step_that_had_not_ended_makes_the_journey_unknown_f99(ran):
    result = ran.results["test_unended"]
    assert result.outcome == "unknown"
    assert '"wait for the stream"' in result.failure.message
    assert "Join the thread" in result.failure.message


def test_a_thread_that_outlives_its_journey_hides_no_failure_and_is_refused_in_the_next_f99(ran):
    assert "the journey's own error" in ran.results["test_leaves_a_thread"].failure.message
    assert ran.results["test_next"].outcome == "passed", ran.results["test_next"].failure
    assert tree(ran.results["test_next"].steps) == {"next": {}}


BESIDE_A_BROWSER = """
import asyncio
import pytest

@pytest.fixture(scope="module")
def shared(browser, base_url):
    page = browser.new_page()
    page.goto(base_url)
    yield page
    page.close()

def test_page(shared):
    assert shared.title()

def test_tasks(api):
    async def ask():
        await asyncio.sleep(0)
        print("asking")
        return api.get("/healthz")
    assert asyncio.run(ask()).status == 200

def test_page_that_is_asked_for_in_the_body(request):
    page = request.getfixturevalue("page")
    page.goto("/login")
    assert page.title()

def test_shared_page_once_more(shared):
    assert shared.title()

@pytest.fixture
def loop():
    made = asyncio.new_event_loop()
    yield made
    made.run_until_complete(made.shutdown_asyncgens())
    made.close()

def test_loop_of_a_fixture(loop):
    async def check():
        assert 1 == 2, "the other desk differs"
    loop.run_until_complete(check())
"""


def test_asyncio_runs_in_journeys_without_a_browser_also_where_one_is_open_f99(project, centre):
    project.configure(centre.url)
    project.journeys(BESIDE_A_BROWSER)
    ran = project.run()
    causes = {name: result.cause for name, result in ran.results.items() if result.outcome != "passed"}
    assert causes == {"test_loop_of_a_fixture": "the other desk differs"}, ran.output
    assert ran.results["test_loop_of_a_fixture"].outcome == "failed"
    assert [note for result in ran.all_results for note in result.notes if "learned" in note] == []


def test_a_generator_cannot_be_decorated_with_a_step():
    from synthprobe import ConfigurationError, step

    with pytest.raises(ConfigurationError, match="Write `with step"):

        @step("open")
        def opened():
            yield

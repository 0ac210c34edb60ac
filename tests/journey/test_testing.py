"""Journeys have tests of their own: `synthprobe.testing` runs one against a fake target that can be broken."""

import pytest

from synthprobe import ConfigurationError
from synthprobe.testing import FakeTarget, run_journey

JOURNEY = """
from synthprobe import step

def test_a_product_is_found(api, secrets):
    with step("the product is found by its name"):
        api.get("/products?q=lamp", headers={"X-Key": secrets["key"].reveal()}).expect(200).json_has(name="lamp")
"""


def test_a_journey_is_run_against_a_fake_target_and_sees_it_broken(project):
    project.configure("https://shop.example.org", '[targets.demo.secrets]\nkey = "env:SHOP_KEY"\n')
    project.journeys(JOURNEY)
    node = "journeys/test_it.py::test_a_product_is_found"
    with FakeTarget() as target:
        target.answers("GET", "/products", body={"name": "lamp"})
        well = run_journey(node, target.url, root=project.root, environ={"SHOP_KEY": "made-up-key-1"})
        assert (well.outcome, target.asked) == ("passed", ["GET /products"])
        target.answers("GET", "/products", body={"name": "sofa"})
        broken = run_journey(node, target.url, root=project.root, environ={"SHOP_KEY": "made-up-key-1"})
        assert (broken.outcome, broken.results[0].failure.step) == ("failed", "the product is found by its name")
        assert "sofa" in broken.cause
    assert not (project.root / ".synthprobe" / "runs").exists(), "nothing of it is kept"
    with pytest.raises(ConfigurationError, match="0 journeys were run by 'journeys/test_it.py::test_other'"):
        run_journey("journeys/test_it.py::test_other", "http://127.0.0.1:9", root=project.root)

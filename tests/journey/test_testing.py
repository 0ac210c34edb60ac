"""Journeys have tests of their own: `synthprobe.testing` runs one against a fake target that can be broken."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from synthprobe import ConfigurationError
from synthprobe.testing import run_journey

GUIDE = Path(__file__).parents[2] / "docs" / "guides" / "writers-kit.md"
JOURNEY = """
from synthprobe import step

def test_a_product_is_found(api):
    with step("the product is found by its name"):
        api.get("/products?q=lamp").expect(200).json_has(name="lamp")
"""


def test_the_guides_test_sees_a_journey_pass_and_fail_and_leaves_nothing(project):
    project.configure("https://shop.example.org")
    project.journeys(JOURNEY, "test_order.py")
    [test] = re.findall(r"^```python\n(.*?)^```", GUIDE.read_text(), re.M | re.S)
    (project.root / "tests").mkdir()
    (project.root / "tests" / "test_journeys.py").write_text(test)
    command = [sys.executable, "-m", "pytest", "tests", "-q", "-p", "no:cacheprovider"]
    done = subprocess.run(command, cwd=project.root, capture_output=True, text=True, timeout=250, check=False)
    assert "1 passed" in done.stdout, done.stdout
    assert not (project.root / ".synthprobe" / "runs").exists()


def test_a_node_that_is_no_journey_is_said(project):
    with pytest.raises(ConfigurationError, match="0 journeys were run by 'journeys/test_it.py::test_other'"):
        run_journey("journeys/test_it.py::test_other", "http://127.0.0.1:9", root=project.root)

"""`synthprobe report` ends in time although Allure does not."""

import os
import subprocess
import sys

BRIEF = "import synthprobe.cli.report as r; r.PUBLISH_S = 3.0; from synthprobe.cli.main import main; main()"


def test_a_report_that_hangs_is_left_out_and_the_oncall_page_made_f59(project):
    root = project.root
    (root / "synthprobe.toml").write_text('[targets.demo]\nbase_url = "http://127.0.0.1:9"\n')
    (root / "journeys" / "test_it.py").write_text("def test_it():\n    assert 1 + 1 == 2\n")
    assert project.run("--target", "demo", "--run-folder", "demo").code == 0
    node = root / "node"
    node.write_text('#!/bin/sh\n[ "$1" = --version ] && echo v22.0.0 && exit\nexec sleep 600\n')
    node.chmod(0o755)
    done = subprocess.run(
        [sys.executable, "-c", BRIEF, "report", "demo"],
        cwd=root,
        env={**os.environ, "SYNTHPROBE_NODE": str(node)},
        capture_output=True,
        text=True,
        timeout=250,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Allure made no report" in " ".join(done.stdout.split())
    assert (root / ".synthprobe" / "site" / "index.html").is_file()

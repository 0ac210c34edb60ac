"""From the on-call page everything else of the site is one click away, from a folder as well as from a server."""

import re
import subprocess
import sys
from urllib.parse import unquote, urlsplit

RUNBOOK = """---
id: it-is-down
title: It is down
owner: desk
audience: first-line
severity: critical
class: infra
matches: {}
last_exercised: never
---

## Symptom

It is down.
"""


def links(page):
    found = re.findall(r'href="([^"#]+)[^"]*"', page.read_text())
    return {title: page.parent / unquote(urlsplit(title).path) for title in found if ":" not in title}


def test_the_oncall_page_leads_to_board_measures_runbooks_and_allure(project):
    root = project.root
    (root / "synthprobe.toml").write_text(
        '[targets.demo]\nbase_url = "http://127.0.0.1:9"\n[targets.shop]\nbase_url = "http://127.0.0.1:9"\n'
    )
    (root / "journeys" / "test_it.py").write_text("def test_it():\n    assert True\n")
    (root / "runbooks").mkdir(exist_ok=True)
    (root / "runbooks" / "it-is-down.md").write_text(RUNBOOK)
    for target in ("demo", "shop"):
        assert project.run("--target", target, "--run-folder", target).code == 0
    command = [sys.executable, "-m", "synthprobe", "report", "demo", "shop"]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, timeout=250, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "warning" not in done.stdout
    first = root / ".synthprobe" / "site" / "index.html"
    found = links(first)
    for target in ("demo", "shop"):
        assert {f"board/{target}/index.html", f"ops/{target}/index.html"} <= set(found)
        assert any(f"/{target}/" in link and link.endswith("allure/index.html") for link in found)
    assert "runbooks/index.html" in found
    assert [link for link, path in found.items() if not path.is_file()] == []
    for link in ("board/demo/index.html", "ops/shop/index.html", "runbooks/index.html"):
        beside = links(found[link])
        assert first.resolve() in {path.resolve() for path in beside.values()}, "and back"
        assert [name for name, path in beside.items() if not path.is_file()] == []
    words = re.search(r"In a terminal: <code>(.*?)</code>", found["runbooks/index.html"].read_text())[1].split()
    process = subprocess.run(
        [sys.executable, "-m", *words, "demo"], cwd=root, capture_output=True, text=True, check=False
    )
    assert process.returncode == 0, process.stderr
    assert found["runbooks/index.html"].parent / "it-is-down.html" in links(found["runbooks/index.html"]).values()

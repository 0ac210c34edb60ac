"""The manifests of `deploy/kubernetes`: valid for Kubernetes, and with no more rights than a pod needs."""

import re
from pathlib import Path

import kubernetes_validate
import pytest
import yaml

FOLDER = Path(__file__).parents[2] / "deploy" / "kubernetes"
MANIFESTS = {path.name: yaml.safe_load(path.read_text()) for path in FOLDER.glob("*.yaml")}
JOBS = {name: one["spec"]["jobTemplate"]["spec"] for name, one in MANIFESTS.items() if one["kind"] == "CronJob"}


@pytest.mark.parametrize("name", sorted(name for name in MANIFESTS if name != "kustomization.yaml"))
def test_a_manifest_is_valid(name):
    kubernetes_validate.validate(MANIFESTS[name], "1.33", strict=True)


def test_every_manifest_is_named():
    assert set(MANIFESTS["kustomization.yaml"]["resources"]) == set(MANIFESTS) - {"kustomization.yaml"}


def test_each_part_has_a_pod_and_only_what_may_do_better_is_tried_again():
    job = JOBS["parts.yaml"]
    (words,) = job["template"]["spec"]["containers"][0]["args"]
    assert re.search(r"--part auto/(\d+)", words)[1] == str(job["completions"])
    assert (job["completionMode"], job["backoffLimitPerIndex"]) == ("Indexed", 2)
    (rule,) = job["podFailurePolicy"]["rules"]
    assert (rule["action"], rule["onExitCodes"]["values"]) == ("FailIndex", [2])


@pytest.mark.parametrize("name", sorted(JOBS))
def test_a_pod_has_no_more_rights_than_needed(name):
    pod = JOBS[name]["template"]["spec"]
    (container,) = pod["containers"]
    assert pod["securityContext"]["runAsNonRoot"]
    assert not pod["automountServiceAccountToken"]
    assert container["securityContext"]["readOnlyRootFilesystem"]
    assert container["securityContext"]["capabilities"]["drop"] == ["ALL"]
    assert {mount["mountPath"] for mount in container["volumeMounts"]} == {"/project/.synthprobe", "/tmp", "/dev/shm"}

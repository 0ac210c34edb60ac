"""What `deploy/` holds: manifests valid for Kubernetes, with no more rights than a pod needs, and a CI's matrix."""

import re
from pathlib import Path

import kubernetes_validate
import pytest
import yaml

DEPLOY = Path(__file__).parents[2] / "deploy"
FOLDER = DEPLOY / "kubernetes"
MANIFESTS = {str(path.relative_to(FOLDER)): yaml.safe_load(path.read_text()) for path in FOLDER.rglob("*.yaml")}
JOBS = {
    name: manifest["spec"]["jobTemplate"]["spec"]
    for name, manifest in MANIFESTS.items()
    if manifest["kind"] == "CronJob"
}


@pytest.mark.parametrize("name", sorted(name for name in MANIFESTS if "kustomization" not in name))
def test_a_manifest_is_valid(name):
    kubernetes_validate.validate(MANIFESTS[name], "1.33", strict=True)


def test_every_manifest_is_named():
    named = set(MANIFESTS["kustomization.yaml"]["resources"])
    named |= {f"workers/{name}" for name in MANIFESTS["workers/kustomization.yaml"]["resources"]}
    assert named == {name for name in MANIFESTS if "kustomization" not in name}


def test_workers_are_scaled_by_a_metric_that_they_export_and_end_in_order():
    scaler, workers = MANIFESTS["workers/autoscaler.yaml"]["spec"], MANIFESTS["workers/workers.yaml"]
    assert scaler["scaleTargetRef"]["name"] == workers["metadata"]["name"]
    assert scaler["metrics"][0]["pods"]["metric"]["name"] == "temporal_worker_task_slots_used"
    pod = workers["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert f"--metrics 0.0.0.0:{container['ports'][0]['containerPort']}" in container["args"][0]
    assert pod["terminationGracePeriodSeconds"] > 240  # what a worker takes at most to finish its part


def test_the_matrix_of_a_ci_has_every_part_from_every_location_and_a_job_that_concludes():
    flow = yaml.safe_load((DEPLOY / "github" / "fleet.yml").read_text())
    jobs, parts = flow["jobs"], int(flow["env"]["PARTS"])
    assert jobs["look"]["strategy"]["matrix"]["part"] == [*range(1, parts + 1)]
    assert jobs["look"]["strategy"]["fail-fast"] is False
    assert 'test "$?" -eq 3' in jobs["look"]["steps"][-1]["run"]
    assert jobs["conclude"]["needs"] == ["plan", "look"]
    assert "!cancelled()" in jobs["conclude"]["if"]  # whatever became of the parts


def test_each_part_has_a_pod_and_only_what_may_do_better_is_tried_again():
    job = JOBS["parts.yaml"]
    (words,) = job["template"]["spec"]["containers"][0]["args"]
    assert re.search(r"--part auto/(\d+)", words)[1] == str(job["completions"])
    assert (job["completionMode"], job["backoffLimitPerIndex"]) == ("Indexed", 2)
    (rule,) = job["podFailurePolicy"]["rules"]
    assert (rule["action"], rule["onExitCodes"]["values"]) == ("FailIndex", [2])


PODS = {name: job["template"]["spec"] for name, job in JOBS.items()}
PODS["workers/workers.yaml"] = MANIFESTS["workers/workers.yaml"]["spec"]["template"]["spec"]


@pytest.mark.parametrize("name", sorted(PODS))
def test_a_pod_has_no_more_rights_than_needed(name):
    pod = PODS[name]
    (container,) = pod["containers"]
    assert pod["securityContext"]["runAsNonRoot"]
    assert not pod["automountServiceAccountToken"]
    assert container["securityContext"]["readOnlyRootFilesystem"]
    assert container["securityContext"]["capabilities"]["drop"] == ["ALL"]
    assert {mount["mountPath"] for mount in container["volumeMounts"]} == {"/project/.synthprobe", "/tmp", "/dev/shm"}

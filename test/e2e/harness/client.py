"""What a program does that uses Python's official client; prints what it saw as JSON."""

import json

from kubernetes import client, config, watch
from kubernetes.client.rest import ApiException
from kubernetes.stream import stream

config.load_kube_config()
core = client.CoreV1Api()
seen = {"nodes": [node.metadata.name for node in core.list_node().items]}

container = client.V1Container(name="c", image="busybox", command=["sleep", "600"])
spec = client.V1PodSpec(containers=[container], termination_grace_period_seconds=0)
pod = client.V1Pod(metadata=client.V1ObjectMeta(name="snake", labels={"app": "snake"}), spec=spec)
seen["created"] = core.create_namespaced_pod("default", pod).status.phase

watching = watch.Watch()
for event in watching.stream(core.list_namespaced_pod, "default", label_selector="app=snake", timeout_seconds=60):
    seen["watched"] = event["object"].status.phase
    if seen["watched"] == "Running":
        watching.stop()

command = ["echo", "from python"]
seen["printed"] = stream(
    core.connect_get_namespaced_pod_exec,
    "snake",
    "default",
    command=command,
    stdin=False,
    stdout=True,
    stderr=True,
    tty=False,
)

try:
    core.create_namespaced_pod("default", pod)
except ApiException as error:
    seen["refused"] = [error.status, json.loads(error.body)["reason"]]

patched = core.patch_namespaced_pod("snake", "default", {"metadata": {"annotations": {"by": "python"}}})
seen["patched"] = patched.metadata.annotations
core.delete_namespaced_pod("snake", "default", grace_period_seconds=0)
seen["left"] = [item.metadata.name for item in core.list_namespaced_pod("default", label_selector="app=snake").items]
print(json.dumps(seen))

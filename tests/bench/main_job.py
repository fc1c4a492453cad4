#!/usr/bin/env python3
"""The main job on a GPU: through the daemon, verified and cached; then the kernels' times beside torch's.

Writes one JSON file in the kernel-row format, with a "service" part for what the daemon did. Needs torch, and gemmd
and gemmctl in --bin (the unpacked tarball's bin, or a build's). Exits 1 if anything was wrong.
"""

import argparse
import contextlib
import datetime
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
import cold_timing
from cuda_driver import Driver
from main_job_rows import ROWS
from manifest_launcher import ManifestLauncher

ROOT = pathlib.Path(__file__).resolve().parents[2]
DTYPE_NAMES = {torch.float16: "f16", torch.bfloat16: "bf16", torch.float32: "f32"}


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
    specs = [(row.spec, ["--dim", f"M={row.m}"] if "mlp" in row.spec else []) for row in ROWS]
    runs = []

    def run_all(moment, expected_tier):
        for spec, dims in specs:
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


def sampled_rows(m):
    edges = [0, 1, 63, 64, 127, 128, m - 1]
    return torch.tensor(sorted({e for e in edges if 0 <= e < m} | set(torch.randint(0, m, (57,)).tolist())), device="cuda")


def make_candidates(row, launcher, made, modes):
    """{name: (function of a stream, outputs)} and the peers' arguments."""
    column_major = launcher.manifest["inputs"][1]["layout"] == "column_major"
    w = made["w"].t() if column_major else made["w"].t().contiguous()
    operands = {name: made[name] for name in row.operands}
    columns = row.n // 2 if row.gated else row.n
    outputs = [torch.full((row.m, columns), float("nan"), device="cuda", dtype=row.dtype) for _ in row.outputs]
    pointers = {"x": made["x"].data_ptr(), "w": w.data_ptr()}
    pointers |= {name: tensor.data_ptr() for name, tensor in operands.items()}
    pointers |= {name: tensor.data_ptr() for name, tensor in zip(row.outputs, outputs)}
    launch = launcher.prepare({"m": row.m, "n": row.n, "k": row.k}, pointers)
    results = {"gemmd": outputs}
    functions = {"gemmd": lambda stream: launch(stream.cuda_stream),
                 "cublas": lambda stream: torch.matmul(made["x"], w),
                 "eager": lambda stream: results.__setitem__("eager", row.peer(made["x"], w, operands))}
    for name, mode in modes.items():
        compiled = torch.compile(row.peer, mode=mode, dynamic=False)
        functions[name] = lambda stream, name=name, f=compiled: results.__setitem__(name, f(made["x"], w, operands))
    return functions, results, w, operands, outputs


def time_row(row, daemon, driver, directory, rounds, modes):
    """The row's entry in the results. modes: {name: mode} of the torch.compile peers."""
    target = pathlib.Path(directory) / pathlib.Path(row.spec).stem
    compiled = daemon.gemmctl("compile", ROOT / row.spec, "--device", "cuda:0", "--output-dir", target)
    launcher = ManifestLauncher(driver, target, torch.cuda.get_device_properties(0).multi_processor_count)
    made = row.make_inputs()
    functions, results, w, operands, outputs = make_candidates(row, launcher, made, modes)
    torch._dynamo.reset()
    graphs = {}
    for name, function in functions.items():
        try:
            graphs[name] = cold_timing.capture(function)
        except Exception as error:  # a peer that can't run a row is absent
            if name == "gemmd":
                raise
            print(f"{row.kind}: {name} can't run: {error}", file=sys.stderr)
    for output in outputs:
        output.fill_(float("nan"))
    for graph in graphs.values():
        graph.replay()
    torch.cuda.synchronize()
    verified, errors, tolerance = row.check(made["x"], w, operands, results, sampled_rows(row.m))
    verified = verified and all(not torch.isnan(o).any().item() for o in outputs)
    timed = cold_timing.interleaved_medians(graphs, rounds)
    kernels = compiled["kernels"]
    return {"kind": row.kind, "M": row.m, "K": row.k, "N": row.n, "dtype": DTYPE_NAMES[row.dtype],
            "precision": row.precision, "times_us": {name: round(t["median_us"], 2) for name, t in timed.items()},
            "ratio_to_cublas": cold_timing.ratio_of_rounds(timed, "gemmd", "cublas"), "error": errors,
            "tolerance": tolerance, "verified": verified, "kernels": len(kernels),
            "compile_ms": round(compiled["compile_us"] / 1e3, 1),
            "config": {"schedule": kernels[-1]["family"], **{k: v for k, v in kernels[-1].items() if k != "family"}}}


def command(arguments):
    """This command, without the directories of the machine it ran on."""
    return " ".join(["tests/bench/main_job.py", *(pathlib.PurePath(a).name if "/" in a else a for a in arguments)])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bin", required=True, help="directory of gemmd and gemmctl")
    parser.add_argument("--output", required=True, help="the results file to write")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--commit", default="", help="of the sources, where this tree is no checkout")
    arguments = parser.parse_args()
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.manual_seed(1)
    torch.zeros(1, device="cuda")
    with tempfile.TemporaryDirectory() as directory:
        daemon = Daemon(arguments.bin, directory)
        service = run_service(daemon)
        with daemon.running():
            device = daemon.gemmctl("devices")["devices"][0]
            modes = {"compile": None, "compile_max": "max-autotune-no-cudagraphs"}
            rows = [time_row(row, daemon, Driver(), directory, arguments.rounds, modes) for row in ROWS]
    commit = arguments.commit or subprocess.run(["git", "-C", ROOT, "rev-parse", "HEAD"], capture_output=True,
                                                text=True).stdout.strip()
    result = {"gpu": torch.cuda.get_device_name(), "driver": device["driver"], "torch": torch.__version__,
              "commit": commit, "command": command(sys.argv[1:]),
              "date": datetime.date.today().isoformat(), "service": service, "rows": rows}
    pathlib.Path(arguments.output).write_text(json.dumps(result, indent=1) + "\n")
    for row in rows:
        print(f"{row['kind']:14} {row['M']}x{row['K']}x{row['N']} {row['dtype']:5} verified={row['verified']} "
              f"vs cublas {row['ratio_to_cublas']['median']:.3f}  {row['times_us']}")
    for run in service:
        print(f"{run['moment']:14} {run['spec']:42} {run['tier']:9} ok={run['ok']}")
    return 0 if all(r["verified"] for r in rows) and all(r["ok"] for r in service) else 1


if __name__ == "__main__":
    os.environ.setdefault("TORCHINDUCTOR_CACHE_DIR", tempfile.mkdtemp())
    sys.exit(main())

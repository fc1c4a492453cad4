"""Runs engine_bench and keeps the medians: tests/bench/results/engine.json.

Usage: engine_results.py ENGINE_BENCH [OUTPUT]; prints each figure beside its target, and exits 1 when one is missed.
The load on the machine is recorded: on a busy one wall time says little, and CPU time, which each of these spends on
one thread, is the figure of a quiet one.
"""

import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
REPETITIONS = 7
# Medians over the examples, in microseconds.
TARGETS_US = {"cold": 350_000, "memory_hit": 50, "disk_hit": 2_000, "plan": 2_000}
UNIT_US = {"ns": 1e-3, "us": 1.0, "ms": 1e3, "s": 1e6}


def measure(program):
    """Google Benchmark's report."""
    with tempfile.TemporaryDirectory() as directory:
        report = pathlib.Path(directory) / "report.json"
        subprocess.run([program, f"--benchmark_repetitions={REPETITIONS}", "--benchmark_min_time=0.2",
                        f"--benchmark_out={report}", "--benchmark_out_format=json"], check=True,
                       stdout=subprocess.DEVNULL)
        return json.loads(report.read_text(encoding="utf-8"))


def rows_of(report):
    """One row a benchmark, `kind/example`: of its repetitions the median of wall and of CPU time, and the extremes."""
    wall_us, cpu_us = {}, {}
    for entry in report["benchmarks"]:
        if entry.get("error_occurred"):
            raise RuntimeError(f"{entry['name']}: {entry['error_message']}")
        if entry["run_type"] == "iteration":
            name = "/".join(entry["name"].split("/")[:2])
            wall_us.setdefault(name, []).append(entry["real_time"] * UNIT_US[entry["time_unit"]])
            cpu_us.setdefault(name, []).append(entry["cpu_time"] * UNIT_US[entry["time_unit"]])
    return [{"name": name, "median_us": round(statistics.median(times), 1), "min_us": round(min(times), 1),
             "max_us": round(max(times), 1), "cpu_median_us": round(statistics.median(cpu_us[name]), 1)}
            for name, times in sorted(wall_us.items())]


def median_of(rows, kind, field):
    return round(statistics.median(row[field] for row in rows if row["name"].startswith(kind + "/")), 1)


def output_of(*command):
    return subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT).stdout.strip()


def cpu_name():
    for line in pathlib.Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return os.uname().machine


def main(program, output=ROOT / "tests/bench/results/engine.json"):
    load_before = os.getloadavg()[0]
    report = measure(program)
    rows = rows_of(report)
    medians_us = {kind: median_of(rows, kind, "median_us") for kind in TARGETS_US}
    cpu_medians_us = {kind: median_of(rows, kind, "cpu_median_us") for kind in TARGETS_US}
    result = {"commit": output_of("git", "rev-parse", "--short", "HEAD"), "nvrtc": report["context"]["nvrtc"],
              "cpu": cpu_name(), "cores": os.cpu_count(), "load_before": round(load_before, 2),
              "load_after": round(os.getloadavg()[0], 2), "date": report["context"]["date"], "medians_us": medians_us,
              "cpu_medians_us": cpu_medians_us, "targets_us": TARGETS_US, "rows": rows}
    pathlib.Path(output).write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    for kind, target in TARGETS_US.items():
        verdict = "" if medians_us[kind] <= target else "  missed"
        print(f"{kind:12} {medians_us[kind]:12.1f} us ({cpu_medians_us[kind]:.1f} of CPU) of {target} us{verdict}")
    return int(any(medians_us[kind] > target for kind, target in TARGETS_US.items()))


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))

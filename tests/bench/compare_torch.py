#!/usr/bin/env python3
"""Times rows of fused products beside torch: gemmd through libgemmd, every result checked, peers interleaved.

For each row of a rows file, in one process: bare cuBLAS, cuBLASLt's own fused epilogue where there is one, eager,
torch.compile, its max-autotune, and gemmd; the accuracy of each against fp64; CUDA-graph medians with a cold L2.
Writes one JSON file in the kernel-row format, anew after every row; plot_rows.py draws it.
Needs torch with a GPU. Exits 1 if a row of gemmd's failed.
"""

import argparse
import ctypes
import dataclasses
import datetime
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time
import typing

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(pathlib.Path(__file__).parent), str(ROOT / "client/python")]
import bench_report  # noqa: E402
import bench_rows  # noqa: E402
import gemmd  # noqa: E402
import torch  # noqa: E402
import torch._dynamo  # noqa: E402

import cold_timing  # noqa: E402
from torch_rows import RowData  # noqa: E402

COMPILE_MODES = {"compile": None, "compile_max": "max-autotune-no-cudagraphs"}
NVRTC_PROBE = bench_rows.BenchRow("plain", 16, 16, 16, "f32", "ieee")


class Gemmd:
    """libgemmd's compiler on the current device."""

    def __init__(self, library=None, nvrtc_directory=None):
        self._library = gemmd.Library(library)
        self._compiler = self._find_nvrtc([nvrtc_directory] if nvrtc_directory else [None, *_wheel_directories()])

    def _find_nvrtc(self, directories):
        """A compiler that finds NVRTC in the first of the directories that has it; None: where it usually is."""
        failure = None
        for directory in directories:
            compiler = gemmd.Compiler(self._library, nvrtc_dir=directory)
            try:
                compiler.compile(NVRTC_PROBE.spec(), arch="sm_90a")
                return compiler
            except gemmd.Error as error:
                failure = error
                if error.code != "UNAVAILABLE":
                    raise
        raise failure

    def compile(self, row, dynamic):
        return self._compiler.compile(row.spec(dynamic))


def _wheel_directories():
    """Where NVIDIA's wheels of this Python have libnvrtc."""
    libraries = (path for entry in sys.path for path in pathlib.Path(entry or ".").glob("nvidia/*/lib/libnvrtc.so.1*"))
    return sorted({path.parent for path in libraries})


@dataclasses.dataclass
class Candidate:
    """Something that computes the row: run(stream) gives its outputs, in the order of the row's."""

    run: typing.Callable
    held: tuple = ()  # memory that run uses by address
    graph: typing.Optional[torch.cuda.CUDAGraph] = None
    outputs: tuple = ()
    compile_s: float = 0.0


def gemmd_candidate(kernel, data, rows):
    outputs = data.new_outputs()
    m = rows if kernel.manifest["m"] is None else gemmd.OF_SPEC
    workspace = torch.empty(max(kernel.workspace_bytes(m=m), 1), device="cuda", dtype=torch.uint8)
    launch = kernel.prepare(data.pointers(outputs), m=m, workspace=workspace.data_ptr(),
                            workspace_bytes=workspace.numel())

    def run(stream):
        launch(stream.cuda_stream)
        return tuple(outputs.values())

    return Candidate(run, held=(kernel, workspace))


def peer_candidates(data, with_compile_max):
    x, w, operands = data.x, data.w, data.operands
    peers = {"cublas": Candidate(lambda stream: (torch.matmul(x, w),)),
             "eager": Candidate(lambda stream: data.kind.peer(x, w, operands))}
    if data.kind.fused is not None and data.row.dtype != "f32":
        peers["cublaslt_fused"] = Candidate(lambda stream: data.kind.fused(x, w, operands))
    for name, mode in COMPILE_MODES.items():
        if name == "compile_max" and not with_compile_max:
            continue
        compiled = torch.compile(data.kind.peer, mode=mode, dynamic=False)
        peers[name] = Candidate(lambda stream, f=compiled: f(x, w, operands))
    return peers


def capture(candidate):
    """Runs it once, which compiles what is compiled at the first call, and makes its graph."""
    start = time.monotonic()
    candidate.run(torch.cuda.current_stream())
    torch.cuda.synchronize()
    candidate.compile_s = time.monotonic() - start

    def keep_outputs(stream):
        candidate.outputs = candidate.run(stream)

    candidate.graph = cold_timing.capture(keep_outputs)


def capture_all(candidates, label):
    """Those that can run: a peer that can't run a row is absent. Raises what gemmd fails with."""
    captured = {}
    for name, candidate in candidates.items():
        try:
            capture(candidate)
            captured[name] = candidate
        except Exception as error:
            if name.startswith("gemmd"):
                raise
            print(f"{label}: {name} can't run: {type(error).__name__}: {str(error).splitlines()[0]}", file=sys.stderr)
    return captured


def compare(row, compiler, rounds, with_compile_max):
    """The row's entry in the results. Raises what gemmd fails with, and errors of the GPU."""
    torch.backends.cuda.matmul.allow_tf32 = row.precision == "tf32"
    torch._dynamo.reset()
    data = RowData(row)
    kernels = {"gemmd": compiler.compile(row, row.dynamic)}
    if row.dynamic:
        kernels["gemmd_static"] = compiler.compile(row, False)
    candidates = {name: gemmd_candidate(kernel, data, row.m) for name, kernel in kernels.items()}
    candidates = capture_all(candidates | peer_candidates(data, with_compile_max), row.label())
    for name in kernels:
        for output in candidates[name].outputs:
            output.fill_(float("nan"))
    for candidate in candidates.values():
        candidate.graph.replay()
    torch.cuda.synchronize()
    # cuBLAS's is the bare product: no result of the row, unless that is the row.
    checked = {name: c.outputs for name, c in candidates.items() if name != "cublas" or row.kind == "plain"}
    errors, within, tolerance = data.check(checked)
    written = all(not torch.isnan(output).any().item() for name in kernels for output in candidates[name].outputs)
    verified = written and all(within[name] for name in kernels)
    timed = cold_timing.interleaved_medians({name: c.graph for name, c in candidates.items()}, rounds)
    entry = row.entry() | bench_report.timing_fields(row, timed)
    entry |= {"error": errors, "tolerance": tolerance, "verified": verified,
              "compile_s": {name: round(candidates[name].compile_s, 3) for name in COMPILE_MODES if name in candidates}}
    entry |= bench_report.kernel_fields(kernels["gemmd"].report, row.m)
    if not verified:
        entry["reason"] = "an element was not written" if not written else "a result is beyond its tolerance"
    return entry


def failed_entry(row, error):
    text = str(error).strip() or type(error).__name__
    return row.entry() | {"times_us": {}, "verified": False, "reason": text}


def context_is_lost():
    """Whether an error ruined the CUDA context, and with it this process."""
    try:
        torch.cuda.synchronize()
        torch.zeros(1, device="cuda").item()
        return False
    except RuntimeError:
        return True


def driver_version():
    """"580.159.03 (CUDA 13.0)"."""
    version = ctypes.c_int()
    ctypes.CDLL("libcuda.so.1").cuDriverGetVersion(ctypes.byref(version))
    cuda = f"CUDA {version.value // 1000}.{version.value % 1000 // 10}"
    release = pathlib.Path("/sys/module/nvidia/version")
    return f"{release.read_text().strip()} ({cuda})" if release.exists() else cuda


def commit_of(given):
    if given:
        return given
    asked = subprocess.run(["git", "-C", ROOT, "rev-parse", "HEAD"], capture_output=True, text=True, check=False)
    return asked.stdout.strip()


def command_of(program, arguments):
    """The command, without the directories of the machine that it ran on."""
    return " ".join([f"tests/bench/{program}", *(pathlib.PurePath(a).name if "/" in a else a for a in arguments)])


def header(commit, program="compare_torch.py"):
    """What the rows of a results file were measured with."""
    return {"gpu": torch.cuda.get_device_name(), "driver": driver_version(), "torch": torch.__version__,
            "commit": commit_of(commit), "command": command_of(program, sys.argv[1:]),
            "date": datetime.date.today().isoformat()}


def compare_all(rows, compiler, rounds, with_compile_max, keep):
    """The entries of all rows; keep(entries) after each. After an error that loses the context the rest are failed."""
    entries, lost = [], None
    for row in rows:
        if lost:
            entries.append(failed_entry(row, f"not run: the CUDA context was lost in {lost}"))
        else:
            try:
                entries.append(compare(row, compiler, rounds, with_compile_max))
            except Exception as error:  # the row stays, with the reason
                entries.append(failed_entry(row, error))
                lost = row.label() if context_is_lost() else None
            if not lost:
                torch.cuda.empty_cache()
        keep(entries)
        print(bench_report.line(entries[-1]), flush=True)
    return entries


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", default="pointwise", help="a file, or the name of one in tests/bench/rows")
    parser.add_argument("--output", required=True, help="the results file to write")
    parser.add_argument("--kinds", nargs="*", choices=sorted(bench_rows.KIND_NAMES), help="only rows of these kinds")
    parser.add_argument("--dtypes", nargs="*", choices=sorted(bench_rows.PRECISIONS), help="only rows of these dtypes")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--no-compile-max", action="store_true", help="without max-autotune, which takes seconds a row")
    parser.add_argument("--library", help="libgemmd.so; by default the build tree's or the package's")
    parser.add_argument("--nvrtc-dir", help="where libnvrtc is; by default the usual places, then NVIDIA's wheels")
    parser.add_argument("--commit", default="", help="of the sources, where this tree is no checkout")
    arguments = parser.parse_args()
    rows = [row for row in bench_rows.read_rows(arguments.rows)
            if row.kind in (arguments.kinds or bench_rows.KIND_NAMES)
            and row.dtype in (arguments.dtypes or bench_rows.PRECISIONS)]
    torch.manual_seed(1)
    torch.zeros(1, device="cuda")  # makes the context
    result = header(arguments.commit)

    def keep(entries):
        pathlib.Path(arguments.output).write_text(json.dumps(result | {"rows": entries}, indent=1) + "\n")

    entries = compare_all(rows, Gemmd(arguments.library, arguments.nvrtc_dir), arguments.rounds,
                          not arguments.no_compile_max, keep)
    return 0 if all(entry["verified"] for entry in entries) else 1


if __name__ == "__main__":
    os.environ.setdefault("TORCHINDUCTOR_CACHE_DIR", tempfile.mkdtemp())
    sys.exit(main())

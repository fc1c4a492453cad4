#!/usr/bin/env python3
"""Times a set of rows beside torch: kernels compiled by the daemon, launched in this process, verified against fp64.

Writes one JSON file in the kernel-row format. Needs torch, and gemmd and gemmctl in --bin (the unpacked tarball's bin,
or a build's). Exits 1 if a row is wrong.
"""

import argparse
import datetime
import json
import os
import pathlib
import subprocess
import sys
import tempfile

import torch

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from cuda_driver import Driver
from main_job import ROOT, Daemon, time_row
from pointwise_rows import ROW_SETS


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bin", required=True, help="directory of gemmd and gemmctl")
    parser.add_argument("--rows", required=True, choices=sorted(ROW_SETS))
    parser.add_argument("--output", required=True, help="the results file to write")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--autotune", action="store_true", help="torch.compile max-autotune as a peer too: minutes")
    parser.add_argument("--commit", default="", help="of the sources, where this tree is no checkout")
    arguments = parser.parse_args()
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.manual_seed(1)
    torch.zeros(1, device="cuda")
    modes = {"compile": None} | ({"compile_max": "max-autotune-no-cudagraphs"} if arguments.autotune else {})
    rows = []
    with tempfile.TemporaryDirectory() as directory:
        daemon = Daemon(arguments.bin, directory)
        with daemon.running():
            device = daemon.gemmctl("devices")["devices"][0]
            for row in ROW_SETS[arguments.rows]:
                rows.append(time_row(row, daemon, Driver(), directory, arguments.rounds, modes))
                torch.cuda.empty_cache()
    commit = arguments.commit or subprocess.run(["git", "-C", ROOT, "rev-parse", "HEAD"], capture_output=True,
                                                text=True).stdout.strip()
    result = {"gpu": torch.cuda.get_device_name(), "driver": device["driver"], "torch": torch.__version__,
              "commit": commit, "command": f"tests/bench/kernel_rows.py --rows {arguments.rows}",
              "date": datetime.date.today().isoformat(), "rows": rows}
    pathlib.Path(arguments.output).write_text(json.dumps(result, indent=1) + "\n")
    for row in rows:
        print(f"{row['kind']:14} {row['M']}x{row['K']}x{row['N']} {row['dtype']:5} verified={row['verified']} "
              f"vs cublas {row['ratio_to_cublas']['median']:.3f}  {row['times_us']} {row['config']}")
    return 0 if all(row["verified"] for row in rows) else 1


if __name__ == "__main__":
    os.environ.setdefault("TORCHINDUCTOR_CACHE_DIR", tempfile.mkdtemp())
    sys.exit(main())

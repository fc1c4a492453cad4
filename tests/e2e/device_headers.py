"""Compiles every header of the device library alone with nvcc, every warning an error.

Usage: device_headers.py KERNELS_SRC [NVCC]; NVCC is looked for on PATH and in /usr/local/cuda when it is not named.
Exits 77, which ctest shows as "Skipped", where there is no nvcc.
"""

import concurrent.futures
import os
import pathlib
import shutil
import subprocess
import sys

ARCH = "sm_90a"


def find_nvcc():
    return shutil.which("nvcc") or shutil.which("nvcc", path="/usr/local/cuda/bin")


def lint(nvcc, root, header):
    """What nvcc has against a header, or "" when it has nothing."""
    command = [nvcc, f"-arch={ARCH}", "-std=c++20", "-I", str(root), "-Werror", "all-warnings", "-x", "cu", "--device-c",
               "-o", os.devnull, "-"]
    done = subprocess.run(command, input=f'#include "{header}"\n', capture_output=True, text=True, timeout=120,
                          check=False)
    return "" if done.returncode == 0 else done.stdout + done.stderr or f"nvcc exited with {done.returncode}"


def main(arguments):
    root = pathlib.Path(arguments[0]).resolve()
    nvcc = arguments[1] if len(arguments) > 1 else find_nvcc()
    if not nvcc:
        print("skipped: no nvcc")
        return 77
    headers = sorted(path.relative_to(root).as_posix() for path in root.rglob("*.cuh"))
    if not headers:
        print(f"no headers under {root}")
        return 1
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        complaints = list(pool.map(lambda header: lint(nvcc, root, header), headers))
    failed = [(header, complaint) for header, complaint in zip(headers, complaints) if complaint]
    for header, complaint in failed:
        print(f"{header}:\n{complaint}")
    print(f"{len(headers) - len(failed)} of {len(headers)} headers compile alone with {nvcc}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

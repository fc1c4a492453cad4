"""Every command of gemmctl that the README shows works as it is shown, and so do those that build and run examples.

Usage: readme_commands.py README SOURCE_DIR BIN_DIR [CUDA_INCLUDE_DIR]; without the last one examples are skipped, aloud.
"""

import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "testing"))
from daemon import running_daemon  # noqa: E402
from sanitized import limited, scale_specs  # noqa: E402

COMMAND_S = 600
SH_BLOCK = re.compile(r"^```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)
CALL = re.compile(r"(\w+=\S+ )*(cat .*\| *)?gemmctl\b")
EXAMPLE = re.compile(r"(cc|python3|\./launch)\b")
ADDRESS = re.compile(r"unix:/[^\s\"']+")
DIM = re.compile(r"(?<=--dim )(\w+)=(\d+)")


def commands_of(readme):
    """The lines of its sh blocks that call gemmctl, or an example; continuation lines joined."""
    commands = []
    for block in SH_BLOCK.findall(readme):
        lines = block.replace("\\\n", " ").splitlines()
        commands += [line for line in lines if CALL.match(line) or EXAMPLE.match(line)]
    return commands


def main(readme_path, source_directory, bin_directory, cuda_include_directory=None):
    source_directory, bin_directory = (pathlib.Path(path).resolve() for path in (source_directory, bin_directory))
    commands = commands_of(pathlib.Path(readme_path).read_text())
    if not commands:
        print(f"{readme_path} shows no gemmctl command")
        return 1
    failed = 0
    with running_daemon(bin_directory) as (_, address), tempfile.TemporaryDirectory() as work:
        # What the commands write lands in a directory of its own; what they read is the tree's.
        shutil.copytree(source_directory / "client", pathlib.Path(work, "client"))
        scale_specs(pathlib.Path(work, "client/examples"))
        os.symlink(source_directory / "tests", pathlib.Path(work, "tests"))
        os.makedirs(f"{work}/build")
        os.symlink(bin_directory.parent, pathlib.Path(work, "build/release"))
        environment = dict(os.environ, PATH=f"{bin_directory}:{os.environ['PATH']}", GEMMD_ADDRESS=address,
                           C_INCLUDE_PATH=str(cuda_include_directory), LD_LIBRARY_PATH=f"{bin_directory.parent}/lib")
        for command in commands:
            if EXAMPLE.match(command) and cuda_include_directory is None:
                print(f"[skipped: not under sanitizers] {command}")
                continue
            command = DIM.sub(lambda dim: f"{dim[1]}={limited(int(dim[2]))}", ADDRESS.sub(address, command))
            result = subprocess.run(["bash", "-o", "pipefail", "-c", command], cwd=work,
                                    env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                                    timeout=COMMAND_S)
            print(f"[{result.returncode}] {command}")
            if result.returncode != 0:
                failed += 1
                print(result.stdout, result.stderr)
    print(f"{len(commands)} commands, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))

"""Every gemmctl command that the README shows works as it is shown.

Usage: readme_commands.py README SOURCE_DIR BIN_DIR
"""

import os
import pathlib
import re
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "testing"))
from daemon import running_daemon  # noqa: E402

COMMAND_S = 600
SH_BLOCK = re.compile(r"^```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)
ADDRESS = re.compile(r"unix:/[^\s\"']+")


def commands_of(readme):
    """The lines of its sh blocks that call gemmctl, continuation lines joined."""
    commands = []
    for block in SH_BLOCK.findall(readme):
        lines = block.replace("\\\n", " ").splitlines()
        commands += [line for line in lines if re.match(r"(\w+=\S+ )*(cat .*\| *)?gemmctl\b", line)]
    return commands


def main(readme_path, source_directory, bin_directory):
    source_directory, bin_directory = (pathlib.Path(path).resolve() for path in (source_directory, bin_directory))
    commands = commands_of(pathlib.Path(readme_path).read_text())
    if not commands:
        print(f"{readme_path} shows no gemmctl command")
        return 1
    failed = 0
    with running_daemon(bin_directory) as (_, address), tempfile.TemporaryDirectory() as work:
        # What the commands write lands in a directory of its own; what they read is the tree's.
        os.symlink(source_directory / "client", pathlib.Path(work, "client"))
        environment = dict(os.environ, PATH=f"{bin_directory}:{os.environ['PATH']}", GEMMD_ADDRESS=address)
        for command in commands:
            result = subprocess.run(["bash", "-o", "pipefail", "-c", ADDRESS.sub(address, command)], cwd=work,
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

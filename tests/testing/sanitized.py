"""What a test does on a smaller scale in a sanitized build, in which everything takes many times longer."""

import json
import os
import pathlib

SANITIZED = "GEMMD_SANITIZED" in os.environ  # set by deploy/sanitizers/run.sh
MAX_EXTENT = 200


def limited(extent):
    """An extent of a launch: in a sanitized build at most MAX_EXTENT."""
    return min(extent, MAX_EXTENT) if SANITIZED else extent


def scale_specs(directory):
    """In a sanitized build: rewrites the spec files of a directory, the largest dim as MAX_EXTENT, the others smaller in
    proportion."""
    for path in pathlib.Path(directory).glob("*.json") if SANITIZED else ():
        spec = json.loads(path.read_text())
        literals = {name: extent for name, extent in spec["dims"].items() if extent != "dynamic"}
        largest = max(literals.values())
        spec["dims"].update({name: max(1, extent * MAX_EXTENT // largest) for name, extent in literals.items()})
        path.write_text(json.dumps(spec))


def prolong(path):
    """In a sanitized build: makes a launch of a scaled spec long again, with three hundred operations before its last."""
    if not SANITIZED:
        return
    spec = json.loads(pathlib.Path(path).read_text())
    spec["epilogue"][-1:-1] = [{"op": "tanh"}] * 300
    pathlib.Path(path).write_text(json.dumps(spec))

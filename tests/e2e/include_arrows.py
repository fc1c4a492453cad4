"""Checks a source tree against the house rules: who may include whom, how long a file may be, what lies at the top.

Usage: include_arrows.py [ROOT]; prints a line for each violation and exits 1 when there is one.
"""

import pathlib
import re
import sys

# What each folder may include besides itself. The arrows of the house: base <- spec <- plan <- codegen; compile, cache
# and cuda stand on spec and don't know each other; runtime and tune join them; engine wires; the rest are edges.
ARROWS = {
    "src/base": set(),
    "src/spec": {"src/base"},
    "src/plan": {"src/base", "src/spec"},
    "src/codegen": {"src/base", "src/spec", "src/plan", "kernels_src"},
    "src/compile": {"src/base", "src/spec", "kernels_src"},
    "src/cache": {"src/base", "src/spec"},
    "src/cuda": {"src/base", "src/spec"},
    "src/runtime": {"src/base", "src/spec", "src/plan", "src/compile", "src/cache", "src/cuda"},
    "src/tune": {"src/base", "src/spec", "src/plan", "src/codegen", "src/compile", "src/cache", "src/cuda",
                 "src/runtime"},
    "src/engine": {"src/base", "src/spec", "src/plan", "src/codegen", "src/compile", "src/cache", "src/runtime",
                   "src/tune", "kernels_src"},
    "kernels_src": set(),
    "proto": {"src/base", "src/spec"},
    "server": {"src/base", "src/spec", "src/plan", "src/codegen", "src/compile", "src/cache", "src/cuda",
               "src/runtime", "src/tune", "src/engine", "proto"},
    "client/libgemmd": {"src/base", "src/spec", "src/plan", "src/codegen", "src/compile", "src/cache", "src/cuda",
                        "src/runtime", "src/engine", "kernels_src"},
    "client": {"src/base", "src/spec", "src/plan", "proto"},
}

# Headers from outside that only some folders may know, by pattern of the included name.
GUARDED = (
    (re.compile(r"cuda(_runtime.*|_fp16|_bf16)?\.h"), {"src/cuda"}),
    (re.compile(r"nvrtc\.h"), {"src/compile"}),
    (re.compile(r"sqlite3\.h"), {"src/tune"}),
    (re.compile(r"grpc(pp)?/.*|.*\.grpc\.pb\.h"), {"server", "client"}),
    (re.compile(r"google/protobuf/.*|.*\.pb\.h"), {"proto", "server", "client", "src/runtime", "src/compile"}),
)

TOP_LEVEL = {"CMakeLists.txt", "CMakePresets.json", "LICENSE", "README.md", "client", "deploy",
             "kernels_src", "proto", "server", "src", "tests"}
NOT_SOURCE = {"build", "dist", "__pycache__"}

CXX_SUFFIXES = {".h", ".cc", ".cu", ".cuh", ".template"}
SOURCE_SUFFIXES = CXX_SUFFIXES | {".cmake", ".proto", ".py", ".sh"}
MAX_LINES = 500

INCLUDE = re.compile(r'^\s*#\s*include\s*(["<])([^">]+)[">]')


def folder_of(path):
    """The folder of the house that a path relative to the root lies in, or None for tests, deploy and the like."""
    for folder in ARROWS:
        if path.as_posix().startswith(folder + "/"):
            return folder
    return None


def target_of(root, including, name):
    """The path relative to the root that an include names, or None when it is not a file of the project."""
    for base in (root / "src", root, root / including.parent, root / "kernels_src"):
        candidate = base / name
        if candidate.is_file():
            return candidate.resolve().relative_to(root)
    return None


def include_violations(root, path, folder):
    for number, line in enumerate((root / path).read_text().splitlines(), start=1):
        match = INCLUDE.match(line)
        if not match:
            continue
        quote, name = match.groups()
        target = target_of(root, path, name)
        target_folder = folder_of(target) if target else None
        place = f"{path}:{number}"
        if target and target_folder is None:
            yield f"{place}: {folder} includes {target}, which is no part of the product"
        elif target_folder and target_folder != folder and target_folder not in ARROWS[folder]:
            yield f"{place}: {folder} includes {name} against the arrows"
        if path.suffix == ".cuh":
            if quote == "<" or target_folder != "kernels_src":
                yield f"{place}: the device library includes {name}, which is not its own"
            continue
        for pattern, allowed in GUARDED:
            if not target and pattern.fullmatch(name):
                if folder not in allowed:
                    yield f"{place}: only {', '.join(sorted(allowed))} may include {name}"
                break


def sources(root):
    for entry in sorted(root.iterdir()):
        if entry.name in NOT_SOURCE or entry.name.startswith("."):
            continue
        for path in sorted(entry.rglob("*")) if entry.is_dir() else [entry]:
            is_source = path.suffix in SOURCE_SUFFIXES or path.name == "CMakeLists.txt"
            if path.is_file() and is_source and not NOT_SOURCE.intersection(path.relative_to(root).parts):
                yield path.relative_to(root)


def violations(root):
    """Every violation in the tree, one line each."""
    root = pathlib.Path(root).resolve()
    found = []
    top_level = {entry.name for entry in root.iterdir() if not entry.name.startswith(".")} - NOT_SOURCE
    found += [f"{name}: is not in the house" for name in sorted(top_level - TOP_LEVEL)]
    for path in sources(root):
        lines = len((root / path).read_text().splitlines())
        if lines > MAX_LINES:
            found.append(f"{path}: {lines} lines, over {MAX_LINES}")
        folder = folder_of(path)
        if folder and path.suffix in CXX_SUFFIXES:
            found += include_violations(root, path, folder)
    return found


def main(arguments):
    root = arguments[0] if arguments else pathlib.Path(__file__).resolve().parents[2]
    found = violations(root)
    for line in found:
        print(line)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

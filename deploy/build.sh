#!/usr/bin/env bash
# Configures a preset and builds it.
#
# Usage: deploy/build.sh [--preset NAME] [TARGET …]
#   --preset NAME  one of CMakePresets.json (default release); the build lies in build/NAME
#   TARGET         only these targets (default: everything)
set -euo pipefail

root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
preset=release
if [[ "${1:-}" == --preset ]]; then
  preset="${2:?--preset takes a name}"
  shift 2
fi

# Objects are found again from another checkout: paths inside the tree are hashed relative to it.
export CCACHE_BASEDIR="$root" CCACHE_NOHASHDIR=1 CCACHE_MAXSIZE="${CCACHE_MAXSIZE:-2G}"

cd "$root"
options=()
# What install_deps.sh --wheel fetched comes before a toolkit.
if [[ -f build/cuda/complete ]]; then
  options+=("-DGEMMD_CUDA_PREFIX=$root/build/cuda")
fi
printf 'build: preset %s in build/%s\n' "$preset" "$preset"
cmake --preset "$preset" "${options[@]}" --log-level=WARNING
quiet=()
if [[ ! -t 1 ]]; then
  quiet=(--quiet)
fi
# Ninja builds everything when no target is named.
ninja -C "build/$preset" -j "$(nproc)" "${quiet[@]}" "$@"

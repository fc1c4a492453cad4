#!/usr/bin/env bash
# Installs, builds and runs every test. The tests labelled gpu run too: where there is no GPU they say that they skip.
#
# Usage: deploy/test.sh [--no-install] [--preset NAME] [--tidy]
#   --no-install   what is needed is there
#   --preset NAME  one of CMakePresets.json (default release)
#   --tidy         clang-tidy as well, over src, proto, server and client (slow)
set -euo pipefail

root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
install=1
tidy=0
preset=release
while (($# > 0)); do
  case "$1" in
    --no-install) install=0 ;;
    --preset)
      preset="${2:?--preset takes a name}"
      shift
      ;;
    --tidy) tidy=1 ;;
    -h | --help)
      sed -n '2,7s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"
      exit 0
      ;;
    *)
      printf 'test: unknown argument %s\n' "$1" >&2
      exit 2
      ;;
  esac
  shift
done

say() { printf 'test: %s\n' "$*"; }

sources() {
  find src proto server client tests kernels_src \( "$@" \) -type f -print0
}

cd "$root"
if ((install)); then
  deploy/install_deps.sh --tests
fi

say "format"
sources -name '*.h' -o -name '*.cc' -o -name '*.cuh' | xargs -0 clang-format-14 --dry-run -Werror

deploy/build.sh --preset "$preset"

if ((tidy)); then
  say "clang-tidy"
  # It also counts the warnings that it does not show, those in the headers of others.
  find src proto server client -name '*.cc' -print0 |
    xargs -0 -n 1 -P "$(nproc)" clang-tidy-14 --quiet -p "build/$preset" 2> >(grep -v '^[0-9]* warnings* generated' >&2)
fi

if compgen -G '/dev/nvidia[0-9]*' >/dev/null; then
  say "with a GPU"
else
  say "without a GPU: the tests labelled gpu will be skipped"
fi
ctest --test-dir "build/$preset" --output-on-failure -j "$(nproc)" --no-tests=error </dev/null

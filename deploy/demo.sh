#!/usr/bin/env bash
# The main job, end to end: installs, builds, starts a daemon, submits one spec twice, stops the daemon.
#
# Usage: deploy/demo.sh [--no-install | --programs DIR]
#   --no-install    what is needed is there
#   --programs DIR  run the programs in DIR, an unpacked package's bin; install and build nothing
set -euo pipefail

root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
bin="$root/build/release/bin"
spec="$root/client/examples/mlp_residual_gelu.json"
scratch=
daemon=

say() { printf '\n== %s\n' "$*"; }

fail() {
  printf 'demo: %s\n' "$*" >&2
  if [[ -n "$scratch" && -s "$scratch/gemmd.log" ]]; then
    printf 'demo: what the daemon said last:\n' >&2
    tail -n 20 "$scratch/gemmd.log" >&2
  fi
  exit 1
}

clean_up() {
  if [[ -n "$daemon" ]]; then
    kill -KILL "$daemon" 2>/dev/null || true
    wait "$daemon" 2>/dev/null || true
  fi
  if [[ -n "$scratch" ]]; then
    rm -rf "$scratch"
  fi
}

gemmctl() { "$bin/gemmctl" --address "unix:$scratch/socket" "$@"; }

start_daemon() {
  "$bin/gemmd" --listen "unix:$scratch/socket" --cache-dir "$scratch/cache" </dev/null >"$scratch/gemmd.log" 2>&1 &
  daemon=$!
  local attempt
  for attempt in {1..100}; do
    if gemmctl health >/dev/null 2>&1; then
      return
    fi
    kill -0 "$daemon" 2>/dev/null || fail "the daemon ended while it started (attempt $attempt)"
    sleep 0.2
  done
  fail "the daemon does not answer"
}

stop_daemon() {
  local status=0
  kill -TERM "$daemon"
  wait "$daemon" || status=$?
  daemon=
  ((status == 0)) || fail "the daemon ended with status $status"
}

# Prints a run, checks it, and leaves its output in $scratch/$1.
submit() {
  gemmctl run "$spec" --dim "M=$rows" --random --verify | tee "$scratch/$1" || fail "the run failed"
}

build=true
case "${1:-}" in
  '') "$root/deploy/install_deps.sh" ;;
  --no-install) ;;
  --programs)
    bin="${2:?--programs takes a directory}"
    build=false
    ;;
  *)
    sed -n '2,6s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"
    [[ "$1" == --help ]] || exit 2
    exit 0
    ;;
esac
if $build; then
  "$root/deploy/build.sh" gemmd gemmctl gemmd_device_worker gemmd_compile_worker
fi

trap clean_up EXIT
trap 'exit 130' INT TERM
scratch="$(mktemp -d "${TMPDIR:-/tmp}/gemmd.XXXXXX")"

say "a daemon on a unix socket"
start_daemon
gemmctl devices | tee "$scratch/devices"

if gemmctl devices --json | grep -q '"kind": *"cuda"'; then
  rows=8192
  where="the GPU computed; the CUDA kernel was compiled for it"
else
  rows=256
  where="there is no GPU: the CUDA kernel was compiled and cached, the host device computed"
fi

say "$(basename "$spec") with M = $rows, compiled, run and verified"
submit first
say "the same again"
submit second
grep -q '^kernel: *compiled in' "$scratch/first" || fail "the first run did not compile"
grep -q '^kernel: *cache hit' "$scratch/second" || fail "the second run was no cache hit"

say "the daemon stops"
stop_daemon
printf 'demo: done; %s\n' "$where"

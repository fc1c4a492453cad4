#!/usr/bin/env bash
# Runs a program of a sanitized build, and fails where a sanitizer reported anything in it or in any process it started,
# however that process ended. CMake puts it before every test of the presets asan and tsan.
#
# Usage: deploy/sanitizers/run.sh PROGRAM [ARGUMENT …]
set -uo pipefail

here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
reports="$(mktemp -d)"
trap 'rm -rf "$reports"' EXIT

export GEMMD_SANITIZED=1  # tests/testing/sanitized.py
shared="log_path=$reports/report:print_stacktrace=1"
export ASAN_OPTIONS="$shared:halt_on_error=1:detect_leaks=1:detect_stack_use_after_return=1:strict_string_checks=1"
export LSAN_OPTIONS="suppressions=$here/leaks.supp:print_suppressions=0"
export UBSAN_OPTIONS="$shared:halt_on_error=1"
export TSAN_OPTIONS="$shared:halt_on_error=0:second_deadlock_stack=1"
TSAN_OPTIONS+=":suppressions=$here/races.supp:print_suppressions=0"

# ThreadSanitizer of g++ 12 and 13 does not start where addresses have more than 28 random bits.
fixed_addresses=()
if (($(cat /proc/sys/vm/mmap_rnd_bits 2>/dev/null || echo 0) > 28)); then
  fixed_addresses=(setarch -R)
fi

"${fixed_addresses[@]}" "$@"
code=$?
for report in "$reports"/*; do
  [[ -s "$report" ]] || continue
  cat "$report" >&2
  ((code == 0 || code == 77)) && code=99
done
exit "$code"

#!/usr/bin/env bash
# Installs what building gemmd needs on Debian 12 or Ubuntu 24.04, and only what is missing: a second run changes
# nothing and needs no network.
#
# Usage: deploy/install_deps.sh [--tests] [--wheel]
#   --tests  also what the tests need: formatters and a Python environment in build/venv
#   --wheel  NVRTC and the CUDA headers from NVIDIA's wheels, into build/cuda, even where a toolkit is installed
set -euo pipefail

root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"

build_packages=(
  g++ cmake ninja-build ccache pkg-config ca-certificates python3 python3-venv
  protobuf-compiler libprotobuf-dev protobuf-compiler-grpc libgrpc++-dev libgrpc-dev
  libabsl-dev libspdlog-dev libfmt-dev nlohmann-json3-dev libeigen3-dev libcli11-dev libtomlplusplus-dev libssl-dev
  libsqlite3-dev libgtest-dev libgmock-dev libbenchmark-dev
)
test_packages=(clang-format-14 clang-tidy-14)  # by version: another one formats otherwise
cuda_wheels=('nvidia-cuda-nvrtc==13.0.*' 'nvidia-cuda-runtime==13.0.*')

say() { printf 'install: %s\n' "$*"; }

as_root() {
  if [[ "$(id -u)" == 0 ]]; then
    "$@"
  else
    sudo "$@"
  fi
}

install_packages() {
  local package missing=()
  for package in "$@"; do
    if [[ "$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null)" != installed ]]; then
      missing+=("$package")
    fi
  done
  if ((${#missing[@]} == 0)); then
    say "system packages: all $# present"
    return
  fi
  say "system packages: installing ${missing[*]}"
  # A first failure: the package lists are missing or old.
  if ! quietly apt_install "${missing[@]}" 2>/dev/null; then
    quietly as_root apt-get update -q
    quietly apt_install "${missing[@]}"
  fi
}

apt_install() {
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "$@" </dev/null
}

# Shows what a command printed only when it failed.
quietly() {
  local output
  if ! output="$("$@" 2>&1)"; then
    printf '%s\n' "$output" >&2
    return 1
  fi
}

# Where the build looks by itself; a toolkit before 13 has another driver interface.
find_toolkit() {
  local toolkit
  for toolkit in /usr/local/cuda /usr/local/cuda-13.0; do
    if [[ -f "$toolkit/include/nvrtc.h" && -f "$toolkit/include/cuda.h" ]] &&
      compgen -G "$toolkit/lib64/libnvrtc.so.13*" >/dev/null; then
      printf '%s\n' "$toolkit"
      return
    fi
  done
}

# One environment for pip alone, so that nothing is installed outside the tree.
make_venv() {
  if [[ ! -x "$1/bin/pip" ]]; then
    /usr/bin/python3 -m venv "$1"
  fi
}

install_cuda() {
  local toolkit prefix="$root/build/cuda"
  toolkit="$(find_toolkit)"
  if [[ -n "$toolkit" && "$force_wheel" == 0 ]]; then
    say "CUDA headers and NVRTC: $toolkit"
    return
  fi
  if [[ -f "$prefix/complete" ]]; then
    say "CUDA headers and NVRTC: present in build/cuda"
    return
  fi
  say "CUDA headers and NVRTC: ${cuda_wheels[*]} into build/cuda"
  rm -rf "$prefix"
  make_venv "$root/build/venv"
  "$root/build/venv/bin/pip" install --quiet --disable-pip-version-check --no-deps --target "$prefix" \
    "${cuda_wheels[@]}"
  touch "$prefix/complete"
}

install_python() {
  local requirements="$root/tests/e2e/requirements.txt" venv="$root/build/venv"
  if cmp -s "$requirements" "$venv/installed_requirements.txt"; then
    say "Python test environment: present in build/venv"
    return
  fi
  say "Python test environment: tests/e2e/requirements.txt into build/venv"
  make_venv "$venv"
  "$venv/bin/pip" install --quiet --disable-pip-version-check -r "$requirements"
  cp "$requirements" "$venv/installed_requirements.txt"
}

force_wheel=0
with_tests=0
for argument in "$@"; do
  case "$argument" in
    --tests) with_tests=1 ;;
    --wheel) force_wheel=1 ;;
    -h | --help)
      sed -n '2,8s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"
      exit 0
      ;;
    *)
      say "unknown argument $argument" >&2
      exit 2
      ;;
  esac
done

if ((with_tests)); then
  install_packages "${build_packages[@]}" "${test_packages[@]}"
else
  install_packages "${build_packages[@]}"
fi
install_cuda
if ((with_tests)); then
  install_python
fi

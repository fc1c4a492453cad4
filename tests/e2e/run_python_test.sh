#!/bin/sh
# run_python_test.sh PYTHON MODULE: runs one module of tests; exits with 77 (skipped) where its packages are absent.
if ! "$1" -c 'import grpc_tools, grpc_health, grpc_reflection, jsonschema, numpy, yaml' 2>/dev/null; then
  echo "skipped: $1 has not all of tests/e2e/requirements.txt (set GEMMD_TEST_PYTHON, or run deploy/test.sh)"
  exit 77
fi
exec "$1" -B -m unittest -v "$2"

"""gemmd and gemmctl used clumsily or killed: a clear error, the documented exit code, and nothing lost.

Usage: misuse_test.py BIN_DIR EXAMPLES_DIR
"""

import contextlib
import os
import pathlib
import re
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "testing"))
from daemon import running_daemon  # noqa: E402
from sanitized import limited, prolong, scale_specs  # noqa: E402

TIMEOUT_S = 120
CANNOT_START, BAD_FLAGS = 1, 2
INVALID, UNREACHABLE, FAILED = 2, 4, 6

# Infinities through every activation.
INFINITIES = """{"version": 1,
  "inputs": {"x": {"dtype": "f32", "shape": [40, 8]}, "w": {"dtype": "f32", "shape": [8, 24]}},
  "matmul": {"a": "x", "b": "w"},
  "epilogue": [
    {"op": "mul", "value": 1e30}, {"op": "mul", "value": 1e30, "id": "infinity"},
    {"op": "gelu"}, {"op": "store", "output": "gelu_erf", "dtype": "f32"},
    {"op": "gelu", "form": "tanh", "input": "infinity"}, {"op": "store", "output": "gelu_tanh", "dtype": "f32"},
    {"op": "silu", "input": "infinity"}, {"op": "store", "output": "silu", "dtype": "f32"},
    {"op": "sigmoid", "input": "infinity"}, {"op": "store", "output": "sigmoid", "dtype": "f32"},
    {"op": "tanh", "input": "infinity"}, {"op": "store", "output": "tanh", "dtype": "f32"}]}"""


def children_of(pid, name):
    children = []
    for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
        for child in (task / "children").read_text().split():
            with contextlib.suppress(OSError):
                if pathlib.Path(f"/proc/{child}/comm").read_text().strip() == name[:15]:
                    children.append(int(child))
    return children


class MisuseTest(unittest.TestCase):
    bin_directory = None
    examples = None

    def setUp(self):
        scratch = tempfile.TemporaryDirectory(prefix="gemmd.")
        self.addCleanup(scratch.cleanup)
        self.scratch = pathlib.Path(scratch.name)
        self.specs = self.scratch / "specs"
        shutil.copytree(self.examples, self.specs)
        scale_specs(self.specs)
        prolong(self.specs / "mlp_gelu_aux.json")

    def gemmd(self, *arguments):
        return subprocess.run([self.bin_directory / "gemmd", *arguments], stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=TIMEOUT_S)

    def gemmctl(self, address, *arguments, text=None):
        return subprocess.run([self.bin_directory / "gemmctl", "--address", address, *arguments], input=text or "",
                              capture_output=True, text=True, timeout=TIMEOUT_S)

    def start_run(self, address, *arguments):
        return subprocess.Popen([self.bin_directory / "gemmctl", "--address", address, "run",
                                 self.specs / "mlp_gelu_aux.json", "--random", *arguments],
                                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def await_launch(self, process):
        """Until the daemon's device worker computes."""
        worker, = children_of(process.pid, "gemmd_device_worker")
        busy_since = time.monotonic()

        def ticks():
            return int(pathlib.Path(f"/proc/{worker}/stat").read_text().rsplit(")", 1)[1].split()[11])

        first = ticks()
        while ticks() < first + 20:
            self.assertLess(time.monotonic(), busy_since + TIMEOUT_S)
            time.sleep(0.02)
        return worker

    def assert_refused(self, result, code, pattern):
        self.assertEqual(result.returncode, code, result.stdout + result.stderr)
        self.assertRegex(result.stdout + result.stderr, pattern)

    def test_wrong_flags_of_the_daemon_end_with_two(self):
        listen = f"--listen=unix:{self.scratch}/socket"
        for arguments, pattern in {
                (): "--listen: found nothing",
                (listen, "--frobnicate"): "--frobnicate",
                (listen, "--slots", "99999999999"): "--slots",
                (listen, "--memory-cache-bytes", "4GiB"): "--memory-cache-bytes",
                (listen, "--slots", "0", "--device", "gpu0"): "--slots: found 0.*\n.*--device: found gpu0",
                (f"--listen=unix:/{'a' * 120}",): "under 108 bytes",
                ("--listen=unix:relative.sock",): "absolute",
                (listen, "--cache-dir", "relative"): "--cache-dir: found \"relative\", expected an absolute path",
        }.items():
            with self.subTest(arguments):
                self.assert_refused(self.gemmd(*arguments), BAD_FLAGS, pattern)
        self.assertEqual(self.gemmd("--help").returncode, 0)

    def test_a_daemon_that_cannot_start_ends_with_one_and_says_why(self):
        listen, file = f"--listen=unix:{self.scratch}/socket", self.scratch / "file"
        file.write_text("precious")
        for arguments, pattern in {
                (listen, "--cache-dir", str(file)): "not a directory",
                (listen, "--cache-dir", "/proc/nowhere"): "cache directory /proc/nowhere",
                (f"--listen=unix:{file}", "--cache-dir", f"{self.scratch}/cache"): "no socket",
                (listen, "--cache-dir", f"{self.scratch}/cache", "--device", "cuda:1000"): "cuda:1000 does not start",
                (f"--listen=unix:{self.scratch}/none/socket", "--cache-dir", f"{self.scratch}/cache"): "no such directory",
        }.items():
            with self.subTest(arguments):
                self.assert_refused(self.gemmd(*arguments), CANNOT_START, pattern)
        self.assertEqual(file.read_text(), "precious")

    def test_a_second_daemon_leaves_the_first_its_socket(self):
        with running_daemon(self.bin_directory, ("--device", "host")) as (_, address):
            second = self.gemmd("--listen", address, "--cache-dir", f"{self.scratch}/cache")
            self.assert_refused(second, CANNOT_START, "another daemon listens there")
            self.assertEqual(self.gemmctl(address, "health").returncode, 0)

    def test_a_second_daemon_does_not_share_the_firsts_port(self):
        with socket.create_server(("127.0.0.1", 0)) as probe:
            port = probe.getsockname()[1]
        address = f"127.0.0.1:{port}"
        with running_daemon(self.bin_directory, ("--device", "host", "--listen", address)):
            second = self.gemmd("--listen", address, "--cache-dir", f"{self.scratch}/cache")
            self.assert_refused(second, CANNOT_START, f"cannot listen on {address}")

    def test_a_cache_that_became_read_only_costs_no_result(self):
        with running_daemon(self.bin_directory, ("--device", "host")) as (_, address):
            cache = pathlib.Path(address.removeprefix("unix:")).parent / "cache"
            for path in [cache, *cache.rglob("*")]:
                if path.is_dir():
                    path.chmod(stat.S_IRUSR | stat.S_IXUSR)
            if os.access(cache, os.W_OK):  # root writes anyway: take the directory away
                cache.rename(cache.with_name("gone"))
            run = self.gemmctl(address, "run", "-", "--random", "--verify", text=INFINITIES)
            self.assertEqual(run.returncode, 0, run.stdout + run.stderr)
            log = (cache.parent / "log").read_text()
            self.assertTrue("is compiled but not cached" in log or "tier=compiled" not in log, log)
            for path in cache.parent.rglob("*"):
                if path.is_dir():
                    path.chmod(stat.S_IRWXU)

    def test_infinities_go_through_the_activations_as_in_their_formulas(self):
        with running_daemon(self.bin_directory, ("--device", "host")) as (_, address):
            run = self.gemmctl(address, "run", "-", "--random", "--verify", text=INFINITIES)
            self.assertEqual(run.returncode, 0, run.stdout + run.stderr)

    def test_sigterm_lets_a_run_end_and_deliver(self):
        out = self.scratch / "out.npy"
        with running_daemon(self.bin_directory, ("--device", "host", "--drain-ms", "60000")) as (process, address):
            run = self.start_run(address, "--dim", f"M={limited(128)}", "--output", f"out={out}")
            self.await_launch(process)
            process.send_signal(signal.SIGTERM)
            _, errors = run.communicate(timeout=TIMEOUT_S)
            self.assertEqual(run.returncode, 0, errors)
        self.assertGreater(out.stat().st_size, limited(128) * limited(8192) * 2)

    def test_a_killed_device_worker_costs_its_calls_alone(self):
        with running_daemon(self.bin_directory, ("--device", "host")) as (process, address):
            run = self.start_run(address, "--dim", f"M={limited(512)}")
            os.kill(self.await_launch(process), signal.SIGKILL)
            _, errors = run.communicate(timeout=TIMEOUT_S)
            self.assertEqual(run.returncode, UNREACHABLE, errors)
            self.assertIn("host", errors)
            again = self.gemmctl(address, "run", "-", "--random", "--verify", text=INFINITIES)
            self.assertEqual(again.returncode, 0, again.stdout + again.stderr)

    def test_killed_compile_workers_cost_at_most_their_compiles(self):
        with running_daemon(self.bin_directory, ("--device", "host")) as (process, address):
            compile_command = [self.bin_directory / "gemmctl", "--address", address, "compile",
                               self.specs / "mlp_residual_gelu.json", "--arch", "sm_90a"]
            compiling = subprocess.Popen(compile_command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                         stderr=subprocess.PIPE, text=True)
            time.sleep(0.15)
            for worker in children_of(process.pid, "gemmd_compile_worker"):
                os.kill(worker, signal.SIGKILL)
            _, errors = compiling.communicate(timeout=TIMEOUT_S)
            self.assertIn(compiling.returncode, (0, UNREACHABLE, FAILED), errors)
            again = subprocess.run(compile_command, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                                   timeout=TIMEOUT_S)
            if re.search("nvrtc", again.stderr, re.IGNORECASE):
                self.skipTest(f"skipped: {again.stderr}")
            self.assertEqual(again.returncode, 0, again.stderr)


if __name__ == "__main__":
    MisuseTest.bin_directory, MisuseTest.examples = map(pathlib.Path, sys.argv[1:])
    unittest.main(argv=sys.argv[:1])

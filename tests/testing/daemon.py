"""A gemmd of its own for one test: on a unix socket in a fresh directory, with a fresh cache."""

import contextlib
import pathlib
import signal
import subprocess
import tempfile
import time

STARTUP_S = 60
SHUTDOWN_S = 60


@contextlib.contextmanager
def running_daemon(bin_directory, arguments=(), environment=None):
    """Yields (process, address) of a daemon that answers; afterwards it must stop cleanly on SIGTERM."""
    with tempfile.TemporaryDirectory(prefix="gemmd.") as directory:
        address = f"unix:{directory}/socket"
        log_path = pathlib.Path(directory, "log")
        with log_path.open("wb") as log:
            process = subprocess.Popen(
                [f"{bin_directory}/gemmd", "--listen", address, "--cache-dir", f"{directory}/cache", *arguments],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment)
        try:
            _wait_until_healthy(bin_directory, process, address, log_path, environment)
            yield process, address
            process.send_signal(signal.SIGTERM)
            status = process.wait(SHUTDOWN_S)
            if status != 0:
                raise AssertionError(f"gemmd ended with {status}:\n{log_path.read_text()}")
        finally:
            process.kill()
            process.wait()


def _wait_until_healthy(bin_directory, process, address, log_path, environment):
    deadline = time.monotonic() + STARTUP_S
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise AssertionError(f"gemmd ended with {process.returncode}:\n{log_path.read_text()}")
        health = subprocess.run([f"{bin_directory}/gemmctl", "--address", address, "health"], env=environment,
                                stdin=subprocess.DEVNULL, capture_output=True, timeout=STARTUP_S)
        if health.returncode == 0:
            return
        time.sleep(0.1)
    raise AssertionError(f"gemmd does not answer:\n{log_path.read_text()}")

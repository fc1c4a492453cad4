"""A gemmd of its own for one test: on a unix socket in a directory of the test's, with its log and cache beside it."""

import contextlib
import pathlib
import signal
import subprocess
import tempfile
import time

STARTUP_S = 60
SHUTDOWN_S = 60


class Process:
    """One run of gemmd. The directory may see several of them, one after another."""

    def __init__(self, bin_directory, directory, arguments=(), environment=None):
        """Returns once it answers; raises AssertionError with its log where it does not."""
        self.socket = pathlib.Path(directory, "socket")
        self.address = f"unix:{self.socket}"
        self._log_path = pathlib.Path(directory, "log")
        with self._log_path.open("ab") as log:
            self.process = subprocess.Popen(
                [f"{bin_directory}/gemmd", "--listen", self.address, "--cache-dir", f"{directory}/cache", *arguments],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment)
        try:
            self._wait_until_healthy(bin_directory, environment)
        except BaseException:
            self.kill()
            raise

    def log(self):
        return self._log_path.read_text(encoding="utf-8")

    def children(self):
        """The process ids of its workers."""
        found = []
        for task in pathlib.Path(f"/proc/{self.process.pid}/task").iterdir():
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # a thread that has ended
                found += [int(pid) for pid in (task / "children").read_text().split()]
        return found

    def workers(self, program):
        """The process ids of its workers that run `program` and have not ended."""
        found = []
        for pid in self.children():
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                if program in pathlib.Path(f"/proc/{pid}/cmdline").read_text(encoding="utf-8"):  # of a zombie it is empty
                    found.append(pid)
        return found

    def stop(self):
        """Ends it as an operator would. Returns its exit code; kills it where it does not end in time."""
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(SHUTDOWN_S)
        except subprocess.TimeoutExpired:
            return self.kill()

    def kill(self):
        self.process.kill()
        return self.process.wait()

    def _wait_until_healthy(self, bin_directory, environment):
        deadline = time.monotonic() + STARTUP_S
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise AssertionError(f"gemmd ended with {self.process.returncode}:\n{self.log()}")
            health = subprocess.run([f"{bin_directory}/gemmctl", "--address", self.address, "health"], env=environment,
                                    stdin=subprocess.DEVNULL, capture_output=True, timeout=STARTUP_S, check=False)
            if health.returncode == 0:
                return
            time.sleep(0.1)
        raise AssertionError(f"gemmd does not answer:\n{self.log()}")


@contextlib.contextmanager
def running_daemon(bin_directory, arguments=(), environment=None):
    """Yields (process, address) of a daemon that answers; afterwards it must stop cleanly on SIGTERM."""
    with tempfile.TemporaryDirectory(prefix="gemmd.") as directory:
        daemon = Process(bin_directory, directory, arguments, environment)
        try:
            yield daemon.process, daemon.address
            code = daemon.stop()
            if code != 0:
                raise AssertionError(f"gemmd ended with {code}:\n{daemon.log()}")
        finally:
            daemon.kill()

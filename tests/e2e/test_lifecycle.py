"""How the daemon starts, reloads and stops: its configuration file, its signals, what it tells its service manager."""

import os
import pathlib
import shutil
import signal
import socket
import tempfile
import time
import unittest

import grpc

import gemmd_specs as specs
from gemmd_daemon import Daemon, pb

WAIT_S = 60


def wait_until(condition, what):
    deadline = time.monotonic() + WAIT_S
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"waited in vain for {what}")
        time.sleep(0.02)


class LifecycleTest(unittest.TestCase):
    def setUp(self):
        self.directory = tempfile.mkdtemp(prefix="gemmd_")
        self.addCleanup(shutil.rmtree, self.directory)
        self.file = pathlib.Path(self.directory, "gemmd.toml")

    def start(self, *flags, environment=None):
        daemon = Daemon(self.directory, *flags, environment=environment)
        self.addCleanup(daemon.kill)
        return daemon

    def reload(self, daemon, text):
        """What the daemon logs of a reload."""
        self.file.write_text(text, encoding="utf-8")
        before = len(daemon.log())
        daemon.process.send_signal(signal.SIGHUP)
        wait_until(lambda: "reload: " in daemon.log()[before:], "the reload")
        self.assertEqual(daemon.stub.ListDevices(pb.ListDevicesRequest()).devices[0].id, "host")
        return daemon.log()[before:]

    def test_the_file_configures_and_flags_override_it(self):
        self.file.write_text('log_format = "json"\nslots = 3\ncompile_workers = 1\n', encoding="utf-8")
        daemon = self.start("--config", str(self.file), "--log-format", "text")
        self.assertNotIn('"message"', daemon.log())
        compilers = [pid for pid in daemon.children()
                     if "gemmd_compile_worker" in pathlib.Path(f"/proc/{pid}/cmdline").read_text()]
        self.assertEqual(len(compilers), 1)
        self.assertEqual(daemon.stop(), 0)

    def test_sighup_takes_what_it_can_and_names_what_needs_a_restart(self):
        self.file.write_text('log_level = "info"\n', encoding="utf-8")
        daemon = self.start("--config", str(self.file))
        said = self.reload(daemon, 'log_level = "warning"\nslots = 3\n')
        wait_until(lambda: "needs a restart: slots" in daemon.log(), "the rest of the reload")
        calls = daemon.log().count("method=ListDevices")
        daemon.stub.ListDevices(pb.ListDevicesRequest())
        self.assertEqual(daemon.log().count("method=ListDevices"), calls, said)
        said = self.reload(daemon, 'log_level = "debug"\nslots = 8\n')
        daemon.stub.ListDevices(pb.ListDevicesRequest())
        self.assertGreater(daemon.log().count("method=ListDevices"), calls)
        self.assertEqual(daemon.stop(), 0)

    def test_a_wrong_file_changes_nothing_at_sighup(self):
        self.file.write_text("drain_ms = 9000\n", encoding="utf-8")
        daemon = self.start("--config", str(self.file))
        said = self.reload(daemon, 'log_level = "error"\ndrain_ms = -1\n')
        self.assertIn("nothing changed", said)
        self.assertIn("gemmd.toml:2:12: drain_ms: found -1", said)
        self.assertIn("method=ListDevices", daemon.log())
        self.assertEqual(daemon.stop(), 0)

    def test_sighup_without_a_file_is_no_harm(self):
        daemon = self.start()
        self.assertIn("no --config", self.reload(daemon, ""))
        self.assertEqual(daemon.stop(), 0)

    def test_a_running_call_ends_in_the_drain_and_a_new_one_is_unavailable(self):
        daemon = self.start("--compile-workers", "1", "--drain-ms", "60000")
        request = pb.CompileRequest(spec=specs.source_of({**specs.slow_spec(8), "dims": {"M": 8, "K": 40, "N": 24}}))
        compiling = daemon.stub.Compile.future(request)
        time.sleep(0.3)
        self.assertFalse(compiling.done(), "the compile was over before the drain: make it slower")
        daemon.process.send_signal(signal.SIGTERM)
        wait_until(lambda: "draining" in daemon.log(), "the drain")
        refused = None
        for _ in range(200):  # until the connection has heard of it
            try:
                daemon.stub.ListDevices(pb.ListDevicesRequest(), timeout=5)
            except grpc.RpcError as error:
                refused = error.code()
                if refused != grpc.StatusCode.CANCELLED:  # which is a call that the shutdown caught on its way
                    break
            time.sleep(0.01)
        self.assertEqual(refused, grpc.StatusCode.UNAVAILABLE)
        self.assertEqual(compiling.result(timeout=WAIT_S).cache_tier, "compiled")
        self.assertEqual(daemon.process.wait(WAIT_S), 0)
        daemon.stop()

    def test_a_service_manager_hears_of_start_reload_and_stop(self):
        path = f"{self.directory}/notify"
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
            manager.bind(path)
            manager.settimeout(WAIT_S)
            daemon = self.start(environment={**os.environ, "NOTIFY_SOCKET": path})
            self.assertEqual(manager.recv(4096), b"READY=1")
            daemon.process.send_signal(signal.SIGHUP)
            self.assertRegex(manager.recv(4096), rb"^RELOADING=1\nMONOTONIC_USEC=\d+$")
            self.assertEqual(manager.recv(4096), b"READY=1")
            self.assertEqual(daemon.stop(), 0)
            self.assertEqual(manager.recv(4096), b"STOPPING=1")


if __name__ == "__main__":
    unittest.main()

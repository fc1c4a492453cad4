"""What an operator sees of the daemon: health, reflection, devices, restarts, deadlines, its log."""

import pathlib
import re
import shutil
import signal
import subprocess
import tempfile
import threading
import time
import unittest

import grpc
import numpy as np
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

import gemmd_specs as specs
from gemmd_daemon import BINARY_DIR, Daemon, DaemonTest, pb

INPUTS = {"x": np.ones((2, 40), np.float32), "w": np.ones((40, 24), np.float32), "bias": np.ones(24, np.float32)}


def run_once(stub, spec=None):
    return specs.collect_outputs(stub.Run(specs.run_requests(spec or specs.linear_spec(), INPUTS, {"M": 2}, {"alpha": 1})))


class ServiceTest(DaemonTest):
    FLAGS = ("--compile-workers", "1")

    def test_health_answers_for_the_server_and_the_service(self):
        health = health_pb2_grpc.HealthStub(self.daemon.channel)
        for service in ("", "gemmd.v1.Gemmd"):
            answer = health.Check(health_pb2.HealthCheckRequest(service=service))
            self.assertEqual(answer.status, health_pb2.HealthCheckResponse.SERVING)

    def test_reflection_lists_the_service(self):
        reflection = reflection_pb2_grpc.ServerReflectionStub(self.daemon.channel)
        request = reflection_pb2.ServerReflectionRequest(list_services="")
        answer = next(reflection.ServerReflectionInfo(iter([request])))
        names = {service.name for service in answer.list_services_response.service}
        self.assertIn("gemmd.v1.Gemmd", names)

    def test_devices_name_the_host_and_the_compiler(self):
        answer = self.stub.ListDevices(pb.ListDevicesRequest())
        self.assertEqual([(device.id, device.kind) for device in answer.devices], [("host", "host")])
        self.assertIn("nvrtc", answer.nvrtc)
        self.assertEqual(answer.default_arch, "sm_90a")

    def test_a_deadline_ends_a_compile_and_the_next_call_is_served(self):
        request = pb.CompileRequest(spec=specs.source_of(specs.slow_spec(25)))
        started = time.monotonic()
        self.assert_status(grpc.StatusCode.DEADLINE_EXCEEDED, lambda: self.stub.Compile(request, timeout=0.2))
        self.assertLess(time.monotonic() - started, 5)
        summary, _ = run_once(self.stub)
        self.assertEqual(summary.device, "host")

    def test_sixty_four_callers_of_a_new_spec_cause_one_compile(self):
        one_kernel = {**specs.slow_spec(3), "dims": {"M": 8, "K": 40, "N": 24}}
        request = pb.CompileRequest(spec=specs.source_of(one_kernel))
        before = self.stub.GetStats(pb.GetStatsRequest())
        calls = [self.stub.Compile.future(request) for _ in range(64)]
        answers = [call.result(timeout=60) for call in calls]
        after = self.stub.GetStats(pb.GetStatsRequest())
        self.assertEqual(after.compiler.compiles - before.compiler.compiles, 1)
        self.assertEqual(after.memory.joined + after.memory.hits - before.memory.joined - before.memory.hits, 63)
        self.assertEqual({answer.cache_tier for answer in answers} - {"memory"}, {"compiled"})
        self.assertEqual(sum("method=Compile" in line and answers[0].spec_id in line
                             for line in self.daemon.log().splitlines()), 64)

    def test_a_launch_does_not_wait_for_a_slow_compile(self):
        run_once(self.stub)
        compiled = threading.Event()

        def compile_slowly():
            self.stub.Compile(pb.CompileRequest(spec=specs.source_of(specs.slow_spec(25))))
            compiled.set()
        thread = threading.Thread(target=compile_slowly)
        thread.start()
        time.sleep(0.2)
        summary, _ = run_once(self.stub)
        still_compiling = not compiled.is_set()
        thread.join()
        self.assertEqual(summary.compile.cache_tier, "memory")
        self.assertTrue(still_compiling, "the compile was over before the launch: make it slower")

    def test_each_call_is_one_line_of_the_log(self):
        summary, _ = run_once(self.stub, specs.linear_spec("logged", config={"schedule": "simt"}))
        lines = [line for line in self.daemon.log().splitlines() if "method=Run" in line]
        self.assertIn(f"spec_id={summary.compile.spec_id} tier={summary.compile.cache_tier} device=host status=OK us=",
                      lines[-1])


    def test_a_request_id_comes_back_and_is_in_the_log(self):
        trace = "0af7651916cd43dd8448eb211c80319c"
        metadata = (("x-request-id", "job-17/step:3"), ("traceparent", f"00-{trace}-b7ad6b7169203331-01"))
        _, call = self.stub.ListDevices.with_call(pb.ListDevicesRequest(), metadata=metadata)
        self.assertEqual(dict(call.trailing_metadata())["x-request-id"], "job-17/step:3")
        line = [line for line in self.daemon.log().splitlines() if "request_id=job-17/step:3" in line][-1]
        self.assertIn("method=ListDevices status=OK", line)
        self.assertIn(f"trace_id={trace} parent_id=b7ad6b7169203331", line)

    def test_a_call_without_a_good_id_gets_one_also_where_it_fails(self):
        request = pb.FreeBufferRequest(buffer="none")
        ids = set()
        for metadata in ((), (("x-request-id", "two words"),), (("x-request-id", "x" * 129),)):
            with self.assertRaises(grpc.RpcError) as caught:
                self.stub.FreeBuffer(request, metadata=metadata)
            made = dict(caught.exception.trailing_metadata())["x-request-id"]
            self.assertRegex(made, r"^[0-9a-f]{32}$")
            self.assertIn("status=NOT_FOUND", [line for line in self.daemon.log().splitlines() if made in line][-1])
            ids.add(made)
        self.assertEqual(len(ids), 3)

    def test_a_stream_carries_its_request_id_too(self):
        responses = self.stub.Run(specs.run_requests(specs.linear_spec(), INPUTS, {"M": 2}, {"alpha": 1}),
                                  metadata=(("x-request-id", "stream-1"),))
        specs.collect_outputs(responses)
        self.assertEqual(dict(responses.trailing_metadata())["x-request-id"], "stream-1")


class LifecycleTest(unittest.TestCase):
    def setUp(self):
        self.directory = tempfile.mkdtemp(prefix="gemmd_")
        self.addCleanup(shutil.rmtree, self.directory)

    def test_a_restarted_daemon_compiles_nothing(self):
        request = pb.CompileRequest(spec=specs.source_of(specs.gelu_aux_spec()))
        tiers = []
        for _ in range(2):
            daemon = Daemon(self.directory)
            tiers.append(daemon.stub.Compile(request).cache_tier)
            self.assertEqual(daemon.stop(), 0)
        self.assertEqual(tiers, ["compiled", "disk"])

    def test_sigterm_drains_removes_the_socket_and_exits_with_0(self):
        daemon = Daemon(self.directory)
        self.assertEqual(daemon.socket.stat().st_mode & 0o777, 0o600)
        self.assertEqual(daemon.stop(), 0)
        self.assertFalse(daemon.socket.exists())

    def test_a_stale_socket_gives_way_and_a_live_one_does_not(self):
        killed = Daemon(self.directory)
        killed.process.kill()
        killed.process.wait()
        killed.stop()
        self.assertTrue(killed.socket.exists())
        daemon = Daemon(self.directory)
        second = subprocess.run([BINARY_DIR / "gemmd", "--listen", daemon.address, "--cache-dir", self.directory],
                                stderr=subprocess.PIPE, text=True, timeout=60, check=False)
        self.assertNotEqual(second.returncode, 0)
        self.assertIn("another daemon listens", second.stderr)
        self.assertEqual(daemon.stub.ListDevices(pb.ListDevicesRequest()).devices[0].id, "host")
        self.assertEqual(daemon.stop(), 0)

    def test_a_port_is_chosen_and_served_beside_the_socket(self):
        daemon = Daemon(self.directory, "--listen", "127.0.0.1:0")
        port = re.search(r"ready listen=\S*127\.0\.0\.1:(\d+)", daemon.log()).group(1)
        with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
            grpc.channel_ready_future(channel).result(timeout=10)
        self.assertEqual(daemon.stop(), 0)

    def test_a_drain_ends_in_time_whatever_is_running(self):
        daemon = Daemon(self.directory, "--drain-ms", "200")
        compiling = daemon.stub.Compile.future(pb.CompileRequest(spec=specs.source_of(specs.slow_spec(25))))
        time.sleep(0.5)
        children = daemon.children()
        self.assertTrue(children)
        started = time.monotonic()
        daemon.process.send_signal(signal.SIGTERM)
        self.assertEqual(daemon.process.wait(timeout=60), 0)
        self.assertLess(time.monotonic() - started, 3)
        self.assertIsNotNone(compiling.exception(timeout=10))
        for _ in range(100):
            if not any(pathlib.Path(f"/proc/{child}").exists() for child in children):
                break
            time.sleep(0.05)
        else:
            self.fail("workers outlived the daemon")
        daemon.stop()

    def test_without_nvrtc_the_host_still_computes_and_says_so(self):
        daemon = Daemon(self.directory, "--nvrtc-dir", self.directory)
        summary, outputs = run_once(daemon.stub)
        self.assertEqual(summary.compile.cache_tier, "uncompiled")
        self.assertIn("libnvrtc", summary.compile.uncompiled)
        np.testing.assert_allclose(outputs["out"], np.full((2, 24), 51.0))
        with self.assertRaises(grpc.RpcError) as caught:
            daemon.stub.Compile(pb.CompileRequest(spec=specs.source_of(specs.linear_spec())))
        self.assertEqual(caught.exception.code(), grpc.StatusCode.UNAVAILABLE)
        self.assertIn("libnvrtc", daemon.stub.ListDevices(pb.ListDevicesRequest()).nvrtc)
        self.assertEqual(daemon.stop(), 0)

    def test_wrong_flags_are_named_all_at_once(self):
        ended = subprocess.run([BINARY_DIR / "gemmd", "--listen", "nowhere", "--default-arch", "sm_1", "--slots", "0"],
                               stderr=subprocess.PIPE, text=True, timeout=60, check=False)
        self.assertEqual(ended.returncode, 2)
        for flag in ("--listen", "--default-arch", "--slots"):
            self.assertIn(flag, ended.stderr)

    def test_the_daemon_loads_no_cuda_and_no_nvrtc(self):
        daemon = Daemon(self.directory)
        run_once(daemon.stub)
        maps = pathlib.Path(f"/proc/{daemon.process.pid}/maps").read_text(encoding="utf-8")
        self.assertEqual([line for line in maps.splitlines() if "libnvrtc" in line or "libcuda" in line], [])
        self.assertEqual(daemon.stop(), 0)


if __name__ == "__main__":
    unittest.main()

"""What a device that faults, hangs or crashes costs, and what it does not."""

import json
import os
import shutil
import signal
import subprocess
import tempfile
import threading
import time
import unittest
import urllib.request

import grpc
import numpy as np
from grpc_health.v1 import health_pb2, health_pb2_grpc

import gemmd_specs as specs
from gemmd_daemon import SABOTAGED_DIR, Daemon, DaemonTest, pb
from sabotage import Orders

WAIT_S = 60
LIMIT_MS = 1500
INPUTS = {"x": np.full((2, 40), 0.5, np.float32), "w": np.full((40, 24), 0.25, np.float32),
          "bias": np.ones(24, np.float32)}
EXPECTED = specs.linear_reference(INPUTS["x"], INPUTS["w"], INPUTS["bias"], 2.0)
SERVING, NOT_SERVING = health_pb2.HealthCheckResponse.SERVING, health_pb2.HealthCheckResponse.NOT_SERVING


class IsolationTest(DaemonTest):
    FLAGS = ("--launch-timeout-ms", str(LIMIT_MS), "--metrics-address", "0", "--quarantine-faults", "0")

    @classmethod
    def setUpClass(cls):
        cls.directory = tempfile.mkdtemp(prefix="gemmd_")
        cls.orders = Orders(cls.directory)
        cls.daemon = Daemon(cls.directory, *cls.FLAGS, environment=cls.orders.environment, binaries=SABOTAGED_DIR)
        cls.stub = cls.daemon.stub
        address = cls.daemon.log().split("metrics listen=")[1].split()[0]
        cls.metrics_url = f"http://{address}/metrics"

    def metric(self, name):
        with urllib.request.urlopen(self.metrics_url, timeout=WAIT_S) as answer:
            text = answer.read().decode()
        value, = [line.split()[-1] for line in text.splitlines() if line.startswith(name + "{") and 'device="host"' in line]
        return float(value)

    def run_once(self):
        return specs.collect_outputs(
            self.stub.Run(specs.run_requests(specs.linear_spec(), INPUTS, {"M": 2}, {"alpha": 2.0}), timeout=WAIT_S))

    def assert_serves(self):
        _, outputs = self.run_once()
        np.testing.assert_allclose(outputs["out"], EXPECTED, rtol=1e-5)

    def upload(self):
        """Buffers for a launch, by tensor."""
        buffers = {}
        for name, array in {**INPUTS, "out": np.zeros((2, 24), np.float32)}.items():
            data = array.tobytes()
            buffers[name] = self.stub.CreateBuffer(pb.CreateBufferRequest(device="host", bytes=len(data))).buffer
            self.stub.WriteBuffer(iter([pb.WriteBufferRequest(buffer=buffers[name], data=data)]))
        return buffers

    def launch_request(self, buffers):
        return pb.LaunchRequest(spec=specs.source_of(specs.linear_spec()), dims={"M": 2}, scalars={"alpha": 2.0},
                                tensors={name: pb.TensorArgument(buffer=buffer) for name, buffer in buffers.items()})

    def test_a_launch_that_hangs_is_internal_and_the_device_serves_again(self):
        self.assert_serves()
        hangs = self.metric("gemmd_device_hangs_total")
        buffers = self.upload()
        self.orders.give("hang")
        began = time.monotonic()
        self.assert_status(grpc.StatusCode.INTERNAL, lambda: self.stub.Launch(self.launch_request(buffers)),
                           "the launch did not end within 1.5s on host")
        self.assertGreaterEqual(time.monotonic() - began, LIMIT_MS / 1000)
        failed = time.monotonic()
        self.assert_serves()
        self.assertLess(time.monotonic() - failed, 5)
        self.assertEqual(self.metric("gemmd_device_hangs_total"), hangs + 1)
        self.assertIn("was killed: a launch of plan", self.daemon.log())

    def test_calls_beside_one_that_hangs_are_unavailable_and_say_why(self):
        self.assert_serves()
        buffers = self.upload()
        self.orders.give("hang")
        self.orders.give("hang")
        statuses = []

        def launch():
            with self.assertRaises(grpc.RpcError) as caught:
                self.stub.Launch(self.launch_request(buffers))
            statuses.append((caught.exception.code().name, caught.exception.details()))

        threads = [threading.Thread(target=launch) for _ in range(2)]
        for thread in threads:
            thread.start()
            time.sleep(0.05)
        for thread in threads:
            thread.join()
        self.assertEqual(sorted(code for code, _ in statuses), ["INTERNAL", "UNAVAILABLE"])
        self.assertIn("a launch of plan", dict(statuses)["UNAVAILABLE"])

    def test_a_hang_is_ended_also_when_nobody_waits_for_it(self):
        self.assert_serves()
        hangs = self.metric("gemmd_device_hangs_total")
        buffers = self.upload()
        self.orders.give("hang")
        self.assert_status(grpc.StatusCode.DEADLINE_EXCEEDED,
                           lambda: self.stub.Launch(self.launch_request(buffers), timeout=0.2))
        deadline = time.monotonic() + WAIT_S
        while self.metric("gemmd_device_hangs_total") == hangs:
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.05)
        self.assert_serves()

    def test_buffers_of_a_lost_device_are_data_loss_until_they_are_freed(self):
        buffers = self.upload()
        self.orders.give("fault")
        self.assert_status(grpc.StatusCode.INTERNAL, lambda: self.stub.Launch(self.launch_request(buffers)),
                           "an ordered fault of host")
        reason = "the worker of host lost its device: an ordered fault"
        self.assert_status(grpc.StatusCode.DATA_LOSS, lambda: self.stub.Launch(self.launch_request(buffers)), reason)
        self.assert_status(grpc.StatusCode.DATA_LOSS,
                           lambda: self.stub.ReadBuffer(pb.ReadBufferRequest(buffer=buffers["x"], bytes=4)), reason)
        for buffer in buffers.values():
            self.stub.FreeBuffer(pb.FreeBufferRequest(buffer=buffer))
        self.assert_status(grpc.StatusCode.NOT_FOUND,
                           lambda: self.stub.ReadBuffer(pb.ReadBufferRequest(buffer=buffers["x"], bytes=4)))
        self.assert_serves()

    def test_the_devices_health_turns_with_it(self):
        self.assert_serves()
        health = health_pb2_grpc.HealthStub(self.daemon.channel)
        request = health_pb2.HealthCheckRequest(service="gemmd.v1.Gemmd/host")
        self.assertEqual(health.Check(request).status, SERVING)
        watch = health.Watch(request, timeout=WAIT_S)
        self.assertEqual(next(watch).status, SERVING)
        os.kill(self.daemon.workers("gemmd_device_worker")[0], signal.SIGSTOP)
        self.assert_status(grpc.StatusCode.UNAVAILABLE,
                           lambda: self.stub.CreateBuffer(pb.CreateBufferRequest(device="host", bytes=4)),
                           "it answered nothing for 1.5s")
        self.assertEqual(next(watch).status, NOT_SERVING)
        self.assertEqual(next(watch).status, SERVING)
        watch.cancel()
        self.assertEqual(health.Check(health_pb2.HealthCheckRequest(service="")).status, SERVING)
        self.assert_serves()


class QuarantineTest(unittest.TestCase):
    def setUp(self):
        directory = tempfile.mkdtemp(prefix="gemmd_")
        self.addCleanup(shutil.rmtree, directory)
        self.orders = Orders(directory)
        self.daemon = Daemon(directory, "--quarantine-faults", "2", environment=self.orders.environment,
                             binaries=SABOTAGED_DIR)
        self.addCleanup(self.daemon.kill)

    def run_spec(self, spec):
        return specs.collect_outputs(self.daemon.stub.Run(
            specs.run_requests(spec, INPUTS, {"M": 2}, {"alpha": 2.0}), timeout=WAIT_S))[0].compile

    def fail(self, spec, code):
        with self.assertRaises(grpc.RpcError) as caught:
            self.run_spec(spec)
        self.assertEqual(caught.exception.code(), code, caught.exception.details())
        return caught.exception.details()

    def gemmctl(self, *arguments):
        done = subprocess.run([SABOTAGED_DIR / "gemmctl", "--address", self.daemon.address, "--json", *arguments],
                              capture_output=True, text=True, timeout=WAIT_S, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        return json.loads(done.stdout)

    def test_a_kernel_that_faults_again_and_again_is_refused_until_it_is_released(self):
        bad, good = specs.linear_spec(), specs.linear_spec("good", epilogue=specs.linear_spec()["epilogue"][1:])
        compiled = self.run_spec(bad)
        order = self.orders.give("crash", compiled.spec_id, always=True)
        for _ in range(2):
            self.fail(bad, grpc.StatusCode.UNAVAILABLE)
            self.run_spec(good)
        message = self.fail(bad, grpc.StatusCode.FAILED_PRECONDITION)
        self.assertIn(f"gemmctl quarantine release --plan {compiled.plan_id[:12]}", message)
        self.assertIn("killed by SIGABRT", message)
        self.run_spec(good)
        listed, = self.gemmctl("quarantine", "list")["kernels"]
        self.assertEqual((listed["plan_id"], listed["device"], listed["faults"], listed["refused"], listed["spec_id"]),
                         (compiled.plan_id, "host", 2, 1, compiled.spec_id))
        order.unlink()
        self.fail(bad, grpc.StatusCode.FAILED_PRECONDITION)
        self.assertEqual(self.gemmctl("quarantine", "release", "--plan", compiled.plan_id[:8]), {"released": 1})
        self.run_spec(bad)
        self.assertEqual(self.gemmctl("quarantine", "list"), {"kernels": []})
        self.assertEqual(self.daemon.stop(), 0)

    def test_a_worker_killed_from_outside_is_held_against_no_kernel(self):
        for _ in range(3):
            self.orders.give("hang")
            failed = threading.Thread(target=lambda: self.fail(specs.linear_spec(), grpc.StatusCode.UNAVAILABLE))
            failed.start()
            while list(self.orders.directory.glob("hang*")):
                time.sleep(0.01)
            os.kill(self.daemon.workers("gemmd_device_worker")[0], signal.SIGKILL)
            failed.join()
        self.run_spec(specs.linear_spec())
        self.assertEqual(self.gemmctl("quarantine", "list"), {"kernels": []})


class RequestIdTest(unittest.TestCase):
    def test_the_request_id_follows_a_call_into_the_workers(self):
        directory = tempfile.mkdtemp(prefix="gemmd_")
        self.addCleanup(shutil.rmtree, directory)
        daemon = Daemon(directory, "--log-level", "debug")
        self.addCleanup(daemon.kill)
        responses = daemon.stub.Run(specs.run_requests(specs.linear_spec(), INPUTS, {"M": 2}, {"alpha": 2.0}),
                                    metadata=(("x-request-id", "job-17/step:3"),))
        compiled = specs.collect_outputs(responses)[0].compile.cache_tier == "compiled"
        self.assertEqual(daemon.stop(), 0)
        lines = [line for line in daemon.log().splitlines() if "request_id=job-17/step:3" in line]
        for kind in ("allocate", "write", "load", "launch", "read", "free"):
            self.assertTrue(any(f"device-worker host: call kind={kind} status=OK" in line for line in lines), kind)
        if compiled:
            self.assertTrue(any("compile-worker: call kind=compile status=OK" in line for line in lines))


class ProductionTest(unittest.TestCase):
    def test_the_real_worker_takes_no_orders(self):
        directory = tempfile.mkdtemp(prefix="gemmd_")
        self.addCleanup(shutil.rmtree, directory)
        orders = Orders(directory)
        orders.give("crash", always=True)
        daemon = Daemon(directory, environment=orders.environment)
        self.addCleanup(daemon.kill)
        specs.collect_outputs(daemon.stub.Run(specs.run_requests(specs.linear_spec(), INPUTS, {"M": 2}, {"alpha": 2.0})))
        self.assertNotIn("was killed", daemon.log())
        self.assertEqual(daemon.stop(), 0)


if __name__ == "__main__":
    unittest.main()

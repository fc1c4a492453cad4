"""More work than the daemon takes at once: what is over the bounds is refused with a hint, the rest is served right."""

import collections
import concurrent.futures
import re
import threading
import time
import unittest

import grpc
import numpy as np

import gemmd_specs as specs
from gemmd_daemon import DaemonTest, pb, pb_grpc

CALLERS = 12
EXTENT = 512


def outcome(call):
    """(status code, trailing metadata) of a call."""
    try:
        call()
        return grpc.StatusCode.OK, {}
    except grpc.RpcError as error:
        return error.code(), dict(error.trailing_metadata())


def all_at_once(calls):
    gate = threading.Barrier(len(calls))

    def wait_and(call):
        gate.wait()
        return outcome(call)
    with concurrent.futures.ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(wait_and, calls))


class Refusals:
    def assert_some_refused_with_a_hint(self, outcomes):
        counts = collections.Counter(code for code, _ in outcomes)
        self.assertEqual(set(counts), {grpc.StatusCode.OK, grpc.StatusCode.RESOURCE_EXHAUSTED}, counts)
        for code, metadata in outcomes:
            if code == grpc.StatusCode.RESOURCE_EXHAUSTED:
                self.assertGreaterEqual(int(metadata["retry-after-ms"]), 10)
                self.assertEqual(metadata["grpc-retry-pushback-ms"], metadata["retry-after-ms"])
                self.assertIn("x-request-id", metadata)
        return counts


class Launches:
    def launch_request(self):
        spec = {"version": 1, "name": "square", "dims": {"M": EXTENT, "K": EXTENT, "N": EXTENT},
                "inputs": {"x": {"dtype": "f32", "shape": ["M", "K"]}, "w": {"dtype": "f32", "shape": ["K", "N"]}},
                "matmul": {"a": "x", "b": "w"}, "epilogue": [{"op": "store", "output": "out", "dtype": "f32"}]}
        data = np.ones((EXTENT, EXTENT), np.float32).tobytes()
        buffers = {}
        for name in ("x", "w", "out"):
            buffers[name] = self.stub.CreateBuffer(pb.CreateBufferRequest(device="host", bytes=len(data))).buffer
            if name != "out":
                self.stub.WriteBuffer(iter([pb.WriteBufferRequest(buffer=buffers[name], data=data)]))
        return pb.LaunchRequest(spec=specs.source_of(spec),
                                tensors={name: pb.TensorArgument(buffer=buffer) for name, buffer in buffers.items()})


class LaunchQueueTest(DaemonTest, Refusals, Launches):
    FLAGS = ("--slots", "1", "--launch-queue", "2")

    def test_launches_over_the_bound_are_refused_and_the_rest_are_right(self):
        request = self.launch_request()
        self.stub.Launch(request)
        outcomes = all_at_once([lambda: self.stub.Launch(request)] * CALLERS)
        counts = self.assert_some_refused_with_a_hint(outcomes)
        self.assertGreaterEqual(counts[grpc.StatusCode.OK], 3)
        out = b"".join(part.data for part in self.stub.ReadBuffer(
            pb.ReadBufferRequest(buffer=request.tensors["out"].buffer, bytes=EXTENT * EXTENT * 4)))
        np.testing.assert_array_equal(np.frombuffer(out, np.float32), EXTENT)
        self.assertEqual(outcome(lambda: self.stub.Launch(request))[0], grpc.StatusCode.OK)

    def test_who_waits_past_its_deadline_gives_its_place_up(self):
        request = self.launch_request()
        self.stub.Launch(request)
        running = [self.stub.Launch.future(request) for _ in range(2)]
        self.assertIn(outcome(lambda: self.stub.Launch(request, timeout=0.001))[0],
                      (grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.OK))
        for call in running:
            call.result(timeout=60)
        self.assertEqual(outcome(lambda: self.stub.Launch(request))[0], grpc.StatusCode.OK)


class FairnessTest(DaemonTest, Launches):
    FLAGS = ("--slots", "1", "--listen", "127.0.0.1:0")

    def test_a_connection_that_sends_many_does_not_keep_another_waiting(self):
        port = re.search(r"ready listen=\S*127\.0\.0\.1:(\d+)", self.daemon.log()).group(1)
        options = [("grpc.use_local_subchannel_pool", 1)]  # a connection for each channel
        request = self.launch_request()
        self.stub.Launch(request)
        with grpc.insecure_channel(f"127.0.0.1:{port}", options) as first, \
                grpc.insecure_channel(f"127.0.0.1:{port}", options) as second:
            for channel in (first, second):
                pb_grpc.GemmdStub(channel).ListDevices(pb.ListDevicesRequest())
            flood = [pb_grpc.GemmdStub(first).Launch.future(request) for _ in range(24)]
            while not flood[0].done():
                time.sleep(0.001)
            pb_grpc.GemmdStub(second).Launch(request)
            waiting = sum(not call.done() for call in flood)
            for call in flood:
                call.result(timeout=60)
        self.assertGreater(waiting, 8)


class CompileQueueTest(DaemonTest, Refusals):
    FLAGS = ("--compile-workers", "1", "--compile-queue", "1")

    def test_compiles_over_the_bound_are_refused_and_may_be_asked_for_again(self):
        requests = [pb.CompileRequest(spec=specs.source_of(
            {**specs.slow_spec(2 + i), "dims": {"M": 8, "K": 40, "N": 24}})) for i in range(6)]
        outcomes = all_at_once([lambda request=request: self.stub.Compile(request) for request in requests])
        self.assert_some_refused_with_a_hint(outcomes)
        for request in requests:
            self.assertEqual(outcome(lambda: self.stub.Compile(request))[0], grpc.StatusCode.OK)


if __name__ == "__main__":
    unittest.main()

"""What one client of the chaos run does: mixed work, each result checked, each failure judged by what the README allows."""

import random
import struct
import threading
import time

import grpc
import numpy as np

import gemmd_specs as specs
from gemmd_daemon import pb, pb_grpc

CALL_TIMEOUT_S = 30
RECONNECT_S = 3.0  # after the daemon is back, until each connection has noticed
SETTLE_S = 0.5  # after a worker is back, until its last call's answer has been looked at
ROWS = (1, 3, 17, 64)


class Work:
    """A spec with inputs and what they make. M is dynamic."""

    def __init__(self, factor):
        self.factor = factor
        self.spec = specs.linear_spec("chaos", epilogue=[
            {"op": "mul", "value": factor}, {"op": "mul", "operand": "alpha"}, {"op": "add", "operand": "bias"},
            {"op": "relu"}, {"op": "store", "output": "out", "dtype": "f32"}])
        self._lock = threading.Lock()
        self._cases = {}

    def case(self, rows, alpha):
        """(inputs, expected output); the same for the same arguments."""
        key = (rows, alpha)
        with self._lock:
            if key not in self._cases:
                values = np.random.default_rng(rows * 1000 + int(alpha * 8))
                inputs = {"x": values.uniform(-1, 1, (rows, 40)).astype(np.float32),
                          "w": values.uniform(-1, 1, (40, 24)).astype(np.float32),
                          "bias": values.uniform(-1, 1, 24).astype(np.float32)}
                product = inputs["x"].astype(np.float64) @ inputs["w"].astype(np.float64)
                expected = np.maximum(product * self.factor * alpha + inputs["bias"], 0.0)
                self._cases[key] = (inputs, expected)
            return self._cases[key]

    def spec_id(self, stub):
        return stub.Plan(pb.PlanRequest(spec=specs.source_of(self.spec)), timeout=CALL_TIMEOUT_S).spec_id


WORKS = [Work(1.25), Work(0.5), Work(2.0)]
VICTIM = Work(0.75)  # the kernel that is ordered to fault
TRANSFER = Work(1.0)
TRANSFER_ROWS = 4000


class Held:
    """A buffer that the daemon acknowledged after `since`, and what must be in it."""

    def __init__(self, handle, data, since):
        self.handle, self.data, self.since = handle, data, since


def machine_code(cubin):
    """The sections .text of an ELF image. NVRTC makes up some names in the rest anew in every compile."""
    table, = struct.unpack_from("<Q", cubin, 0x28)
    entry_bytes, count, names = struct.unpack_from("<HHH", cubin, 0x3A)
    sections = [struct.unpack_from("<IIQQQQ", cubin, table + i * entry_bytes) for i in range(count)]
    names_at = sections[names][4]
    return [cubin[offset:offset + size] for name, _, _, _, offset, size in sections
            if cubin.startswith(b".text", names_at + name)]


class Client:
    """One connection. Everything that it made is freed at the end."""

    def __init__(self, chaos, number):
        self.chaos, self.record = chaos, chaos.record
        self.random = random.Random(number * 7919 + 1)
        self.channel = chaos.connect()
        self.stub = pb_grpc.GemmdStub(self.channel)
        self.number = number
        self.held = []
        self.compiled = 0
        self.jobs = [(self.run, 30), (self.run_victim, 12), (self.keep_buffer, 12), (self.check_buffer, 16),
                     (self.launch, 14), (self.cancel_transfer, 4), (self.transfer, 3), (self.look, 8)]
        if number == 0:
            self.jobs.append((self.compile, 40))

    def work(self):
        jobs, weights = zip(*self.jobs)
        self.random.choices(jobs, weights)[0]()

    # -- Calls and how they may fail ---------------------------------------------------------------------------------

    def call(self, what, function, victim=False, cancelled=False):
        """`function`'s result, or None where it failed as it may. `what` names the call in complaints."""
        began = time.monotonic()
        try:
            result = function()
            self.record.called("OK")
            return result
        except grpc.RpcError as error:
            code, details = error.code(), error.details() or ""
            self.record.called(code.name)
            if not self._may_fail(code, details, began, victim, cancelled):
                self.record.blame("wrong_status", f"{what}: {code.name}: {details}")
            elif code in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.RESOURCE_EXHAUSTED):
                time.sleep(self.random.uniform(0.05, 0.2))
            return None

    def _may_fail(self, code, details, began, victim, cancelled):
        deaths = self.chaos.deaths
        if code == grpc.StatusCode.UNAVAILABLE:  # a worker died, of the device or of the compiler; or the daemon
            return ("compile worker" in details or deaths.since(began - SETTLE_S)
                    or deaths.since(began - RECONNECT_S, daemon=True))
        if code == grpc.StatusCode.INTERNAL:
            if "the launch did not end within" in details:  # of the victim, or of a worker that was stopped meanwhile
                return deaths.since(began)
            return victim and "an ordered fault of host" in details
        if code == grpc.StatusCode.DATA_LOSS:
            return "buffer: lost; make it anew: the worker of host" in details
        if code == grpc.StatusCode.NOT_FOUND:  # of a daemon that is gone
            return "no buffer has this handle" in details and deaths.since(0, daemon=True)
        if code == grpc.StatusCode.FAILED_PRECONDITION:
            return victim and "is quarantined on host" in details
        if code == grpc.StatusCode.DEADLINE_EXCEEDED:
            return time.monotonic() - began > CALL_TIMEOUT_S * 0.9
        if code == grpc.StatusCode.CANCELLED:  # by us, or at the end of a drain
            return cancelled or deaths.since(began, daemon=True)
        return code == grpc.StatusCode.RESOURCE_EXHAUSTED  # a full queue

    def check(self, what, found, expected):
        if found is None:
            return
        if found.shape != expected.shape or not np.allclose(found, expected, rtol=1e-4, atol=1e-4):
            self.record.blame("wrong", f"{what}: found {found.ravel()[:4]}…, expected {expected.ravel()[:4]}…")

    # -- Work --------------------------------------------------------------------------------------------------------

    def _run(self, work, rows, alpha, victim=False):
        inputs, expected = work.case(rows, alpha)
        requests = specs.run_requests(work.spec, inputs, {"M": rows}, {"alpha": alpha}, chunk_bytes=1 << 16)
        outputs = self.call("Run", lambda: specs.collect_outputs(self.stub.Run(requests, timeout=CALL_TIMEOUT_S)), victim)
        if outputs is not None:
            self.check("Run", outputs[1]["out"], expected)

    def run(self):
        self._run(self.random.choice(WORKS), self.random.choice(ROWS), self.random.choice((0.5, 1.0, 2.0)))

    def run_victim(self):
        self._run(VICTIM, self.random.choice(ROWS), 1.0, victim=True)

    def transfer(self):
        self._run(TRANSFER, TRANSFER_ROWS, 1.0)

    def cancel_transfer(self):
        """Gives up in the middle of the inputs or of the outputs."""
        inputs, _ = TRANSFER.case(TRANSFER_ROWS, 1.0)
        after = self.random.uniform(0, 0.05)

        def run():
            responses = self.stub.Run(specs.run_requests(TRANSFER.spec, inputs, {"M": TRANSFER_ROWS}, {"alpha": 1.0},
                                                         chunk_bytes=1 << 14), timeout=CALL_TIMEOUT_S)
            timer = threading.Timer(after, responses.cancel)
            timer.start()
            try:
                return list(responses)
            finally:
                timer.cancel()
        self.call("cancelled Run", run, cancelled=True)

    def _create(self, data):
        """A buffer with `data` in it, or None."""
        made = self.call("CreateBuffer", lambda: self.stub.CreateBuffer(
            pb.CreateBufferRequest(device="host", bytes=len(data)), timeout=CALL_TIMEOUT_S))
        if made is None:
            return None
        began = time.monotonic()
        messages = [pb.WriteBufferRequest(buffer=made.buffer, data=data[:1024])]
        messages += [pb.WriteBufferRequest(data=data[at:at + 4096]) for at in range(1024, len(data), 4096)]
        if self.call("WriteBuffer", lambda: self.stub.WriteBuffer(iter(messages), timeout=CALL_TIMEOUT_S)) is None:
            self._free(made.buffer)
            return None
        return Held(made.buffer, data, began)

    def _free(self, handle):
        self.call("FreeBuffer", lambda: self.stub.FreeBuffer(pb.FreeBufferRequest(buffer=handle), timeout=CALL_TIMEOUT_S))

    def _read(self, handle, size):
        return self.call("ReadBuffer", lambda: b"".join(part.data for part in self.stub.ReadBuffer(
            pb.ReadBufferRequest(buffer=handle, bytes=size), timeout=CALL_TIMEOUT_S)))

    def keep_buffer(self):
        if len(self.held) >= 4:
            self._free(self.held.pop(0).handle)
        held = self._create(self.random.randbytes(self.random.choice((100, 5000, 200_000))))
        if held is not None:
            self.held.append(held)

    def check_buffer(self):
        if not self.held:
            return
        held = self.random.choice(self.held)
        data = self._read(held.handle, len(held.data))
        if data is None:
            self._drop_if_lost(held)
        elif data != held.data:
            self.record.blame("wrong", f"a buffer of {len(held.data)} bytes has other contents")

    def _drop_if_lost(self, held):
        """After a read that failed: only a death since it was acknowledged takes a buffer away."""
        try:
            list(self.stub.ReadBuffer(pb.ReadBufferRequest(buffer=held.handle, bytes=1), timeout=CALL_TIMEOUT_S))
            return
        except grpc.RpcError as error:
            if error.code() not in (grpc.StatusCode.DATA_LOSS, grpc.StatusCode.NOT_FOUND):
                return
            of_daemon = error.code() == grpc.StatusCode.NOT_FOUND
            if not self.chaos.deaths.since(held.since, daemon=of_daemon):
                self.record.blame("lost", f"{error.code().name}: {error.details()}")
        self.held.remove(held)
        self._free(held.handle)

    def launch(self):
        work, rows = self.random.choice(WORKS), self.random.choice(ROWS)
        inputs, expected = work.case(rows, 1.0)
        buffers = {}
        for name, array in {**inputs, "out": np.full((rows, 24), np.nan, np.float32)}.items():
            buffers[name] = self._create(array.tobytes())
        if all(buffers.values()):
            request = pb.LaunchRequest(
                spec=specs.source_of(work.spec), dims={"M": rows}, scalars={"alpha": 1.0},
                tensors={name: pb.TensorArgument(buffer=held.handle) for name, held in buffers.items()})
            if self.call("Launch", lambda: self.stub.Launch(request, timeout=CALL_TIMEOUT_S)) is not None:
                data = self._read(buffers["out"].handle, rows * 24 * 4)
                if data is not None:
                    self.check("Launch", np.frombuffer(data, np.float32).reshape(rows, 24), expected)
        for held in filter(None, buffers.values()):
            self._free(held.handle)

    def look(self):
        self.random.choice([
            lambda: self.call("GetStats", lambda: self.stub.GetStats(pb.GetStatsRequest(), timeout=CALL_TIMEOUT_S)),
            lambda: self.call("ListKernels", lambda: self.stub.ListKernels(pb.ListKernelsRequest(), timeout=CALL_TIMEOUT_S)),
            lambda: self.call("ListCache", lambda: self.stub.ListCache(pb.ListCacheRequest(), timeout=CALL_TIMEOUT_S)),
            lambda: self.call("ListDevices", lambda: self.stub.ListDevices(pb.ListDevicesRequest(), timeout=CALL_TIMEOUT_S)),
        ])()

    def compile(self):
        """A kernel that is new, or one that the cache should have."""
        self.compiled += 1
        factor = 1 + (self.compiled % 12 if self.random.random() < 0.5 else self.compiled) / 1024
        spec = {**specs.linear_spec("compiled"), "dims": {"M": 8, "K": 40, "N": 24}, "config": {"schedule": "simt"}}
        spec["epilogue"][0]["value"] = factor
        compiled = self.call("Compile", lambda: self.stub.Compile(
            pb.CompileRequest(spec=specs.source_of(spec)), timeout=CALL_TIMEOUT_S))
        if compiled is not None:
            self._check_kernel(compiled)
        time.sleep(0.2)

    def _check_kernel(self, compiled):
        """The same key has the same machine code, whatever became of the file that it was in."""
        try:
            kernel = self.stub.GetKernel(pb.GetKernelRequest(plan_id=compiled.plan_id), timeout=CALL_TIMEOUT_S)
        except grpc.RpcError:  # the daemon was restarted
            return
        for key, cubin in zip(compiled.cubin_keys, kernel.cubin):
            code = machine_code(cubin)
            if not code or self.chaos.machine_code.setdefault(key, code) != code:
                self.record.blame("wrong", f"cubin_key {key} has other machine code than before")

    def close(self):
        for held in self.held:
            self._free(held.handle)
        self.channel.close()

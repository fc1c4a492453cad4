"""The real daemon on a temporary unix socket, and stubs generated from proto/ as any Python client would have them."""

import importlib
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import unittest

import grpc
import grpc_tools
from grpc_tools import protoc

BINARY_DIR = pathlib.Path(os.environ["GEMMD_BINARY_DIR"])
PROTO_DIR = pathlib.Path(os.environ["GEMMD_PROTO_DIR"])
TIMEOUT_S = 60.0
MAX_MESSAGE_BYTES = 64 << 20


def generate_stubs(directory):
    """Generates the modules of both files into `directory` and imports them."""
    well_known = pathlib.Path(grpc_tools.__file__).parent / "_proto"
    sources = [str(PROTO_DIR / "gemmd/v1" / name) for name in ("kernel_spec.proto", "service.proto")]
    arguments = ["protoc", f"-I{PROTO_DIR}", f"-I{well_known}", f"--python_out={directory}",
                 f"--grpc_python_out={directory}", *sources]
    if protoc.main(arguments) != 0:
        raise RuntimeError(f"protoc failed: {arguments}")
    sys.path.insert(0, str(directory))
    return [importlib.import_module(f"gemmd.v1.{name}")
            for name in ("kernel_spec_pb2", "service_pb2", "service_pb2_grpc")]


_STUBS = tempfile.TemporaryDirectory(prefix="gemmd_stubs_")
kernel_spec_pb, pb, pb_grpc = generate_stubs(_STUBS.name)


class Daemon:
    """One run of gemmd. Its cache directory may outlive it."""

    def __init__(self, directory, *flags):
        self.socket = pathlib.Path(directory) / "gemmd.sock"
        self.log_path = pathlib.Path(directory) / "gemmd.log"
        self.address = f"unix:{self.socket}"
        self._log = open(self.log_path, "a", encoding="utf-8")
        command = [str(BINARY_DIR / "gemmd"), "--listen", self.address, "--cache-dir", f"{directory}/cache",
                   "--device", "host", *flags]
        self.process = subprocess.Popen(command, stderr=self._log)
        self.channel = grpc.insecure_channel(
            self.address, options=[("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
                                   ("grpc.max_send_message_length", MAX_MESSAGE_BYTES)])
        try:
            grpc.channel_ready_future(self.channel).result(timeout=TIMEOUT_S)
        except grpc.FutureTimeoutError as error:
            self.stop()
            raise RuntimeError(f"gemmd did not start:\n{self.log()}") from error
        self.stub = pb_grpc.GemmdStub(self.channel)

    def log(self):
        return self.log_path.read_text(encoding="utf-8")

    def children(self):
        """The process ids of its workers."""
        tasks = pathlib.Path(f"/proc/{self.process.pid}/task")
        return [int(pid) for task in tasks.iterdir() for pid in (task / "children").read_text().split()]

    def stop(self):
        """Ends it as an operator would. Returns its exit code."""
        self.channel.close()
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            code = self.process.wait(timeout=TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            code = self.process.wait()
        self._log.close()
        return code


class DaemonTest(unittest.TestCase):
    """A class of tests that share one daemon."""

    FLAGS = ()

    @classmethod
    def setUpClass(cls):
        cls.directory = tempfile.mkdtemp(prefix="gemmd_")
        cls.daemon = Daemon(cls.directory, *cls.FLAGS)
        cls.stub = cls.daemon.stub

    @classmethod
    def tearDownClass(cls):
        code = cls.daemon.stop()
        shutil.rmtree(cls.directory)
        if code != 0:
            raise AssertionError(f"gemmd ended with {code}")

    def assert_status(self, code, call, *needles):
        """Runs `call`, which must fail with `code` and a message that holds every needle."""
        with self.assertRaises(grpc.RpcError) as caught:
            result = call()
            if hasattr(result, "__iter__"):
                list(result)
        self.assertEqual(caught.exception.code(), code, caught.exception.details())
        for needle in needles:
            self.assertIn(needle, caught.exception.details())

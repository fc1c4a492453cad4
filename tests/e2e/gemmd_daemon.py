"""The real daemon on a temporary unix socket, and stubs generated from proto/ as any Python client would have them."""

import importlib
import os
import pathlib
import shutil
import sys
import tempfile
import unittest

import grpc
import grpc_tools
from grpc_tools import protoc

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "testing"))
from daemon import Process  # noqa: E402

BINARY_DIR = pathlib.Path(os.environ["GEMMD_BINARY_DIR"])
SABOTAGED_DIR = BINARY_DIR.parent / "sabotaged"  # the same, with device workers that take orders
PROTO_DIR = pathlib.Path(os.environ["GEMMD_PROTO_DIR"])
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


class Daemon(Process):
    """One run of gemmd on the host device, with a stub. Its directory may outlive it."""

    def __init__(self, directory, *flags, environment=None, binaries=BINARY_DIR):
        super().__init__(binaries, directory, ("--device", "host", *flags), environment)
        self.channel = grpc.insecure_channel(
            self.address, options=[("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
                                   ("grpc.max_send_message_length", MAX_MESSAGE_BYTES)])
        self.stub = pb_grpc.GemmdStub(self.channel)

    def stop(self):
        self.channel.close()
        return super().stop()


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

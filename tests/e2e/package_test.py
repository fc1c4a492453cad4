"""The tarball holds all it needs: unpacked anywhere, in an empty environment, it serves a run.

Usage: package_test.py BUILD_DIR NVRTC_DIR …
"""

import os
import pathlib
import re
import subprocess
import sys
import tarfile
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "testing"))
from daemon import running_daemon  # noqa: E402

PROGRAMS = ("gemmd", "gemmctl", "gemmd_device_worker", "gemmd_compile_worker")
MAX_PACKED_BYTES = 40 << 20
# What comes from the system: glibc's own, NVRTC and the driver.
SYSTEM_LIBRARY = re.compile(r"(ld-linux.*|lib(c|m|dl|rt|pthread|resolv|util|nss_\w+)|libnvrtc.*|libcuda|libnvidia.*)\.so.*")
EMPTY = {}


def libraries_of_process(pid):
    """The shared libraries that a running process has mapped."""
    maps = pathlib.Path(f"/proc/{pid}/maps").read_text()
    return {pathlib.Path(path) for path in re.findall(r"(/\S+\.so[.\d]*)$", maps, re.MULTILINE)}


def children_of(pid):
    return pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()


class PackageTest(unittest.TestCase):
    build_directory = None
    nvrtc_directories = ()

    @classmethod
    def setUpClass(cls):
        scratch = tempfile.TemporaryDirectory(prefix="gemmd.")
        cls.addClassCleanup(scratch.cleanup)
        packed = pathlib.Path(scratch.name, "packed")
        subprocess.run(["cpack", "--config", f"{cls.build_directory}/CPackConfig.cmake", "-B", packed], check=True,
                       stdout=subprocess.DEVNULL)
        cls.tarball, = packed.glob("gemmd-*.tar.gz")
        unpacked = pathlib.Path(scratch.name, "elsewhere")
        with tarfile.open(cls.tarball) as archive:
            archive.extractall(unpacked)
        cls.root, = unpacked.iterdir()

    def assert_shipped(self, library):
        shipped = library.is_relative_to(self.root)
        self.assertTrue(shipped or SYSTEM_LIBRARY.fullmatch(library.name), f"{library} is the system's")

    def test_is_small(self):
        self.assertLessEqual(self.tarball.stat().st_size, MAX_PACKED_BYTES)

    def test_holds_the_documents_and_examples(self):
        for name in ("README.md", "LICENSE", "share/gemmd/examples/mlp_residual_gelu.json",
                     "share/gemmd/gemmd.toml", "share/gemmd/gemmd.service", "share/gemmd/gemmd.json"):
            self.assertTrue((self.root / name).is_file(), name)

    def test_programs_load_nothing_else_of_the_system_than_glibc(self):
        for program in PROGRAMS:
            traced = subprocess.run([self.root / "bin" / program], env={"LD_TRACE_LOADED_OBJECTS": "1"}, check=True,
                                    capture_output=True, text=True).stdout
            self.assertNotIn("not found", traced)
            libraries = re.findall(r"=> (/\S+)", traced)
            self.assertGreater(len(libraries), 1)
            for library in libraries:
                with self.subTest(program=program):
                    self.assert_shipped(pathlib.Path(os.path.normpath(library)))

    def test_libgemmd_loads_nothing_else_of_the_system_than_glibc(self):
        traced = subprocess.run(["ldd", self.root / "lib/libgemmd.so"], check=True, capture_output=True, text=True).stdout
        libraries = re.findall(r"=> (/\S+)", traced)
        self.assertGreater(len(libraries), 1)
        for library in libraries:
            self.assert_shipped(pathlib.Path(os.path.normpath(library)))

    def test_libgemmd_runs_from_where_it_is(self):
        nvrtc = [path for path in self.nvrtc_directories if list(pathlib.Path(path).glob("libnvrtc.so.1*"))]
        printed = subprocess.run([sys.executable, self.root / "share/gemmd/examples/launch.py", *nvrtc[:1]], env=EMPTY,
                                 check=True, capture_output=True, text=True).stdout
        self.assertRegex(printed, "launched|skipped")
        flags = subprocess.run(["pkg-config", "--cflags", "--libs", self.root / "lib/pkgconfig/libgemmd.pc"], check=True,
                               capture_output=True, text=True).stdout
        self.assertTrue((pathlib.Path(re.search(r"-I(\S+)", flags)[1]) / "gemmd.h").is_file(), flags)
        self.assertTrue((pathlib.Path(re.search(r"-L(\S+)", flags)[1]) / "libgemmd.so").exists(), flags)

    def test_serves_a_run_in_an_empty_environment(self):
        spec = self.root / "share/gemmd/examples/mlp_residual_gelu.json"
        bin_directory = self.root / "bin"
        arguments = [argument for path in self.nvrtc_directories for argument in ("--nvrtc-dir", path)]
        with running_daemon(bin_directory, arguments, EMPTY) as (process, address):
            run = subprocess.run([bin_directory / "gemmctl", "--address", address, "run", spec, "--dim", "M=33",
                                  "--random", "--verify"], env=EMPTY, stdin=subprocess.DEVNULL, capture_output=True,
                                 text=True, timeout=300)
            self.assertEqual(run.returncode, 0, run.stdout + run.stderr)
            workers = children_of(process.pid)
            self.assertGreater(len(workers), 0)
            for pid in (process.pid, *workers):
                for library in libraries_of_process(pid):
                    self.assert_shipped(library)


if __name__ == "__main__":
    PackageTest.build_directory, *PackageTest.nvrtc_directories = sys.argv[1:]
    unittest.main(argv=sys.argv[:1])

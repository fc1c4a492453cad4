"""Holds the Kubernetes manifests and the compose file to the daemon, the image and what a cluster asks of a workload."""

import os
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest

import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]
BIN_DIR = pathlib.Path(os.environ["GEMMD_BINARY_DIR"])
sys.path.insert(0, str(ROOT / "deploy"))
import dockerfile  # noqa: E402

IMAGE = dockerfile.parse((ROOT / "deploy/Dockerfile").read_text())[-1]


class UniqueKeys(yaml.SafeLoader):
    """PyYAML takes the last of several equal keys; here they are an error."""

    def construct_mapping(self, node, deep=False):
        keys = [self.construct_object(key, deep=deep) for key, _ in node.value]
        if len(keys) != len(set(keys)):
            raise yaml.constructor.ConstructorError(None, None, f"a key twice among {keys}", node.start_mark)
        return super().construct_mapping(node, deep)


def load(name):
    return list(yaml.load_all((ROOT / "deploy" / name).read_text(), Loader=UniqueKeys))


def check_config(text):
    with tempfile.TemporaryDirectory(prefix="gemmd.") as directory:
        path = pathlib.Path(directory, "gemmd.toml")
        path.write_text(text, encoding="utf-8")
        return subprocess.run([BIN_DIR / "gemmd", "--config", path, "--check-config"], capture_output=True, text=True,
                              timeout=60, check=False)


def image_user():
    """The uid of the image's user."""
    created = next(step.text for step in IMAGE.instructions if step.keyword == "RUN" and "useradd" in step.text)
    return int(re.search(r"--uid (\d+)", created).group(1))


def is_below(path, directory):
    return pathlib.PurePosixPath(path).is_relative_to(directory)


class KubernetesTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        documents = load("kubernetes/gemmd.yaml")
        cls.objects = {document["kind"]: document for document in documents}
        if len(cls.objects) != len(documents):
            raise AssertionError("two objects of a kind")
        cls.pod = cls.objects["DaemonSet"]["spec"]["template"]
        cls.container, = cls.pod["spec"]["containers"]
        cls.config = cls.objects["ConfigMap"]["data"]["gemmd.toml"]
        cls.ports = {port["name"]: port["containerPort"] for port in cls.container["ports"]}

    def value(self, key):
        return re.search(rf"^{key} = (.*)$", self.config, re.MULTILINE).group(1)

    def test_has_the_objects_that_a_node_needs(self):
        versions = {kind: document["apiVersion"] for kind, document in self.objects.items()}
        self.assertEqual(versions, {"Namespace": "v1", "ConfigMap": "v1", "DaemonSet": "apps/v1", "Service": "v1",
                                    "NetworkPolicy": "networking.k8s.io/v1"})
        namespace = self.objects["Namespace"]["metadata"]["name"]
        for kind, document in self.objects.items():
            self.assertRegex(document["metadata"]["name"], r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$")
            if kind != "Namespace":
                self.assertEqual(document["metadata"]["namespace"], namespace)

    def test_the_configuration_is_valid(self):
        checked = check_config(self.config)
        self.assertEqual((checked.returncode, checked.stderr), (0, ""))

    def test_the_container_reads_that_configuration(self):
        flag, path = self.container["args"]
        self.assertEqual(flag, "--config")
        directory, name = path.rsplit("/", 1)
        mount = next(mount for mount in self.container["volumeMounts"] if mount["mountPath"] == directory)
        volume = next(volume for volume in self.pod["spec"]["volumes"] if volume["name"] == mount["name"])
        self.assertEqual(volume["configMap"]["name"], self.objects["ConfigMap"]["metadata"]["name"])
        self.assertIn(name, self.objects["ConfigMap"]["data"])

    def test_every_selector_finds_the_pod(self):
        labels = self.pod["metadata"]["labels"].items()
        for selector in (self.objects["DaemonSet"]["spec"]["selector"]["matchLabels"],
                         self.objects["Service"]["spec"]["selector"],
                         self.objects["NetworkPolicy"]["spec"]["podSelector"]["matchLabels"]):
            self.assertTrue(selector and selector.items() <= labels)

    def test_every_port_is_one_that_the_daemon_listens_on(self):
        self.assertIn(f'"0.0.0.0:{self.ports["grpc"]}"', self.value("listen"))
        self.assertEqual(self.value("metrics_address"), f'"0.0.0.0:{self.ports["metrics"]}"')
        for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
            self.assertEqual(self.container[probe]["grpc"]["port"], self.ports["grpc"])
        port, = self.objects["Service"]["spec"]["ports"]
        self.assertEqual((port["port"], port["targetPort"]), (self.ports["grpc"], "grpc"))
        policed = {port["port"] for rule in self.objects["NetworkPolicy"]["spec"]["ingress"] for port in rule["ports"]}
        self.assertEqual(policed, set(self.ports))

    def test_readiness_asks_for_the_service_by_its_name(self):
        proto = (ROOT / "proto/gemmd/v1/service.proto").read_text()
        package = re.search(r"^package (.*);", proto, re.MULTILINE).group(1)
        service = re.search(r"^service (\w+)", proto, re.MULTILINE).group(1)
        self.assertEqual(self.container["readinessProbe"]["grpc"]["service"], f"{package}.{service}")

    def test_prometheus_is_told_where_to_scrape(self):
        annotations = self.pod["metadata"]["annotations"]
        self.assertEqual(annotations, {"prometheus.io/scrape": "true", "prometheus.io/port": str(self.ports["metrics"]),
                                       "prometheus.io/path": "/metrics"})

    def test_runs_as_the_images_user_with_nothing_to_spare(self):
        pod, container = self.pod["spec"]["securityContext"], self.container["securityContext"]
        self.assertEqual((pod["runAsNonRoot"], pod["runAsUser"], pod["fsGroup"]), (True, image_user(), image_user()))
        self.assertEqual(pod["seccompProfile"]["type"], "RuntimeDefault")
        self.assertEqual(container, {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True,
                                     "capabilities": {"drop": ["ALL"]}})
        self.assertIs(self.pod["spec"]["automountServiceAccountToken"], False)
        self.assertNotIn("hostNetwork", self.pod["spec"])

    def test_all_that_is_written_lies_on_a_volume(self):
        volumes = {volume["name"]: volume for volume in self.pod["spec"]["volumes"]}
        writable = [mount["mountPath"] for mount in self.container["volumeMounts"] if not mount.get("readOnly")]
        for mount in self.container["volumeMounts"]:
            self.assertIn(mount["name"], volumes)
        socket = re.search(r'"unix:([^"]+)"', self.value("listen")).group(1)
        for path in (self.value("cache_dir").strip('"'), socket, "/tmp"):
            self.assertTrue(any(is_below(path, directory) for directory in writable), path)
        # A volume's own directory is its group's too; the daemon makes one of its own below it.
        self.assertNotIn(self.value("cache_dir").strip('"'), writable)

    def test_the_drain_fits_in_the_grace_period(self):
        drain_ms = int(self.value("drain_ms").replace("_", ""))
        self.assertGreater(self.pod["spec"]["terminationGracePeriodSeconds"] * 1000, drain_ms + 5000)

    def test_the_cache_fits_its_volume(self):
        volume = next(volume for volume in self.pod["spec"]["volumes"] if volume["name"] == "cache")
        limit = int(volume["emptyDir"]["sizeLimit"].removesuffix("Gi")) << 30
        self.assertGreater(limit, int(self.value("cache_bytes").replace("_", "")))

    def test_asks_for_a_gpu_and_for_nodes_that_have_one(self):
        self.assertGreaterEqual(self.container["resources"]["limits"]["nvidia.com/gpu"], 1)
        self.assertIn("nvidia.com/gpu.present", self.pod["spec"]["nodeSelector"])
        self.assertIn("nvidia.com/gpu", {toleration["key"] for toleration in self.pod["spec"]["tolerations"]})


class ComposeTest(unittest.TestCase):
    def setUp(self):
        self.compose, = load("compose.yaml")
        self.service, = self.compose["services"].values()

    def test_the_command_is_one_that_the_daemon_takes(self):
        checked = subprocess.run([BIN_DIR / "gemmd", *self.service["command"], "--check-config"], capture_output=True,
                                 text=True, timeout=60, check=False)
        self.assertEqual((checked.returncode, checked.stderr), (0, ""))

    def test_listens_and_caches_where_the_image_does(self):
        image, ours = IMAGE.last("CMD").command(), self.service["command"]
        for flag in ("--listen", "--cache-dir"):
            self.assertEqual(ours[ours.index(flag) + 1], image[image.index(flag) + 1])
        mounted = {volume.split(":")[1] for volume in self.service["volumes"]}
        self.assertEqual(mounted, set(IMAGE.last("VOLUME").command()))
        self.assertEqual({volume.split(":")[0] for volume in self.service["volumes"]}, set(self.compose["volumes"]))

    def test_builds_that_image(self):
        build = self.service["build"]
        self.assertTrue((ROOT / "deploy" / build["context"] / build["dockerfile"]).samefile(ROOT / "deploy/Dockerfile"))

    def test_nothing_to_spare(self):
        self.assertIs(self.service["read_only"], True)
        self.assertEqual(self.service["cap_drop"], ["ALL"])
        self.assertEqual(self.service["security_opt"], ["no-new-privileges:true"])
        for port in self.service["ports"]:
            self.assertTrue(port.startswith("127.0.0.1:"), port)

    def test_the_drain_fits_in_the_grace_period(self):
        command = self.service["command"]
        drain_ms = int(command[command.index("--drain-ms") + 1])
        self.assertGreater(int(self.service["stop_grace_period"].removesuffix("s")) * 1000, drain_ms + 5000)

    def test_has_every_gpu(self):
        device, = self.service["deploy"]["resources"]["reservations"]["devices"]
        self.assertEqual(device, {"driver": "nvidia", "count": "all", "capabilities": ["gpu"]})


if __name__ == "__main__":
    unittest.main()

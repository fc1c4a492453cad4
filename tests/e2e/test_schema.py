"""The JSON Schema of a spec against gemmd's own validation: what one refuses, the other refuses."""

import copy
import json
import pathlib
import subprocess
import unittest

import jsonschema

import gemmd_specs as specs
from gemmd_daemon import BINARY_DIR, DaemonTest, kernel_spec_pb, pb

GEMMCTL = BINARY_DIR / "gemmctl"
EXAMPLES = sorted((pathlib.Path(__file__).resolve().parents[2] / "client/examples").glob("*.json"))
SCHEMA = json.loads(subprocess.run([GEMMCTL, "schema"], check=True, capture_output=True).stdout)
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)
OPERATION = SCHEMA["$defs"]["operation"]
RULES = {rule["if"]["properties"]["op"]["const"]: rule["then"] for rule in OPERATION["allOf"]}
NAMES = [entry["const"] for entry in OPERATION["properties"]["op"]["oneOf"]]
# Of every field that some operation has, a value that suits it; "bias" is an input, "first" an earlier id.
SAMPLES = {"form": "erf", "value": 1.5, "operand": "bias", "scale": 0.5, "output": "extra", "dtype": "f16", "min": -1.0,
           "max": 1.0, "alpha": 0.25, "eps": 1e-3, "correction": 0.0, "weight": "bias", "bias": "bias", "id": "second",
           "input": "first", "condition": "bias"}


def schema_accepts(spec):
    return VALIDATOR.is_valid(spec)


def around(operation):
    """A spec that is right if the operation is."""
    spec = specs.linear_spec()
    spec["epilogue"] = [{"op": "mul", "operand": "alpha", "id": "first"}, {"op": "add", "operand": "bias"},
                        {"op": "store", "output": "before", "dtype": "f32"}, operation, {"op": "store", "output": "out", "dtype": "f32"}]
    return spec


def smallest(name):
    """An operation with only what its rule requires; of alternatives, the first."""
    rule = RULES.get(name, {})
    fields = list(rule.get("required", []))
    for alternatives in (rule.get("oneOf"), rule.get("anyOf")):
        if alternatives:
            fields += alternatives[0]["required"]
    return {"op": name} | {field: SAMPLES[field] for field in fields}


def mutations(spec):
    """(what was done, the broken spec) for each way of breaking a structure."""
    def broken(path, change):
        copied = copy.deepcopy(spec)
        parent = copied
        for key in path[:-1]:
            parent = parent[key]
        change(parent, path[-1])
        return copied

    def walk(node, path):
        if path:
            yield path, node
        entries = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
        for key, value in entries:
            yield from walk(value, path + [key])

    required = {"version", "inputs", "matmul", "epilogue", "a", "b", "dtype", "op", "output"}
    for path, node in walk(spec, []):
        for wrong in (None, True, [[]], {"x": {}}, "no such name!", 1.5):
            fits = isinstance(wrong, bool) and isinstance(node, bool) or isinstance(wrong, float) and path[-1] in SAMPLES \
                or path[-1] == "name" and isinstance(wrong, str)
            if not fits:
                yield f"{path} = {wrong!r}", broken(path, lambda parent, key, value=wrong: parent.__setitem__(key, value))
        if isinstance(node, dict) and path not in (["dims"], ["inputs"]):
            yield f"{path} + surplus", broken(path, lambda parent, key: parent[key].__setitem__("surplus", 1))
        is_named_by_user = len(path) == 2 and path[0] in ("dims", "inputs")
        if path[-1] in required and not is_named_by_user and path[0:-1] != ["prologue"]:
            yield f"{path} removed", broken(path, lambda parent, key: parent.__delitem__(key))
    yield "surplus at the root", {**spec, "surplus": 1}


class SchemaTest(DaemonTest):
    def gemmd_accepts(self, spec):
        """Whether gemmd takes it, be it not yet built."""
        answer = self.stub.Validate(pb.ValidateRequest(spec=specs.source_of(spec)))
        return all(error.unimplemented for error in answer.errors)

    def assert_both_refuse(self, spec, what):
        self.assertFalse(schema_accepts(spec), f"the schema takes {what}")
        self.assertFalse(self.gemmd_accepts(spec), f"gemmd takes {what}")

    def test_the_schema_is_one(self):
        jsonschema.Draft202012Validator.check_schema(SCHEMA)

    def test_every_example_is_right(self):
        self.assertGreater(len(EXAMPLES), 3)
        for path in EXAMPLES:
            with self.subTest(example=path.name):
                VALIDATOR.validate(json.loads(path.read_text()))

    def test_what_breaks_an_examples_structure_is_refused_by_both(self):
        spec = json.loads(next(path for path in EXAMPLES if path.name == "mlp_residual_gelu.json").read_text())
        spec["config"] = {"schedule": "mma", "tile": [128, 128, 32], "stages": 3}
        spec["precision"] = "default"
        spec["deterministic"] = True
        spec["prologue"] = {"a": [{"op": "mul", "value": 0.5}], "b": [{"op": "gelu", "form": "tanh"}]}
        self.assertTrue(schema_accepts(spec) and self.gemmd_accepts(spec))
        count = 0
        for what, broken in mutations(spec):
            count += 1
            self.assert_both_refuse(broken, what)
        self.assertGreater(count, 150)

    def test_wrong_words_are_refused_by_both(self):
        for operation in ({"op": "rellu"}, {"op": ""}, {"op": 3}, {"op": "gelu", "form": "exact"},
                          {"op": "gelu", "form": ""}, {"op": "relu", "form": "erf"}, {"op": "cast", "dtype": "f64"}, {},
                          {"op": "softcap", "value": 0}, {"op": "clamp"}, {"op": "mul", "value": 1e39},
                          {"op": "mul", "value": 1, "operand": "bias"}, {"op": "mul", "value": 1, "scale": 2},
                          {"op": "max", "scale": 2}, {"op": "rms_norm", "eps": -1e-5}, {"op": "var", "correction": -1},
                          {"op": "softmax", "dtype": "f32"}):
            self.assert_both_refuse(around(operation), operation)
        for field, value in (("precision", "exact"), ("config", {"schedule": "fast"}), ("config", {"tile": [1, 2]}),
                             ("version", 2), ("name", "x" * 300), ("epilogue", []), ("epilogue", [{"op": "relu"}])):
            self.assert_both_refuse(specs.linear_spec(**{field: value}), (field, value))

    def test_a_prologue_neither_stores_nor_goes_along_rows(self):
        for operation in ({"op": "relu"}, {"op": "max", "value": 0}):
            spec = specs.linear_spec(prologue={"a": [operation]})
            self.assertTrue(schema_accepts(spec) and self.gemmd_accepts(spec), operation)
        for operation in ({"op": "store", "output": "early", "dtype": "f32"}, {"op": "softmax"}, {"op": "max"},
                          {"op": "rms_norm", "weight": "bias"}, {"op": "logsumexp"}):
            self.assert_both_refuse(specs.linear_spec(prologue={"a": [operation]}), operation)

    def test_max_and_min_without_a_second_argument_reduce_rows(self):
        for name in ("max", "min"):
            spec = around({"op": name})
            self.assertTrue(schema_accepts(spec) and self.gemmd_accepts(spec), name)

    def test_only_indices_are_stored_as_i32(self):
        spec = around({"op": "argmax"})
        spec["epilogue"][-1]["dtype"] = "i32"
        self.assertTrue(schema_accepts(spec) and self.gemmd_accepts(spec))

    def test_every_operation_and_form_is_right_at_its_smallest(self):
        self.assertGreater(len(NAMES), 20)
        for name in NAMES:
            forms = [form["const"] for form in RULES.get(name, {}).get("properties", {}).get("form", {}).get("oneOf", [])]
            for form in [None, *forms]:
                operation = smallest(name) | ({"form": form} if form else {})
                with self.subTest(operation=operation):
                    self.assertTrue(schema_accepts(around(operation)))
                    self.assertTrue(self.gemmd_accepts(around(operation)))

    def test_every_field_is_taken_from_and_given_to_every_operation_by_both_alike(self):
        for name in NAMES:
            operation = smallest(name)
            for field in SAMPLES:
                changed = dict(operation)
                if field in changed:
                    del changed[field]
                else:
                    changed[field] = SAMPLES[field]
                spec = around(changed)
                with self.subTest(operation=changed):
                    self.assertEqual(schema_accepts(spec), self.gemmd_accepts(spec))

    def test_it_has_the_fields_of_the_protocol(self):
        def fields(message):
            return set(message.DESCRIPTOR.fields_by_name)

        of_operations = set(OPERATION["properties"]).union(*(rule.get("properties", {}) for rule in RULES.values()))
        self.assertEqual(of_operations, fields(kernel_spec_pb.Operation))
        self.assertEqual(of_operations - {"op"}, set(SAMPLES) & of_operations)
        self.assertEqual(set(SCHEMA["properties"]), fields(kernel_spec_pb.KernelSpec))
        self.assertEqual(set(SCHEMA["$defs"]["tensor"]["properties"]), fields(kernel_spec_pb.TensorSpec))
        for name, message in (("config", kernel_spec_pb.ConfigPin), ("matmul", kernel_spec_pb.Matmul),
                              ("prologue", kernel_spec_pb.Prologue)):
            self.assertEqual(set(SCHEMA["properties"][name]["properties"]), fields(message))

    def test_every_operation_is_explained(self):
        for entry in OPERATION["properties"]["op"]["oneOf"]:
            self.assertGreater(len(entry["description"]), 0, entry["const"])


if __name__ == "__main__":
    unittest.main()

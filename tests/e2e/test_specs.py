"""Validate, Plan, Compile and GetKernel through a Python client."""

import json
import unittest

import grpc
from google.protobuf import field_mask_pb2

import gemmd_specs as specs
from gemmd_daemon import DaemonTest, kernel_spec_pb, pb


class SpecTest(DaemonTest):
    def test_validate_reports_every_error_at_once_with_a_suggestion(self):
        spec = specs.linear_spec()
        spec["epilogue"][2]["operand"] = "bais"
        spec["epilogue"][4]["dtype"] = "f17"
        errors = self.stub.Validate(pb.ValidateRequest(spec=specs.source_of(spec))).errors
        by_place = {error.place: error for error in errors}
        self.assertEqual(by_place["epilogue[2].operand"].suggestion, "bias")
        self.assertIn("epilogue[4].dtype", by_place)

    def test_an_invalid_spec_is_invalid_argument_everywhere(self):
        bad = specs.source_of(specs.linear_spec(matmul={"a": "x", "b": "nothing"}))
        for call in (lambda: self.stub.Plan(pb.PlanRequest(spec=bad)),
                     lambda: self.stub.Compile(pb.CompileRequest(spec=bad))):
            self.assert_status(grpc.StatusCode.INVALID_ARGUMENT, call, "matmul.b", "nothing")

    def test_both_spellings_of_a_spec_are_one_spec(self):
        f32 = kernel_spec_pb.F32
        entry = kernel_spec_pb.ShapeEntry
        message = kernel_spec_pb.KernelSpec(version=1, name="another name")
        message.dims["rows"].dynamic = True
        message.dims["K"].extent = 40
        for name, shape in (("left", [entry(dim="rows"), entry(dim="K")]), ("right", [entry(dim="K"), entry(extent=24)]),
                            ("b", [entry(extent=24)]), ("s", [])):
            message.inputs[name].CopyFrom(kernel_spec_pb.TensorSpec(dtype=f32, shape=shape))
        message.matmul.a, message.matmul.b = "left", "right"
        operation = kernel_spec_pb.Operation
        message.epilogue.extend([operation(op="mul", value=1.25), operation(op="mul", operand="s"),
                                 operation(op="add", operand="b"), operation(op="relu"),
                                 operation(op="store", output="y", dtype=f32)])
        proto = self.stub.Validate(pb.ValidateRequest(spec=pb.SpecSource(spec=message)))
        self.assertEqual(list(proto.errors), [])
        as_json = self.stub.Validate(pb.ValidateRequest(spec=specs.source_of(specs.linear_spec())))
        self.assertEqual(proto.spec_id, as_json.spec_id)

    def test_a_proto_spec_names_what_it_does_not_know(self):
        message = kernel_spec_pb.KernelSpec(version=1)
        message.inputs["x"].CopyFrom(kernel_spec_pb.TensorSpec())
        message.epilogue.extend([kernel_spec_pb.Operation(op="rellu")])
        errors = self.stub.Validate(pb.ValidateRequest(spec=pb.SpecSource(spec=message))).errors
        by_place = {error.place: error for error in errors}
        self.assertIn("inputs.x.dtype", by_place)
        self.assertEqual(by_place["epilogue[0].op"].suggestion, "relu")

    def test_plan_gives_ids_config_and_source_and_compiles_nothing(self):
        plan = self.stub.Plan(pb.PlanRequest(spec=specs.source_of(specs.gelu_aux_spec()), target=pb.Target(arch="sm_80")))
        for digest in (plan.spec_id, plan.plan_id, *plan.cubin_keys):
            self.assertRegex(digest, "^[0-9a-f]{64}$")
        self.assertEqual(plan.arch, "sm_80")
        self.assertEqual(len(plan.kernels), len(plan.cubin_keys))
        self.assertEqual(len(plan.kernels), len(plan.sources))
        for source in plan.sources:
            self.assertIn('extern "C"', source)
            self.assertNotIn("residual", source)
        compiled = self.stub.GetKernel
        self.assert_status(grpc.StatusCode.NOT_FOUND, lambda: compiled(pb.GetKernelRequest(plan_id=plan.plan_id)))

    def test_an_unknown_target_is_refused(self):
        spec = specs.source_of(specs.linear_spec())
        self.assert_status(grpc.StatusCode.INVALID_ARGUMENT,
                           lambda: self.stub.Plan(pb.PlanRequest(spec=spec, target=pb.Target(arch="sm_9"))), "sm_9")
        self.assert_status(grpc.StatusCode.NOT_FOUND,
                           lambda: self.stub.Plan(pb.PlanRequest(spec=spec, target=pb.Target(device="cuda:77"))), "cuda:77")

    def test_a_second_compile_comes_from_memory(self):
        request = pb.CompileRequest(spec=specs.source_of(specs.gelu_aux_spec()))
        first, second = self.stub.Compile(request), self.stub.Compile(request)
        self.assertEqual((first.cache_tier, second.cache_tier), ("compiled", "memory"))
        self.assertEqual(first.plan_id, second.plan_id)
        self.assertGreater(first.compile_us, 0)
        self.assertEqual(first.spill_bytes, 0)

    def test_a_pinned_schedule_is_kept_and_an_illegal_one_refused(self):
        pinned = specs.linear_spec(config={"schedule": "simt"})
        plan = self.stub.Plan(pb.PlanRequest(spec=specs.source_of(pinned)))
        self.assertEqual(plan.kernels[0].family, "simt")
        illegal = specs.source_of(specs.linear_spec(config={"tile": [7, 7, 7]}))
        self.assert_status(grpc.StatusCode.INVALID_ARGUMENT, lambda: self.stub.Plan(pb.PlanRequest(spec=illegal)))

    def test_get_kernel_gives_what_the_field_mask_asks(self):
        spec = specs.source_of(specs.linear_spec("masked"))
        plan_id = self.stub.Compile(pb.CompileRequest(spec=spec, target=pb.Target(arch="sm_90"))).plan_id

        def get(*paths, **fields):
            return self.stub.GetKernel(pb.GetKernelRequest(plan_id=plan_id, fields=field_mask_pb2.FieldMask(paths=paths),
                                                           **fields))
        whole = get()
        self.assertTrue(whole.cubin[0].startswith(b"\x7fELF"))
        self.assertEqual(get("source"), pb.Kernel(source=whole.source))
        self.assertEqual(get("cubin"), pb.Kernel(cubin=whole.cubin))
        self.assertEqual(json.loads(get("manifest").manifest)["plan_id"], plan_id)
        named = json.loads(get("manifest", spec=spec).manifest)
        self.assertEqual([tensor["name"] for tensor in named["inputs"]], ["x", "w", "alpha", "bias"])
        self.assert_status(grpc.StatusCode.INVALID_ARGUMENT, lambda: get("binary"), "binary")
        other = specs.source_of(specs.gelu_aux_spec())
        self.assert_status(grpc.StatusCode.INVALID_ARGUMENT, lambda: get("manifest", spec=other), "spec_id")


if __name__ == "__main__":
    unittest.main()

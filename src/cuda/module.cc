#include "cuda/module.h"

namespace gemmd {

absl::StatusOr<Module> Module::Load(const Driver& driver, std::string_view cubin) {
  // cuModuleLoadData reads as far as the ELF header says: never past our bytes for a file that is one.
  if (cubin.substr(0, 4) !=
      "\x7f"
      "ELF")
    return InvalidArgument("a cubin of {} bytes is no ELF file", cubin.size());
  CUmodule module = nullptr;
  GEMMD_CUDA_RETURN_IF_ERROR(driver, ModuleLoadData, &module, cubin.data());
  return Module(UniqueHandle<ModuleTraits>(driver, module));
}

absl::StatusOr<KernelFunction> Module::Function(const std::string& entry, std::int64_t shared_bytes) const {
  const Driver& driver = module_.driver();
  CUfunction function = nullptr;
  const CUresult found = driver->ModuleGetFunction(&function, module_.get(), entry.c_str());
  if (found == CUDA_ERROR_NOT_FOUND) return NotFound("the cubin has no kernel named {}", entry);
  GEMMD_RETURN_IF_ERROR(ToStatus(driver, found, "cuModuleGetFunction"));
  GEMMD_CUDA_RETURN_IF_ERROR(driver, FuncSetAttribute, function, CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES,
                             static_cast<int>(shared_bytes));
  int registers = 0;
  GEMMD_CUDA_RETURN_IF_ERROR(driver, FuncGetAttribute, &registers, CU_FUNC_ATTRIBUTE_NUM_REGS, function);
  return KernelFunction{function};
}

}  // namespace gemmd

// A chain as CUDA C++ statements on the device library's functors.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "plan/plan.h"

namespace gemmd {

// The device library's name of a storage type: "float", "Half", "BFloat16", "int".
std::string_view DeviceType(DType dtype);

// A float as an exact hexadecimal literal of C++, e.g. "0x1.4p+0f".
std::string FloatLiteral(float value);

// The names of a kernel's parameters; the user's never reach source.
std::string InputName(int index);     // "in2": pointer, or value of a scalar
std::string InputLdName(int index);   // "ld_in2"
std::string OutputName(int index);    // "out0"
std::string OutputLdName(int index);  // "ld_out0"

// A matrix that the epilogue reads, fetched ahead of its use and once however often that is.
struct OperandLoad {
  std::string member;      // its declaration in the struct Operands<V>
  std::string expression;  // that fetches it for `cell`
};
std::vector<OperandLoad> OperandLoads(const Graph& graph, const AccessWidths& widths);

// What an epilogue on fragments has beside (epilogue/fragment_staging.cuh): how many outputs there are, how each
// leaves, and how fetched operands become fragments. Members of the struct Epilogue.
std::vector<std::string> FragmentLines(const Graph& graph, const AccessWidths& widths);
// The first and the second of these alone.
std::vector<std::string> FlushLines(const Graph& graph, const AccessWidths& widths);

// One statement per node that is used: values are v0 (what the chain is given), v1, …; parameters are members of `p`,
// loaded operands of `o`. Where there is a gate, only what comes after it: v0 is what it makes of both halves. Each
// cell of an operand is read before a store that may overwrite it (in place).
std::vector<std::string> EpilogueStatements(const Graph& graph, const AccessWidths& widths);
// What either half goes through before a gate, up to the return of what the gate takes; none where there is no gate.
std::vector<std::string> BeforeGateStatements(const Graph& graph, const AccessWidths& widths);
// The same for one of the graph's prologues, which ends with the return of its last value.
std::vector<std::string> PrologueStatements(const Graph& graph, const std::vector<Node>& chain,
                                            const AccessWidths& widths);

}  // namespace gemmd

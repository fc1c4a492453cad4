// Row reductions: how the kernels of a plan share an epilogue that has some.
#pragma once

#include <vector>

#include "absl/status/status.h"
#include "plan/graph.h"
#include "plan/manifest.h"
#include "plan/plan.h"

namespace gemmd {

bool ReducesRows(const Graph& graph);

// Two kernels for it: a product whose epilogue ends in a matrix of f32, an intermediate of the plan, and a kernel that
// takes that matrix row by row through the rest. What comes up to a gate stays with the product; no row-wise operation
// does. Both take the graph's outputs under its own numbers. Require ReducesRows.

// The product. The matrix is its last output, behind those that it stores of the graph's own.
Graph ProductBeforeRows(const Graph& graph);
Assumptions ProductBeforeRows(const Graph& graph, const Assumptions& assumptions);

// The kernel for the rest: a graph without a product whose `a` is the matrix, an input behind the graph's own.
Graph RowsOf(const Graph& graph);
Assumptions RowsOf(const Graph& graph, const Assumptions& assumptions);

// The axes of the matrix between the two.
Axes RowAxes(const Graph& graph);

// The kernel of RowsOf.
KernelPlan RowKernel(const Graph& graph, const Assumptions& assumptions);

// One kernel for it: wgmma whose warpgroups, each with a tile, tell each other through the launch's workspace what they
// know of their row block, and wait for it (kernels_src/epilogue/row_fragments.cuh).

// OK if a wgmma config may be such a kernel's. Errors: InvalidArgument.
absl::Status CheckRowBarrier(const KernelConfig& config, const Graph& graph, int sm_count);
// Whether its tiles, which are taken row block by row block, leave too little of B in L2 for the next row block.
bool StreamsB(const Graph& graph);
// Its tiles along N.
std::int64_t TilesAcross(const Graph& graph, const KernelConfig& config);
// The CTAs that have to be resident together: they have the tiles of one row block.
int RowBarrierCtas(const Graph& graph, const KernelConfig& config);
Workspace RowWorkspace(const Graph& graph, const KernelConfig& config);
// The legal ones, none where there is none.
std::vector<KernelConfig> RowBarrierConfigs(const Graph& graph, const DeviceLimits& limits,
                                            const Assumptions& assumptions);

// The graph of a plan's kernel that takes a product, before anything is packed for it.
Graph ProductOf(const Graph& graph, RowSchedule rows);
Assumptions ProductOf(const Graph& graph, RowSchedule rows, const Assumptions& assumptions);

}  // namespace gemmd

// A chain with row reductions as CUDA C++ statements on the device library's functors.
#pragma once

#include <string>
#include <vector>

#include "plan/plan.h"

namespace gemmd {

// For an epilogue with row reductions (epilogue/row_values.cuh, `rows` being the rows that a thread works on): a walk
// for each reduction, which makes the elements anew up to there, what is computed of one element a row, and a walk that
// stores matrices.
// `keeps`: elements can be kept on the way, so that what comes before a reduction need not be made anew after it.
std::vector<std::string> RowStatements(const Graph& graph, const AccessWidths& widths, bool keeps);

// Whether the epilogue has one row reduction on which no element of a matrix depends: what comes of it concerns nobody
// who has elements.
bool EndsInItsOnlyReduction(const Graph& graph);

}  // namespace gemmd

// A small ragged problem, its straightforward solution, and the mistakes that a kernel could make in it.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "client/tensor/tensor.h"
#include "client/verify/verify.h"
#include "spec/kernel_spec.h"

namespace gemmd {

enum class Bug {
  kNone,
  // in the product
  kSwappedLayoutOfB,
  kSwappedLayoutOfA,
  kMissingTailOfK,
  kMissingLastStep,
  kFirstStepTwice,
  kF16Accumulation,
  kProductsInBf16,
  // in the chain
  kMissingLiteral,
  kLiteralAfterResidual,
  kBiasOfNextColumn,
  kBiasByRow,
  kBiasMissing,
  kScaleByColumn,
  kMissingScale,
  kScaleTwice,
  kResidualSign,
  kResidualTransposed,
  kResidualOfNextRow,
  kScalarIgnored,
  kActivationBeforeBias,
  kActivationMissing,
  kTanhGelu,
  kAuxAfterActivation,
  kAuxRounded,
  kCastInBetween,
  // in the stores
  kTruncatingStore,
  kWrongColumn,
  kWrongRow,
  kShiftedRow,
  kTransposedOutput,
  kSwappedOutputs,
  kUnwrittenCorner,
  kUnwrittenLastTile,
  kUnwrittenAux,
  kOneNan,
  kOneInfinity,
  kStaleOutput,
  kZeroedElement,
  kCount,
};

// out = gelu(((x w) 1.25 + 0.5 residual + bias) row_scale) + alpha, with the sum before gelu kept as aux.
// M = 150, N = 77, K = 133; f16, w column-major, aux in f32.
struct PlantedProblem {
  KernelSpec spec;
  std::map<std::string, Tensor> inputs;
  std::map<std::string, float> scalars;
  std::map<std::string, Tensor> outputs;

  VerifySubject Subject() const;
};

// Solved in f32 by plain loops, with one bug.
PlantedProblem SolveWith(Bug bug);

}  // namespace gemmd

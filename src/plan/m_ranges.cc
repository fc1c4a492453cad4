#include "plan/m_ranges.h"

#include <algorithm>
#include <array>
#include <limits>

#include "base/status.h"
#include "plan/cost_model.h"
#include "plan/ranking.h"

namespace gemmd {
namespace {

// Each stands for the M from the one before it: what is multiplied is whole tiles. Past the last, waves are so many
// that the best config no longer depends on M.
constexpr std::array<std::int64_t, 14> kSamples = {16,  32,  64,   128,  192,  256,  384,
                                                   512, 768, 1024, 2048, 4096, 8192, 16384};
constexpr int kSampleCount = kSamples.size();

// What a range must save at one sample, as a share of its time, to be worth a kernel.
constexpr double kRangeCost = 0.01;

// What losing a share of one's time counts for: twice as much where it is the most that a range should lose.
double Weighed(double loss) {
  constexpr double kMostLoss = 0.05;
  return loss * (1 + loss / kMostLoss);
}

// Of the losses of few rows: as many as a decoding step has, which is launched most. Measured on an H200, bf16 1 x 4096
// x 4096: tiles of 32 rows take 1.07 of those of 16; 64 x 4096 x 4096: tiles of 128 columns 1.28 of those of 64.
constexpr double kDecodeWeight = 6;
constexpr std::int64_t kDecodeRows = 64;

// Samples first to last, served by one config.
struct Segment {
  int first = 0, last = 0;
  KernelConfig config;
};

// The cheapest division of the samples into segments. Dynamic programming over (segments, samples covered).
class Division {
 public:
  explicit Division(const Ranking& ranking) {
    std::vector<KernelConfig> best;
    // Of configs that the model can't tell apart the larger M's choice is taken: it is where pipelines differ most.
    for (auto m = kSamples.rbegin(); m != kSamples.rend(); ++m) {
      const std::vector<KernelConfig> leaders = ranking.Leaders(*m);
      best.insert(best.begin(), leaders.front());
      for (const KernelConfig& config : leaders) {
        if (std::find(configs_.begin(), configs_.end(), config) == configs_.end()) configs_.push_back(config);
      }
    }
    loss_.resize(configs_.size());
    for (int sample = 0; sample < kSampleCount; ++sample) {
      const Graph graph = ranking.At(kSamples[sample]);
      const CostModel model(graph, ranking.limits());
      const double least = model.Cycles(best[sample]);
      for (std::size_t config = 0; config < configs_.size(); ++config) {
        const double loss = Weighed(model.Cycles(configs_[config]) / least - 1);
        loss_[config].push_back(kSamples[sample] <= kDecodeRows ? kDecodeWeight * loss : loss);
      }
    }
  }

  std::vector<Segment> Cheapest() const {
    std::array<std::array<Step, kSampleCount + 1>, kMaxVariants + 1> steps;
    steps[0][0].cost = 0;
    for (int begin = 0; begin < kSampleCount; ++begin) {
      for (int end = begin + 1; end <= kSampleCount; ++end) {
        const auto [config, loss] = BestFor(begin, end);
        for (int count = 1; count <= kMaxVariants; ++count) {
          const double cost = steps[count - 1][begin].cost + loss + kRangeCost;
          if (cost < steps[count][end].cost) steps[count][end] = {cost, begin, config};
        }
      }
    }
    int count = 1;
    for (int more = 2; more <= kMaxVariants; ++more) {
      if (steps[more][kSampleCount].cost < steps[count][kSampleCount].cost) count = more;
    }
    std::vector<Segment> segments;
    for (int end = kSampleCount; end > 0; end = steps[count--][end].begin) {
      segments.push_back({steps[count][end].begin, end - 1, configs_[steps[count][end].config]});
    }
    std::reverse(segments.begin(), segments.end());
    return segments;
  }

 private:
  struct Step {
    double cost = std::numeric_limits<double>::infinity();
    int begin = 0;           // of the last segment
    std::size_t config = 0;  // of the last segment
  };

  // The config that loses the least over the samples begin to end - 1, and how much.
  std::pair<std::size_t, double> BestFor(int begin, int end) const {
    std::pair<std::size_t, double> best{0, std::numeric_limits<double>::infinity()};
    for (std::size_t config = 0; config < configs_.size(); ++config) {
      double loss = 0;
      for (int sample = begin; sample < end; ++sample) loss += loss_[config][sample];
      if (loss < best.second) best = {config, loss};
    }
    return best;
  }

  std::vector<KernelConfig> configs_;      // the leaders of any sample, each once
  std::vector<std::vector<double>> loss_;  // by config, by sample: its time over the best one's, less 1, Weighed
};

}  // namespace

absl::StatusOr<std::vector<RangeConfigs>> RankRanges(const Graph& graph, const DeviceLimits& limits,
                                                     const ConfigPin& pin, const Assumptions& assumptions) {
  GEMMD_ASSIGN_OR_RETURN(const Ranking ranking, Ranking::Create(graph, limits, pin, assumptions));
  if (graph.m) return std::vector<RangeConfigs>{{MRange{}, ranking.Ranked(graph.m)}};
  std::vector<RangeConfigs> ranges;
  for (const Segment& segment : Division(ranking).Cheapest()) {
    RangeConfigs range;
    if (!ranges.empty()) range.m.min = kSamples[segment.first - 1] + 1;
    if (segment.last + 1 < kSampleCount) range.m.max = kSamples[segment.last];
    range.configs = ranking.Ranked(kSamples[(segment.first + segment.last) / 2]);
    std::erase(range.configs, segment.config);
    range.configs.insert(range.configs.begin(), segment.config);
    ranges.push_back(std::move(range));
  }
  return ranges;
}

}  // namespace gemmd

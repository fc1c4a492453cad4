// The text format of Prometheus (version 0.0.4). Written here: prometheus-cpp keeps values in a registry of its own,
// where all of ours are kept already, and its server has no place for a page beside them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/duration_histogram.h"

namespace gemmd {

using MetricLabels = std::vector<std::pair<std::string_view, std::string_view>>;

enum class MetricType { kCounter, kGauge, kHistogram };

// Families in the order of the calls; every sample belongs to the family begun last.
class PrometheusText {
 public:
  // `name` ends in its unit, and a counter's in _total.
  void Family(std::string_view name, MetricType type, std::string_view help);
  void Sample(const MetricLabels& labels, double value);
  void Sample(const MetricLabels& labels, std::int64_t value);
  void Histogram(const MetricLabels& labels, const DurationHistogram::Snapshot& snapshot);
  // A family of one sample without labels.
  void Single(std::string_view name, MetricType type, std::string_view help, std::int64_t value);

  const std::string& text() const { return text_; }

 private:
  void Line(std::string_view suffix, const MetricLabels& labels, std::string_view value);

  std::string name_;
  std::string text_;
};

}  // namespace gemmd

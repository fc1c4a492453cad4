#include "server/prometheus_text.h"

#include <fmt/format.h>

namespace gemmd {
namespace {

std::string_view Name(MetricType type) {
  switch (type) {
    case MetricType::kCounter:
      return "counter";
    case MetricType::kGauge:
      return "gauge";
    case MetricType::kHistogram:
      return "histogram";
  }
  return "";
}

// A backslash, a line's end and, in a label's value, a double quote have escapes.
std::string Escaped(std::string_view text, bool quote) {
  std::string escaped;
  for (const char c : text) {
    if (c == '\\') {
      escaped += "\\\\";
    } else if (c == '\n') {
      escaped += "\\n";
    } else if (c == '"' && quote) {
      escaped += "\\\"";
    } else {
      escaped += c;
    }
  }
  return escaped;
}

}  // namespace

void PrometheusText::Family(std::string_view name, MetricType type, std::string_view help) {
  name_ = name;
  text_ += fmt::format("# HELP {} {}\n# TYPE {} {}\n", name, Escaped(help, false), name, Name(type));
}

void PrometheusText::Line(std::string_view suffix, const MetricLabels& labels, std::string_view value) {
  std::string joined;
  for (const auto& [name, label] : labels) {
    joined += fmt::format("{}{}=\"{}\"", joined.empty() ? "" : ",", name, Escaped(label, true));
  }
  text_ += fmt::format("{}{}{} {}\n", name_, suffix, labels.empty() ? "" : fmt::format("{{{}}}", joined), value);
}

void PrometheusText::Sample(const MetricLabels& labels, double value) { Line("", labels, fmt::format("{}", value)); }

void PrometheusText::Sample(const MetricLabels& labels, std::int64_t value) {
  Line("", labels, fmt::format("{}", value));
}

void PrometheusText::Histogram(const MetricLabels& labels, const DurationHistogram::Snapshot& snapshot) {
  std::int64_t below = 0;
  MetricLabels with_bound = labels;
  with_bound.emplace_back("le", "");
  for (std::size_t i = 0; i < DurationHistogram::kBoundsSeconds.size(); ++i) {
    below += snapshot.counts[i];
    const std::string bound = fmt::format("{}", DurationHistogram::kBoundsSeconds[i]);
    with_bound.back().second = bound;
    Line("_bucket", with_bound, fmt::format("{}", below));
  }
  with_bound.back().second = "+Inf";
  Line("_bucket", with_bound, fmt::format("{}", snapshot.total()));
  Line("_sum", labels, fmt::format("{}", snapshot.sum_seconds));
  Line("_count", labels, fmt::format("{}", snapshot.total()));
}

void PrometheusText::Single(std::string_view name, MetricType type, std::string_view help, std::int64_t value) {
  Family(name, type, help);
  Sample({}, value);
}

}  // namespace gemmd

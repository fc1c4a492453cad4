#include "server/prometheus_text.h"

#include <gtest/gtest.h>

namespace gemmd {
namespace {

TEST(PrometheusTextTest, WritesFamiliesAndSamples) {
  PrometheusText text;
  text.Family("calls_total", MetricType::kCounter, "Calls.");
  text.Sample({{"method", "Run"}, {"code", "OK"}}, std::int64_t{3});
  text.Single("up", MetricType::kGauge, "Up.", 1);
  text.Sample({}, 0.25);
  EXPECT_EQ(text.text(),
            "# HELP calls_total Calls.\n# TYPE calls_total counter\ncalls_total{method=\"Run\",code=\"OK\"} 3\n"
            "# HELP up Up.\n# TYPE up gauge\nup 1\nup 0.25\n");
}

TEST(PrometheusTextTest, EscapesWhatWouldEndAValue) {
  PrometheusText text;
  text.Family("info", MetricType::kGauge, "a \\ \"b\"\nc");
  text.Sample({{"name", "a\\b\"c\nd{}"}}, std::int64_t{1});
  EXPECT_EQ(text.text(), "# HELP info a \\\\ \"b\"\\nc\n# TYPE info gauge\ninfo{name=\"a\\\\b\\\"c\\nd{}\"} 1\n");
}

TEST(PrometheusTextTest, AHistogramsBucketsAddUp) {
  DurationHistogram histogram;
  histogram.Record(absl::Microseconds(10));
  histogram.Record(absl::Milliseconds(2));
  histogram.Record(absl::Seconds(500));
  PrometheusText text;
  text.Family("t_seconds", MetricType::kHistogram, "T.");
  text.Histogram({{"stage", "plan"}}, histogram.Take());
  const std::string& lines = text.text();
  for (const char* line :
       {"t_seconds_bucket{stage=\"plan\",le=\"1e-05\"} 1\n", "t_seconds_bucket{stage=\"plan\",le=\"0.001\"} 1\n",
        "t_seconds_bucket{stage=\"plan\",le=\"0.003\"} 2\n", "t_seconds_bucket{stage=\"plan\",le=\"100\"} 2\n",
        "t_seconds_bucket{stage=\"plan\",le=\"+Inf\"} 3\n", "t_seconds_sum{stage=\"plan\"} 500.0020",
        "t_seconds_count{stage=\"plan\"} 3\n"}) {
    EXPECT_NE(lines.find(line), std::string::npos) << line << lines;
  }
}

}  // namespace
}  // namespace gemmd

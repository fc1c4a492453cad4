#include "server/status_page.h"

#include <fmt/format.h>

#include <initializer_list>
#include <string_view>

namespace gemmd {
namespace {

constexpr std::string_view kHead = R"(<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>gemmd</title>
<style>
body { font: 15px/1.5 system-ui, sans-serif; margin: 2em auto; max-width: 75em; padding: 0 1em; }
table { border-collapse: collapse; margin-bottom: 2em; }
th, td { border-bottom: 1px solid #8884; padding: 0.2em 1.2em 0.2em 0; text-align: left; vertical-align: top; }
td.number, th.number { text-align: right; font-variant-numeric: tabular-nums; }
.bad { color: #c22; font-weight: bold; }
:root { color-scheme: light dark; }
</style>
</head>
<body>
)";

std::string Escaped(std::string_view text) {
  std::string escaped;
  for (const char c : text) {
    switch (c) {
      case '&':
        escaped += "&amp;";
        break;
      case '<':
        escaped += "&lt;";
        break;
      case '>':
        escaped += "&gt;";
        break;
      case '"':
        escaped += "&quot;";
        break;
      default:
        escaped += c;
    }
  }
  return escaped;
}

std::string Bytes(std::int64_t bytes) {
  constexpr std::string_view kUnits[] = {"B", "KiB", "MiB", "GiB", "TiB"};
  auto value = static_cast<double>(bytes);
  std::size_t unit = 0;
  for (; value >= 1024 && unit + 1 < std::size(kUnits); ++unit) value /= 1024;
  return fmt::format("{:.{}f} {}", value, unit == 0 ? 0 : 1, kUnits[unit]);
}

// To the second, or shorter.
std::string Span(absl::Duration duration) {
  return absl::FormatDuration(duration < absl::Seconds(1) ? absl::Trunc(duration, absl::Microseconds(1))
                                                          : absl::Trunc(duration, absl::Seconds(1)));
}

std::string Ago(absl::Time then, absl::Time now) { return Span(std::max(now - then, absl::ZeroDuration())) + " ago"; }

std::string Mean(const DurationHistogram::Snapshot& times) {
  const std::int64_t total = times.total();
  return total == 0 ? "" : Span(absl::Seconds(times.sum_seconds / static_cast<double>(total)));
}

std::string Short(std::string_view id) { return std::string(id.substr(0, 12)); }

struct Column {
  std::string_view title;
  bool number = false;
};

// A table with a heading; a note where it has no rows.
class Table {
 public:
  Table(std::string_view heading, std::initializer_list<Column> columns) : columns_(columns) {
    html_ = fmt::format("<h2>{}</h2>\n", Escaped(heading));
  }
  void Row(std::initializer_list<std::string> cells) {
    rows_ += "<tr>";
    std::size_t column = 0;
    for (const std::string& cell : cells) rows_ += Cell("td", columns_[column++].number, cell);
    rows_ += "</tr>\n";
  }
  std::string Html() const {
    if (rows_.empty()) return html_ + "<p>None.</p>\n";
    std::string titles;
    for (const Column& column : columns_) titles += Cell("th", column.number, column.title);
    return fmt::format("{}<table>\n<tr>{}</tr>\n{}</table>\n", html_, titles, rows_);
  }

 private:
  static std::string Cell(std::string_view tag, bool number, std::string_view text) {
    return fmt::format("<{0}{1}>{2}</{0}>", tag, number ? " class=\"number\"" : "", Escaped(text));
  }

  const std::vector<Column> columns_;
  std::string html_, rows_;
};

std::string Number(std::int64_t value) { return fmt::format("{}", value); }

std::string Devices(const DaemonView& view) {
  Table table("Devices", {{"device"},
                          {"state"},
                          {"name"},
                          {"launches", true},
                          {"failed", true},
                          {"loaded kernels", true},
                          {"buffers", true},
                          {"of memory", true},
                          {"worker starts", true},
                          {"faults", true},
                          {"hangs", true},
                          {"recovery"},
                          {"last fault"}});
  for (const DeviceView& device : view.devices) {
    const DeviceState& state = device.state;
    table.Row({state.id, state.serving ? "serving" : "no worker", state.info ? state.info->name : "",
               Number(device.launches.done), Number(device.launches.failed), Number(device.loaded_kernels),
               Bytes(device.buffers.bytes), Bytes(state.info ? state.info->memory_bytes : 0), Number(state.starts),
               Number(state.faults), Number(state.hangs), Mean(state.recoveries),
               state.faults == 0 ? "" : fmt::format("{}, {}", state.last_fault, Ago(state.last_fault_at, view.now))});
  }
  return table.Html();
}

std::string Queues(const DaemonView& view) {
  Table table(
      "Queues",
      {{"queue"}, {"running", true}, {"at most", true}, {"waiting", true}, {"at most", true}, {"refused", true}});
  const auto row = [&](const std::string& name, const FairQueueStats& queue) {
    table.Row({name, Number(queue.taken), Number(queue.places), Number(queue.waiting), Number(queue.max_waiting),
               Number(queue.refused)});
  };
  row("compiles", view.compile_workers.queue);
  for (const DeviceView& device : view.devices) {
    if (device.queue.places > 0) row("launches on " + device.state.id, device.queue);
  }
  return table.Html();
}

std::string Cache(const DaemonView& view) {
  const EngineStats& engine = view.cache.engine;
  const DiskStoreStats& disk = view.cache.disk;
  Table table("Cache", {{"tier"},
                        {"entries", true},
                        {"size", true},
                        {"at most", true},
                        {"hits", true},
                        {"evicted", true},
                        {"damaged", true}});
  table.Row({"memory", Number(engine.memory.kernels), Bytes(engine.memory.bytes), Bytes(engine.memory.max_bytes),
             Number(engine.memory_hits), Number(engine.memory.evicted), ""});
  table.Row({"disk", Number(view.cache.disk_entries), Bytes(view.cache.disk_bytes), Bytes(view.cache.disk_max_bytes),
             Number(disk.hits), Number(disk.evicted), Number(disk.quarantined)});
  return table.Html();
}

std::string Stages(const DaemonView& view) {
  Table table("Stages", {{"stage"}, {"times", true}, {"mean", true}});
  for (const Stage stage : kStages) {
    const DurationHistogram::Snapshot& times = view.stages[static_cast<std::size_t>(stage)];
    table.Row({std::string(Name(stage)), Number(times.total()), Mean(times)});
  }
  return table.Html();
}

std::string Calls(const DaemonView& view) {
  Table table("Calls", {{"method"}, {"in flight", true}, {"ended", true}, {"mean", true}, {"by status"}});
  for (const auto& [method, counts] : view.methods) {
    std::string codes;
    for (const auto& [code, count] : counts.ended) {
      codes += fmt::format("{}{} {}", codes.empty() ? "" : ", ", absl::StatusCodeToString(code), count);
    }
    table.Row({method, Number(counts.in_flight), Number(counts.times.total()), Mean(counts.times), codes});
  }
  return table.Html();
}

std::string TopKernels(const DaemonView& view) {
  Table table("Top kernels in memory",
              {{"plan"}, {"hits", true}, {"used"}, {"arch"}, {"schedule"}, {"size", true}, {"loaded on"}, {"spec"}});
  for (const HeldKernel& kernel : view.kernels) {
    std::string devices;
    for (const std::string& device : kernel.loaded_on) devices += (devices.empty() ? "" : ", ") + device;
    table.Row({Short(kernel.plan_id), Number(kernel.hits), Ago(kernel.last_used, view.now), kernel.arch,
               kernel.schedule, Bytes(kernel.bytes), devices, kernel.summary});
  }
  return table.Html();
}

std::string Quarantined(const DaemonView& view) {
  Table table("Quarantined kernels",
              {{"plan"}, {"device"}, {"faults", true}, {"since"}, {"refused", true}, {"last fault"}});
  for (const QuarantinedKernel& kernel : view.quarantined) {
    table.Row({Short(kernel.plan_id), kernel.device, Number(kernel.faults), Ago(kernel.since, view.now),
               Number(kernel.refused), kernel.last_fault});
  }
  return table.Html();
}

std::string Failures(const DaemonView& view) {
  Table table("Recent faults", {{"when"}, {"method"}, {"device"}, {"status"}, {"request"}, {"message"}});
  for (const EndedCall& call : view.failures) {
    table.Row({Ago(call.at, view.now), call.method, call.device, absl::StatusCodeToString(call.code), call.request_id,
               call.message});
  }
  return table.Html();
}

}  // namespace

std::string StatusPage(const DaemonView& view) {
  const CompilerStats& compiler = view.cache.engine.compiler;
  std::string html(kHead);
  html += fmt::format("<h1>gemmd {}: {}</h1>\n", Escaped(view.version),
                      view.serving ? "serving" : "<span class=\"bad\">draining</span>");
  html += fmt::format(
      "<p>Up {}, {} resident, {} of {} file descriptors. {}. {} compiles, {} failed; {} started "
      "compile workers, {} ended. Values for machines: <a href=\"/metrics\">/metrics</a>.</p>\n",
      Span(view.now - view.started), Bytes(view.process.resident_bytes), view.process.open_fds, view.process.max_fds,
      view.compiler.empty() ? "<span class=\"bad\">No compiler</span>" : Escaped(view.compiler), compiler.compiles,
      compiler.failures, view.compile_workers.started, view.compile_workers.ended);
  html += Devices(view) + Queues(view) + Calls(view) + Stages(view) + Cache(view) + TopKernels(view) +
          Quarantined(view) + Failures(view);
  return html + "</body>\n</html>\n";
}

}  // namespace gemmd

#include "telemetry/metrics.hpp"

#include "base/limits.hpp"

#include <cassert>
#include <map>
#include <mutex>
#include <sstream>
#include <variant>

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

namespace interlock::telemetry {

namespace {

using Buckets = std::vector<double>;

/// Seconds, as the semantic conventions for MCP advise.
const Buckets operation_buckets{0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60, 120, 300};
/// Seconds; parsing and validation take microseconds.
const Buckets parse_buckets{0.00005, 0.0001, 0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.1, 1};
/// Seconds to hours: what people and long work take.
const Buckets people_buckets{1, 5, 15, 60, 180, 300, 600, 1800, 3600, 14'400};
/// Bytes; 10,000 characters is where a result is cut, 16 MiB where one ends.
const Buckets byte_buckets{256, 1024, 4096, 10'000, 65'536, 262'144, 1'048'576, 16'777'216};

struct FamilyText {
    const char* name;
    const char* help;
    std::vector<const char*> labels;
};

// Everything /metrics can show. The order is that of the enums in the header.

const std::vector<FamilyText> counters{
    {"interlock_tool_calls_total", "Tool calls by outcome.", {"gen_ai_tool_name", "outcome"}},
    {"interlock_schema_errors_total",
     "Tool calls refused because their arguments do not match the schema.",
     {"gen_ai_tool_name"}},
    {"interlock_cut_bytes_total", "Bytes left out of tool results.", {"gen_ai_tool_name"}},
    {"interlock_audit_failures_total",
     "Calls refused because the audit log could not be written.",
     {}},
    {"interlock_spans_dropped_total", "Spans lost, by reason.", {"reason"}},
    {"interlock_spans_exported_total", "Spans that a collector took.", {}},
    {"interlock_protocol_errors_total", "JSON-RPC errors answered, by code.", {"code"}},
    {"interlock_plan_transitions_total", "State changes of plans.", {"from", "to"}},
    {"interlock_suspensions_total", "Identities stopped by the supervisor.", {"cause"}},
    {"interlock_turned_away_total",
     "HTTP requests refused because nobody proved who asks, or no rule maps who does.",
     {"reason"}},
};

struct HistogramText {
    FamilyText text;
    Buckets buckets;
};

const std::vector<HistogramText> histograms{
    {{"mcp_server_operation_duration_seconds",
      "Time from receiving an MCP request to its answer.",
      {"mcp_method_name", "gen_ai_tool_name", "error_type"}},
     operation_buckets},
    {{"interlock_protocol_duration_seconds",
      "Time spent on parsing and validating an MCP request.",
      {"mcp_method_name"}},
     parse_buckets},
    {{"interlock_execution_duration_seconds",
      "Time a tool worked, from its validated arguments to its answer.",
      {"gen_ai_tool_name"}},
     operation_buckets},
    {{"interlock_pool_wait_seconds", "Time a call waited for a target connection.", {"target"}},
     operation_buckets},
    {{"interlock_payload_bytes",
      "Size of tool arguments (in) and results (out).",
      {"gen_ai_tool_name", "direction"}},
     byte_buckets},
    {{"interlock_execution_step_seconds",
      "Time one step of an approved plan took.",
      {"runbook", "outcome"}},
     operation_buckets},
    {{"interlock_decision_seconds",
      "Time from a plan's submission to a person's decision, by verdict.",
      {"verdict"}},
     people_buckets},
    {{"interlock_plan_execution_seconds",
      "Time from claiming an approved plan to its end, by the state it ended in.",
      {"state"}},
     people_buckets},
    {{"mcp_server_session_duration_seconds",
      "How long MCP sessions of the older revisions lasted, by how they ended.",
      {"ended"}},
     people_buckets},
    {{"interlock_audit_commit_seconds",
      "Time from handing a leaf of a call to the audit log to its being on disk.",
      {}},
     operation_buckets},
};

const std::vector<FamilyText> gauges{
    {"interlock_plans", "Plans by state.", {"state"}},
    {"interlock_plan_oldest_seconds",
     "Age of the oldest plan in a state in which something still waits for it.",
     {"state"}},
    {"interlock_audit_leaves", "Leaves of the audit log.", {}},
    {"interlock_sessions", "MCP sessions of the older revisions that are open.", {}},
    {"interlock_pool_connections_in_use", "Target connections in use.", {"target"}},
    {"interlock_brakes", "Kill switches and suspensions in force, by kind.", {"kind"}},
    {"interlock_brakes_unreadable",
     "1 while kill switches cannot be read from the store; what was in force stays so.",
     {}},
    {"interlock_supervised_identities", "Identities the supervisor keeps counters of.", {}},
    {"interlock_target_needs_missing",
     "Views, functions, extensions and grants that tools need and a target lacks, at the last "
     "look.",
     {"target"}},
    {"interlock_target_needs_known",
     "1 when the last look at what tools need of a target worked, 0 when it could not be asked.",
     {"target"}},
};

/// The time series of one family, found by label values. Not more than metric_series_max: labels
/// come from code, and should a caller's text ever get here, it meets this wall.
template <typename Metric>
class Series {
public:
    Series(
        prometheus::Family<Metric>& family, std::vector<const char*> labels, Buckets buckets = {}
    )
        : family_(family), labels_(std::move(labels)), buckets_(std::move(buckets)) {}

    Metric& of(std::vector<std::string> values) {
        assert(values.size() == labels_.size());
        const std::lock_guard lock(mutex_);
        auto known = metrics_.find(values);
        if (known == metrics_.end() && metrics_.size() >= base::limits::metric_series_max) {
            values.assign(values.size(), "other");
            known = metrics_.find(values);
        }
        if (known == metrics_.end())
            known = metrics_.emplace(values, &add(values)).first;
        return *known->second;
    }

private:
    Metric& add(const std::vector<std::string>& values) {
        std::map<std::string, std::string> labels;
        for (std::size_t i = 0; i < values.size(); ++i)
            labels.emplace(labels_[i], values[i]);
        if constexpr (std::is_same_v<Metric, prometheus::Histogram>)
            return family_.Add(labels, buckets_);
        else
            return family_.Add(labels);
    }

    prometheus::Family<Metric>& family_;
    std::vector<const char*> labels_;
    Buckets buckets_;
    std::mutex mutex_;
    std::map<std::vector<std::string>, Metric*> metrics_;
};

template <typename Metric, typename Builder>
std::unique_ptr<Series<Metric>>
declare(Builder builder, prometheus::Registry& registry, const FamilyText& text, Buckets buckets) {
    auto& family = builder.Name(text.name).Help(text.help).Register(registry);
    auto series = std::make_unique<Series<Metric>>(family, text.labels, std::move(buckets));
    // A family without labels has exactly one series. What is counted begins at 0; what is looked
    // at is not known before somebody looked.
    if (text.labels.empty() && !std::is_same_v<Metric, prometheus::Gauge>)
        series->of({});
    return series;
}

} // namespace

struct Metrics::State {
    prometheus::Registry registry;
    std::vector<std::unique_ptr<Series<prometheus::Counter>>> counters;
    std::vector<std::unique_ptr<Series<prometheus::Histogram>>> histograms;
    std::vector<std::unique_ptr<Series<prometheus::Gauge>>> gauges;
};

Metrics::Metrics() : state_(std::make_unique<State>()) {
    auto& registry = state_->registry;
    for (const auto& text : counters)
        state_->counters.push_back(
            declare<prometheus::Counter>(prometheus::BuildCounter(), registry, text, {})
        );
    for (const auto& [text, buckets] : histograms)
        state_->histograms.push_back(
            declare<prometheus::Histogram>(prometheus::BuildHistogram(), registry, text, buckets)
        );
    for (const auto& text : gauges)
        state_->gauges.push_back(
            declare<prometheus::Gauge>(prometheus::BuildGauge(), registry, text, {})
        );
}

Metrics::~Metrics() = default;

std::vector<std::string> Metrics::names() {
    std::vector<std::string> found;
    for (const auto& text : counters)
        found.emplace_back(text.name);
    for (const auto& histogram : histograms)
        found.emplace_back(histogram.text.name);
    for (const auto& text : gauges)
        found.emplace_back(text.name);
    return found;
}

void Metrics::count(Counter family, const std::vector<std::string>& labels, double by) {
    state_->counters[static_cast<std::size_t>(family)]->of(labels).Increment(by);
}

void Metrics::observe(Histogram family, const std::vector<std::string>& labels, double value) {
    state_->histograms[static_cast<std::size_t>(family)]->of(labels).Observe(value);
}

void Metrics::set(Gauge family, const std::vector<std::string>& labels, double value) {
    state_->gauges[static_cast<std::size_t>(family)]->of(labels).Set(value);
}

std::string Metrics::render() const {
    std::ostringstream out;
    prometheus::TextSerializer{}.Serialize(out, state_->registry.Collect());
    return std::move(out).str();
}

} // namespace interlock::telemetry

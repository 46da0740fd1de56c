#include "base/file.hpp"
#include "base/limits.hpp"
#include "telemetry/metrics.hpp"

#include <algorithm>
#include <regex>
#include <thread>

#include <catch2/catch.hpp>

namespace interlock::telemetry {
namespace {

bool has_line(const std::string& text, const std::string& line) {
    return ("\n" + text).find("\n" + line + "\n") != std::string::npos;
}

std::string read(const std::string& path) {
    const auto text = base::read_file(path, std::size_t{1} << 20);
    REQUIRE(text.ok());
    return *text;
}

TEST_CASE("rules, dashboard and documentation speak of metrics that exist", "[telemetry]") {
    const auto names = Metrics::names();
    const std::regex name("\\b(interlock|mcp_server)_[a-z_]+");
    const std::regex suffix("_(bucket|count|sum)$");
    std::size_t found = 0;
    for (const std::string path :
         {"packaging/prometheus/recording.yml",
          "packaging/prometheus/alerts.yml",
          "packaging/grafana/interlock.json",
          "docs/metrics.md"}) {
        const std::string text = read(path);
        for (std::sregex_iterator match(text.begin(), text.end(), name), end; match != end;
             ++match, ++found) {
            const std::string family = std::regex_replace(match->str(), suffix, "");
            INFO(path << " " << family);
            CHECK(std::find(names.begin(), names.end(), family) != names.end());
        }
    }
    CHECK(found > 50);
    const std::string documented = read("docs/metrics.md");
    for (const auto& family : names) {
        INFO(family);
        CHECK(documented.find("`" + family + "`") != std::string::npos);
    }
}

TEST_CASE("counters carry their labels and add up", "[telemetry]") {
    Metrics metrics;
    metrics.count(Counter::tool_calls, {"diagnose", "ok"});
    metrics.count(Counter::tool_calls, {"diagnose", "ok"});
    metrics.count(Counter::tool_calls, {"diagnose", "timeout"});
    metrics.count(Counter::cut_bytes, {"get_activity"}, 1234);
    metrics.count(Counter::schema_errors, {"diagnose"});
    metrics.count(Counter::protocol_errors, {"-32601"});
    metrics.count(Counter::plan_transitions, {"PENDING", "APPROVED"});
    const auto text = metrics.render();
    CAPTURE(text);
    const std::string calls = "interlock_tool_calls_total{gen_ai_tool_name=\"diagnose\",outcome=";
    CHECK(has_line(text, "# TYPE interlock_tool_calls_total counter"));
    CHECK(has_line(text, "# HELP interlock_tool_calls_total Tool calls by outcome."));
    CHECK(has_line(text, calls + "\"ok\"} 2"));
    CHECK(has_line(text, calls + "\"timeout\"} 1"));
    CHECK(has_line(text, "interlock_cut_bytes_total{gen_ai_tool_name=\"get_activity\"} 1234"));
    CHECK(has_line(text, "interlock_schema_errors_total{gen_ai_tool_name=\"diagnose\"} 1"));
    CHECK(has_line(text, "interlock_protocol_errors_total{code=\"-32601\"} 1"));
    const std::string transitions = "interlock_plan_transitions_total";
    CHECK(has_line(text, transitions + "{from=\"PENDING\",to=\"APPROVED\"} 1"));
}

TEST_CASE("what is counted begins at zero, what is looked at is shown then", "[telemetry]") {
    Metrics metrics;
    CHECK(has_line(metrics.render(), "interlock_audit_failures_total 0"));
    CHECK(has_line(metrics.render(), "interlock_spans_exported_total 0"));
    CHECK(metrics.render().find("interlock_audit_leaves 0") == std::string::npos);
    metrics.set(Gauge::audit_size, {}, 0);
    CHECK(has_line(metrics.render(), "interlock_audit_leaves 0"));
    metrics.count(Counter::audit_failures, {});
    CHECK(has_line(metrics.render(), "interlock_audit_failures_total 1"));
}

TEST_CASE("operation time has the buckets of the conventions", "[telemetry]") {
    Metrics metrics;
    metrics.observe(Histogram::operation_seconds, {"tools/call", "diagnose", ""}, 0.3);
    metrics.observe(Histogram::operation_seconds, {"tools/call", "diagnose", ""}, 1000);
    const auto text = metrics.render();
    CAPTURE(text);
    const std::string name = "mcp_server_operation_duration_seconds";
    const std::string labels =
        "{error_type=\"\",gen_ai_tool_name=\"diagnose\",mcp_method_name=\"tools/call\"";
    CHECK(has_line(text, "# TYPE " + name + " histogram"));
    CHECK(has_line(text, name + "_count" + labels + "} 2"));
    CHECK(has_line(text, name + "_bucket" + labels + ",le=\"0.2\"} 0"));
    CHECK(has_line(text, name + "_bucket" + labels + ",le=\"0.5\"} 1"));
    for (const auto* bound :
         {"0.01", "0.02", "0.05", "0.1", "0.2", "0.5", "1", "2", "5", "10", "30", "60", "120"})
        CHECK(text.find(labels + ",le=\"" + bound + "\"}") != std::string::npos);
    CHECK(has_line(text, name + "_bucket" + labels + ",le=\"300\"} 1"));
    CHECK(has_line(text, name + "_bucket" + labels + ",le=\"+Inf\"} 2"));
}

TEST_CASE("every histogram and gauge can be fed", "[telemetry]") {
    Metrics metrics;
    metrics.observe(Histogram::protocol_seconds, {"initialize"}, 0.0001);
    metrics.observe(Histogram::pool_wait_seconds, {"db1"}, 0.5);
    metrics.observe(Histogram::payload_bytes, {"diagnose", "out"}, 9'000);
    metrics.observe(Histogram::execution_step_seconds, {"release", "done"}, 2);
    metrics.set(Gauge::plans, {"PENDING"}, 3);
    metrics.set(Gauge::plans, {"PENDING"}, 2);
    metrics.set(Gauge::audit_size, {}, 12);
    metrics.set(Gauge::pool_in_use, {"db1"}, 4);
    const auto text = metrics.render();
    CAPTURE(text);
    CHECK(has_line(
        text, "interlock_protocol_duration_seconds_count{mcp_method_name=\"initialize\"} 1"
    ));
    CHECK(has_line(text, "interlock_pool_wait_seconds_count{target=\"db1\"} 1"));
    CHECK(has_line(
        text, "interlock_payload_bytes_sum{direction=\"out\",gen_ai_tool_name=\"diagnose\"} 9000"
    ));
    CHECK(
        text.find("interlock_execution_step_seconds_bucket{outcome=\"done\"") != std::string::npos
    );
    CHECK(has_line(text, "interlock_plans{state=\"PENDING\"} 2"));
    CHECK(has_line(text, "interlock_audit_leaves 12"));
    CHECK(has_line(text, "interlock_pool_connections_in_use{target=\"db1\"} 4"));
}

TEST_CASE("labels cannot grow without bound", "[telemetry]") {
    Metrics metrics;
    const auto extra = base::limits::metric_series_max;
    for (std::size_t i = 0; i < 2 * extra; ++i)
        metrics.count(Counter::schema_errors, {"tool-" + std::to_string(i)});
    const auto text = metrics.render();
    CHECK(has_line(
        text, "interlock_schema_errors_total{gen_ai_tool_name=\"other\"} " + std::to_string(extra)
    ));
}

TEST_CASE("a label value cannot forge a line", "[telemetry]") {
    Metrics metrics;
    metrics.count(Counter::schema_errors, {"a\"} 1\nforged 1"});
    CHECK_FALSE(has_line(metrics.render(), "forged 1"));
}

TEST_CASE("threads may count while others render", "[telemetry]") {
    Metrics metrics;
    constexpr int each = 2'000;
    {
        std::vector<std::jthread> threads;
        for (int i = 0; i < 3; ++i)
            threads.emplace_back([&] {
                for (int n = 0; n < each; ++n)
                    metrics.count(Counter::tool_calls, {"t" + std::to_string(n % 7), "ok"});
            });
        for (int i = 0; i < 20; ++i)
            CHECK_FALSE(metrics.render().empty());
    }
    const auto text = metrics.render();
    CHECK(has_line(text, "interlock_tool_calls_total{gen_ai_tool_name=\"t0\",outcome=\"ok\"} 858"));
}

} // namespace
} // namespace interlock::telemetry

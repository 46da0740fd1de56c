// A bench for tools: a context with a store, a clock and the given targets, and calls whose every
// answer is held against the tool's own output schema.
#pragma once

#include "base/clock.hpp"
#include "base/limits.hpp"
#include "base/text.hpp"
#include "tests/support/fakes.hpp"
#include "tools/evidence_store.hpp"
#include "tools/run.hpp"
#include "tools/schema.hpp"
#include "tools/targets.hpp"
#include "tools/tool.hpp"

#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

namespace interlock::test {

inline const tools::Tool& find_tool(const std::string& name) {
    for (const tools::Tool& tool : tools::catalog()) {
        if (tool.name == name) {
            return tool;
        }
    }
    throw std::runtime_error("no tool " + name);
}

class ToolBench {
public:
    explicit ToolBench(std::vector<db::TargetAddress> addresses)
        : targets_{std::move(addresses), clock_, metrics_} {
        auto store = tools::open_evidence_directory(directory_.path(), clock_);
        if (!store) {
            throw std::runtime_error(base::to_text(store.error()));
        }
        store_ = std::move(store).value();
        identity_.subject = "os:tester";
    }

    tools::Output call(const std::string& name, const std::string& arguments = "{}") {
        tools::Context context{targets_, *store_, metrics_, tracer_, clock_, random_};
        const tools::Tool& tool = find_tool(name);
        const tools::CallRequest request{
            .identity = identity_, .stop = stop_.get_token(), .parent = std::nullopt, .id = "c1"};
        auto output = tools::run_tool(context, tool, nlohmann::json::parse(arguments), request);
        const auto conforms = tools::check_schema(tool.output_schema(), output.structured);
        INFO(output.structured);
        CHECK(conforms.ok());
        CHECK(base::is_utf8(output.text));
        CHECK(
            base::count_characters(output.text.substr(0, output.text.find("[...TRUNCATED]"))) <=
            base::limits::result_text_chars_max
        );
        CHECK(output.structured.size() <= base::limits::result_structured_bytes_max);
        return output;
    }

    /// The structured answer of a call that must work.
    nlohmann::json ask(const std::string& name, const std::string& arguments = "{}") {
        const tools::Output output = call(name, arguments);
        INFO(output.text);
        REQUIRE_FALSE(output.is_error);
        return nlohmann::json::parse(output.structured);
    }

    tools::EvidenceStore& store() { return *store_; }
    tools::Targets& targets() { return targets_; }
    telemetry::Metrics& metrics() { return metrics_; }
    telemetry::Identity& identity() { return identity_; }
    std::stop_source& stop() { return stop_; }

private:
    TemporaryDirectory directory_;
    base::SystemClock clock_;
    base::SystemRandom random_;
    telemetry::Metrics metrics_;
    telemetry::Tracer tracer_{telemetry::null_span_sink(), clock_, random_};
    tools::Targets targets_;
    std::unique_ptr<tools::EvidenceStore> store_;
    telemetry::Identity identity_;
    std::stop_source stop_;
};

} // namespace interlock::test

// A bench for tools: a context with a store, a clock and the given targets, and calls whose every
// answer is held against the tool's own output schema.
#pragma once

#include "base/clock.hpp"
#include "base/json.hpp"
#include "tests/support/fakes.hpp"
#include "tests/support/spans.hpp"
#include "tools/evidence_store.hpp"
#include "tools/run.hpp"
#include "tools/targets.hpp"
#include "tools/tool.hpp"

#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

namespace interlock::test {

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

    /// Calls a tool; its answer, an error too, is held against the schema and the limits.
    tools::Output call(const std::string& name, const std::string& arguments = "{}");
    tools::Output call(const tools::Tool& tool, const std::string& arguments = "{}");
    /// The structured answer of a call that must work.
    base::Json ask(const std::string& name, const std::string& arguments = "{}");

    tools::EvidenceStore& store() { return *store_; }
    tools::Targets& targets() { return targets_; }
    telemetry::Metrics& metrics() { return metrics_; }
    telemetry::Identity& identity() { return identity_; }
    std::stop_source& stop() { return stop_; }
    const KeptSpans& spans() const { return spans_; }
    void watch_drift(tools::DriftWatch* drift) { drift_ = drift; }
    void use_sampler(tools::Sampler* sampler) { sampler_ = sampler; }

private:
    TemporaryDirectory directory_;
    base::SystemClock clock_;
    base::SystemRandom random_;
    telemetry::Metrics metrics_;
    KeptSpans spans_;
    telemetry::Tracer tracer_{spans_, clock_, random_};
    tools::Targets targets_;
    std::unique_ptr<tools::EvidenceStore> store_;
    telemetry::Identity identity_;
    std::stop_source stop_;
    tools::DriftWatch* drift_ = nullptr;
    tools::Sampler* sampler_ = nullptr;
};

/// Ids of a diagnosis's causes, in order.
std::vector<std::string> cause_ids(const base::Json& diagnosis);
/// Whether a packet names something like `what` among what was not examined.
bool not_examined(const base::Json& packet, const std::string& what);

} // namespace interlock::test

// Metrics for /metrics. Families are declared in one table (metrics.cpp) with fixed label names,
// so that labels stay bounded by construction: values come from code (tool names, outcomes,
// states), never from callers.
#pragma once

#include <memory>
#include <string>
#include <vector>

namespace interlock::telemetry {

enum class Counter {
    tool_calls,    // tool, outcome
    schema_errors, // tool
    cut_bytes,     // tool
    audit_failures,
    spans_dropped, // reason
    spans_exported,
    protocol_errors,  // code
    plan_transitions, // from, to
    suspensions,      // cause
    turned_away,      // reason
};
enum class Histogram {
    operation_seconds,      // mcp.server.operation.duration: method, tool, error
    protocol_seconds,       // parse and validation: method
    execution_seconds,      // a tool at work: tool
    pool_wait_seconds,      // target
    payload_bytes,          // tool, direction
    execution_step_seconds, // runbook, outcome
    decision_seconds,       // verdict: from submission to the decision
    plan_execution_seconds, // state it ended in: from the claim to the end
    session_seconds,        // mcp.server.session.duration, legacy: how it ended
    audit_commit_seconds,   // from handing a leaf over to its being on disk
};
enum class Gauge {
    plans,               // state
    plan_oldest_seconds, // state
    audit_size,
    sessions,    // legacy sessions open
    pool_in_use, // target
    brakes,      // kind
    brakes_unreadable,
    supervised_identities,
    needs_missing, // target
    needs_known,   // target
};

class Metrics {
public:
    Metrics();
    ~Metrics();
    Metrics(const Metrics&) = delete;
    Metrics& operator=(const Metrics&) = delete;
    void count(Counter family, const std::vector<std::string>& labels, double by = 1);
    void observe(Histogram family, const std::vector<std::string>& labels, double value);
    void set(Gauge family, const std::vector<std::string>& labels, double value);
    /// Of all families, as /metrics shows them: what rules and dashboards may speak of.
    static std::vector<std::string> names();
    /// Prometheus text format 0.0.4.
    std::string render() const;

private:
    struct State;
    std::unique_ptr<State> state_;
};

} // namespace interlock::telemetry

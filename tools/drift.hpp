// Schema drift: what the tools need of a target (their own statements, and what they declare beside
// them) held against what is there, at start and once a day, so that a missing view, extension or
// grant is told before an agent trips over it. Nothing is executed: each statement is planned as
// `select * from (...) limit 0`, which checks relations, functions, columns and rights alike.
#pragma once

#include "base/clock.hpp"
#include "base/limits.hpp"
#include "base/result.hpp"
#include "telemetry/metrics.hpp"
#include "tools/targets.hpp"
#include "tools/tool.hpp"

#include <chrono>
#include <map>
#include <mutex>
#include <stop_token>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace interlock::tools {

/// One thing that a tool needs and does not have.
struct MissingNeed {
    std::string tool;
    std::string need;       // "relation app.t", "extension pg_stat_statements", ...
    std::string why;        // missing, or may not be used
    std::string would_tell; // what the tool cannot see without it
    std::string remedy;
    bool told_by_tool = false; // the tool says so itself in every answer
};

/// Looks once, as the login role. An Error: the target could not be asked, nothing is known.
base::Result<std::vector<MissingNeed>> check_drift(
    db::ReaderConnection& connection, const std::vector<Tool>& tools, const std::stop_token& stop
);

struct TargetDrift {
    bool known = false;
    std::string unknown_why; // "" before the first look
    std::string at;          // of the last look that worked; RFC 3339
    std::vector<MissingNeed> missing;
};

struct DriftParts {
    Targets& targets;
    const std::vector<Tool>& tools;
    base::Clock& clock;
    telemetry::Metrics& metrics;
    base::Duration interval = base::limits::drift_interval;
    base::Duration retry_min = base::limits::drift_retry_min;
    base::Duration retry_max = base::limits::drift_retry_max;
};

/// Keeps the last look at every target. An outage makes it unknown, never drifted, and is tried
/// again with back-off; what was known before stays until the next look that works.
class DriftWatch {
public:
    explicit DriftWatch(DriftParts parts);
    /// Looks at once and then whenever a target is due, until destruction.
    void start();
    /// Looks at every target that is due now.
    void look(const std::stop_token& stop = {});
    TargetDrift seen(const std::string& target) const;
    /// For an answer of `tool`: what it could not examine on this target, and why.
    std::vector<NotExamined> gaps(std::string_view tool, const std::string& target) const;

private:
    struct Entry {
        TargetDrift drift;
        base::Ticks due{};
        base::Duration backoff{};
    };
    void look_at(const std::string& target, const std::stop_token& stop);
    void keep(const std::string& target, base::Result<std::vector<MissingNeed>> found);

    DriftParts parts_;
    mutable std::mutex mutex_; // guards entries_
    std::map<std::string, Entry> entries_;
    std::jthread thread_; // last: it ends first
};

} // namespace interlock::tools

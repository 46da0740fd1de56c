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

/// Looks once, as the login role or as one that callers are mapped to. An Error: the target could
/// not be asked, nothing is known; or that role may not be taken.
base::Result<std::vector<MissingNeed>> check_drift(
    db::ReaderConnection& connection,
    const std::vector<Tool>& tools,
    const std::stop_token& stop,
    const std::string& role = {}
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
    std::vector<std::string> roles = {}; // that callers are mapped to, besides the login's own
    base::Duration interval = base::limits::drift_interval;
    base::Duration retry_min = base::limits::drift_retry_min;
    base::Duration retry_max = base::limits::drift_retry_max;
};

/// Keeps the last look at every target. An outage makes it unknown, never drifted, and is tried
/// again with back-off; what was known before stays until the next look that works.
class DriftWatch {
public:
    explicit DriftWatch(DriftParts parts);
    /// Looks a second later and then whenever a target is due, until destruction: reading what all
    /// tools need takes longer than the whole start.
    void start();
    /// Looks at every target that is due now.
    void look(const std::stop_token& stop = {});
    /// Roles from now on; if they are others, all targets are due.
    void use_roles(std::vector<std::string> roles);
    /// As a caller meets it who is mapped to `role`; "" = to the login's own.
    TargetDrift seen(const std::string& target, const std::string& role = {}) const;
    /// For an answer of `tool` to such a caller: what it could not examine, and why.
    std::vector<NotExamined>
    gaps(std::string_view tool, const std::string& target, const std::string& role = {}) const;

private:
    /// By role; "" is the login's own.
    using Missing = std::map<std::string, std::vector<MissingNeed>>;
    struct Entry {
        bool known = false;
        std::string unknown_why;
        std::string at;
        Missing missing;
        base::Ticks due{};
        base::Duration backoff{};
    };
    void look_at(const std::string& target, const std::stop_token& stop);
    base::Result<Missing> ask(const std::string& target, const std::stop_token& stop);
    void keep(const std::string& target, base::Result<Missing> found);

    DriftParts parts_;
    mutable std::mutex mutex_; // guards entries_ and parts_.roles
    std::map<std::string, Entry> entries_;
    std::jthread thread_; // last: it ends first
};

} // namespace interlock::tools

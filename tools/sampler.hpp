// An hour of each target's counters, a sample every ten seconds, so that tools show rates of the
// last minutes at once; and of its tables' sizes, which change more slowly, a sample every five
// minutes. Without history (the first seconds, a restarted server) two samples are
// taken a second apart.
#pragma once

#include "base/clock.hpp"
#include "base/limits.hpp"
#include "tools/counters.hpp"
#include "tools/targets.hpp"
#include "tools/tool.hpp"

#include <chrono>
#include <deque>
#include <map>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

namespace interlock::tools {

struct SamplerParts {
    Targets& targets;
    base::Clock& clock;
    base::Duration interval = base::limits::sampler_interval;
    base::Duration history = base::limits::sampler_history;
};

class Sampler {
public:
    explicit Sampler(SamplerParts parts);
    /// Samples every target until destruction, each in a thread of its own: a dead one holds up no
    /// other. First after one interval: a start has other uses for the role's few connections, and
    /// a server that serves one agent may not live that long.
    void start();
    /// Takes one sample. An Error: the target could not be asked, and the history has a hole.
    base::Status look(const std::string& target, const std::stop_token& stop = {});
    /// The sample that lies nearest to `length` before `newer`, of the same run of the server and
    /// at least a second older.
    std::optional<Sample>
    before(const std::string& target, const Sample& newer, base::Duration length) const;
    /// The same of size_counters().
    std::optional<Sample>
    sizes_before(const std::string& target, const Sample& newer, base::Duration length) const;
    /// How many samples are kept.
    std::size_t kept(const std::string& target) const;

private:
    using History = std::map<std::string, std::deque<Sample>>; // oldest first

    std::optional<Sample> nearest(
        const History& history,
        const std::string& target,
        const Sample& newer,
        base::Duration length
    ) const;
    bool sizes_due(const std::string& target) const;
    void keep(History& history, const std::string& target, Sample sample);

    SamplerParts parts_;
    mutable std::mutex mutex_; // guards history_ and sizes_
    History history_;
    History sizes_;
    std::vector<std::jthread> threads_; // last: they use all of the above
};

/// The counters of `sections` as they are now, and as they were `wanted` ago or, where nobody knows
/// that, a second ago. What could not be counted is told in `evidence`, which gets the source too,
/// and so is how much of `wanted` the window lacks.
base::Result<Window> read_window(
    Context& context,
    const Call& call,
    const LaneRequest& request,
    Sections sections,
    std::chrono::seconds wanted,
    Evidence& evidence
);

/// Sizes of tables now, and `wanted` ago or as long ago as anybody knows; nothing where that is too
/// short a time to tell growth from chance. What the window lacks is told in `evidence`.
base::Result<std::optional<Window>> read_sizes(
    Context& context,
    const Call& call,
    const LaneRequest& request,
    std::chrono::seconds wanted,
    Evidence& evidence
);

} // namespace interlock::tools

// News of plans for those who watch plan://<id>: one thread looks at the watched plans every
// limits::watch_interval and tells the hub which of them stand differently. People, the executor
// and other servers change plans in the shared queue, so looking is the only way to hear of it.
#pragma once

#include "approval/queue.hpp"
#include "base/limits.hpp"

#include <chrono>
#include <functional>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <thread>

namespace interlock::server {

/// Where a plan stands: its version, and its state as shown (a plan expires without a new version).
struct PlanMark {
    long long version = 0;
    approval::PlanState state = approval::PlanState::pending;
    friend bool operator==(const PlanMark&, const PlanMark&) = default;
};

/// How every watched plan stood when it was last looked at. A plan is noted when somebody begins to
/// watch it, so that what happens before the first look is told too. Thread-safe.
class PlanMarks {
public:
    /// Keeps the mark that is there already: news since then is still to be told.
    void note(const std::string& uri, PlanMark mark);
    /// Whether `uri` was seen before and stood differently then; remembers how it stands now.
    bool moved(const std::string& uri, PlanMark mark);
    /// Forgets what is not watched, but what was noted since the last time: its watch is just
    /// beginning.
    void keep(const std::set<std::string>& watched);
    std::size_t size() const;

private:
    struct Entry {
        PlanMark mark;
        bool beginning = false;
    };
    mutable std::mutex mutex_;
    std::map<std::string, Entry> entries_;
};

struct PlanWatcherParts {
    approval::Queue& queue;
    PlanMarks& marks;
    std::function<std::set<std::string>()> watched; // uris of any kind
    std::function<void(const std::string&)> updated;
    std::chrono::milliseconds interval = base::limits::watch_interval;
};

/// Looks from construction to destruction.
class PlanWatcher {
public:
    explicit PlanWatcher(PlanWatcherParts parts);

private:
    PlanWatcherParts parts_;
    std::jthread thread_; // last: it ends first
};

/// One look at the plans that are watched now; nothing is read when there are none.
void look_at_plans(const PlanWatcherParts& parts);

} // namespace interlock::server

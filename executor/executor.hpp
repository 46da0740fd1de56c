// The executor's loop: abandoned plans first, then approved ones, one at a time. What may not run
// is refused with its reason recorded; what another executor was faster at is left to it.
#pragma once

#include "approval/decision.hpp"
#include "base/db/store.hpp"
#include "base/ids.hpp"
#include "executor/execution.hpp"
#include "executor/gate.hpp"
#include "executor/log_guard.hpp"

#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>

namespace interlock::executor {

/// What one look at the queue led to.
struct Pass {
    int succeeded = 0;
    int ended = 0;   // executed or ended, without success
    int left = 0;    // begun, not ended
    int refused = 0; // not begun: not for this executor, or its approvals do not verify
    int failed = 0;  // the queue could not be read or written
    bool frozen = false;
};

class Executor {
public:
    Executor(
        const Surroundings& around,
        db::Store& store,
        base::Random& random,
        approval::ApproverKeys approvers,
        const Library& library,
        LogGuard& guard
    );

    /// Once, before anything else: the log continues what this executor remembers of it.
    base::Status start();
    /// One look at the queue. Returns early when a stop is requested.
    Pass pass();
    /// Why nothing is started any more, for /healthz; any thread.
    std::optional<std::string> frozen() const;

private:
    template <class Ask>
    auto asked(const Ask& ask);
    void take_over(const std::string& plan_id, Pass& pass);
    void consider(const approval::StoredPlan& stored, Pass& pass);
    void
    execute(const approval::StoredPlan& stored, const approval::ApprovedPlan& approved, Pass& pass);
    bool is_for_us(const approval::StoredPlan& stored, Pass& pass);
    bool log_is_sound(const std::string& plan_digest, Pass& pass);
    void refuse(const approval::StoredPlan& stored, const base::Error& why, Pass& pass);
    void count(Ending ending, Pass& pass);
    void fail(const char* what, const std::string& plan_id, const base::Error& error, Pass& pass);

    Surroundings around_;
    db::Store& store_;
    base::Random& random_;
    approval::ApproverKeys approvers_;
    const Library& library_;
    LogGuard& guard_;
    std::map<std::string, std::string> refused_; // plan id to why, so that each is told once
    mutable std::mutex mutex_;
    std::optional<std::string> frozen_;
};

} // namespace interlock::executor

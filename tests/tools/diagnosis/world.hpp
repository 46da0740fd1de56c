// Canned lock facts for tests of what they mean.
#pragma once

#include "tools/diagnosis/facts.hpp"

#include <string>
#include <vector>

namespace interlock::test {

/// A small world of sessions and waits, looked at twice.
class World {
public:
    World() {
        now_.complete = true;
        now_.sees_all_sessions = true;
        now_.clients = 10;
    }

    tools::LockSession& session(long long pid, const char* state, double xact_seconds) {
        tools::LockSession session;
        session.pid = pid;
        session.user = "app";
        session.application_name = "web";
        session.backend_type = "client backend";
        session.state = state;
        session.visible = true;
        session.backend_start = "2026-11-21T01:00:00.000000Z";
        if (xact_seconds > 0) {
            session.xact_start = "2026-11-21T02:00:00.000000Z";
            session.xact_seconds = xact_seconds;
        }
        session.query_start = "2026-11-21T02:00:01.000000Z";
        session.query_seconds = xact_seconds;
        session.state_seconds = xact_seconds;
        return now_.sessions[pid] = session;
    }

    World& waits(
        long long waiter,
        std::vector<tools::LockNode> blockers,
        double seconds,
        const char* type = "transactionid",
        const char* mode = "ShareLock"
    ) {
        if (now_.sessions.count(waiter) == 0) {
            session(waiter, "active", seconds);
        }
        tools::LockWait wait;
        wait.waiter = waiter;
        wait.blockers = std::move(blockers);
        wait.lock_type = type;
        wait.mode = mode;
        wait.relation = "app.orders";
        wait.wait_seconds = seconds;
        now_.waits.push_back(wait);
        return *this;
    }

    World& prepared(const char* gid, double age) {
        now_.prepared.push_back(
            {.gid = gid,
             .owner = "app",
             .database = "shop",
             .prepared = "2026-11-21T02:00:00.000000Z",
             .age_seconds = age}
        );
        return *this;
    }

    tools::LockFacts& now() { return now_; }

    /// As seen twice, unchanged unless `before` says otherwise.
    tools::Facts facts() const { return facts(now_); }
    tools::Facts facts(tools::LockFacts before) const {
        tools::Facts out;
        out.first = std::move(before);
        out.second = now_;
        out.apart_seconds = 0.3;
        out.source.target = "main";
        return out;
    }

private:
    tools::LockFacts now_;
};

inline tools::LockNode backend(long long pid) {
    return {.pid = pid, .gid = {}};
}
inline tools::LockNode gid(const char* name) {
    return {.pid = 0, .gid = name};
}

} // namespace interlock::test

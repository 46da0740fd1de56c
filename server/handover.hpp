// The one moment at which a call turns into a task: its request is answered with the task, its id
// is free again, and the same handler runs on. Asked for by the handler, by the tool's declaration,
// or by the clock; it happens once, or never.
#pragma once

#include "server/dispatch.hpp"
#include "server/outlet.hpp"
#include "server/protocol.hpp"
#include "server/tasks.hpp"

#include <functional>
#include <memory>
#include <mutex>
#include <stop_token>
#include <string>

namespace interlock::server {

/// Thread-safe. Job, tasks and control are used until settle() and not after.
class Handover {
public:
    /// `may_leave`, where it is given, is asked before the client is told of a task: false keeps
    /// the call a call. It may wait.
    Handover(
        Job& job,
        Tasks& tasks,
        CallControl& control,
        std::shared_ptr<Outlet> outlet,
        std::function<bool()> may_leave = {}
    );
    /// Makes the call a task, if its client knows tasks and there is room. True when it is one.
    bool move();
    /// The call is to be answered as a call: it asked the client in its answer. False when it is a
    /// task already.
    bool stay();
    /// The handler has ended: nothing changes any more. The task's id; "" when it stayed a call.
    std::string settle();
    /// The task's id; "" while it is a call.
    std::string task_id() const;

private:
    enum class State { open, moved, stays };

    Job& job_;
    Tasks& tasks_;
    CallControl& control_;
    const std::shared_ptr<Outlet> outlet_;
    const std::function<bool()> may_leave_;
    mutable std::mutex mutex_;
    State state_ = State::open;
    std::string task_id_;
    std::stop_source stop_;
};

} // namespace interlock::server

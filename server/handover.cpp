#include "server/handover.hpp"

#include <utility>

namespace interlock::server {

Handover::Handover(
    Job& job,
    Tasks& tasks,
    CallControl& control,
    std::shared_ptr<Outlet> outlet,
    std::function<bool()> may_leave
)
    : job_(job),
      tasks_(tasks),
      control_(control),
      outlet_(std::move(outlet)),
      may_leave_(std::move(may_leave)) {}

bool Handover::move() {
    const std::lock_guard lock(mutex_);
    if (state_ != State::open || job_.kind != JobKind::call_tool || job_.era != Era::modern ||
        !job_.client.tasks) {
        return state_ == State::moved;
    }
    if (may_leave_ && !may_leave_()) {
        return false;
    }
    auto started = tasks_.start(job_.subject(), stop_);
    if (!started) {
        return false;
    }
    if (!control_.become_task(stop_.get_token())) {
        tasks_.discard(started.value());
        return false;
    }
    task_id_ = std::move(started).value();
    state_ = State::moved;
    // From here on the client can ask for the task: it is told only now.
    std::string result = "{" + job_.offer->modern_members("task") + ",";
    result.append(tasks_.created(task_id_), 1, std::string::npos);
    Reply reply;
    reply.body = render_result(job_.id, result);
    outlet_->finish(std::move(reply));
    return true;
}

bool Handover::stay() {
    const std::lock_guard lock(mutex_);
    if (state_ == State::open) {
        state_ = State::stays;
    }
    return state_ == State::stays;
}

std::string Handover::settle() {
    stay();
    return task_id();
}

std::string Handover::task_id() const {
    const std::lock_guard lock(mutex_);
    return task_id_;
}

} // namespace interlock::server

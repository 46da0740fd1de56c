#include "approval/desk/worker.hpp"

#include "base/limits.hpp"
#include "base/log.hpp"

#include <exception>

namespace interlock::desk {

Worker::Worker(const Site& site) : site_(site), thread_([this] { serve(); }) {}

Worker::~Worker() {
    {
        const std::lock_guard lock(mutex_);
        ending_ = true;
    }
    waiting_changed_.notify_all();
    thread_.join();
}

void Worker::take(std::shared_ptr<base::HttpExchange> exchange) {
    {
        const std::lock_guard lock(mutex_);
        if (!ending_ && waiting_.size() < base::limits::desk_requests_waiting_max) {
            waiting_.push_back(std::move(exchange));
            waiting_changed_.notify_one();
            return;
        }
    }
    exchange->respond({503, {{"Retry-After", "1"}}, "The desk is busy.\n"});
}

void Worker::serve() {
    std::unique_lock lock(mutex_);
    while (true) {
        waiting_changed_.wait(lock, [&] { return ending_ || !waiting_.empty(); });
        if (waiting_.empty())
            return;
        const auto exchange = std::move(waiting_.front());
        waiting_.pop_front();
        lock.unlock();
        try {
            exchange->respond(site_.answer(exchange->request()));
        } catch (const std::exception& failure) {
            // A library's surprise must not end the desk.
            base::log_error("desk.request_failed", {{"error", failure.what()}});
            exchange->respond({500, {}, "The desk failed to answer; its log says why.\n"});
        }
        lock.lock();
    }
}

} // namespace interlock::desk

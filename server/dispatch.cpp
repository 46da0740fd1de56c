#include "server/dispatch.hpp"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

namespace interlock::server {
namespace {

/// One piece of work from its submission to its end.
struct Task final : CallControl {
    std::string key; // guarded by State::mutex
    Work work;
    base::Ticks deadline;
    std::stop_source source;
    std::atomic<StopReason> wanted{StopReason::none}; // the first reason stands
    std::optional<std::stop_callback<std::function<void()>>> gone;

    std::stop_token stop() const override { return source.get_token(); }
    StopReason reason() const override { return wanted.load(); }
    bool want(StopReason reason) {
        StopReason expected = StopReason::none;
        return wanted.compare_exchange_strong(expected, reason);
    }
};

using TaskPointer = std::shared_ptr<Task>;

} // namespace

struct Dispatcher::State {
    State(base::Clock& used_clock, DispatcherOptions chosen) : clock(used_clock), options(chosen) {}

    void run_worker();
    void run_watcher();
    std::vector<TaskPointer> due_for_stop(base::Ticks now);
    bool wish(Task& task, StopReason reason);

    base::Clock& clock;
    DispatcherOptions options;
    mutable std::mutex mutex;
    std::condition_variable work_ready;
    std::condition_variable watch;
    std::condition_variable idle;
    std::deque<TaskPointer> waiting;
    std::vector<TaskPointer> live; // waiting and running
    bool paused = false;
    bool accepting = true;
    bool ending = false;
    std::vector<std::thread> workers;
    std::thread watcher;
};

Dispatcher::Dispatcher(base::Clock& clock, DispatcherOptions options)
    : state_(std::make_shared<State>(clock, options)) {
    State& state = *state_;
    state.paused = options.paused;
    state.watcher = std::thread([&state] { state.run_watcher(); });
    for (std::size_t i = 0; i < options.workers; ++i) {
        state.workers.emplace_back([&state] { state.run_worker(); });
    }
}

Dispatcher::~Dispatcher() {
    drain(base::Duration::zero());
}

bool Dispatcher::State::wish(Task& task, StopReason reason) {
    if (!task.want(reason)) {
        return false;
    }
    const std::lock_guard lock(mutex); // pairs with the watcher's look at `wanted` before it waits
    watch.notify_one();
    return true;
}

Admission Dispatcher::submit(const std::string& key, Work work, std::stop_token gone) {
    State& state = *state_;
    auto task = std::make_shared<Task>();
    task->key = key;
    task->work = std::move(work);
    task->deadline = state.clock.ticks() + state.options.deadline;
    if (gone.stop_possible()) {
        // May run at once, or on the thread that noticed; it only leaves a wish for the watcher.
        auto notice = [shared = state_, weak = std::weak_ptr<Task>(task)] {
            if (const auto alive = weak.lock()) {
                shared->wish(*alive, StopReason::client_gone);
            }
        };
        task->gone.emplace(std::move(gone), std::move(notice));
    }
    {
        const std::lock_guard lock(state.mutex);
        const auto same_key = [&](const TaskPointer& other) { return other->key == key; };
        if (!state.accepting) {
            return Admission::stopping;
        }
        if (!key.empty() && std::any_of(state.live.begin(), state.live.end(), same_key)) {
            return Admission::duplicate;
        }
        if (state.waiting.size() >= state.options.queue_max) {
            return Admission::busy;
        }
        state.waiting.push_back(task);
        state.live.push_back(task);
        state.watch.notify_one();
    }
    state.work_ready.notify_one();
    return Admission::accepted;
}

bool Dispatcher::cancel(const std::string& key) {
    TaskPointer found;
    {
        const std::lock_guard lock(state_->mutex);
        for (const TaskPointer& task : state_->live) {
            if (!key.empty() && task->key == key) {
                found = task;
            }
        }
    }
    return found != nullptr && state_->wish(*found, StopReason::cancelled);
}

void Dispatcher::resume() {
    const std::lock_guard lock(state_->mutex);
    state_->paused = false;
    state_->work_ready.notify_all();
}

std::size_t Dispatcher::under_way() const {
    const std::lock_guard lock(state_->mutex);
    return state_->live.size();
}

void Dispatcher::drain(base::Duration grace) {
    State& state = *state_;
    {
        std::unique_lock lock(state.mutex);
        state.accepting = false;
        const auto none_live = [&] { return state.live.empty(); };
        // What never began (the program ended before it was ready) is not worth waiting for.
        const auto wait = state.paused ? base::Duration::zero() : grace;
        if (!state.idle.wait_for(lock, wait, none_live)) {
            for (const TaskPointer& task : state.live) {
                task->want(StopReason::shutdown);
            }
            state.paused = false;
            state.watch.notify_one();
            state.work_ready.notify_all();
            state.idle.wait(lock, none_live);
        }
        state.ending = true;
        state.watch.notify_one();
        state.work_ready.notify_all();
    }
    for (std::thread& worker : state.workers) {
        worker.join();
    }
    state.workers.clear();
    if (state.watcher.joinable()) {
        state.watcher.join();
    }
}

void Dispatcher::State::run_worker() {
    for (;;) {
        TaskPointer task;
        {
            std::unique_lock lock(mutex);
            work_ready.wait(lock, [&] { return ending || (!paused && !waiting.empty()); });
            if (waiting.empty()) {
                return;
            }
            task = std::move(waiting.front());
            waiting.pop_front();
        }
        const Deliver deliver = task->work(*task);
        task->gone.reset();
        {
            const std::lock_guard lock(mutex);
            task->key.clear();
        }
        if (deliver) {
            deliver();
        }
        const std::lock_guard lock(mutex);
        std::erase(live, task);
        if (live.empty()) {
            idle.notify_all();
        }
    }
}

/// Tasks that somebody wants stopped, or whose time is up, and that were not told yet.
std::vector<TaskPointer> Dispatcher::State::due_for_stop(base::Ticks now) {
    std::vector<TaskPointer> due;
    for (const TaskPointer& task : live) {
        if (now >= task->deadline) {
            task->want(StopReason::deadline);
        }
        if (task->reason() != StopReason::none && !task->source.stop_requested()) {
            due.push_back(task);
        }
    }
    return due;
}

void Dispatcher::State::run_watcher() {
    constexpr std::chrono::milliseconds tick{100}; // how late a deadline may be noticed
    std::unique_lock lock(mutex);
    while (!ending) {
        std::vector<TaskPointer> due = due_for_stop(clock.ticks());
        if (due.empty()) {
            if (live.empty()) {
                watch.wait(lock);
            } else {
                watch.wait_for(lock, tick);
            }
            continue;
        }
        lock.unlock();
        for (const TaskPointer& task : due) {
            task->source.request_stop();
        }
        due.clear();
        lock.lock();
    }
}

} // namespace interlock::server

#include "server/dispatch.hpp"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <deque>
#include <map>
#include <mutex>
#include <optional>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

namespace interlock::server {
namespace {

using StopCallback = std::stop_callback<std::function<void()>>;

constexpr std::chrono::milliseconds tick{100}; // how late a deadline may be noticed

/// What one subject has live.
struct Share {
    std::size_t waiting = 0;
    std::size_t calls = 0;
    std::size_t tasks = 0;
    std::size_t bytes = 0; // of all of these
    bool empty() const { return waiting + calls + tasks == 0; }
};

} // namespace

struct Dispatcher::State : std::enable_shared_from_this<Dispatcher::State> {
    State(base::Clock& used_clock, DispatcherOptions chosen) : clock(used_clock), options(chosen) {}

    void staff(std::size_t coming = 0);
    void run_worker();
    void run_answerer();
    void run_watcher();
    void run_mover();
    std::vector<PiecePointer> due_for_stop(base::Ticks now);
    std::vector<std::function<void()>> slow_actions(base::Ticks now);
    std::deque<PiecePointer>::iterator first_with_room();
    PiecePointer next();
    PiecePointer next_answer();
    bool hand_over(const PiecePointer& piece);
    void deliver(const PiecePointer& piece, const Deliver& answer);
    bool is_full_for(const Charge& charge);
    void finished(const PiecePointer& piece);
    bool wish(Piece& piece, StopReason reason);
    std::function<void()> wish_later(const PiecePointer& piece, StopReason reason);

    base::Clock& clock;
    DispatcherOptions options;
    mutable std::mutex mutex;
    std::condition_variable work_ready;
    std::condition_variable answer_ready;
    std::condition_variable watch;
    std::condition_variable slow;
    std::condition_variable idle;
    std::deque<PiecePointer> waiting;
    std::deque<PiecePointer> answers;    // handed over, the first ones first
    std::vector<PiecePointer> live;      // waiting, running and answering
    std::size_t answering = 0;           // handed over and not delivered
    std::size_t calls = 0;               // running
    std::size_t tasks = 0;               // running
    std::size_t bytes = 0;               // of all that is live
    std::map<std::string, Share> shares; // of the subjects with anything live
    bool paused = false;
    bool accepting = true;
    bool ending = false;
    bool watcher_sleeps = false;      // without a time at which it wakes
    std::vector<std::thread> workers; // as many as were needed at once, one at least
    std::size_t starting = 0;         // workers that have not come yet
    std::size_t sleeping = 0;         // workers that wait for work
    std::thread answerer;             // once something was handed over
    std::thread watcher;
    std::thread mover;
};

/// One piece of work from its submission to its end.
struct Dispatcher::Piece final : CallControl, std::enable_shared_from_this<Piece> {
    Piece(State& used_state, std::string chosen_key, Work chosen_work, Charge chosen_charge);

    std::stop_token stop() const override { return source.get_token(); }
    StopReason reason() const override { return wanted.load(); }
    void when_slow(base::Duration after, std::function<void()> action) override;
    bool become_task(std::stop_token cancelled) override;
    std::function<void()> stopper(StopReason reason) override {
        return state.wish_later(shared_from_this(), reason);
    }
    void answer_later(Rest what) override { rest = std::move(what); }

    State& state; // outlives its threads, who alone use this
    const Work work;
    const Charge charge;
    const base::Ticks submitted;
    std::stop_source source;
    std::atomic<StopReason> wanted{StopReason::none}; // written under State::mutex, once
    // Guarded by State::mutex.
    std::string key;
    base::Ticks deadline;
    base::Ticks slow_at;
    std::function<void()> when_slow_action;
    bool is_task = false;
    bool is_answering = false; // a task, too
    // Touched by the worker, then by the answerer.
    Rest rest;
    // Touched by the submitting thread, then by whoever makes it a task.
    std::optional<StopCallback> gone;
    std::optional<StopCallback> cancelled_as_task;
};

Dispatcher::Piece::Piece(
    State& used_state, std::string chosen_key, Work chosen_work, Charge chosen_charge
)
    : state(used_state),
      work(std::move(chosen_work)),
      charge(std::move(chosen_charge)),
      submitted(state.clock.ticks()),
      key(std::move(chosen_key)),
      deadline(submitted + state.options.deadline) {}

void Dispatcher::Piece::when_slow(base::Duration after, std::function<void()> action) {
    const std::lock_guard lock(state.mutex);
    slow_at = submitted + after;
    when_slow_action = std::move(action);
    state.slow.notify_one();
}

bool Dispatcher::Piece::become_task(std::stop_token cancelled) {
    {
        const std::lock_guard lock(state.mutex);
        Share& share = state.shares[charge.subject];
        const bool too_many =
            state.tasks >= state.options.task_workers ||
            (!charge.subject.empty() && share.tasks >= state.options.task_workers_per_subject_max);
        if (is_task || reason() != StopReason::none || too_many) {
            return false;
        }
        is_task = true;
        ++state.tasks;
        --state.calls;
        ++share.tasks;
        --share.calls;
        key.clear();
        deadline = state.clock.ticks() + state.options.task_deadline;
        state.staff(); // a call may begin in the place that became free
        state.work_ready.notify_one();
    }
    cancelled_as_task.emplace(
        std::move(cancelled), state.wish_later(shared_from_this(), StopReason::cancelled)
    );
    return true;
}

Dispatcher::Dispatcher(base::Clock& clock, DispatcherOptions options)
    : state_(std::make_shared<State>(clock, options)) {
    State& state = *state_;
    state.paused = options.paused;
    state.watcher = std::thread([&state] { state.run_watcher(); });
    state.mover = std::thread([&state] { state.run_mover(); });
    state.starting = 1;
    state.workers.emplace_back([&state] { state.run_worker(); });
}

Dispatcher::~Dispatcher() {
    drain(base::Duration::zero());
}

/// The first reason stands. A task is no business of the client's connection any more.
bool Dispatcher::State::wish(Piece& piece, StopReason reason) {
    const std::lock_guard lock(mutex);
    if (piece.reason() != StopReason::none ||
        (piece.is_task && reason == StopReason::client_gone)) {
        return false;
    }
    piece.wanted.store(reason);
    watch.notify_one();
    return true;
}

/// For stop callbacks: they run at once, or on the thread that noticed, and only leave a wish for
/// the watcher.
std::function<void()> Dispatcher::State::wish_later(const PiecePointer& piece, StopReason reason) {
    return [shared = shared_from_this(), weak = std::weak_ptr<Piece>(piece), reason] {
        if (const auto alive = weak.lock()) {
            shared->wish(*alive, reason);
        }
    };
}

Admission
Dispatcher::submit(const std::string& key, Work work, std::stop_token gone, Charge charge) {
    State& state = *state_;
    const auto piece = std::make_shared<Piece>(state, key, std::move(work), std::move(charge));
    if (gone.stop_possible()) {
        piece->gone.emplace(std::move(gone), state.wish_later(piece, StopReason::client_gone));
    }
    bool a_worker_is_free = false;
    {
        const std::lock_guard lock(state.mutex);
        const auto same_key = [&](const PiecePointer& other) { return other->key == key; };
        if (!state.accepting) {
            return Admission::stopping;
        }
        if (!key.empty() && std::any_of(state.live.begin(), state.live.end(), same_key)) {
            return Admission::duplicate;
        }
        if (state.is_full_for(piece->charge)) {
            return Admission::busy;
        }
        if (!state.paused) {
            state.staff(1);
        }
        state.bytes += piece->charge.bytes;
        Share& own = state.shares[piece->charge.subject];
        ++own.waiting;
        own.bytes += piece->charge.bytes;
        state.waiting.push_back(piece);
        state.live.push_back(piece);
        a_worker_is_free = !state.paused && state.calls < state.options.workers;
        // A watcher that looks at the clock anyway need not be woken for each piece; but `gone` may
        // have asked for a stop while nobody looked at this one.
        if (state.watcher_sleeps || piece->reason() != StopReason::none) {
            state.watch.notify_one();
        }
    }
    if (a_worker_is_free) {
        state.work_ready.notify_one();
    }
    return Admission::accepted;
}

/// A single call of the largest size is taken whenever nothing else is live.
bool Dispatcher::State::is_full_for(const Charge& charge) {
    const auto share = shares.find(charge.subject);
    const bool has_its_share = !charge.subject.empty() && share != shares.end() &&
                               (share->second.waiting >= options.queue_per_subject_max ||
                                share->second.bytes + charge.bytes > options.bytes_per_subject_max);
    return waiting.size() >= options.queue_max || has_its_share ||
           (bytes > 0 && bytes + charge.bytes > options.bytes_max);
}

bool Dispatcher::cancel(const std::string& key) {
    const std::lock_guard lock(state_->mutex);
    for (const PiecePointer& piece : state_->live) {
        if (!key.empty() && piece->key == key && piece->reason() == StopReason::none) {
            piece->wanted.store(StopReason::cancelled);
            state_->watch.notify_one();
            return true;
        }
    }
    return false;
}

void Dispatcher::cancel_all(std::string_view prefix) {
    const std::lock_guard lock(state_->mutex);
    for (const PiecePointer& piece : state_->live) {
        if (piece->key.starts_with(prefix) && piece->reason() == StopReason::none) {
            piece->wanted.store(StopReason::cancelled);
            state_->watch.notify_one();
        }
    }
}

void Dispatcher::resume() {
    const std::lock_guard lock(state_->mutex);
    state_->paused = false;
    state_->staff();
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
            for (const PiecePointer& piece : state.live) {
                if (piece->reason() == StopReason::none) {
                    piece->wanted.store(StopReason::shutdown);
                }
            }
            state.paused = false;
            state.watch.notify_one();
            state.work_ready.notify_all();
            state.idle.wait(lock, none_live);
        }
        state.ending = true;
        state.watch.notify_one();
        state.slow.notify_one();
        state.answer_ready.notify_one();
        state.work_ready.notify_all();
    }
    for (std::thread& worker : state.workers) {
        worker.join();
    }
    state.workers.clear();
    for (std::thread* thread : {&state.answerer, &state.watcher, &state.mover}) {
        if (thread->joinable()) {
            thread->join();
        }
    }
}

// --- Workers -------------------------------------------------------------------------------------

/// Starts workers when more waits, with what is `coming`, than there are to take it: the start of
/// the program need not begin them all, most of them for nothing. Where the system has no thread
/// left, those that are there do the work.
void Dispatcher::State::staff(std::size_t coming) {
    const std::size_t workers_max = options.workers + options.task_workers;
    while (!ending && waiting.size() + coming > sleeping + starting && workers.size() < workers_max
    ) {
        try {
            workers.emplace_back([this] { run_worker(); });
            ++starting;
        } catch (const std::system_error&) {
            return;
        }
    }
}

/// The first that waits, of those whose subject does not have its share of the workers already.
std::deque<Dispatcher::PiecePointer>::iterator Dispatcher::State::first_with_room() {
    return std::find_if(waiting.begin(), waiting.end(), [&](const PiecePointer& piece) {
        const std::string& subject = piece->charge.subject;
        return subject.empty() || shares[subject].calls < options.workers_per_subject_max;
    });
}

/// nullptr: there is no more.
Dispatcher::PiecePointer Dispatcher::State::next() {
    std::unique_lock lock(mutex);
    auto found = waiting.end();
    const auto find = [&] {
        found = paused || calls >= options.workers ? waiting.end() : first_with_room();
        return ending || found != waiting.end();
    };
    while (!find()) {
        ++sleeping;
        work_ready.wait(lock);
        --sleeping;
    }
    if (found == waiting.end()) {
        return nullptr;
    }
    PiecePointer piece = std::move(*found);
    waiting.erase(found);
    Share& share = shares[piece->charge.subject];
    --share.waiting;
    ++share.calls;
    ++calls;
    return piece;
}

void Dispatcher::State::finished(const PiecePointer& piece) {
    const std::lock_guard lock(mutex);
    if (piece->is_task) {
        --tasks;
    } else if (!piece->is_answering) {
        --calls;
    }
    answering -= piece->is_answering ? 1 : 0;
    bytes -= piece->charge.bytes;
    const auto share = shares.find(piece->charge.subject);
    --(piece->is_task ? share->second.tasks : share->second.calls);
    share->second.bytes -= piece->charge.bytes;
    if (share->second.empty()) {
        shares.erase(share);
    }
    std::erase(live, piece);
    // What waits is taken by the worker that comes from here; the answerer does not take it, and
    // may just have made room in its subject's share.
    if (piece->is_answering && !piece->charge.subject.empty() && !waiting.empty()) {
        work_ready.notify_one();
    }
    if (live.empty()) {
        idle.notify_all();
    }
}

void Dispatcher::State::deliver(const PiecePointer& piece, const Deliver& answer) {
    {
        const std::lock_guard lock(mutex);
        piece->key.clear();
    }
    if (answer) {
        answer();
    }
    finished(piece);
}

void Dispatcher::State::run_worker() {
    {
        const std::lock_guard lock(mutex);
        --starting;
    }
    while (const PiecePointer piece = next()) {
        const Deliver answer = piece->work(*piece);
        if (!piece->rest) {
            deliver(piece, answer);
        } else if (!hand_over(piece)) {
            deliver(piece, piece->rest());
        }
    }
}

// --- Answers that wait ---------------------------------------------------------------------------

/// Frees the place that the call has among those that run. False: the worker has to wait itself.
bool Dispatcher::State::hand_over(const PiecePointer& piece) {
    {
        const std::lock_guard lock(mutex);
        if (answering >= options.answers_max) {
            return false;
        }
        if (!answerer.joinable()) {
            try {
                answerer = std::thread([this] { run_answerer(); });
            } catch (const std::system_error&) {
                return false;
            }
        }
        piece->is_answering = true;
        ++answering;
        calls -= piece->is_task ? 0 : 1;
        answers.push_back(piece);
    }
    answer_ready.notify_one();
    return true;
}

/// nullptr: there is no more.
Dispatcher::PiecePointer Dispatcher::State::next_answer() {
    std::unique_lock lock(mutex);
    answer_ready.wait(lock, [&] { return ending || !answers.empty(); });
    if (answers.empty()) {
        return nullptr;
    }
    PiecePointer piece = std::move(answers.front());
    answers.pop_front();
    return piece;
}

void Dispatcher::State::run_answerer() {
    while (const PiecePointer piece = next_answer()) {
        deliver(piece, piece->rest());
    }
}

// --- Those who watch the time --------------------------------------------------------------------

/// What somebody wants stopped, or whose time is up, and that was not told yet.
std::vector<Dispatcher::PiecePointer> Dispatcher::State::due_for_stop(base::Ticks now) {
    std::vector<PiecePointer> due;
    for (const PiecePointer& piece : live) {
        if (now >= piece->deadline && piece->reason() == StopReason::none) {
            piece->wanted.store(StopReason::deadline);
        }
        if (piece->reason() != StopReason::none && !piece->source.stop_requested()) {
            due.push_back(piece);
        }
    }
    return due;
}

void Dispatcher::State::run_watcher() {
    std::unique_lock lock(mutex);
    while (!ending) {
        std::vector<PiecePointer> due = due_for_stop(clock.ticks());
        if (due.empty()) {
            if (live.empty()) {
                watcher_sleeps = true;
                watch.wait(lock);
                watcher_sleeps = false;
            } else {
                watch.wait_for(lock, tick);
            }
            continue;
        }
        lock.unlock();
        for (const PiecePointer& piece : due) {
            piece->source.request_stop();
        }
        due.clear();
        lock.lock();
    }
}

std::vector<std::function<void()>> Dispatcher::State::slow_actions(base::Ticks now) {
    std::vector<std::function<void()>> due;
    for (const PiecePointer& piece : live) {
        if (piece->when_slow_action && now >= piece->slow_at) {
            due.push_back(std::exchange(piece->when_slow_action, nullptr));
        }
    }
    return due;
}

/// A thread of its own, because an action answers a client, who may be slow to read.
void Dispatcher::State::run_mover() {
    std::unique_lock lock(mutex);
    while (!ending) {
        auto due = slow_actions(clock.ticks());
        if (due.empty()) {
            const bool any = std::any_of(live.begin(), live.end(), [](const PiecePointer& piece) {
                return bool(piece->when_slow_action);
            });
            if (any) {
                slow.wait_for(lock, tick);
            } else {
                slow.wait(lock);
            }
            continue;
        }
        lock.unlock();
        for (const auto& action : due) {
            action();
        }
        due.clear();
        lock.lock();
    }
}

} // namespace interlock::server

// Calls run here: a fixed number of workers, a bounded queue, and one watcher that stops calls when
// their client cancels or goes away or their time is up. Stopping never happens on the thread that
// noticed (it may have to talk to a database), so a network thread is never held up.
//
// One subject has at most a share of the queue and of the workers, so that whoever calls most does
// not take the turns of all others.
//
// A call may turn into a task while it runs. It then keeps its thread but leaves the place that
// calls are counted by: there are threads enough for both, so that long tasks never starve calls.
//
// The end of work may be nothing but waiting (for the audit log). It is waited for elsewhere, in
// the order in which it was handed over, while the worker takes the next call; until its answer has
// left, the call counts as under way, on its subject's account too.
//
// Guarantee: work that was accepted runs exactly once, at the latest when the dispatcher ends; if
// it was stopped while it waited, it runs with its stop already requested.
#pragma once

#include "base/clock.hpp"
#include "base/limits.hpp"

#include <cstddef>
#include <functional>
#include <memory>
#include <stop_token>
#include <string>
#include <string_view>

namespace interlock::server {

enum class StopReason {
    none,
    cancelled,   // the client asked
    client_gone, // the client closed the request
    deadline,    // limits::tool_call_deadline, or limits::task_deadline
    shutdown,    // this program ends
    braked,      // a kill switch or a suspension
};

/// What is left to do once the key is free again: sending the answer, after which a client may use
/// the id anew. May be empty.
using Deliver = std::function<void()>;
/// Waits, and tells what is left to do then. Must not throw.
using Rest = std::function<Deliver()>;

/// What work sees of its own fate. Thread-safe.
class CallControl {
public:
    virtual ~CallControl() = default;
    virtual std::stop_token stop() const = 0;
    virtual StopReason reason() const = 0;
    /// Runs `action` once, on a thread of the dispatcher's, when the work is not done `after` it
    /// was submitted. It may run a moment after the work has ended: it has to know.
    virtual void when_slow(base::Duration after, std::function<void()> action) = 0;
    /// The work is a task from now on: its key is free again, its client may go, `cancelled` is
    /// what cancels it, and it has limits::task_deadline from now. False when it was stopped
    /// already, or when there are as many tasks as may be, or as many of one subject; then nothing
    /// has changed.
    virtual bool become_task(std::stop_token cancelled) = 0;
    /// What stops the work, call or task, for `reason`: at any time, from any thread, never
    /// waiting; without effect once the work has ended.
    virtual std::function<void()> stopper(StopReason reason) = 0;
    /// What is left of the work only waits. Said by the work itself, last of all, at most once; it
    /// then returns nothing to deliver. The rest is run when those before it have been, or by the
    /// worker where too many wait already.
    virtual void answer_later(Rest rest) = 0;
};

/// Must not throw, and what it returns must not.
using Work = std::function<Deliver(CallControl&)>;

/// On whose account work is done, and what it holds in memory until it has ended.
struct Charge {
    std::string subject = {}; // "" = nobody else calls here: no share is kept for others
    std::size_t bytes = 0;
};

enum class Admission {
    accepted,
    busy,      // the queue, the subject's share of it or the memory for calls is full
    duplicate, // a call of this key is under way
    stopping,  // no new work is taken
};

struct DispatcherOptions {
    std::size_t workers = base::limits::tool_workers;
    std::size_t workers_per_subject_max = base::limits::tool_workers_per_subject_max;
    std::size_t queue_max = base::limits::tool_queue_max;
    std::size_t queue_per_subject_max = base::limits::tool_queue_per_subject_max;
    std::size_t bytes_max = base::limits::tool_calls_bytes_max; // waiting and running
    std::size_t bytes_per_subject_max = base::limits::tool_calls_bytes_max / 2;
    base::Duration deadline = base::limits::tool_call_deadline;
    /// Answers that wait: what one commit of the audit log takes, with two leaves a call. Others
    /// would wait for the one after, as well as a worker does.
    std::size_t answers_max = base::limits::audit_batch_max / 2;
    std::size_t task_workers = base::limits::task_workers;
    std::size_t task_workers_per_subject_max = base::limits::task_workers_per_subject_max;
    base::Duration task_deadline = base::limits::task_deadline;
    bool paused = false; // accept, but begin only at resume()
};

class Dispatcher {
public:
    explicit Dispatcher(base::Clock& clock, DispatcherOptions options = {});
    Dispatcher(const Dispatcher&) = delete;
    Dispatcher& operator=(const Dispatcher&) = delete;
    /// drain(0).
    ~Dispatcher();

    /// `key` "" is never a duplicate and cannot be cancelled by name. `gone` stops the work too.
    Admission
    submit(const std::string& key, Work work, std::stop_token gone = {}, Charge charge = {});
    /// False when no work of this key is waiting or running.
    bool cancel(const std::string& key);
    /// All whose key begins so.
    void cancel_all(std::string_view prefix);
    void resume();
    /// Takes no new work, waits up to `grace` for what is under way, stops the rest, joins.
    void drain(base::Duration grace);
    /// Waiting and running, tasks too.
    std::size_t under_way() const;

private:
    struct Piece;
    struct State;
    using PiecePointer = std::shared_ptr<Piece>;
    std::shared_ptr<State> state_; // shared with stop callbacks that may outlive us by a moment
};

} // namespace interlock::server

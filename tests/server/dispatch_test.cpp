#include "server/dispatch.hpp"
#include "tests/server/fixture.hpp"

#include <atomic>
#include <condition_variable>
#include <filesystem>
#include <iterator>
#include <mutex>
#include <thread>
#include <vector>

#include <catch2/catch.hpp>

namespace {

using interlock::server::Admission;
using interlock::server::CallControl;
using interlock::server::Deliver;
using interlock::server::Dispatcher;
using interlock::server::DispatcherOptions;
using interlock::server::StopReason;
using interlock::server::Work;
using interlock::test::Gate;
using interlock::test::SharedClock;

/// Work that stays until it is stopped or let go, and what became of it.
class Held {
public:
    Work work() {
        return [this](CallControl& control) -> Deliver {
            std::unique_lock lock(mutex_);
            ++running_;
            most_ = std::max(most_, running_);
            changed_.notify_all();
            changed_.wait_for(lock, control.stop(), interlock::test::patience, [&] {
                return let_go_;
            });
            --running_;
            reasons_.push_back(control.reason());
            changed_.notify_all();
            return {};
        };
    }
    bool wait_running(int count) {
        std::unique_lock lock(mutex_);
        return changed_.wait_for(lock, interlock::test::patience, [&] {
            return running_ == count;
        });
    }
    std::vector<StopReason> wait_ended(std::size_t count) {
        std::unique_lock lock(mutex_);
        changed_.wait_for(lock, interlock::test::patience, [&] {
            return reasons_.size() >= count;
        });
        return reasons_;
    }
    void let_go() {
        const std::lock_guard lock(mutex_);
        let_go_ = true;
        changed_.notify_all();
    }
    int most() const { return most_; }

private:
    std::mutex mutex_;
    std::condition_variable_any changed_;
    int running_ = 0;
    int most_ = 0;
    bool let_go_ = false;
    std::vector<StopReason> reasons_;
};

/// Work that ends at once, and whose answer waits until it is let go; what left in which order.
class Answers {
public:
    Work work(std::string name) {
        return [this, name](CallControl& control) -> Deliver {
            ++ran_;
            control.answer_later([this, name]() -> Deliver {
                CHECK(let_go_.wait());
                return [this, name] {
                    const std::lock_guard lock(mutex_);
                    left_.push_back(name);
                };
            });
            return {};
        };
    }
    bool wait_ran(int count) {
        return interlock::test::eventually([&] { return ran_.load() >= count; });
    }
    int ran() const { return ran_.load(); }
    void let_go() { let_go_.open(); }
    std::vector<std::string> left() const {
        const std::lock_guard lock(mutex_);
        return left_;
    }

private:
    std::atomic<int> ran_{0};
    Gate let_go_;
    mutable std::mutex mutex_;
    std::vector<std::string> left_;
};

} // namespace

TEST_CASE("work runs on a fixed number of workers and waits in a bounded queue", "[server]") {
    SharedClock clock;
    Held held;
    Dispatcher dispatcher(clock, DispatcherOptions{.workers = 2, .queue_max = 3});
    REQUIRE(dispatcher.submit("a", held.work()) == Admission::accepted);
    REQUIRE(dispatcher.submit("b", held.work()) == Admission::accepted);
    REQUIRE(held.wait_running(2));
    for (const char* key : {"c", "d", "e"}) {
        CHECK(dispatcher.submit(key, held.work()) == Admission::accepted);
    }
    CHECK(dispatcher.submit("f", held.work()) == Admission::busy);
    CHECK(dispatcher.under_way() == 5);
    held.let_go();
    CHECK(held.wait_ended(5).size() == 5);
    CHECK(held.most() == 2);
}

TEST_CASE("workers are started when they are needed", "[server]") {
    const auto threads = [] {
        const std::filesystem::directory_iterator tasks("/proc/self/task");
        return std::distance(begin(tasks), end(tasks));
    };
    const auto before = threads();
    SharedClock clock;
    Dispatcher dispatcher(clock, DispatcherOptions{.workers = 32, .task_workers = 32});
    for (int call = 0; call < 3; ++call) { // one at a time
        Held held;
        REQUIRE(dispatcher.submit("", held.work()) == Admission::accepted);
        REQUIRE(held.wait_running(1));
        held.let_go();
        CHECK(held.wait_ended(1).size() == 1);
    }
    CHECK(threads() - before < 16);
    Held many;
    for (int call = 0; call < 32; ++call) {
        REQUIRE(dispatcher.submit("", many.work()) == Admission::accepted);
    }
    CHECK(many.wait_running(32));
    many.let_go();
    CHECK(many.wait_ended(32).size() == 32);
}

TEST_CASE("one subject has at most its share of the queue and of the workers", "[server]") {
    SharedClock clock;
    Held greedy;
    Held modest;
    Dispatcher dispatcher(
        clock,
        DispatcherOptions{
            .workers = 4, .workers_per_subject_max = 2, .queue_max = 6, .queue_per_subject_max = 3}
    );
    const auto submit = [&](Held& held, const char* subject) {
        return dispatcher.submit("", held.work(), {}, {subject});
    };
    REQUIRE(submit(greedy, "greedy") == Admission::accepted);
    REQUIRE(submit(greedy, "greedy") == Admission::accepted);
    REQUIRE(greedy.wait_running(2));
    for (int waiting = 0; waiting < 3; ++waiting) {
        CHECK(submit(greedy, "greedy") == Admission::accepted);
    }
    CHECK(submit(greedy, "greedy") == Admission::busy);
    // Others pass those who wait for their own: by name, or as nobody in particular.
    CHECK(submit(modest, "modest") == Admission::accepted);
    CHECK(submit(modest, "") == Admission::accepted);
    CHECK(modest.wait_running(2));
    CHECK(greedy.most() == 2);
    greedy.let_go();
    CHECK(greedy.wait_ended(5).size() == 5);
    CHECK(greedy.most() == 2);
    modest.let_go();
    modest.wait_ended(2);
}

TEST_CASE("one subject has at most its share of the bytes", "[server]") {
    interlock::base::SystemClock clock;
    Dispatcher dispatcher(
        clock, DispatcherOptions{.bytes_max = 100, .bytes_per_subject_max = 50, .paused = true}
    );
    const auto submit = [&](const char* subject, std::size_t bytes) {
        return dispatcher.submit(
            "", [](CallControl&) { return interlock::server::Deliver(); }, {}, {subject, bytes}
        );
    };
    CHECK(submit("a", 30) == Admission::accepted);
    CHECK(submit("a", 30) == Admission::busy);
    CHECK(submit("b", 40) == Admission::accepted);
}

TEST_CASE("one subject has at most its share of the tasks", "[server]") {
    SharedClock clock;
    Gate done;
    std::atomic<int> tasks{0};
    std::atomic<int> refused{0};
    Dispatcher dispatcher(
        clock, DispatcherOptions{.task_workers = 4, .task_workers_per_subject_max = 2}
    );
    const auto work = [&](CallControl& control) -> Deliver {
        ++(control.become_task({}) ? tasks : refused);
        CHECK(done.wait());
        return {};
    };
    for (const char* subject : {"greedy", "greedy", "greedy", "modest"}) {
        REQUIRE(dispatcher.submit("", work, {}, {subject}) == Admission::accepted);
    }
    while (tasks.load() + refused.load() < 4) {
        std::this_thread::yield();
    }
    CHECK(tasks.load() == 3);
    CHECK(refused.load() == 1);
    done.open();
}

TEST_CASE("what waits and runs holds a bounded part of the memory", "[server]") {
    SharedClock clock;
    Held held;
    Dispatcher dispatcher(clock, DispatcherOptions{.bytes_max = 100});
    const auto submit = [&](std::size_t bytes) {
        return dispatcher.submit("", held.work(), {}, {"", bytes});
    };
    CHECK(submit(60) == Admission::accepted);
    CHECK(submit(41) == Admission::busy);
    CHECK(submit(40) == Admission::accepted);
    CHECK(submit(1) == Admission::busy);
    held.let_go();
    held.wait_ended(2);
    while (dispatcher.under_way() > 0) {
        std::this_thread::yield();
    }
    CHECK(submit(101) == Admission::accepted); // alone, so that nothing is refused for ever
    held.wait_ended(3);
}

TEST_CASE("all work whose keys begin alike is cancelled together", "[server]") {
    SharedClock clock;
    Held ours;
    Held other;
    Dispatcher dispatcher(clock, DispatcherOptions{.workers = 2});
    REQUIRE(dispatcher.submit("ours\n1", ours.work()) == Admission::accepted);
    REQUIRE(dispatcher.submit("other\n1", other.work()) == Admission::accepted);
    REQUIRE(dispatcher.submit("ours\n2", ours.work()) == Admission::accepted);
    dispatcher.cancel_all("ours\n");
    CHECK(ours.wait_ended(2) == std::vector{StopReason::cancelled, StopReason::cancelled});
    other.let_go();
    CHECK(other.wait_ended(1) == std::vector{StopReason::none});
}

TEST_CASE("a key can be under way only once; no key is no key", "[server]") {
    SharedClock clock;
    Held held;
    Dispatcher dispatcher(clock);
    REQUIRE(dispatcher.submit("a", held.work()) == Admission::accepted);
    CHECK(dispatcher.submit("a", held.work()) == Admission::duplicate);
    CHECK(dispatcher.submit("", held.work()) == Admission::accepted);
    CHECK(dispatcher.submit("", held.work()) == Admission::accepted);
    held.let_go();
    held.wait_ended(3);
}

TEST_CASE("by the time an answer leaves, its key is free again", "[server]") {
    SharedClock clock;
    Dispatcher dispatcher(clock);
    std::atomic<int> reused{0};
    const Work quick = [&](CallControl&) -> Deliver {
        return [&] {
            const Work nothing = [](CallControl&) -> Deliver { return {}; };
            reused += dispatcher.submit("a", nothing) == Admission::accepted ? 1 : 0;
        };
    };
    REQUIRE(dispatcher.submit("a", quick) == Admission::accepted);
    while (dispatcher.under_way() > 0) {
        std::this_thread::yield();
    }
    CHECK(reused.load() == 1);
}

TEST_CASE("a call is stopped by its key, running or waiting", "[server]") {
    SharedClock clock;
    Held held;
    Dispatcher dispatcher(clock, DispatcherOptions{.workers = 1});
    REQUIRE(dispatcher.submit("running", held.work()) == Admission::accepted);
    REQUIRE(held.wait_running(1));
    REQUIRE(dispatcher.submit("waiting", held.work()) == Admission::accepted);
    CHECK(dispatcher.cancel("waiting"));
    CHECK(dispatcher.cancel("running"));
    CHECK_FALSE(dispatcher.cancel("running"));
    CHECK_FALSE(dispatcher.cancel("nobody"));
    CHECK(held.wait_ended(2) == std::vector{StopReason::cancelled, StopReason::cancelled});
}

TEST_CASE("a client that goes away stops its work, also before it began", "[server]") {
    SharedClock clock;
    Held held;
    Dispatcher dispatcher(clock, DispatcherOptions{.workers = 1});
    std::stop_source client;
    REQUIRE(dispatcher.submit("", held.work(), client.get_token()) == Admission::accepted);
    REQUIRE(held.wait_running(1));
    client.request_stop();
    CHECK(held.wait_ended(1).back() == StopReason::client_gone);
    REQUIRE(dispatcher.submit("", held.work(), client.get_token()) == Admission::accepted);
    CHECK(held.wait_ended(2).back() == StopReason::client_gone);
}

TEST_CASE("work past its deadline is stopped", "[server]") {
    SharedClock clock;
    Held held;
    Dispatcher dispatcher(clock, DispatcherOptions{.deadline = std::chrono::seconds(60)});
    REQUIRE(dispatcher.submit("a", held.work()) == Admission::accepted);
    REQUIRE(held.wait_running(1));
    clock.advance(std::chrono::seconds(61));
    CHECK(held.wait_ended(1).back() == StopReason::deadline);
}

TEST_CASE("draining lets work end, then stops what does not, and takes no more", "[server]") {
    SharedClock clock;
    Held held;
    Dispatcher dispatcher(clock, DispatcherOptions{.workers = 1});
    REQUIRE(dispatcher.submit("a", held.work()) == Admission::accepted);
    REQUIRE(held.wait_running(1));
    REQUIRE(dispatcher.submit("b", held.work()) == Admission::accepted);
    dispatcher.drain(std::chrono::milliseconds(1));
    CHECK(held.wait_ended(2) == std::vector{StopReason::shutdown, StopReason::shutdown});
    CHECK(dispatcher.submit("c", held.work()) == Admission::stopping);
    CHECK(dispatcher.under_way() == 0);
    dispatcher.drain(std::chrono::milliseconds(1));
}

TEST_CASE("a paused dispatcher accepts and begins only when it is resumed", "[server]") {
    SharedClock clock;
    std::atomic<int> done{0};
    const Work quick = [&](CallControl&) -> Deliver {
        ++done;
        return {};
    };
    Dispatcher dispatcher(clock, DispatcherOptions{.paused = true});
    REQUIRE(dispatcher.submit("a", quick) == Admission::accepted);
    CHECK(dispatcher.under_way() == 1);
    CHECK(done.load() == 0);
    dispatcher.resume();
    dispatcher.drain(interlock::test::patience);
    CHECK(done.load() == 1);
}

TEST_CASE("many submitters and cancellers leave nothing behind", "[server]") {
    SharedClock clock;
    std::atomic<int> ended{0};
    std::atomic<int> accepted{0};
    Dispatcher dispatcher(clock, DispatcherOptions{.workers = 4, .queue_max = 16});
    std::vector<std::jthread> threads;
    for (int thread = 0; thread < 4; ++thread) {
        threads.emplace_back([&, thread] {
            for (int i = 0; i < 200; ++i) {
                std::stop_source client;
                const std::string key = std::to_string(thread) + ":" + std::to_string(i);
                const auto admission = dispatcher.submit(
                    key,
                    [&](CallControl&) -> Deliver { return [&] { ++ended; }; },
                    client.get_token()
                );
                accepted += admission == Admission::accepted ? 1 : 0;
                if (i % 2 == 0) {
                    dispatcher.cancel(key);
                } else {
                    client.request_stop();
                }
            }
        });
    }
    threads.clear();
    dispatcher.drain(interlock::test::patience);
    CHECK(ended.load() == accepted.load());
}

TEST_CASE("a call that becomes a task gives its key and its place to others", "[server]") {
    SharedClock clock;
    Dispatcher dispatcher(clock, DispatcherOptions{.workers = 1, .task_workers = 1});
    std::stop_source client;
    std::stop_source task;
    Gate became;
    std::atomic<StopReason> ended{StopReason::none};
    const auto work = [&](CallControl& control) -> Deliver {
        CHECK(control.become_task(task.get_token()));
        CHECK_FALSE(control.become_task(task.get_token()));
        became.open();
        Gate never;
        never.wait(control.stop());
        ended = control.reason();
        return {};
    };
    REQUIRE(dispatcher.submit("a", work, client.get_token()) == Admission::accepted);
    REQUIRE(became.wait());
    client.request_stop(); // it has its answer, and may go
    CHECK_FALSE(dispatcher.cancel("a"));
    Gate served;
    const auto quick = [&](CallControl& control) -> Deliver {
        CHECK_FALSE(control.become_task({})); // there is one already
        served.open();
        return {};
    };
    REQUIRE(dispatcher.submit("a", quick) == Admission::accepted);
    CHECK(served.wait());
    clock.advance(interlock::base::limits::tool_call_deadline);
    CHECK(ended.load() == StopReason::none);
    task.request_stop();
    dispatcher.drain(interlock::test::patience);
    CHECK(ended.load() == StopReason::cancelled);
}

TEST_CASE("a call can be stopped for a reason of its own, a task too", "[server]") {
    for (const bool task : {false, true}) {
        SharedClock clock;
        Held held;
        Gate ready;
        std::function<void()> stop;
        Dispatcher dispatcher(clock, DispatcherOptions{.workers = 1, .task_workers = 1});
        const Work body = held.work();
        const auto work = [&](CallControl& control) -> Deliver {
            CHECK((!task || control.become_task({})));
            stop = control.stopper(StopReason::braked);
            ready.open();
            return body(control);
        };
        REQUIRE(dispatcher.submit("a", work) == Admission::accepted);
        REQUIRE(ready.wait());
        REQUIRE(held.wait_running(1));
        stop();
        CHECK(held.wait_ended(1).back() == StopReason::braked);
        dispatcher.drain(interlock::test::patience);
        stop(); // it has ended: nothing happens
    }
}

TEST_CASE("a task has a deadline of its own", "[server]") {
    SharedClock clock;
    Held held;
    Gate became;
    Dispatcher dispatcher(clock, DispatcherOptions{.workers = 1, .task_workers = 1});
    const Work body = held.work();
    const auto work = [&](CallControl& control) -> Deliver {
        CHECK(control.become_task({}));
        became.open();
        return body(control);
    };
    REQUIRE(dispatcher.submit("a", work) == Admission::accepted);
    REQUIRE(became.wait());
    REQUIRE(held.wait_running(1));
    clock.advance(interlock::base::limits::task_deadline + std::chrono::seconds(1));
    CHECK(held.wait_ended(1).back() == StopReason::deadline);
}

TEST_CASE("a call that was stopped does not become a task", "[server]") {
    SharedClock clock;
    Dispatcher dispatcher(clock, DispatcherOptions{.workers = 1, .paused = true});
    std::atomic<bool> became{true};
    const auto work = [&](CallControl& control) -> Deliver {
        became = control.become_task({});
        return {};
    };
    REQUIRE(dispatcher.submit("a", work) == Admission::accepted);
    REQUIRE(dispatcher.cancel("a"));
    dispatcher.drain(std::chrono::milliseconds(0));
    CHECK_FALSE(became.load());
}

TEST_CASE("a slow call is told so once, and a quick one never", "[server]") {
    SharedClock clock;
    Dispatcher dispatcher(clock, DispatcherOptions{.workers = 2});
    std::atomic<int> told{0};
    Gate slow;
    Gate quick_done;
    const auto quick = [&](CallControl& control) -> Deliver {
        control.when_slow(std::chrono::seconds(5), [&] { told += 100; });
        return [&] { quick_done.open(); };
    };
    const auto work = [&](CallControl& control) -> Deliver {
        control.when_slow(std::chrono::seconds(5), [&] {
            ++told;
            slow.open();
        });
        CHECK(slow.wait());
        return {};
    };
    REQUIRE(dispatcher.submit("", quick) == Admission::accepted);
    REQUIRE(quick_done.wait());
    while (dispatcher.under_way() > 0) {
        std::this_thread::yield();
    }
    REQUIRE(dispatcher.submit("", work) == Admission::accepted);
    clock.advance(std::chrono::seconds(6));
    dispatcher.drain(interlock::test::patience);
    CHECK(told.load() == 1);
}

TEST_CASE(
    "a worker takes the next call while answers wait, which leave in their order", "[server]"
) {
    SharedClock clock;
    Answers answers;
    Dispatcher dispatcher(clock, DispatcherOptions{.workers = 1});
    for (const char* key : {"a", "b", "c"}) {
        REQUIRE(dispatcher.submit(key, answers.work(key)) == Admission::accepted);
    }
    REQUIRE(answers.wait_ran(3));
    CHECK(answers.left().empty());
    CHECK(dispatcher.under_way() == 3);
    CHECK(dispatcher.submit("a", answers.work("a")) == Admission::duplicate);
    answers.let_go();
    dispatcher.drain(interlock::test::patience);
    CHECK(answers.left() == std::vector<std::string>{"a", "b", "c"});
    CHECK(dispatcher.under_way() == 0);
}

TEST_CASE("past so many answers that wait, a worker waits itself", "[server]") {
    SharedClock clock;
    Answers answers;
    Dispatcher dispatcher(clock, DispatcherOptions{.workers = 2, .answers_max = 1});
    for (const char* key : {"a", "b", "c", "d"}) {
        REQUIRE(dispatcher.submit(key, answers.work(key)) == Admission::accepted);
    }
    // One answer is elsewhere, two hold the workers.
    REQUIRE(answers.wait_ran(3));
    CHECK(answers.ran() == 3);
    CHECK(answers.left().empty());
    answers.let_go();
    dispatcher.drain(interlock::test::patience);
    CHECK(answers.left().size() == 4);
}

TEST_CASE("a call counts for its subject until its answer has left", "[server]") {
    SharedClock clock;
    Answers greedy;
    Answers modest;
    Dispatcher dispatcher(
        clock,
        DispatcherOptions{
            .workers = 4,
            .workers_per_subject_max = 1,
            .bytes_max = 100,
            .bytes_per_subject_max = 50}
    );
    REQUIRE(dispatcher.submit("a", greedy.work("a"), {}, {"greedy", 20}) == Admission::accepted);
    REQUIRE(greedy.wait_ran(1));
    CHECK(dispatcher.submit("b", greedy.work("b"), {}, {"greedy", 40}) == Admission::busy);
    REQUIRE(dispatcher.submit("b", greedy.work("b"), {}, {"greedy", 20}) == Admission::accepted);
    REQUIRE(dispatcher.submit("c", modest.work("c"), {}, {"modest", 20}) == Admission::accepted);
    REQUIRE(modest.wait_ran(1));
    CHECK(greedy.ran() == 1);
    // The first answer lets the second call in: no worker comes by on its own.
    modest.let_go();
    greedy.let_go();
    CHECK(greedy.wait_ran(2));
    dispatcher.drain(interlock::test::patience);
    CHECK(greedy.left() == std::vector<std::string>{"a", "b"});
}

TEST_CASE("an answer that waits is neither cancelled nor lost when the server stops", "[server]") {
    SharedClock clock;
    Answers answers;
    Dispatcher dispatcher(clock, DispatcherOptions{.workers = 1});
    std::stop_source client;
    REQUIRE(dispatcher.submit("a", answers.work("a"), client.get_token()) == Admission::accepted);
    REQUIRE(answers.wait_ran(1));
    CHECK(dispatcher.cancel("a"));
    client.request_stop();
    clock.advance(interlock::base::limits::tool_call_deadline * 2);
    std::jthread stopping([&] { dispatcher.drain(std::chrono::milliseconds(0)); });
    const auto stops = [&] {
        return dispatcher.submit("b", answers.work("b")) == Admission::stopping;
    };
    CHECK(interlock::test::eventually(stops));
    CHECK(answers.left().empty());
    answers.let_go();
    stopping.join();
    CHECK(answers.left().front() == "a");
}

TEST_CASE("a task whose answer waits is a task until then", "[server]") {
    SharedClock clock;
    Answers answers;
    Gate done;
    Dispatcher dispatcher(clock, DispatcherOptions{.workers = 1, .task_workers = 1});
    const Work body = answers.work("task");
    const auto task = [&](CallControl& control) -> Deliver {
        CHECK(control.become_task({}));
        return body(control);
    };
    REQUIRE(dispatcher.submit("a", task) == Admission::accepted);
    REQUIRE(answers.wait_ran(1));
    const auto another = [&](CallControl& control) -> Deliver {
        CHECK_FALSE(control.become_task({}));
        done.open();
        return {};
    };
    REQUIRE(dispatcher.submit("b", another) == Admission::accepted);
    CHECK(done.wait());
    answers.let_go();
    dispatcher.drain(interlock::test::patience);
    CHECK(answers.left() == std::vector<std::string>{"task"});
}

TEST_CASE("many answers that wait leave nothing behind", "[server]") {
    SharedClock clock;
    std::atomic<int> left{0};
    std::atomic<int> accepted{0};
    Dispatcher dispatcher(
        clock,
        DispatcherOptions{
            .workers = 4, .workers_per_subject_max = 2, .queue_max = 16, .answers_max = 3}
    );
    const Work work = [&](CallControl& control) -> Deliver {
        control.answer_later([&]() -> Deliver { return [&] { ++left; }; });
        return {};
    };
    std::vector<std::jthread> threads;
    for (const char* subject : {"", "one", "two", "three"}) {
        threads.emplace_back([&, subject] {
            for (int i = 0; i < 200; ++i) {
                const auto admission = dispatcher.submit("", work, {}, {subject, 1});
                accepted += admission == Admission::accepted ? 1 : 0;
            }
        });
    }
    threads.clear();
    dispatcher.drain(interlock::test::patience);
    CHECK(left.load() == accepted.load());
    CHECK(dispatcher.under_way() == 0);
}

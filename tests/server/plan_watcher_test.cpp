#include "server/plan_watcher.hpp"
#include "tests/server/offer_bench.hpp"

#include <condition_variable>

#include <catch2/catch.hpp>

namespace server = interlock::server;
namespace limits = interlock::base::limits;
using interlock::test::OfferBench;
using Uris = std::vector<std::string>;

namespace {

/// What somebody watches, and what was told.
struct Watch {
    explicit Watch(OfferBench& used) : bench(used) {}
    server::PlanWatcherParts parts() {
        return {
            bench.queue,
            bench.marks,
            [this] { return uris; },
            [this](const std::string& uri) { told.push_back(uri); }};
    }
    Uris look() {
        told.clear();
        server::look_at_plans(parts());
        return told;
    }
    OfferBench& bench;
    std::set<std::string> uris;
    Uris told;
};

interlock::telemetry::Identity tester() {
    interlock::telemetry::Identity identity;
    identity.subject = "os:tester";
    return identity;
}

} // namespace

TEST_CASE("a watched plan's change is told once, others' never", "[server]") {
    OfferBench bench;
    Watch watch(bench);
    const std::string id = bench.submit();
    const std::string uri = "plan://" + id;
    const std::string unwatched = bench.submit("os:tester", {}, 7);
    watch.uris = {uri, "evidence://" + bench.keep("{}"), "plan://nonsense", "hello"};
    CHECK(watch.look().empty());
    CHECK(watch.look().empty());
    REQUIRE(bench.queue.withdraw(unwatched, tester(), "not needed").ok());
    CHECK(watch.look().empty());
    REQUIRE(bench.queue.withdraw(id, tester(), "not needed").ok());
    CHECK(watch.look() == Uris{uri});
    CHECK(watch.look().empty());
}

TEST_CASE("what happens between the subscription and the first look is told", "[server]") {
    OfferBench bench;
    Watch watch(bench);
    const std::string id = bench.submit();
    const std::string uri = "plan://" + id;
    REQUIRE(bench.offer.watchable({tester(), {}, {}}, uri));
    CHECK(watch.look().empty()); // the subscription is not there yet: the mark is kept
    CHECK(bench.marks.size() == 1);
    watch.uris = {uri};
    REQUIRE(bench.queue.withdraw(id, tester(), "not needed").ok());
    CHECK(watch.look() == Uris{uri});
}

TEST_CASE("a second watcher does not hide news from the first", "[server]") {
    OfferBench bench;
    Watch watch(bench);
    const std::string id = bench.submit();
    const std::string uri = "plan://" + id;
    watch.uris = {uri};
    watch.look();
    REQUIRE(bench.queue.withdraw(id, tester(), "not needed").ok());
    REQUIRE(bench.offer.watchable({tester(), {}, {}}, uri));
    CHECK(watch.look() == Uris{uri});
}

TEST_CASE("a plan that expires is news though nobody wrote it", "[server]") {
    OfferBench bench;
    Watch watch(bench);
    const std::string uri = "plan://" + bench.submit();
    watch.uris = {uri};
    CHECK(watch.look().empty());
    bench.clock.advance(limits::pending_lifetime + std::chrono::seconds{1});
    CHECK(watch.look() == Uris{uri});
}

TEST_CASE("what nobody watches any more is forgotten", "[server]") {
    OfferBench bench;
    Watch watch(bench);
    watch.uris = {"plan://" + bench.submit()};
    watch.look();
    CHECK(bench.marks.size() == 1);
    watch.uris.clear();
    watch.look();
    CHECK(bench.marks.size() == 0);
}

TEST_CASE("the watcher looks by itself and stops when it is gone", "[server]") {
    OfferBench bench;
    const std::string id = bench.submit();
    const std::string uri = "plan://" + id;
    std::mutex mutex;
    std::condition_variable news;
    int looks = 0;
    int told = 0;
    const auto wait_for = [&](const auto& condition) {
        std::unique_lock lock(mutex);
        return news.wait_for(lock, std::chrono::seconds{20}, condition);
    };
    {
        const server::PlanWatcher watcher(
            {bench.queue,
             bench.marks,
             [&] {
                 const std::lock_guard lock(mutex);
                 ++looks;
                 news.notify_all();
                 return std::set<std::string>{uri};
             },
             [&](const std::string&) {
                 const std::lock_guard lock(mutex);
                 ++told;
                 news.notify_all();
             },
             std::chrono::milliseconds{1}}
        );
        REQUIRE(wait_for([&] { return looks >= 2; }));
        REQUIRE(bench.queue.withdraw(id, tester(), "not needed").ok());
        REQUIRE(wait_for([&] { return told == 1; }));
    }
    CHECK(told == 1);
}

#include "server/queue_monitor.hpp"
#include "tests/server/fixture.hpp"
#include "tests/server/offer_bench.hpp"

#include <catch2/catch.hpp>

namespace server = interlock::server;
using Catch::Contains;
using interlock::test::OfferBench;

TEST_CASE("the queue's plans show as metrics, and states that emptied as 0", "[server]") {
    OfferBench bench;
    std::string since;
    const std::string id = bench.submit();
    bench.clock.advance(std::chrono::seconds{5});
    REQUIRE(server::look_at_queue(bench.queue, bench.metrics, since).ok());
    CHECK_FALSE(since.empty());
    std::string shown = bench.metrics.render();
    CHECK_THAT(shown, Contains("interlock_plans{state=\"PENDING\"} 1\n"));
    CHECK_THAT(shown, Contains("interlock_plans{state=\"NEEDS_HUMAN\"} 0\n"));
    CHECK_THAT(shown, Contains("interlock_plan_oldest_seconds{state=\"PENDING\"} 5\n"));
    CHECK_THAT(shown, Contains("interlock_audit_leaves 1\n"));

    interlock::telemetry::Identity requester;
    requester.subject = "os:tester";
    REQUIRE(bench.queue.withdraw(id, requester, "not needed").ok());
    REQUIRE(server::look_at_queue(bench.queue, bench.metrics, since).ok());
    shown = bench.metrics.render();
    CHECK_THAT(shown, Contains("interlock_plans{state=\"PENDING\"} 0\n"));
    CHECK_THAT(shown, Contains("interlock_plans{state=\"WITHDRAWN\"} 1\n"));
    CHECK_THAT(shown, Contains("interlock_plan_oldest_seconds{state=\"PENDING\"} 0\n"));
}

TEST_CASE("a queue that cannot be read changes no metric and says why", "[server]") {
    OfferBench bench;
    std::string since;
    REQUIRE(
        bench.store
            ->transact([](interlock::db::StoreTransaction& transaction) -> interlock::base::Status {
                INTERLOCK_CHECK(transaction.run("drop table audit_state"));
                return interlock::base::done;
            })
            .ok()
    );
    CHECK_FALSE(server::look_at_queue(bench.queue, bench.metrics, since).ok());
    CHECK(since.empty());
}

TEST_CASE("the monitor looks as soon as it begins, and ends when it is told", "[server]") {
    OfferBench bench;
    (void)bench.submit();
    const server::QueueMonitor monitor(bench.queue, bench.metrics);
    CHECK(interlock::test::eventually([&] {
        return bench.metrics.render().find("interlock_plans{state=\"PENDING\"} 1") !=
               std::string::npos;
    }));
}

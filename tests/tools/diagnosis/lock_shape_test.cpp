#include "tests/tools/diagnosis/world.hpp"
#include "tools/diagnosis/lock_shape.hpp"

#include <catch2/catch.hpp>

namespace tools = interlock::tools;
using interlock::test::backend;
using interlock::test::World;
using Pids = std::set<long long>;

TEST_CASE("a root that stands keeps its victims and their longest wait", "[tools]") {
    World world;
    world.session(1, "active", 60);
    world.waits(2, {backend(1)}, 30).waits(3, {backend(2)}, 40);
    const auto facts = world.facts();
    const tools::LockShape shape{facts};
    REQUIRE(shape.roots().size() == 1);
    CHECK(shape.roots()[0].node.pid == 1);
    CHECK(shape.roots()[0].victims == Pids{2, 3});
    CHECK(shape.roots()[0].longest_wait == 40);
    CHECK(shape.roots()[0].held == 40);
    CHECK(shape.queues().empty());
    CHECK(shape.two_looks());
}

TEST_CASE("a root holds up nobody for longer than its transaction is old", "[tools]") {
    World world;
    world.session(1, "active", 5);
    world.waits(2, {backend(1)}, 30);
    const auto facts = world.facts();
    CHECK(tools::LockShape{facts}.roots()[0].held == 5);
}

TEST_CASE("a head that was not there before does not stand", "[tools]") {
    World world;
    world.session(1, "active", 60);
    world.waits(2, {backend(1)}, 30);
    World before;
    before.session(9, "active", 60);
    before.waits(2, {backend(9)}, 30);
    const auto facts = world.facts(before.now());
    const tools::LockShape shape{facts};
    CHECK(shape.roots().empty());
    CHECK(shape.longest_rotating_wait() == 30);
}

TEST_CASE("two requests for a strong lock and who queues behind them are one queue", "[tools]") {
    World world;
    world.session(1, "idle in transaction", 60);
    world.waits(2, {backend(1)}, 40, "relation", "AccessExclusiveLock")
        .waits(3, {backend(1), backend(2)}, 35, "relation", "ShareLock")
        .waits(4, {backend(2), backend(3)}, 30, "relation", "RowExclusiveLock")
        .waits(5, {backend(4)}, 20);
    const auto facts = world.facts();
    const tools::LockShape shape{facts};
    REQUIRE(shape.queues().size() == 1);
    CHECK(shape.queues()[0].requests == Pids{2, 3});
    CHECK(shape.queues()[0].victims == Pids{4, 5});
    CHECK(shape.queues()[0].longest_wait == 40);
    CHECK(shape.roots()[0].victims.empty());
}

TEST_CASE("weak table locks and locks on other things make no queue", "[tools]") {
    World world;
    world.session(1, "idle in transaction", 60);
    world.waits(2, {backend(1)}, 40, "relation", "ShareUpdateExclusiveLock")
        .waits(3, {backend(2)}, 30, "relation", "ShareUpdateExclusiveLock")
        .waits(4, {backend(1)}, 40, "tuple", "ExclusiveLock")
        .waits(5, {backend(4)}, 30, "tuple", "ExclusiveLock");
    const auto facts = world.facts();
    CHECK(tools::LockShape{facts}.queues().empty());
}

TEST_CASE("sessions that wait for each other have no head", "[tools]") {
    World world;
    world.waits(1, {backend(2)}, 3).waits(2, {backend(1)}, 4);
    const auto facts = world.facts();
    const tools::LockShape shape{facts};
    CHECK(shape.roots().empty());
    CHECK(shape.longest_rootless_wait() == 4);
}

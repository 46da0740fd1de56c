#include "executor/lease.hpp"
#include "tests/executor/scene.hpp"

#include <thread>

#include <catch2/catch.hpp>

namespace interlock::test {
namespace {

constexpr auto lifetime = base::limits::lease_lifetime;

approval::Claim claimed(Scene& scene) {
    const auto id = scene.approved(bounded_plan());
    return must(scene.queue.claim(id, scene.plan(id).digest, "executor_1"));
}

executor::LeaseOptions foreground() {
    return {lifetime, /*background=*/false};
}

} // namespace

TEST_CASE("a lease is renewed after a third of its lifetime and outlasts it", "[executor]") {
    Scene scene;
    executor::Lease lease(scene.queue, claimed(scene), scene.clock, foreground());
    for (int i = 0; i < 12; ++i) {
        CHECK(lease.hold().ok());
        scene.clock.advance(lifetime / 3);
    }
    CHECK(lease.hold().ok());
    CHECK(must(scene.queue.abandoned()).empty());
}

TEST_CASE("a lease not renewed in time is lost for good", "[executor]") {
    Scene scene;
    executor::Lease lease(scene.queue, claimed(scene), scene.clock, foreground());
    scene.clock.advance(lifetime);
    CHECK(lease.hold().error().code == base::Errc::expired);
    CHECK(must(scene.queue.abandoned()).size() == 1);
    CHECK_FALSE(lease.hold().ok());
}

TEST_CASE("a lease taken over by somebody else is lost at the next renewal", "[executor]") {
    Scene scene;
    const auto claim = claimed(scene);
    executor::Lease lease(scene.queue, claim, scene.clock, foreground());
    scene.clock.advance(lifetime - std::chrono::seconds{1});
    // The other side's clock runs ahead: fencing, not time, decides.
    scene.sql("update executions set fence = fence + 1, executor = 'other'");
    CHECK(lease.hold().error().code == base::Errc::conflict);
    CHECK_FALSE(lease.hold().ok());
}

TEST_CASE("a store that refuses the renewal takes the authority away", "[executor]") {
    Scene scene;
    executor::Lease lease(scene.queue, claimed(scene), scene.clock, foreground());
    scene.sql("drop table target_leases");
    scene.clock.advance(lifetime / 2);
    CHECK_FALSE(lease.hold().ok());
}

TEST_CASE("the background renews while the owner is busy", "[executor]") {
    TemporaryDirectory directory;
    base::SystemClock clock;
    base::SystemRandom random;
    constexpr std::chrono::milliseconds quick{1'200};
    const auto store =
        must(db::open_sqlite_store(directory.file("queue.db"), db::StoreMode::create, clock));
    approval::Queue queue(*store, random, quick);
    must(queue.create_tables());
    const Approver approver(directory.path());
    approval::Submission submission;
    submission.plan = bounded_plan();
    submission.requester = {"loopback:agent", "loopback", "none", "test/1", "", {}};
    const auto id = must(queue.submit(submission)).id;
    approver.approve(queue, random, id);
    const auto claim = must(queue.claim(id, must(queue.get(id)).digest, "executor_1"));
    const auto first_end = must(base::parse_time(claim.lease_until));
    executor::Lease lease(queue, claim, clock, {quick, /*background=*/true});
    while (clock.now() < first_end) {
        clock.sleep_for(std::chrono::milliseconds{20}); // the condition is time itself
    }
    CHECK(must(queue.abandoned()).empty());
    CHECK(lease.hold().ok());
}

} // namespace interlock::test

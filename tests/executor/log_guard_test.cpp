#include "executor/log_guard.hpp"
#include "tests/executor/scene.hpp"

#include <catch2/catch.hpp>

namespace interlock::test {
namespace {

executor::LogGuard guard(Scene& scene, char seed = 'k') {
    return {
        *scene.store,
        scene.directory.file("note"),
        base::signing_key_from_seed(std::string(32, seed))};
}

} // namespace

TEST_CASE("a log that only grew continues the remembered one", "[executor]") {
    Scene scene;
    auto memory = guard(scene);
    CHECK(memory.check().ok()); // nothing is remembered yet
    scene.submit(bounded_plan());
    REQUIRE(memory.remember().ok());
    CHECK(memory.check().ok());
    scene.approved(undoable_plan());
    CHECK(memory.check().ok());
    const auto vkey = must(base::read_file(scene.directory.file("note.vkey"), 4096));
    CHECK(vkey.starts_with("interlock-executor+"));
}

TEST_CASE("a log that was cut, changed or replaced is noticed", "[executor]") {
    Scene scene;
    auto memory = guard(scene);
    scene.approved(bounded_plan());
    REQUIRE(memory.remember().ok());
    SECTION("cut") {
        scene.sql("delete from audit_log where leaf_index > 0");
        scene.sql("delete from audit_payload where leaf_index > 0");
    }
    SECTION("emptied") {
        scene.sql("delete from audit_log");
    }
    SECTION("behind what another program signed") {
        scene.approved(undoable_plan());
        telemetry::LogMemory server(
            scene.directory.file("interlock-server.note"),
            "interlock-server",
            base::signing_key_from_seed(std::string(32, 's'))
        );
        REQUIRE(server.follow(*scene.store, telemetry::Scrutiny::hashes));
        REQUIRE(server.keep());
        Scene other;
        executor::LogGuard elsewhere(
            *other.store,
            scene.directory.file("never-signed"),
            base::signing_key_from_seed(std::string(32, 'k'))
        );
        CHECK(elsewhere.check().error().code == base::Errc::corrupt);
        return;
    }
    SECTION("changed, and the program started again") {
        scene.sql("update audit_log set header = replace(header, 'plan.', 'nalp.')");
        CHECK(guard(scene).check().error().code == base::Errc::corrupt);
        return;
    }
    SECTION("another log in its place") {
        Scene other;
        executor::LogGuard elsewhere(
            *other.store,
            scene.directory.file("note"),
            base::signing_key_from_seed(std::string(32, 'k'))
        );
        CHECK(elsewhere.check().error().code == base::Errc::corrupt);
        return;
    }
    CHECK(memory.check().error().code == base::Errc::corrupt);
}

TEST_CASE("an edited record of the plan that is to be run is noticed, however old", "[executor]") {
    Scene scene;
    auto memory = guard(scene);
    const auto plan = scene.approved(bounded_plan());
    const auto digest = scene.plan(plan).digest;
    CHECK(memory.check(digest).ok()); // the whole log
    CHECK(memory.check(digest).ok()); // what is new, and this plan
    scene.sql("update audit_log set header = replace(header, 'plan.submitted', 'plan.resubmitted')"
    );
    CHECK(memory.check(digest).error().code == base::Errc::corrupt);
}

TEST_CASE("after a doubt the whole log is read again", "[executor]") {
    Scene scene;
    auto memory = guard(scene);
    scene.approved(bounded_plan());
    REQUIRE(memory.remember().ok());
    scene.sql("update audit_log set header = replace(header, 'plan.', 'nalp.') where leaf_index = 0"
    );
    CHECK(memory.check().ok()); // nothing is new
    scene.sql("update audit_state set frontier = '0'");
    CHECK(memory.check().error().code == base::Errc::corrupt);
    CHECK(memory.check().error().code == base::Errc::corrupt);
}

TEST_CASE("a note that is not our own is no memory", "[executor]") {
    Scene scene;
    REQUIRE(guard(scene, 'x').remember().ok());
    CHECK(guard(scene).check().error().code == base::Errc::corrupt);
    must(base::write_file_atomically(scene.directory.file("note"), "garbage"));
    CHECK(guard(scene).check().error().code == base::Errc::corrupt);
}

TEST_CASE("a log that cannot be read now is not called corrupt", "[executor]") {
    Scene scene;
    scene.sql("drop table audit_log");
    const auto checked = guard(scene).check();
    REQUIRE_FALSE(checked.ok());
    CHECK(checked.error().code != base::Errc::corrupt);
}

} // namespace interlock::test

#include "approval/desk/log_watch.hpp"
#include "approval/desk/plan_source.hpp"
#include "approval/desk/site.hpp"
#include "base/file.hpp"
#include "tests/approval/desk/watch.hpp"

#include <filesystem>

#include <catch2/catch.hpp>

namespace interlock::desk {

using test::fails;
using test::must;
using test::watch_of;

namespace {

std::string note_of(const test::Office& office) {
    return base::StateDirectory{office.directory.path()}.checkpoints() + "/interlock-desk.note";
}

/// The log as it is now, and a way back to it that leaves everything stored in agreement.
struct Copy {
    explicit Copy(test::Office& office)
        : leaves(office.leaves()), frontier(office.cell("select frontier from audit_state")) {}
    void restore(test::Office& office) const {
        const auto from = " where leaf_index >= " + std::to_string(leaves);
        office.tamper("delete from audit_log" + from);
        office.tamper("delete from audit_payload" + from);
        office.tamper("update audit_state set frontier = '" + frontier + "'");
    }
    std::uint64_t leaves;
    std::string frontier;
};

} // namespace

TEST_CASE("what the desk saw of the log is signed and kept, once a minute at most") {
    test::Office office;
    const auto watch = watch_of(office);
    (void)office.submitted();
    must(watch->check(*office.store));
    const auto first = must(base::read_file(note_of(office), 4096));
    CHECK(first.find("interlock-desk") != std::string::npos);
    (void)office.submit(test::plan_to_approve(2));
    must(watch->check(*office.store));
    CHECK(must(base::read_file(note_of(office), 4096)) == first);
    office.clock.advance(std::chrono::minutes{1});
    must(watch->check(*office.store));
    CHECK(must(base::read_file(note_of(office), 4096)) != first);
}

TEST_CASE("a log that went back is noticed by a desk that saw more, and by its successor") {
    test::Office office;
    (void)office.submitted();
    const Copy copy(office);
    (void)office.submit(test::plan_to_approve(2));
    const auto watch = watch_of(office);
    must(watch->check(*office.store));
    copy.restore(office);
    CHECK(fails(watch->check(*office.store), base::Errc::corrupt, "were seen before"));
    // Nor does it help when the log grows again: a person must find out first.
    CHECK(fails(watch->check(*office.store), base::Errc::corrupt));
    CHECK(fails(watch_of(office)->check(*office.store), base::Errc::corrupt, "were seen before"));
    std::filesystem::remove(note_of(office)); // on purpose
    must(watch_of(office)->check(*office.store));
}

TEST_CASE("the desk shows nothing to decide about on a log that went back") {
    test::Office office;
    const auto id = office.submitted();
    const Copy copy(office);
    (void)office.submit(test::plan_to_approve(2));
    const auto watch = watch_of(office);
    const PlanSource source(office.directory.file("queue.db"), *watch, office.clock, office.random);
    REQUIRE(must(source.list()).size() == 2);
    copy.restore(office);
    CHECK(fails(source.list(), base::Errc::corrupt));
    CHECK(fails(source.get(id), base::Errc::corrupt));
    CHECK(fails(source.count(), base::Errc::corrupt));
    const Site site(source, std::string(64, 't'));
    base::HttpRequest request;
    request.method = "GET";
    request.headers = {{"Authorization", "Bearer " + std::string(64, 't')}};
    for (const auto& path : {std::string("/"), "/plans/" + id, "/api/plans/" + id}) {
        request.path = path;
        const auto response = site.answer(request);
        CHECK(response.status == 503);
        CHECK(response.body.find("were seen before") != std::string::npos);
        CHECK(response.body.find("A title") == std::string::npos);
    }
}

TEST_CASE("a log that went back behind what another program signed is noticed") {
    test::Office office;
    (void)office.submitted();
    const Copy copy(office);
    must(watch_of(office)->check(*office.store));
    (void)office.submit(test::plan_to_approve(2));
    telemetry::LogMemory executor(
        base::StateDirectory{office.directory.path()}.checkpoints() + "/executor.note",
        "interlock-executor",
        base::signing_key_from_seed(std::string(32, 'e'))
    );
    must(executor.follow(*office.store, telemetry::Scrutiny::hashes));
    must(executor.keep());
    copy.restore(office); // to what the desk itself saw last
    CHECK(fails(watch_of(office)->check(*office.store), base::Errc::corrupt));
}

TEST_CASE("records cut off the end of the log are noticed") {
    test::Office office;
    (void)office.submitted();
    const auto watch = watch_of(office);
    must(watch->check(*office.store));
    office.tamper("delete from audit_log");
    CHECK(fails(watch->check(*office.store), base::Errc::corrupt, "its last record"));
}

} // namespace interlock::desk

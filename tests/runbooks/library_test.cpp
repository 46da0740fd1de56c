#include "base/file.hpp"
#include "runbooks/contract.hpp"
#include "runbooks/library_files.hpp"
#include "runbooks/policy.hpp"
#include "tests/runbooks/release_plan.hpp"

#include <algorithm>
#include <filesystem>

#include <catch2/catch.hpp>

namespace interlock {

TEST_CASE("every file of the library is compiled in and loads under its own name", "[runbooks]") {
    std::size_t files = 0;
    for (const auto& entry : std::filesystem::directory_iterator("runbooks/library")) {
        const auto name = entry.path().filename().string();
        INFO(name);
        ++files;
        const auto& embedded = runbooks::library_files();
        const auto found = std::find_if(embedded.begin(), embedded.end(), [&](const auto& file) {
            return file.name == name;
        });
        REQUIRE(found != embedded.end());
        CHECK(found->yaml == base::read_file(entry.path().string(), 1 << 20).value());
        const auto contract = runbooks::parse_contract(found->yaml);
        INFO((contract.ok() ? "" : base::to_text(contract.error())));
        REQUIRE(contract.ok());
        CHECK(contract->id + ".yaml" == name);
        CHECK(contract->digest == base::hex(base::sha256(found->yaml)));
    }
    CHECK(runbooks::library().size() == files);
    CHECK(files >= 1);
}

TEST_CASE("every decision of every library contract makes a plan the policy admits", "[runbooks]") {
    for (const auto* cause : {"lock.idle_in_tx", "lock.active_blocker", "lock.ddl_queue"}) {
        INFO(cause);
        const auto admitted = runbooks::admit(test::release_plan(cause), test::release_contract());
        INFO((admitted.ok() ? "" : base::to_text(admitted.error())));
        REQUIRE(admitted.ok());
        CHECK(admitted->policy_verdict == "require_approval");
        CHECK(admitted->policy_digest == runbooks::policy_digest(test::release_contract()));
        CHECK(runbooks::parse_plan(runbooks::plan_bytes(*admitted)).ok());
    }
}

TEST_CASE("release-blocking-session says what it may do and what it asks for", "[runbooks]") {
    const auto& contract = test::release_contract();
    CHECK(contract.version == 1);
    CHECK(contract.trigger_causes.size() == 3);
    CHECK(contract.required_observations.at(0).tool == "diagnose");
    CHECK(contract.needs.approvals == 1);
    CHECK(contract.needs.assurance == runbooks::Assurance::ssh_key);
    CHECK(contract.reversibility == runbooks::Reversibility::bounded);
    CHECK(contract.risk == "medium");
    CHECK(contract.interval_ms == 1'000);
    CHECK(contract.hold_ms == 8'000);
    CHECK(contract.deadline_ms == 30'000);
    for (const auto& step : contract.steps) {
        CHECK(step.step_class == runbooks::StepClass::readback);
        CHECK(step.rows_expected == 1);
        CHECK(step.inverse_bounded);
        CHECK(step.probe.has_value());
    }
}

} // namespace interlock

// The plan that the library's release-blocking-session contract makes, for tests that need one.
#pragma once

#include "runbooks/contract.hpp"
#include "runbooks/planner.hpp"

#include <stdexcept>
#include <string>

namespace interlock::test {

inline const runbooks::Contract& release_contract() {
    return runbooks::library().at("release-blocking-session");
}

inline runbooks::TargetFingerprint release_target() {
    return {"main", "7312345678901234567", "app", 1, false, 15};
}

inline std::string release_parameters() {
    return R"({"pid":4242,"backend_start":"2026-11-21T02:55:10.123456Z",)"
           R"("xact_start":"2026-11-21T02:58:41.654321Z"})";
}

inline runbooks::Plan release_plan(const std::string& cause = "lock.idle_in_tx") {
    auto plan =
        runbooks::make_plan(release_contract(), {cause, release_parameters()}, release_target());
    if (!plan) {
        throw std::runtime_error(base::to_text(plan.error()));
    }
    return *plan;
}

} // namespace interlock::test

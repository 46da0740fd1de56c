#include "runbooks/contract_consistency.hpp"
#include "tests/runbooks/release_plan.hpp"

#include <catch2/catch.hpp>

namespace interlock {
namespace {

using Change = void (*)(runbooks::Contract&);

std::string problem_after(Change change) {
    auto contract = test::release_contract();
    change(contract);
    const auto status = runbooks::check_consistency(contract);
    return status.ok() ? "" : status.error().what;
}

} // namespace

TEST_CASE("the parts of the library contract fit", "[runbooks]") {
    CHECK(problem_after([](auto&) {}).empty());
}

TEST_CASE("a contract whose parts do not fit is refused with the part", "[runbooks]") {
    const std::vector<std::pair<Change, std::string>> changes{
        {[](auto& c) { c.trigger_causes.push_back("lock.hot_row"); }, "lock.hot_row"},
        {[](auto& c) { c.trigger_causes.pop_back(); }, "lock.ddl_queue"},
        {[](auto& c) { c.decision_table.push_back(c.decision_table[0]); }, "stands twice"},
        {[](auto& c) { c.decision_table[0].set["signal"] = "kill"; }, "not a value"},
        {[](auto& c) { c.decision_table[0].set["pid"] = "007"; }, "not a value"},
        {[](auto& c) { c.decision_table[0].set["color"] = "red"; }, "no parameter"},
        {[](auto& c) { c.decision_table[1].set.clear(); }, "leaves signal without a value"},
        {[](auto& c) { c.steps[0].when["signal"] = "kill"; }, "not a value"},
        {[](auto& c) { c.steps[0].when["color"] = "red"; }, "no parameter"},
        {[](auto& c) { c.steps[0].sql = "select {oid}"; }, "{oid}"},
        {[](auto& c) { c.steps[0].probe->sql = "select {oid}"; }, "{oid}"},
        {[](auto& c) { c.steps[1].inverse_sql = "select {oid}"; }, "{oid}"},
        {[](auto& c) { c.preconditions[0].sql = "select '{pid}'"; }, "inside quotes"},
        {[](auto& c) { c.recovery[0].sql = "select 1 -- x"; }, "comment"},
        {[](auto& c) { c.guardrails[0].sql = "select 1; select 2"; }, "semicolon"},
        {[](auto& c) {
             auto unused = c.parameters[0];
             unused.name = "unused";
             c.parameters.push_back(unused);
         },
         "nothing uses the parameter unused"},
    };
    for (const auto& [change, part] : changes) {
        const auto problem = problem_after(change);
        INFO(part << " in: " << problem);
        CHECK(problem.find(part) != std::string::npos);
    }
}

} // namespace interlock

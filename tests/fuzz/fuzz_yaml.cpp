// Contracts and configurations come from files people edit: reading never crashes, and a contract
// that loads is one whose five parts are there.
#include "base/yaml.hpp"
#include "runbooks/contract.hpp"
#include "tests/fuzz/fuzz.hpp"

#include <nlohmann/json.hpp>

namespace {

void read_contract(std::string_view input) {
    (void)interlock::base::parse_yaml(input);
    const auto contract = interlock::runbooks::parse_contract(input);
    if (contract) {
        interlock::test::must_hold(!contract->trigger_causes.empty());
        interlock::test::must_hold(!contract->decision_table.empty());
        interlock::test::must_hold(!contract->recovery.empty());
    }
}

} // namespace

INTERLOCK_FUZZ_TARGET(yaml, read_contract)

#include "base/log.hpp"
#include "runbooks/contract.hpp"
#include "runbooks/library_files.hpp"

namespace interlock::runbooks {
namespace {

std::map<std::string, Contract> load() {
    std::map<std::string, Contract> out;
    for (const auto& file : library_files()) {
        auto contract = parse_contract(file.yaml);
        if (!contract) {
            base::log_error(
                "runbook.broken",
                {{"file", std::string(file.name)}, {"why", base::to_text(contract.error())}}
            );
            continue;
        }
        const auto id = contract->id;
        if (!out.emplace(id, std::move(*contract)).second) {
            base::log_error("runbook.duplicate", {{"file", std::string(file.name)}, {"id", id}});
        }
    }
    return out;
}

} // namespace

const std::map<std::string, Contract>& library() {
    static const auto contracts = load();
    return contracts;
}

} // namespace interlock::runbooks

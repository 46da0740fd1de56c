#include "runbooks/contract_consistency.hpp"

#include "runbooks/statement_template.hpp"

#include <algorithm>
#include <set>
#include <utility>
#include <vector>

namespace interlock::runbooks {
namespace {

base::Error inconsistent(const Contract& contract, const std::string& problem) {
    return {
        base::Errc::invalid_input,
        "Runbook " + contract.id + ": " + problem + ".",
        "Mend the contract; it is not loaded as it stands.",
    };
}

const Parameter* find_parameter(const Contract& contract, const std::string& name) {
    for (const auto& parameter : contract.parameters) {
        if (parameter.name == name) {
            return &parameter;
        }
    }
    return nullptr;
}

base::Status check_values(
    const Contract& contract,
    const std::string& where,
    const std::map<std::string, std::string>& values
) {
    for (const auto& [name, value] : values) {
        const auto* parameter = find_parameter(contract, name);
        if (parameter == nullptr) {
            return inconsistent(contract, where + " names " + name + ", which is no parameter");
        }
        const auto normal = normalise_value(*parameter, value);
        if (!normal || *normal != value) {
            return inconsistent(
                contract, where + " gives " + name + " a text that is not a value of it"
            );
        }
    }
    return base::done;
}

base::Status check_decisions(const Contract& contract) {
    std::set<std::string> decided;
    for (const auto& row : contract.decision_table) {
        const auto where = "the decision for " + row.cause;
        const auto& causes = contract.trigger_causes;
        if (std::find(causes.begin(), causes.end(), row.cause) == causes.end()) {
            return inconsistent(contract, where + " does not answer any cause of the trigger");
        }
        if (!decided.insert(row.cause).second) {
            return inconsistent(contract, where + " stands twice");
        }
        INTERLOCK_CHECK(check_values(contract, where, row.set));
        for (const auto& parameter : contract.parameters) {
            const bool given = parameter.required || !parameter.fallback.empty();
            if (!given && row.set.count(parameter.name) == 0) {
                return inconsistent(
                    contract, where + " leaves " + parameter.name + " without a value"
                );
            }
        }
    }
    for (const auto& cause : contract.trigger_causes) {
        if (decided.count(cause) == 0) {
            return inconsistent(contract, "no decision answers the trigger " + cause);
        }
    }
    return base::done;
}

/// Every statement of the contract with the words that name it.
std::vector<std::pair<std::string, std::string>> statements_of(const Contract& contract) {
    std::vector<std::pair<std::string, std::string>> out;
    const auto add_checks = [&](const char* kind, const std::vector<CheckTemplate>& checks) {
        for (const auto& check : checks) {
            out.emplace_back(std::string(kind) + " " + check.id, check.sql);
        }
    };
    add_checks("precondition", contract.preconditions);
    for (const auto& step : contract.steps) {
        out.emplace_back("step " + step.id, step.sql);
        if (step.probe) {
            out.emplace_back("probe " + step.probe->id, step.probe->sql);
        }
        if (!step.inverse_sql.empty()) {
            out.emplace_back("inverse of " + step.id, step.inverse_sql);
        }
    }
    add_checks("recovery check", contract.recovery);
    add_checks("guardrail", contract.guardrails);
    return out;
}

base::Status check_statements(const Contract& contract) {
    std::set<std::string> used;
    for (const auto& [where, sql] : statements_of(contract)) {
        const auto names = template_names(sql);
        if (!names) {
            return inconsistent(contract, where + ": " + names.error().what);
        }
        for (const auto& name : *names) {
            if (find_parameter(contract, name) == nullptr) {
                return inconsistent(
                    contract, where + " names {" + name + "}, which is no parameter"
                );
            }
            used.insert(name);
        }
    }
    for (const auto& step : contract.steps) {
        INTERLOCK_CHECK(check_values(contract, "step " + step.id, step.when));
        for (const auto& [name, value] : step.when) {
            used.insert(name);
        }
    }
    for (const auto& parameter : contract.parameters) {
        if (used.count(parameter.name) == 0) {
            return inconsistent(contract, "nothing uses the parameter " + parameter.name);
        }
    }
    return base::done;
}

} // namespace

base::Status check_consistency(const Contract& contract) {
    INTERLOCK_CHECK(check_decisions(contract));
    INTERLOCK_CHECK(check_statements(contract));
    return base::done;
}

} // namespace interlock::runbooks

// What the policy knows: the kinds of statements, functions and relations that may stand in a plan
// at all. What is not named here is denied; a contract's own lists can only narrow it further.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace interlock::runbooks {

/// Grows when the rules, here or in policy.cpp, change in meaning: old approvals are void then.
inline constexpr int policy_version = 1;

/// Where in a plan a statement stands.
enum class Place {
    step, // acts: steps and inverses
    read, // looks: preconditions, probes, recovery checks, guardrails
};

enum class FunctionRule {
    unknown,  // denied everywhere
    harmless, // may be called anywhere: changes nothing, waits for nothing
    signals,  // acts on another session at once; only in a step that is resolved by readback
};

/// `name` with its schema, as written in the statement.
FunctionRule function_rule(std::string_view name);
/// Why a kind of statement is never allowed at `place`; "" when it is allowed.
std::string kind_denial(std::string_view kind, Place place);
/// Catalogs that hold secrets or user data: never read by a plan, whatever a contract says.
bool is_secret_relation(std::string_view name);
/// PostgreSQL types that a parameter may be bound as.
bool is_bindable_type(std::string_view type);

/// Every rule above as one text, for the policy digest.
std::string rules_text();

} // namespace interlock::runbooks

// A runbook contract: the typed record a plan is made from. Five parts are mandatory (trigger,
// allowed tools, required observations, decision table, completion proof); the loader refuses a
// contract that misses any part or names an unknown key.
#pragma once

#include "base/result.hpp"
#include "runbooks/plan.hpp"

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace interlock::runbooks {

enum class ParameterType { integer, timestamp, choice };

struct Parameter {
    std::string name;
    ParameterType type = ParameterType::integer;
    std::string about;
    long long min = 0;
    long long max = 0;
    std::vector<std::string> choices;
    bool required = true; // false: the decision table or `fallback` gives the value
    std::string fallback;
    std::string example;
};
/// The PostgreSQL type a value of this parameter is cast to: int4, int8, timestamptz or text.
const char* bound_type(const Parameter& parameter);
/// `text` as the parameter's one spelling (timestamps in UTC with microseconds), or why it is not
/// a value of it: "is not ...".
base::Result<std::string> normalise_value(const Parameter& parameter, std::string_view text);

struct Observation {
    std::string tool;    // evidence of this tool ...
    std::string because; // ... must be cited, and why
};

/// One row of the decision table: the first whose `cause` was diagnosed decides `set`.
struct DecisionRow {
    std::string cause;
    std::map<std::string, std::string> set; // parameter -> value
    std::string because;
};

/// Statement templates: {name} stands for a parameter and becomes $n with a cast, never text.
struct CheckTemplate {
    std::string id;
    std::string about;
    std::string sql;
    Comparison comparison = Comparison::equals;
    std::string expected;
};
struct StepTemplate {
    std::string id;
    std::string about;
    std::map<std::string, std::string> when; // parameter -> value; empty = always
    StepClass step_class = StepClass::transactional;
    std::string sql;
    std::string expected_lock;
    long long lock_timeout_ms = 0;
    long long statement_timeout_ms = 0;
    long long rows_expected = 1;
    std::optional<CheckTemplate> probe;
    std::string inverse_sql;
    std::string inverse_absence_reason;
    bool inverse_bounded = false;
};

struct Contract {
    std::string id;
    int version = 1;
    std::string title;
    std::string summary;
    std::vector<std::string> trigger_causes;
    std::string trigger_about;
    std::vector<std::string> allowed_tools;
    std::vector<Observation> required_observations;
    std::vector<DecisionRow> decision_table;
    std::vector<Parameter> parameters;
    std::vector<CheckTemplate> preconditions;
    std::vector<StepTemplate> steps;
    std::vector<CheckTemplate> recovery; // completion proof
    std::vector<CheckTemplate> guardrails;
    std::string completion_about;
    long long interval_ms = 1000;
    long long hold_ms = 10'000;
    long long deadline_ms = 60'000;
    Reversibility reversibility = Reversibility::irreversible;
    std::string risk;
    Requirement needs;
    int server_major_min = 14;                  // older servers lack what its statements call
    std::vector<std::string> allowed_functions; // what its statements may call
    std::vector<std::string> allowed_relations; // what they may read or change
    std::string digest;                         // SHA-256 of the YAML bytes, hex
};

/// invalid_input names the place in the document and what is wrong there.
base::Result<Contract> parse_contract(std::string_view yaml);
/// The first row of the decision table for `cause`; nullptr when there is none.
const DecisionRow* decision_for(const Contract& contract, std::string_view cause);
/// The contracts compiled in from runbooks/library/*.yaml, by id. Parsed once; a library contract
/// that does not load is a defect: it is logged and left out, and fails the build's tests.
const std::map<std::string, Contract>& library();

} // namespace interlock::runbooks

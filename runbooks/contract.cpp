#include "runbooks/contract.hpp"

#include "base/decode.hpp"
#include "base/limits.hpp"
#include "base/yaml.hpp"
#include "runbooks/contract_consistency.hpp"

#include <algorithm>
#include <chrono>
#include <limits>
#include <set>

#include <nlohmann/json.hpp>

namespace interlock::runbooks {
namespace {

using base::Decoder;
using std::chrono::milliseconds;

/// Contract ids, parameter, check and step ids end up in URLs, span names and templates.
bool is_identifier(std::string_view text, std::string_view extra) {
    constexpr std::string_view characters = "abcdefghijklmnopqrstuvwxyz0123456789";
    return !text.empty() && text.size() <= 63 && text.front() >= 'a' && text.front() <= 'z' &&
           std::all_of(text.begin(), text.end(), [&](char c) {
               return characters.find(c) != std::string_view::npos ||
                      extra.find(c) != std::string_view::npos;
           });
}

std::string read_id(Decoder& in, const std::string& key, std::string_view extra) {
    auto id = in.text(key);
    if (!is_identifier(id, extra)) {
        in.fail(
            key, "expected an identifier: a lower-case letter, then letters, digits or separators"
        );
    }
    return id;
}

/// One line a person reads: printable ASCII, so that what is approved looks like what it is.
std::string read_line(Decoder& in, const std::string& key) {
    auto line = in.text(key);
    const bool plain = std::all_of(line.begin(), line.end(), [](char c) {
        return (c >= ' ' && c <= '~') || c == '\n';
    });
    if (!plain || line.size() > base::limits::contract_line_chars_max) {
        in.fail(key, "expected printable ASCII text of at most 1000 characters");
    }
    while (!line.empty() && line.back() == '\n') {
        line.pop_back();
    }
    return line;
}

std::string read_sql(Decoder& in, const std::string& key) {
    auto sql = in.text(key);
    while (!sql.empty() && sql.back() == '\n') {
        sql.pop_back();
    }
    return sql;
}

std::vector<std::string> read_texts(Decoder& in, const std::string& key) {
    auto list = in.texts(key);
    if (list.empty()) {
        in.fail(key, "expected a list with at least one entry");
    }
    if (std::set<std::string>(list.begin(), list.end()).size() != list.size()) {
        in.fail(key, "expected a list that names nothing twice");
    }
    return list;
}

std::vector<Decoder> read_mappings(Decoder& in, const std::string& key) {
    auto list = in.mappings(key);
    if (list.empty()) {
        in.fail(key, "expected a list with at least one entry");
    }
    return list;
}

std::map<std::string, std::string> read_pairs(Decoder& in, const std::string& key) {
    std::map<std::string, std::string> out;
    if (in.has(key)) {
        for (auto& [name, value] : in.pairs(key)) {
            out.emplace(std::move(name), std::move(value));
        }
    }
    return out;
}

long long read_duration_ms(Decoder& in, const std::string& key, milliseconds most) {
    const auto value = in.duration_or(key, milliseconds{0});
    if (value <= milliseconds{0} || value > most) {
        in.fail(
            key, "expected a duration above 0 and at most " + std::to_string(most.count()) + "ms"
        );
    }
    return value.count();
}

Parameter read_parameter(Decoder in) {
    Parameter out;
    out.name = read_id(in, "name", "_");
    out.about = read_line(in, "about");
    const auto type = in.choice("type", {"integer", "timestamp", "choice"});
    if (type == "timestamp") {
        out.type = ParameterType::timestamp;
    } else if (type == "choice") {
        out.type = ParameterType::choice;
        out.choices = read_texts(in, "choices");
    } else {
        out.type = ParameterType::integer;
        constexpr auto most = std::numeric_limits<long long>::max();
        out.min = in.integer("min", -most, most);
        out.max = in.integer("max", out.min, most);
    }
    out.required = in.boolean_or("required", true);
    out.fallback = in.text_or("fallback", "");
    out.example = read_line(in, "example");
    if (!out.fallback.empty()) {
        const auto normal = normalise_value(out, out.fallback);
        if (out.required || !normal) {
            in.fail("fallback", "expected a value of an optional parameter");
        } else {
            out.fallback = *normal;
        }
    }
    if (!normalise_value(out, out.example)) {
        in.fail("example", "expected a value of the parameter");
    }
    return out;
}

DecisionRow read_decision(Decoder in) {
    DecisionRow out;
    out.cause = in.text("cause");
    out.set = read_pairs(in, "set");
    out.because = read_line(in, "because");
    return out;
}

CheckTemplate read_check(Decoder in) {
    CheckTemplate out;
    out.id = read_id(in, "id", "_-");
    out.about = read_line(in, "about");
    out.sql = read_sql(in, "sql");
    int comparisons = 0;
    for (const auto comparison : {Comparison::equals, Comparison::at_least, Comparison::at_most}) {
        if (!in.has(name(comparison))) {
            continue;
        }
        ++comparisons;
        out.comparison = comparison;
        constexpr auto most = std::numeric_limits<long long>::max();
        out.expected = comparison == Comparison::equals
                           ? in.text(name(comparison))
                           : std::to_string(in.integer(name(comparison), -most, most));
    }
    if (comparisons != 1) {
        in.fail("equals", "expected exactly one of equals, at_least and at_most");
    }
    return out;
}

std::vector<CheckTemplate> read_checks(Decoder& in, const std::string& key) {
    std::vector<CheckTemplate> out;
    std::set<std::string> ids;
    for (auto& entry : read_mappings(in, key)) {
        out.push_back(read_check(std::move(entry)));
        if (!ids.insert(out.back().id).second) {
            in.fail(key, "expected a list of checks with different ids");
        }
    }
    if (out.size() > base::limits::plan_checks_max) {
        in.fail(key, "expected a list short enough to be read by a person");
    }
    return out;
}

/// Either `sql`, or `absent` with the reason and whether the effect is bounded.
void read_inverse(Decoder in, StepTemplate& out) {
    if (in.has("sql") == in.has("absent")) {
        in.fail("sql", "expected exactly one of sql and absent");
    } else if (in.has("sql")) {
        out.inverse_sql = read_sql(in, "sql");
    } else {
        out.inverse_absence_reason = read_line(in, "absent");
        out.inverse_bounded = in.boolean_or("bounded", false);
    }
}

StepTemplate read_step(Decoder in) {
    StepTemplate out;
    out.id = read_id(in, "id", "_-");
    out.about = read_line(in, "about");
    out.when = read_pairs(in, "when");
    const auto step_class =
        in.choice("class", {name(StepClass::transactional), name(StepClass::readback)});
    out.step_class = step_class_from_name(step_class).value_or(StepClass::transactional);
    out.sql = read_sql(in, "sql");
    out.expected_lock = read_line(in, "expected_lock");
    out.lock_timeout_ms = read_duration_ms(in, "lock_timeout", base::limits::step_lock_timeout_max);
    out.statement_timeout_ms =
        read_duration_ms(in, "statement_timeout", base::limits::step_statement_timeout_max);
    out.rows_expected = in.integer("rows_expected", 0, 1'000'000);
    if (in.has("probe")) {
        out.probe = read_check(in.mapping("probe"));
    } else if (out.step_class == StepClass::readback) {
        in.fail(
            "probe", "expected a probe: a readback step is resolved by its probe after a crash"
        );
    }
    read_inverse(in.mapping("inverse"), out);
    return out;
}

void read_trigger(Decoder in, Contract& out) {
    out.trigger_causes = read_texts(in, "causes");
    out.trigger_about = read_line(in, "about");
}

void read_observations(Decoder& in, Contract& out) {
    for (auto& entry : read_mappings(in, "required_observations")) {
        out.required_observations.push_back({entry.text("tool"), read_line(entry, "because")});
    }
}

void read_completion(Decoder in, Contract& out) {
    out.completion_about = read_line(in, "about");
    const auto most = base::limits::verification_deadline_max;
    out.interval_ms = read_duration_ms(in, "interval", most);
    out.hold_ms = read_duration_ms(in, "hold", most);
    out.deadline_ms = read_duration_ms(in, "deadline", most);
    if (out.interval_ms > out.hold_ms || out.hold_ms > out.deadline_ms) {
        in.fail("hold", "expected at least the interval and at most the deadline");
    }
    out.recovery = read_checks(in, "recovery");
    out.guardrails = read_checks(in, "guardrails");
}

void read_needs(Decoder in, Contract& out) {
    out.needs.approvals = static_cast<int>(in.integer("approvals", 1, 10));
    const auto assurance =
        in.choice("assurance", {"chat", "web_session", "ssh_key", "hardware_key"});
    if (const auto value = assurance_from_name(assurance)) {
        out.needs.assurance = *value;
    }
}

void read_steps(Decoder& in, Contract& out) {
    std::set<std::string> ids;
    for (auto& entry : read_mappings(in, "steps")) {
        out.steps.push_back(read_step(std::move(entry)));
        if (!ids.insert(out.steps.back().id).second) {
            in.fail("steps", "expected a list of steps with different ids");
        }
    }
    if (out.steps.size() > base::limits::plan_steps_max) {
        in.fail("steps", "expected a list short enough to be one decision");
    }
}

void read_allowances(Decoder& in, Contract& out) {
    out.allowed_functions = read_texts(in, "allowed_functions");
    out.allowed_relations = read_texts(in, "allowed_relations");
    for (const auto* list : {&out.allowed_functions, &out.allowed_relations}) {
        for (const auto& name : *list) {
            if (name.find('.') == std::string::npos) {
                const bool function = list == &out.allowed_functions;
                in.fail(
                    function ? "allowed_functions" : "allowed_relations",
                    "expected a list of names with their schema"
                );
            }
        }
    }
}

Contract read_contract(Decoder& in) {
    Contract out;
    out.id = read_id(in, "id", "-");
    out.version = static_cast<int>(in.integer("version", 1, 1'000'000));
    out.title = read_line(in, "title");
    out.summary = read_line(in, "summary");
    read_trigger(in.mapping("trigger"), out);
    out.allowed_tools = read_texts(in, "allowed_tools");
    read_observations(in, out);
    std::set<std::string> names;
    for (auto& entry : read_mappings(in, "parameters")) {
        out.parameters.push_back(read_parameter(std::move(entry)));
        if (!names.insert(out.parameters.back().name).second) {
            in.fail("parameters", "expected a list of parameters with different names");
        }
    }
    for (auto& entry : read_mappings(in, "decision_table")) {
        out.decision_table.push_back(read_decision(std::move(entry)));
    }
    out.preconditions = read_checks(in, "preconditions");
    read_steps(in, out);
    read_completion(in.mapping("completion_proof"), out);
    const auto reversibility = in.choice(
        "reversibility", {"none_needed", "exact", "compensating", "bounded", "irreversible"}
    );
    out.reversibility =
        reversibility_from_name(reversibility).value_or(Reversibility::irreversible);
    out.risk = in.choice("risk", {"low", "medium", "high"});
    read_needs(in.mapping("needs"), out);
    out.server_major_min = static_cast<int>(in.integer("server_major_min", 12, 99));
    read_allowances(in, out);
    return out;
}

} // namespace

base::Result<Contract> parse_contract(std::string_view yaml) {
    INTERLOCK_TRY(const auto document, base::parse_yaml(yaml));
    Decoder in(document, "");
    auto contract = read_contract(in);
    INTERLOCK_CHECK(in.finish());
    INTERLOCK_CHECK(check_consistency(contract));
    contract.digest = base::hex(base::sha256(yaml));
    return contract;
}

const DecisionRow* decision_for(const Contract& contract, std::string_view cause) {
    for (const auto& row : contract.decision_table) {
        if (row.cause == cause) {
            return &row;
        }
    }
    return nullptr;
}

} // namespace interlock::runbooks

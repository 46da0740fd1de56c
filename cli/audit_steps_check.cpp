#include "cli/audit_steps_check.hpp"

#include "base/text.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <map>
#include <set>
#include <utility>

#include <nlohmann/json.hpp>

namespace interlock::cli {

namespace {

using base::Json;
using Problems = std::vector<std::string>;

constexpr std::string_view step_prefix = "step.";
constexpr std::array step_states{"INTENT", "DONE", "FAILED", "IN_DOUBT", "SKIPPED"};

std::optional<long long> number(const Json& object, const char* name) {
    if (const auto value = base::integer_member(object, name))
        return value;
    const auto text = base::string_member(object, name).value_or("");
    long long value = 0;
    const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    const bool whole = error == std::errc{} && stop == text.data() + text.size();
    return whole ? std::optional(value) : std::nullopt;
}

/// A step in one direction.
using StepKey = std::pair<long long, bool>;

std::string named(const StepKey& key) {
    return "step " + std::to_string(key.first) + (key.second ? "" : " (undoing it)");
}

StepKey key_of(const StepRecord& record) {
    return {record.index, record.forward};
}

std::map<StepKey, std::string> last_states(const std::vector<StepRecord>& records) {
    std::map<StepKey, std::string> states;
    for (const auto& record : records)
        states[key_of(record)] = record.state;
    return states;
}

std::string state_in(const std::map<StepKey, std::string>& states, const StepKey& key) {
    const auto found = states.find(key);
    return found == states.end() ? "" : found->second;
}

/// What an outcome or a list says of one step.
struct Told {
    StepKey key;
    std::string state;
    std::string known_by;
};
std::vector<Told> told_steps(const Json& list) {
    std::vector<Told> told;
    if (!list.is_array())
        return told;
    for (const auto& entry : list) {
        const auto index = number(entry, "index");
        const auto direction = base::string_member(entry, "direction");
        const auto state = base::string_member(entry, "state");
        if (index && direction && state)
            told.push_back(
                {{*index, *direction == "forward"},
                 *state,
                 base::string_member(entry, "known_by").value_or("")}
            );
    }
    return told;
}

/// After an interruption, what is not the end of a step is told and not recorded.
bool may_stand_alone(const Told& told) {
    const bool forward = told.key.second;
    return told.state == "IN_DOUBT" ||
           (!forward && told.state == "FAILED" && told.known_by != "commit");
}

} // namespace

std::optional<StepRecord>
read_step(std::uint64_t leaf, std::string_view type, const Json& payload, std::string_view at) {
    StepRecord record;
    record.leaf = leaf;
    for (const char* state : step_states)
        if (type == std::string(step_prefix) + base::lower_ascii(state))
            record.state = state;
    const auto index = number(payload, "index");
    const auto fence = number(payload, "fence");
    const auto direction = base::string_member(payload, "direction");
    if (record.state.empty() || !index || !fence || !direction)
        return std::nullopt;
    record.index = *index;
    record.fence = *fence;
    record.forward = *direction == "forward";
    record.at = at;
    record.detail = base::string_member(payload, "detail").value_or("");
    return record;
}

Problems check_step_order(const std::vector<StepRecord>& records) {
    Problems problems;
    std::map<StepKey, std::string> states;
    for (const auto& record : records) {
        auto& state = states[key_of(record)];
        const bool ended = state == "DONE" || state == "FAILED" || state == "SKIPPED";
        const bool begins = record.state == "INTENT" || record.state == "SKIPPED";
        if (ended)
            problems.push_back(
                "record " + std::to_string(record.leaf) + " says that " + named(key_of(record)) +
                " is " + record.state + ", and it had ended as " + state
            );
        else if (state.empty() && !begins)
            problems.push_back(
                "record " + std::to_string(record.leaf) + " says that " + named(key_of(record)) +
                " is " + record.state + ", and no record tells that it began: one is missing"
            );
        state = record.state;
    }
    return problems;
}

Problems
check_every_step(const std::vector<StepRecord>& records, std::size_t count, const char* what) {
    const auto states = last_states(records);
    std::size_t done = 0;
    for (std::size_t i = 0; i < count; ++i) {
        const auto state = state_in(states, {static_cast<long long>(i), true});
        done += state == "DONE" || state == "SKIPPED" ? 1 : 0;
    }
    if (done == count)
        return {};
    return {
        std::string(what) + ", and of its " + std::to_string(count) + " steps " +
        std::to_string(done) + " are recorded as done: records are missing"};
}

Problems check_undone(const std::vector<StepRecord>& records) {
    Problems problems;
    const auto states = last_states(records);
    for (const auto& [key, state] : states)
        if (key.second && state == "DONE" && state_in(states, {key.first, false}) != "DONE")
            problems.push_back(
                "the records say that it was rolled back, and none that " + named(key) +
                " was undone: records are missing"
            );
    return problems;
}

Problems check_outcome_steps(const std::vector<StepRecord>& records, const Json& outcome) {
    Problems problems;
    const auto fence = number(outcome, "fence");
    const auto* list = base::member(outcome, "steps");
    if (!fence || list == nullptr)
        return {"its outcome does not tell which steps it ran"};
    std::map<StepKey, std::string> ends;
    std::set<StepKey> begun;
    for (const auto& record : records) {
        if (record.fence != *fence)
            continue; // of an executor before this one
        if (record.state == "INTENT")
            begun.insert(key_of(record));
        else
            ends[key_of(record)] = record.state;
    }
    std::set<StepKey> told_of;
    for (const auto& told : told_steps(*list)) {
        told_of.insert(told.key);
        const auto recorded = state_in(ends, told.key);
        if (recorded != told.state && !(recorded.empty() && may_stand_alone(told)))
            problems.push_back(
                "its outcome says that " + named(told.key) + " is " + told.state +
                (recorded.empty() ? ", and no record does: one is missing"
                                  : ", and its record " + recorded)
            );
        if (told.known_by == "commit" && !begun.contains(told.key))
            problems.push_back(
                "its outcome says that " + named(told.key) +
                " was run, and no record tells that it began: one is missing"
            );
    }
    for (const auto& [key, state] : ends)
        if (!told_of.contains(key))
            problems.push_back(
                "a record says that " + named(key) + " is " + state + ", and the outcome is silent"
            );
    return problems;
}

namespace {

/// Who recorded it last, when, and what was found: as far as the list tells of it.
Problems check_listed_details(const std::vector<StepRecord>& records, const Json& list) {
    std::map<StepKey, const StepRecord*> last;
    for (const auto& record : records)
        last[key_of(record)] = &record;
    Problems problems;
    for (const auto& entry : list) {
        const StepKey key{
            number(entry, "index").value_or(-1),
            base::string_member(entry, "direction") == "forward"};
        const auto found = last.find(key);
        if (found == last.end())
            continue;
        const auto& record = *found->second;
        const auto differs = [&](const char* name, const std::string& recorded) {
            const auto told = base::string_member(entry, name);
            return entry.contains(name) && told != recorded;
        };
        if ((entry.contains("fence") && number(entry, "fence") != record.fence) ||
            differs("at", record.at) || differs("detail", record.detail))
            problems.push_back(
                "steps.json tells otherwise of " + named(key) + " than record " +
                std::to_string(record.leaf) + ": when, by whom or what was found"
            );
    }
    return problems;
}

} // namespace

Problems check_listed_steps(const std::vector<StepRecord>& records, const Json& list) {
    Problems problems;
    const auto recorded = last_states(records);
    std::map<StepKey, std::string> listed;
    for (const auto& told : told_steps(list))
        listed[told.key] = told.state;
    for (const auto& [key, state] : listed)
        if (state_in(recorded, key) != state)
            problems.push_back(
                "steps.json says that " + named(key) + " is " + state +
                ", and the last record of it says " +
                (recorded.contains(key) ? state_in(recorded, key) : std::string("nothing")) +
                ": one is missing, or the file was changed"
            );
    for (const auto& [key, state] : recorded)
        if (!listed.contains(key))
            problems.push_back(
                "a record says that " + named(key) + " is " + state + ", and steps.json is silent"
            );
    for (auto& sentence : check_listed_details(records, list))
        problems.push_back(std::move(sentence));
    return problems;
}

} // namespace interlock::cli

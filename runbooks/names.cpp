// The words under which the enumerations of a plan stand in bytes, contracts and messages.
#include "runbooks/plan.hpp"

#include <array>
#include <utility>

namespace interlock::runbooks {
namespace {

template <class Enum, std::size_t count>
using Words = std::array<std::pair<Enum, const char*>, count>;

constexpr Words<Comparison, 3> comparisons{{
    {Comparison::equals, "equals"},
    {Comparison::at_least, "at_least"},
    {Comparison::at_most, "at_most"},
}};

constexpr Words<StepClass, 2> step_classes{{
    {StepClass::transactional, "transactional"},
    {StepClass::readback, "readback"},
}};

constexpr Words<Reversibility, 5> reversibilities{{
    {Reversibility::none_needed, "none_needed"},
    {Reversibility::exact, "exact"},
    {Reversibility::compensating, "compensating"},
    {Reversibility::bounded, "bounded"},
    {Reversibility::irreversible, "irreversible"},
}};

constexpr Words<Assurance, 4> assurances{{
    {Assurance::chat, "chat"},
    {Assurance::web_session, "web_session"},
    {Assurance::ssh_key, "ssh_key"},
    {Assurance::hardware_key, "hardware_key"},
}};

template <class Enum, std::size_t count>
const char* word_of(const Words<Enum, count>& words, Enum value) {
    for (const auto& [candidate, word] : words) {
        if (candidate == value) {
            return word;
        }
    }
    return "unknown";
}

template <class Enum, std::size_t count>
std::optional<Enum> value_of(const Words<Enum, count>& words, std::string_view text) {
    for (const auto& [candidate, word] : words) {
        if (text == word) {
            return candidate;
        }
    }
    return std::nullopt;
}

} // namespace

const char* name(Comparison value) {
    return word_of(comparisons, value);
}

std::optional<Comparison> comparison_from_name(std::string_view text) {
    return value_of(comparisons, text);
}

const char* name(StepClass value) {
    return word_of(step_classes, value);
}

std::optional<StepClass> step_class_from_name(std::string_view text) {
    return value_of(step_classes, text);
}

const char* name(Reversibility value) {
    return word_of(reversibilities, value);
}

std::optional<Reversibility> reversibility_from_name(std::string_view text) {
    return value_of(reversibilities, text);
}

const char* name(Assurance value) {
    return word_of(assurances, value);
}

base::Result<Assurance> assurance_from_name(std::string_view text) {
    if (const auto found = value_of(assurances, text)) {
        return *found;
    }
    return base::Error{
        base::Errc::invalid_input,
        "An assurance level is unknown.",
        "Use chat, web_session, ssh_key or hardware_key.",
    };
}

} // namespace interlock::runbooks

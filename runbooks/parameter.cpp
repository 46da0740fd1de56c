// The types of contract parameters: which PostgreSQL type a value is bound as, and its one
// spelling.
#include "base/clock.hpp"
#include "base/text.hpp"
#include "runbooks/contract.hpp"

#include <algorithm>
#include <charconv>
#include <limits>

namespace interlock::runbooks {
namespace {

base::Error not_a_value(std::string problem) {
    return {base::Errc::invalid_arguments, std::move(problem), {}};
}

base::Result<std::string> normalise_integer(const Parameter& parameter, std::string_view text) {
    long long value = 0;
    const auto* end = text.data() + text.size();
    const auto read = std::from_chars(text.data(), end, value);
    const bool whole = read.ec == std::errc() && read.ptr == end;
    if (!whole || value < parameter.min || value > parameter.max) {
        return not_a_value(
            "is not an integer from " + std::to_string(parameter.min) + " to " +
            std::to_string(parameter.max)
        );
    }
    return std::to_string(value);
}

base::Result<std::string> normalise_timestamp(std::string_view text) {
    // Longer text is no timestamp and need not be read as one.
    constexpr std::size_t length_max = 40;
    if (text.size() <= length_max) {
        if (const auto time = base::parse_time(text)) {
            return base::format_time(*time);
        }
    }
    return not_a_value("is not an RFC 3339 time with its offset");
}

base::Result<std::string> normalise_choice(const Parameter& parameter, std::string_view text) {
    if (std::find(parameter.choices.begin(), parameter.choices.end(), text) !=
        parameter.choices.end()) {
        return std::string(text);
    }
    std::string problem = "is not one of";
    for (const auto& choice : parameter.choices) {
        problem += (&choice == &parameter.choices.front() ? " " : ", ") + choice;
    }
    return not_a_value(problem);
}

} // namespace

const char* bound_type(const Parameter& parameter) {
    switch (parameter.type) {
    case ParameterType::timestamp:
        return "timestamptz";
    case ParameterType::choice:
        return "text";
    case ParameterType::integer:
        break;
    }
    const bool narrow = parameter.min >= std::numeric_limits<int>::min() &&
                        parameter.max <= std::numeric_limits<int>::max();
    return narrow ? "int4" : "int8";
}

base::Result<std::string> normalise_value(const Parameter& parameter, std::string_view text) {
    switch (parameter.type) {
    case ParameterType::integer:
        return normalise_integer(parameter, text);
    case ParameterType::timestamp:
        return normalise_timestamp(text);
    case ParameterType::choice:
        return normalise_choice(parameter, text);
    }
    return not_a_value("has a type that is not known");
}

} // namespace interlock::runbooks

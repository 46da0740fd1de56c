#include "tools/tool.hpp"

#include "base/text.hpp"
#include "telemetry/redaction.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>

#include <nlohmann/json.hpp>

namespace interlock::tools {
namespace {

using base::Json;

constexpr std::size_t problems_max = 5;       // told at once; more would bury the first
constexpr std::size_t shown_value_chars = 60; // of a refused value
constexpr long long list_length_max = 20;     // when an input does not say

std::string comma_list(const std::vector<std::string_view>& items) {
    std::string out;
    for (const std::string_view item : items) {
        out += out.empty() ? "" : ", ";
        out += item;
    }
    return out;
}

std::string found(const Json& value) {
    if (value.is_object()) {
        return "an object";
    }
    if (value.is_array()) {
        return "a list of " + std::to_string(value.size());
    }
    return base::cut_middle(telemetry::safe_text(base::render_json(value)), shown_value_chars);
}

long long list_max(const Input& input) {
    return input.max > 0 ? input.max : list_length_max;
}

std::string expected_text(const Input& input) {
    return input.choices.empty()
               ? "text of at most " + std::to_string(input.length_max) + " characters"
               : "one of " + comma_list(input.choices);
}

std::string expected(const Input& input) {
    switch (input.type) {
    case InputType::text:
        return expected_text(input);
    case InputType::integer:
        return "an integer from " + std::to_string(input.min) + " to " + std::to_string(input.max);
    case InputType::boolean:
        return "true or false";
    case InputType::text_list:
        return "a list of " + std::to_string(input.min) + " to " + std::to_string(list_max(input)) +
               " texts of at most " + std::to_string(input.length_max) + " characters";
    case InputType::object:
        return "an object";
    }
    return "a value";
}

/// What does not fit, and where below the argument's own path ("[2]"); expected and found in words.
struct Misfit {
    std::string below;
    std::string expected;
    std::string found;
};

std::optional<Misfit> text_misfit(const Input& input, const Json& value) {
    if (!value.is_string()) {
        return Misfit{{}, expected_text(input), found(value)};
    }
    const auto& text = value.get_ref<const std::string&>();
    if (!input.choices.empty()) {
        const auto& choices = input.choices;
        return std::find(choices.begin(), choices.end(), text) != choices.end()
                   ? std::nullopt
                   : std::optional(Misfit{{}, expected_text(input), found(value)});
    }
    if (const std::size_t length = base::count_characters(text); length > input.length_max) {
        return Misfit{{}, expected_text(input), std::to_string(length) + " characters"};
    }
    if (text.find('\0') != std::string::npos) {
        return Misfit{{}, expected_text(input) + " without NUL", "a NUL character"};
    }
    return std::nullopt;
}

/// An integer as JSON Schema 2020-12 means it: 5.0 is one.
std::optional<long long> as_integer(const Json& value) {
    constexpr double exact_max = 9.0e15; // beyond, a double skips integers
    if (value.is_number_unsigned()) {
        const auto number = value.get<unsigned long long>();
        return number <= static_cast<unsigned long long>(std::numeric_limits<long long>::max())
                   ? std::optional(static_cast<long long>(number))
                   : std::nullopt;
    }
    if (value.is_number_integer()) {
        return value.get<long long>();
    }
    if (value.is_number_float()) {
        const auto number = value.get<double>();
        if (std::trunc(number) == number && std::abs(number) <= exact_max) {
            return static_cast<long long>(number);
        }
    }
    return std::nullopt;
}

std::optional<Misfit> list_misfit(const Input& input, const Json& value) {
    const auto size = static_cast<long long>(value.size());
    if (!value.is_array() || size < input.min || size > list_max(input)) {
        return Misfit{{}, expected(input), found(value)};
    }
    for (std::size_t i = 0; i < value.size(); ++i) {
        if (auto item = text_misfit(input, value[i])) {
            item->below = "[" + std::to_string(i) + "]";
            return item;
        }
    }
    return std::nullopt;
}

std::optional<Misfit> misfit(const Input& input, const Json& value) {
    bool fits = false;
    switch (input.type) {
    case InputType::text:
        return text_misfit(input, value);
    case InputType::text_list:
        return list_misfit(input, value);
    case InputType::integer: {
        const auto number = as_integer(value);
        fits = number && *number >= input.min && *number <= input.max;
        break;
    }
    case InputType::boolean:
        fits = value.is_boolean();
        break;
    case InputType::object:
        fits = value.is_object();
        break;
    }
    return fits ? std::nullopt : std::optional(Misfit{{}, expected(input), found(value)});
}

/// A value that a declaration gives in text form.
Json declared_value(const Input& input, std::string_view text) {
    return input.type == InputType::text ? Json(text) : Json::parse(text);
}

/// A value that fits, whether or not the declaration gives one.
Json example_value(const Input& input) {
    if (!input.example.empty()) {
        return declared_value(input, input.example);
    }
    if (!input.fallback.empty()) {
        return declared_value(input, input.fallback);
    }
    switch (input.type) {
    case InputType::text:
        return input.choices.empty() ? Json("...") : Json(input.choices.front());
    case InputType::integer:
        return input.min;
    case InputType::boolean:
        return true;
    case InputType::text_list:
        return Json(std::vector<std::string>(static_cast<std::size_t>(input.min), "..."));
    case InputType::object:
        break;
    }
    return Json::object();
}

Json input_property(const Input& input) {
    Json property = Json::object();
    if (!input.about.empty()) {
        property["description"] = input.about;
    }
    if (!input.fallback.empty()) {
        property["default"] = declared_value(input, input.fallback);
    }
    switch (input.type) {
    case InputType::text:
        property["type"] = "string";
        if (input.choices.empty()) {
            property["maxLength"] = input.length_max;
        } else {
            property["enum"] = input.choices;
        }
        break;
    case InputType::integer:
        property["type"] = "integer";
        property["minimum"] = input.min;
        property["maximum"] = input.max;
        break;
    case InputType::boolean:
        property["type"] = "boolean";
        break;
    case InputType::text_list:
        property["type"] = "array";
        property["items"] = {{"type", "string"}, {"maxLength", input.length_max}};
        property["maxItems"] = list_max(input);
        if (input.min > 0) {
            property["minItems"] = input.min;
        }
        break;
    case InputType::object:
        property["type"] = "object";
        break;
    }
    return property;
}

std::string input_names(const Tool& tool) {
    std::vector<std::string_view> names;
    for (const Input& input : tool.inputs) {
        names.push_back(input.name);
    }
    return names.empty() ? "no arguments" : comma_list(names);
}

/// Collects what is wrong, so that a caller mends all of it in one go.
class Problems {
public:
    void add(std::string problem) {
        if (problems_.size() < problems_max) {
            problems_.push_back(std::move(problem));
        } else {
            ++more_;
        }
    }
    /// A problem that an example of this input helps to mend.
    void add(std::string problem, const Input& input) {
        add(std::move(problem));
        examples_[std::string{input.name}] = example_value(input);
    }
    std::size_t count() const { return problems_.size() + more_; }
    base::Error error(const Tool& tool) const {
        std::string what =
            "The arguments of " + std::string{tool.name} + " do not fit its schema: ";
        for (std::size_t i = 0; i < problems_.size(); ++i) {
            what += (i == 0 ? "" : "; ") + problems_[i];
        }
        if (more_ > 0) {
            what += "; and " + std::to_string(more_) + " more";
        }
        return {base::Errc::invalid_arguments, what + ".", remedy(tool)};
    }

private:
    /// Shows arguments that fit as a whole: all that are required, and those that did not fit.
    std::string remedy(const Tool& tool) const {
        Json example = examples_;
        for (const Input& input : tool.inputs) {
            if (input.required) {
                example[std::string{input.name}] = example_value(input);
            }
        }
        return "Call again with arguments that fit, for example " + base::render_json(example) +
               ".";
    }

    std::vector<std::string> problems_;
    std::size_t more_ = 0;
    Json examples_ = Json::object();
};

const Json* find_value(const Json& arguments, const Input& input) {
    return arguments.is_object() ? base::member(arguments, input.name) : nullptr;
}

Json parsed(const std::map<std::string, std::string, std::less<>>& values, std::string_view name) {
    const auto found_value = values.find(name);
    return found_value == values.end() ? Json{} : Json::parse(found_value->second, nullptr, false);
}

} // namespace

void Arguments::set(std::string name, std::string json_text) {
    values_[std::move(name)] = std::move(json_text);
}

bool Arguments::has(std::string_view name) const {
    return values_.find(name) != values_.end();
}

std::string Arguments::text(std::string_view name) const {
    const Json value = parsed(values_, name);
    return value.is_string() ? value.get<std::string>() : std::string{};
}

long long Arguments::integer(std::string_view name) const {
    const Json value = parsed(values_, name);
    return value.is_number_integer() ? value.get<long long>() : 0;
}

bool Arguments::boolean(std::string_view name) const {
    const Json value = parsed(values_, name);
    return value.is_boolean() && value.get<bool>();
}

std::vector<std::string> Arguments::texts(std::string_view name) const {
    std::vector<std::string> out;
    for (const Json& item : parsed(values_, name)) {
        if (item.is_string()) {
            out.push_back(item.get<std::string>());
        }
    }
    return out;
}

std::string Arguments::object(std::string_view name) const {
    const auto value = values_.find(name);
    return value == values_.end() ? "{}" : value->second;
}

std::string input_schema(const Tool& tool) {
    Json properties = Json::object();
    Json required = Json::array();
    for (const Input& input : tool.inputs) {
        properties[std::string{input.name}] = input_property(input);
        if (input.required) {
            required.push_back(input.name);
        }
    }
    Json schema{
        {"type", "object"}, {"properties", std::move(properties)}, {"additionalProperties", false}};
    if (!required.empty()) {
        schema["required"] = std::move(required);
    }
    return base::render_json(schema);
}

base::Result<Arguments>
validate_arguments(const Tool& tool, const base::Json& arguments, std::size_t* misfits) {
    Problems problems;
    const auto refuse = [&] {
        if (misfits != nullptr) {
            *misfits = problems.count();
        }
        return problems.error(tool);
    };
    if (!arguments.is_object() && !arguments.is_null()) {
        problems.add("arguments: expected an object, found " + found(arguments));
        return refuse();
    }
    for (const auto& [key, value] : arguments.items()) {
        const bool known = std::any_of(tool.inputs.begin(), tool.inputs.end(), [&](const Input& i) {
            return i.name == key;
        });
        if (!known) {
            problems.add(
                "arguments." + base::cut_middle(telemetry::safe_text(key), shown_value_chars) +
                ": no such argument, it takes " + input_names(tool)
            );
        }
    }
    Arguments accepted;
    for (const Input& input : tool.inputs) {
        const std::string path = "arguments." + std::string{input.name};
        const Json* value = find_value(arguments, input);
        if (value == nullptr) {
            if (input.required) {
                problems.add(path + ": expected " + expected(input) + ", found nothing", input);
            } else if (!input.fallback.empty()) {
                accepted.set(
                    std::string{input.name},
                    base::render_json(declared_value(input, input.fallback))
                );
            }
        } else if (const auto wrong = misfit(input, *value)) {
            problems.add(
                path + wrong->below + ": expected " + wrong->expected + ", found " + wrong->found,
                input
            );
        } else if (input.type == InputType::integer) {
            accepted.set(std::string{input.name}, std::to_string(*as_integer(*value)));
        } else {
            accepted.set(std::string{input.name}, base::render_json(*value));
        }
    }
    if (problems.count() > 0) {
        return refuse();
    }
    return accepted;
}

void CallCost::read_as(const std::string& role) {
    const std::lock_guard lock(mutex_);
    roles_.insert(role);
}

std::string CallCost::roles() const {
    const std::lock_guard lock(mutex_);
    std::string all;
    for (const std::string& role : roles_) {
        all.append(all.empty() ? "" : ",").append(role);
    }
    return all;
}

Output error_output(const base::Error& error) {
    constexpr std::size_t sentence_chars_max = 2'000; // a server's message may be of any length
    const auto safe = [](const std::string& text) {
        return base::cut_middle(telemetry::safe_text(text), sentence_chars_max);
    };
    const std::string what = safe(error.what);
    const std::string remedy = safe(error.remedy);
    const Json structured{
        {"error", {{"code", base::name(error.code)}, {"what", what}, {"remedy", remedy}}}};
    Output output;
    output.structured = base::render_json(structured);
    output.text = std::string{base::name(error.code)} + ": " + what;
    if (!remedy.empty()) {
        output.text += "\n" + remedy;
    }
    output.is_error = true;
    output.error_code = base::name(error.code);
    return output;
}

} // namespace interlock::tools

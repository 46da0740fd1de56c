#include "tools/shown_arguments.hpp"

#include "base/text.hpp"

#include <algorithm>
#include <string_view>

#include <nlohmann/json.hpp>

namespace interlock::tools {
namespace {

using base::Json;

template <class Names>
bool holds(const Names& names, const std::string& name) {
    return std::find(names.begin(), names.end(), name) != names.end();
}

std::string counted(std::string_view kind, std::size_t count, std::string_view of) {
    return "[" + std::string{kind} + ": " + std::to_string(count) + " " + std::string{of} + "]";
}

/// Only what a declaration names can be told apart from what a caller made up.
bool is_declared_value(
    const Input& input, const Json& value, const std::vector<std::string>& targets
) {
    if (value.is_boolean()) {
        return input.type == InputType::boolean;
    }
    if (value.is_number_integer() && input.type == InputType::integer) {
        return value >= input.min && value <= input.max;
    }
    if (value.is_string() && input.type == InputType::text) {
        const auto& text = value.get_ref<const std::string&>();
        return holds(input.choices, text) || (input.name == "target" && holds(targets, text));
    }
    return value.is_null();
}

std::string outline(const Json& value) {
    if (value.is_string()) {
        const auto& text = value.get_ref<const std::string&>();
        return counted("text", base::count_characters(text), "characters");
    }
    if (value.is_array()) {
        return counted("list", value.size(), "elements");
    }
    if (value.is_object()) {
        return counted("object", value.size(), "members");
    }
    return value.is_boolean() ? "[boolean]" : "[number]";
}

} // namespace

std::string shown_arguments(
    const Tool& tool, const base::Json& arguments, const std::vector<std::string>& targets
) {
    if (!arguments.is_object()) {
        return "{}";
    }
    Json shown = Json::object();
    std::size_t declared = 0;
    for (const Input& input : tool.inputs) {
        const Json* value = base::member(arguments, input.name);
        if (value == nullptr) {
            continue;
        }
        ++declared;
        shown[std::string{input.name}] =
            is_declared_value(input, *value, targets) ? *value : Json(outline(*value));
    }
    if (arguments.size() > declared) {
        shown["[undeclared]"] = arguments.size() - declared;
    }
    return base::render_json(shown);
}

} // namespace interlock::tools

#include "server/header_parameters.hpp"

#include "base/limits.hpp"
#include "base/text.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <set>

#include <nlohmann/json.hpp>

namespace interlock::server {
namespace {

using base::Errc;
using base::Error;
using base::Json;

constexpr const char* annotation = "x-mcp-header";
constexpr std::string_view header_prefix = "mcp-param-";
constexpr double exact_integer_max = 9007199254740991.0; // 2^53 - 1: what every JSON reader holds

Error invalid(const std::string& why) {
    return Error{
        Errc::invalid_input,
        "The x-mcp-header annotation " + why,
        "Put it on a property of type string, integer or boolean that `properties` alone lead to."};
}

/// Walks a schema and gathers its annotations.
class Reader {
public:
    /// `reachable`: `properties` alone lead here, by the names in path_.
    base::Status visit(const Json& schema, bool reachable) {
        if (!schema.is_object()) {
            return visit_elements(schema);
        }
        if (const Json* value = base::member(schema, annotation)) {
            INTERLOCK_CHECK(take(schema, *value, reachable && !path_.empty()));
        }
        for (const auto& [key, child] : schema.items()) {
            if (holds_data(key)) {
                continue;
            }
            if (!holds_named_schemas(key) || !child.is_object()) {
                INTERLOCK_CHECK(visit(child, false));
                continue;
            }
            for (const auto& [name, named] : child.items()) {
                path_.push_back(name);
                INTERLOCK_CHECK(visit(named, reachable && key == "properties"));
                path_.pop_back();
            }
        }
        return base::done;
    }

    std::vector<HeaderParameter> take_found() { return std::move(found_); }

private:
    static bool holds_data(const std::string& key) {
        return key == "const" || key == "enum" || key == "default" || key == "examples" ||
               key == annotation;
    }
    static bool holds_named_schemas(const std::string& key) {
        constexpr std::array names{
            "properties", "patternProperties", "$defs", "definitions", "dependentSchemas"};
        return std::find(names.begin(), names.end(), key) != names.end();
    }

    base::Status visit_elements(const Json& value) {
        if (value.is_array()) {
            for (const Json& element : value) {
                INTERLOCK_CHECK(visit(element, false));
            }
        }
        return base::done;
    }

    base::Status take(const Json& schema, const Json& value, bool reachable) {
        if (!value.is_string() || !base::is_token(value.get_ref<const std::string&>())) {
            return invalid("is not an HTTP token.");
        }
        const auto& name = value.get_ref<const std::string&>();
        const auto type = base::string_member(schema, "type");
        if (type != "string" && type != "integer" && type != "boolean") {
            return invalid("`" + name + "` is not on a string, an integer or a boolean.");
        }
        if (!reachable) {
            return invalid("`" + name + "` is not reached by `properties` alone.");
        }
        std::string header = std::string(header_prefix) + base::lower_ascii(name);
        if (!names_.insert(header).second) {
            return invalid("`" + name + "` stands twice.");
        }
        if (names_.size() > base::limits::header_parameters_max) {
            return invalid("stands on too many properties of one tool.");
        }
        found_.push_back({path_, std::move(header), type == "string", type == "integer"});
        return base::done;
    }

    std::vector<std::string> path_;
    std::set<std::string> names_;
    std::vector<HeaderParameter> found_;
};

/// nullptr when it is absent or null: then no header is expected.
const Json* argument_at(const Json& arguments, const std::vector<std::string>& path) {
    const Json* at = &arguments;
    for (const std::string& name : path) {
        at = base::member(*at, name);
        if (at == nullptr || at->is_null()) {
            return nullptr;
        }
    }
    return at;
}

/// As numbers: 42.0 is 42.
bool same_number(const Json& argument, const std::string& text) {
    const auto read = base::parse_json(text);
    if (!read || !read.value().is_number() || text != base::trim(text)) {
        return false;
    }
    const double left = argument.get<double>();
    const double right = read.value().get<double>();
    return std::abs(left) <= exact_integer_max && left == right;
}

/// By the argument's own type: whether that is the right one is for the schema to say.
bool agrees(const Json& argument, const std::string& text) {
    if (argument.is_string()) {
        return argument.get_ref<const std::string&>() == text;
    }
    if (argument.is_boolean()) {
        return text == (argument.get<bool>() ? "true" : "false");
    }
    return argument.is_number() && same_number(argument, text);
}

RpcError mismatch(const HeaderParameter& parameter, const char* why) {
    return RpcError{
        rpc::header_mismatch, "The header " + parameter.header + " " + std::string(why), {}};
}

} // namespace

base::Result<std::vector<HeaderParameter>> read_header_parameters(const Json& schema) {
    Reader reader;
    INTERLOCK_CHECK(reader.visit(schema, true));
    return reader.take_found();
}

std::optional<RpcError> check_header_parameters(
    const std::vector<HeaderParameter>& parameters,
    const Json& arguments,
    const std::vector<std::pair<std::string, std::string>>& headers
) {
    for (const HeaderParameter& parameter : parameters) {
        const auto names_it = [&](const auto& header) { return header.first == parameter.header; };
        const auto count = std::count_if(headers.begin(), headers.end(), names_it);
        const Json* argument = argument_at(arguments, parameter.path);
        if (argument == nullptr) {
            if (count > 0) {
                return mismatch(parameter, "mirrors an argument that the body does not have.");
            }
            continue;
        }
        if (count != 1) {
            return mismatch(parameter, "is required exactly once: the body has its argument.");
        }
        const auto header = std::find_if(headers.begin(), headers.end(), names_it);
        const auto text = decode_header_name(header->second);
        if (!text || !agrees(*argument, *text)) {
            return mismatch(parameter, "does not match the body.");
        }
    }
    return std::nullopt;
}

} // namespace interlock::server

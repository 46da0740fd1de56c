#include "server/offered_schema.hpp"

#include <algorithm>
#include <array>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

namespace interlock::server {
namespace {

using base::Errc;
using base::Error;
using base::Json;

constexpr std::string_view dialect = "https://json-schema.org/draft/2020-12/schema";

Error invalid(std::string what) {
    return Error{
        Errc::invalid_input,
        std::move(what),
        "Use one JSON Schema 2020-12 of `type` object, with references within it only."};
}

template <std::size_t Count>
bool is_one_of(const std::string& key, const std::array<std::string_view, Count>& keys) {
    return std::find(keys.begin(), keys.end(), key) != keys.end();
}

constexpr std::array<std::string_view, 4> data_keys{"const", "enum", "default", "examples"};
constexpr std::array<std::string_view, 5> maps_of_schemas{
    "properties", "patternProperties", "$defs", "definitions", "dependentSchemas"};
constexpr std::array<std::string_view, 2> reference_keys{"$ref", "$dynamicRef"};
constexpr std::array<std::string_view, 2> anchor_keys{"$anchor", "$dynamicAnchor"};

/// References and anchors of a schema, not of data that looks like one.
class References {
public:
    void visit(const Json& schema) {
        if (schema.is_array()) {
            for (const Json& element : schema) {
                visit(element);
            }
        }
        if (!schema.is_object()) {
            return;
        }
        for (const auto& [key, child] : schema.items()) {
            if (is_one_of(key, data_keys)) {
                continue;
            }
            if (is_one_of(key, reference_keys)) {
                references_.push_back(child.is_string() ? child.get<std::string>() : "");
            } else if (is_one_of(key, anchor_keys) && child.is_string()) {
                anchors_.insert("#" + child.get<std::string>());
            } else if (is_one_of(key, maps_of_schemas) && child.is_object()) {
                for (const auto& named : child.items()) {
                    visit(named.value());
                }
            } else {
                visit(child);
            }
        }
    }

    /// The first that leads nowhere; "" when all lead somewhere in `root`.
    std::string unresolved(const Json& root) const {
        for (const std::string& reference : references_) {
            if (!resolves(root, reference)) {
                return reference.empty() ? "(no text)" : reference;
            }
        }
        return {};
    }

private:
    bool resolves(const Json& root, const std::string& reference) const {
        if (reference == "#" || anchors_.contains(reference)) {
            return true;
        }
        if (!reference.starts_with("#/")) {
            return false;
        }
        try {
            return root.contains(Json::json_pointer(reference.substr(1)));
        } catch (const Json::exception&) {
            return false; // no JSON pointer
        }
    }

    std::vector<std::string> references_;
    std::set<std::string> anchors_;
};

} // namespace

base::Result<Json> read_offered_schema(std::string_view text) {
    INTERLOCK_TRY(Json schema, base::parse_json(text));
    if (base::string_member(schema, "type") != "object") {
        return invalid("The schema's root is not of `type` object.");
    }
    if (const Json* named = base::member(schema, "$schema");
        named != nullptr && *named != dialect) {
        return invalid("The schema is of another dialect than JSON Schema 2020-12.");
    }
    References references;
    references.visit(schema);
    if (const std::string reference = references.unresolved(schema); !reference.empty()) {
        return invalid("The schema refers to `" + reference + "`, which is not in it.");
    }
    return schema;
}

} // namespace interlock::server

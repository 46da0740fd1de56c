#include "tools/schema.hpp"

#include "base/json.hpp"

#include <exception>
#include <functional>
#include <map>
#include <memory>
#include <mutex>

#include <nlohmann/json.hpp>
#include <valijson/adapters/nlohmann_json_adapter.hpp>
#include <valijson/schema.hpp>
#include <valijson/schema_parser.hpp>
#include <valijson/validation_results.hpp>
#include <valijson/validator.hpp>

namespace interlock::tools {
namespace {

using base::Json;

Json text_schema(std::string_view about = {}) {
    Json schema{{"type", "string"}};
    if (!about.empty()) {
        schema["description"] = about;
    }
    return schema;
}

Json closed_object(Json properties) {
    Json required = Json::array();
    for (const auto& [key, value] : properties.items()) {
        required.push_back(key);
    }
    return {
        {"type", "object"},
        {"properties", std::move(properties)},
        {"required", std::move(required)},
        {"additionalProperties", false}};
}

Json array_of(Json items) {
    return {{"type", "array"}, {"items", std::move(items)}};
}

const char* json_type(ColumnType type) {
    switch (type) {
    case ColumnType::integer:
        return "integer";
    case ColumnType::real:
        return "number";
    case ColumnType::boolean:
        return "boolean";
    case ColumnType::text:
    case ColumnType::timestamp:
        break;
    }
    return "string";
}

/// Any cell may be SQL NULL. Two branches of one type each: clients that map schemas onto a dialect
/// without lists of types understand these.
Json or_null(std::string_view type) {
    return {{"anyOf", Json::array({Json{{"type", type}}, Json{{"type", "null"}}})}};
}

Json column_schema(const Column& column) {
    std::string about{column.about};
    if (!column.unit.empty()) {
        about += " (" + std::string{column.unit} + ")";
    }
    Json schema = or_null(json_type(column.type));
    if (!about.empty()) {
        schema["description"] = about;
    }
    return schema;
}

Json rows_schema(const std::vector<RowsShape>& rows) {
    Json properties = Json::object();
    for (const RowsShape& shape : rows) {
        Json columns = Json::object();
        for (const Column& column : *shape.columns) {
            columns[std::string{column.name}] = column_schema(column);
        }
        properties[std::string{shape.name}] = array_of(closed_object(std::move(columns)));
    }
    return closed_object(std::move(properties));
}

Json source_schema() {
    return closed_object(
        {{"target", text_schema()},
         {"database_role", text_schema()},
         {"server_version", text_schema()},
         {"in_recovery", {{"type", "boolean"}}},
         {"replay_lag_seconds", or_null("number")},
         {"at", text_schema("RFC 3339")}}
    );
}

Json shared() {
    return {
        {"source", source_schema()},
        {"not_examined",
         array_of(closed_object(
             {{"what", text_schema()}, {"why", text_schema()}, {"would_tell", text_schema()}}
         ))},
        {"cut",
         closed_object(
             {{"rows", {{"type", "integer"}}},
              {"characters", {{"type", "integer"}}},
              {"whole", text_schema("Address of the whole result; empty when it was not kept")}}
         )}};
}

using Compiled = std::shared_ptr<const valijson::Schema>;

Compiled compile(const std::string& text) {
    const Json document = Json::parse(text);
    auto made = std::make_shared<valijson::Schema>();
    valijson::SchemaParser parser{valijson::SchemaParser::kDraft7};
    parser.populateSchema(valijson::adapters::NlohmannJsonAdapter{document}, *made);
    return made;
}

/// Schemas are code: a few dozen at most, so the cache needs no bound of its own.
template <class Key>
Compiled compiled(const Key& key, const std::function<std::string()>& text) {
    static std::mutex mutex;
    static std::map<Key, Compiled> cache;
    const std::lock_guard lock{mutex};
    Compiled& slot = cache[key];
    if (!slot) {
        slot = compile(text());
    }
    return slot;
}

base::Status validate(const valijson::Schema& rules, const std::string& document) {
    const Json value = Json::parse(document);
    valijson::Validator validator{valijson::Validator::kStrongTypes};
    valijson::ValidationResults results;
    const valijson::adapters::NlohmannJsonAdapter adapter{value};
    if (validator.validate(rules, adapter, &results)) {
        return base::done;
    }
    std::string what = "A result does not match its output schema";
    valijson::ValidationResults::Error error;
    if (results.popError(error)) {
        what += " at ";
        for (const std::string& step : error.context) {
            what += step;
        }
        what += ": " + error.description;
    }
    return base::Error{base::Errc::internal, what + ".", "Report this defect of Interlock."};
}

/// valijson and the JSON library throw; nothing of that passes.
base::Status fenced(const std::function<base::Status()>& check) {
    try {
        return check();
    } catch (const std::exception& problem) {
        return base::Error{
            base::Errc::internal,
            std::string{"A result could not be checked against its output schema: "} +
                problem.what() + ".",
            "Report this defect of Interlock."};
    }
}

} // namespace

std::string
output_schema_of(std::string_view properties, const std::vector<std::string>& required) {
    Json members = Json::parse(properties);
    members["error"] = closed_object(
        {{"code", text_schema("Stable code")},
         {"what", text_schema("What happened")},
         {"remedy", text_schema("What to do")}}
    );
    const Json schema{
        {"type", "object"},
        {"properties", std::move(members)},
        {"additionalProperties", false},
        {"anyOf",
         Json::array({Json{{"required", required}}, Json{{"required", Json::array({"error"})}}})}};
    return base::render_json(schema);
}

std::string shared_properties() {
    return base::render_json(shared());
}

std::string packet_schema(const std::vector<RowsShape>& rows) {
    Json properties = shared();
    properties["id"] = text_schema("Evidence id, to be cited");
    properties["summary"] = text_schema();
    properties["findings"] = array_of(closed_object(
        {{"severity",
          {{"type", "string"}, {"enum", Json::array({"critical", "warning", "notice"})}}},
         {"object", text_schema()},
         {"value", text_schema()},
         {"threshold", text_schema()},
         {"meaning", text_schema()}}
    ));
    properties["rows"] = rows_schema(rows);
    properties["untrusted"] =
        array_of(text_schema("Column whose text users of the database chose"));
    return output_schema_of(
        base::render_json(properties),
        {"id", "summary", "findings", "rows", "untrusted", "not_examined", "source"}
    );
}

base::Status check_schema(const std::string& schema, const std::string& document) {
    return fenced([&] { return validate(*compiled(schema, [&] { return schema; }), document); });
}

base::Status check_result(std::string (*schema)(), const std::string& document) {
    return fenced([&] { return validate(*compiled(schema, schema), document); });
}

} // namespace interlock::tools

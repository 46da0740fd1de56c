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

// Schemas are written as text: a program makes them all at its start, and building each as a tree
// first took ten times as long.

using Members = std::vector<std::pair<std::string, std::string>>; // name, schema

std::string json_text(std::string_view text) {
    return base::render_json(Json(text));
}

std::string description(std::string_view about) {
    return about.empty() ? std::string() : R"("description":)" + json_text(about) + ",";
}

std::string text_schema(std::string_view about = {}) {
    return "{" + description(about) + R"("type":"string"})";
}

std::string joined(const std::vector<std::string>& parts) {
    std::string out;
    for (const std::string& part : parts) {
        out += (out.empty() ? "" : ",") + part;
    }
    return out;
}

std::string properties_text(const Members& members) {
    std::vector<std::string> parts;
    for (const auto& [name, schema] : members) {
        parts.push_back(json_text(name) + ":" + schema);
    }
    return "{" + joined(parts) + "}";
}

/// An object with these members and no others.
std::string closed_object(const Members& members) {
    std::vector<std::string> names;
    for (const auto& [name, schema] : members) {
        names.push_back(json_text(name));
    }
    return R"({"additionalProperties":false,"properties":)" + properties_text(members) +
           R"(,"required":[)" + joined(names) + R"(],"type":"object"})";
}

std::string array_of(const std::string& items) {
    return R"({"items":)" + items + R"(,"type":"array"})";
}

std::string_view json_type(ColumnType type) {
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
std::string or_null(std::string_view type, std::string_view about = {}) {
    std::string out = R"({"anyOf":[{"type":")" + std::string{type} + R"("},{"type":"null"}])";
    if (!about.empty()) {
        out += R"(,"description":)" + json_text(about);
    }
    return out + "}";
}

std::string column_schema(const Column& column) {
    std::string about{column.about};
    if (!column.unit.empty()) {
        about +=
            (about.empty() ? "" : " (") + std::string{column.unit} + (about.empty() ? "" : ")");
    }
    return or_null(json_type(column.type), about);
}

std::string rows_schema(const std::vector<RowsShape>& rows) {
    Members sections;
    for (const RowsShape& shape : rows) {
        if (shape.columns == nullptr) {
            sections.emplace_back(
                shape.name,
                array_of(R"({"additionalProperties":)" + or_null("string") + R"(,"type":"object"})")
            );
            continue;
        }
        Members columns;
        for (const Column& column : *shape.columns) {
            columns.emplace_back(column.name, column_schema(column));
        }
        sections.emplace_back(shape.name, array_of(closed_object(columns)));
    }
    return closed_object(sections);
}

std::string source_schema() {
    return closed_object(
        {{"at", text_schema("RFC 3339")},
         {"database_role", text_schema()},
         {"in_recovery", R"({"type":"boolean"})"},
         {"replay_lag_seconds", or_null("number")},
         {"server_version", text_schema()},
         {"target", text_schema()}}
    );
}

Members shared() {
    return {
        {"cut",
         closed_object(
             {{"characters", R"({"type":"integer"})"},
              {"rows", R"({"type":"integer"})"},
              {"whole", text_schema("Address of the whole result; empty when it was not kept")}}
         )},
        {"not_examined",
         array_of(closed_object(
             {{"what", text_schema()}, {"why", text_schema()}, {"would_tell", text_schema()}}
         ))},
        {"source", source_schema()}};
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
    static const std::string error = closed_object(
        {{"code", text_schema("Stable code")},
         {"remedy", text_schema("What to do")},
         {"what", text_schema("What happened")}}
    );
    std::vector<std::string> names;
    names.reserve(required.size());
    for (const std::string& name : required) {
        names.push_back(json_text(name));
    }
    return R"({"additionalProperties":false,"anyOf":[{"required":[)" + joined(names) +
           R"(]},{"required":["error"]}],"properties":{"error":)" + error +
           (properties == "{}" ? "" : ",") + std::string(properties.substr(1)) +
           R"(,"type":"object"})";
}

std::string shared_properties() {
    return properties_text(shared());
}

std::string packet_schema(const std::vector<RowsShape>& rows) {
    static const std::string findings = array_of(closed_object(
        {{"meaning", text_schema()},
         {"object", text_schema()},
         {"severity", R"({"enum":["critical","warning","notice"],"type":"string"})"},
         {"threshold", text_schema()},
         {"value", text_schema()}}
    ));
    Members members = shared();
    members.emplace_back("findings", findings);
    members.emplace_back("id", text_schema("Evidence id, to be cited"));
    members.emplace_back("rows", rows_schema(rows));
    members.emplace_back("summary", text_schema());
    members.emplace_back(
        "untrusted", array_of(text_schema("Column whose text users of the database chose"))
    );
    return output_schema_of(
        properties_text(members),
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

#include "base/db/sql_shield.hpp"

#include "base/db/sql_origin.hpp"
#include "base/db/sql_tree.hpp"

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

namespace interlock::db {
namespace {

using base::Json;

/// Whether `name` is one of a setting that may hold a secret, as is_secret_setting judges it; a
/// value that holds a password says so itself.
std::string is_secret(const std::string& name, const std::string& value) {
    return "lower(" + name + ") ~ '" + std::string{secret_setting_pattern()} + "' and lower(" +
           name + ") <> 'password_encryption' or " + value + " ~* '(password|passwd|secret) *='";
}

std::string one_value(const std::string& column) {
    return "case when " + is_secret("s.name", "s." + column) + " then '(not shown)' else s." +
           column + " end as " + column;
}

/// An array of name=value.
std::string values(const std::string& column) {
    return "case when s." + column + " is not null then array(select case when " +
           is_secret("split_part(c, '=', 1)", "c") +
           " then concat(split_part(c, '=', 1), '=(not shown)') else c end from unnest(s." +
           column + ") with ordinality as u(c, at) order by at) end as " + column;
}

/// What stands in front, by the name that it takes. The columns are those of versions 14 to 18.
const std::map<std::string, std::string>& shields() {
    static const std::map<std::string, std::string> made{
        {"pg_settings",
         "select s.name, " + one_value("setting") +
             ", s.unit, s.category, s.short_desc, s.extra_desc, s.context, s.vartype, s.source, "
             "s.min_val, s.max_val, s.enumvals, " +
             one_value("boot_val") + ", " + one_value("reset_val") +
             ", s.sourcefile, s.sourceline, s.pending_restart from pg_catalog.pg_settings as s"},
        {"pg_db_role_setting",
         "select s.setdatabase, s.setrole, " + values("setconfig") +
             " from pg_catalog.pg_db_role_setting as s"},
        {"pg_roles",
         "select s.rolname, s.rolsuper, s.rolinherit, s.rolcreaterole, s.rolcreatedb, "
         "s.rolcanlogin, s.rolreplication, s.rolconnlimit, s.rolpassword, s.rolvaliduntil, "
         "s.rolbypassrls, " +
             values("rolconfig") + ", s.oid from pg_catalog.pg_roles as s"},
        {"pg_user",
         "select s.usename, s.usesysid, s.usecreatedb, s.usesuper, s.userepl, s.usebypassrls, "
         "s.passwd, s.valuntil, " +
             values("useconfig") + " from pg_catalog.pg_user as s"},
    };
    return made;
}

bool is_space(char c) {
    return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f' || c == '\v';
}

/// Bytes of "pg_catalog." as written at `at`; 0 when something else stands there.
std::size_t schema_written(const std::string& text, std::size_t at) {
    std::size_t end = at;
    if (text.compare(end, 1, "\"") == 0) {
        end = text.find('"', end + 1);
        if (end == std::string::npos) {
            return 0;
        }
        ++end;
    } else {
        const std::string_view schema = "pg_catalog";
        end += schema.size(); // in letters of either size
    }
    const auto skip_spaces = [&] {
        while (end < text.size() && is_space(text[end])) {
            ++end;
        }
    };
    skip_spaces();
    if (end >= text.size() || text[end] != '.') {
        return 0;
    }
    ++end;
    skip_spaces();
    return end - at;
}

/// Where things stand in their texts is no part of what they are.
void forget_places(Json& tree) {
    if (tree.is_object()) {
        tree.erase("location");
        tree.erase("stmt_location");
        tree.erase("stmt_len");
    }
    if (tree.is_structured()) {
        for (auto& item : tree) {
            forget_places(item);
        }
    }
}

/// The trees of the shields, by name.
const std::map<std::string, Json>& shield_trees() {
    static const std::map<std::string, Json> trees = [] {
        std::map<std::string, Json> made;
        for (const auto& [name, text] : shields()) {
            auto tree = parse_sql_tree(text);
            if (tree) {
                Json query = (*tree)["stmts"][0]["stmt"];
                forget_places(query);
                made.emplace(name, std::move(query));
            }
        }
        return made;
    }();
    return trees;
}

bool is_shield(const Json& item) {
    const auto* table = base::member(item, "CommonTableExpr");
    const auto* query = table != nullptr ? base::member(*table, "ctequery") : nullptr;
    if (query == nullptr) {
        return false;
    }
    const auto known = shield_trees().find(base::string_member(*table, "ctename").value_or(""));
    if (known == shield_trees().end()) {
        return false;
    }
    Json plain = *query;
    forget_places(plain);
    return plain == known->second;
}

void take_shields_out(Json& tree) {
    if (tree.is_object() && tree.contains("ctes") && tree["ctes"].is_array()) {
        auto& ctes = tree["ctes"];
        ctes.erase(std::remove_if(ctes.begin(), ctes.end(), is_shield), ctes.end());
    }
    if (tree.is_structured()) {
        for (auto& item : tree) {
            take_shields_out(item);
        }
    }
}

} // namespace

base::Result<GuardedStatement> shielded(const GuardedStatement& select) {
    std::set<std::string> needed;
    std::vector<std::size_t> qualified;
    for (const auto& relation : select.relations()) {
        if (!shields().contains(relation.name) ||
            (!relation.schema.empty() && relation.schema != "pg_catalog")) {
            continue;
        }
        needed.insert(relation.name);
        if (!relation.schema.empty()) {
            qualified.push_back(relation.offset);
        }
    }
    if (needed.empty() || select.kind() != StatementKind::select) {
        return select;
    }
    std::string text = select.text();
    std::sort(qualified.rbegin(), qualified.rend());
    for (const auto at : qualified) {
        const auto bytes = schema_written(text, at);
        if (bytes == 0) {
            return refusal(
                {.allowed = false,
                 .family = "unknown",
                 .reason = "The view of settings is named in a way that could not be read.",
                 .remedy = "Write its name without a schema."}
            );
        }
        text.erase(at, bytes);
    }
    std::string with;
    for (const auto& name : needed) {
        with += (with.empty() ? "with " : ", ") + name + " as (" + shields().at(name) + ")";
    }
    auto answer = guard_sql(with + " select * from (" + text + "\n) as caller");
    if (!answer.statement) {
        return refusal(answer.verdict);
    }
    return std::move(*answer.statement);
}

Json without_shields(const Json& statement) {
    Json own = statement;
    take_shields_out(own);
    return own;
}

} // namespace interlock::db

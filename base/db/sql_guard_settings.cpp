#include "base/db/sql_guard_settings.hpp"

#include "base/db/sql_guard_constants.hpp"
#include "base/db/sql_guard_data.hpp"
#include "base/db/sql_shield.hpp"
#include "base/db/sql_tree.hpp"
#include "base/text.hpp"

#include <algorithm>
#include <array>
#include <set>
#include <vector>

#include <nlohmann/json.hpp>

namespace interlock::db {
namespace {

using base::Json;
using constants::any_node;
using constants::node;

std::string function_of(const Json& call) {
    return dotted(base::member(call, "funcname")).last;
}

const Json* argument(const Json& call, std::size_t place) {
    const auto* list = base::member(call, "args");
    return list != nullptr && list->is_array() && place < list->size() ? &(*list)[place] : nullptr;
}

std::string last_name(const Json* column) {
    const auto* found = node(column, "ColumnRef");
    const auto names =
        found ? names_in(base::member(*found, "fields")) : std::vector<std::string>{};
    return names.empty() ? "" : names.back();
}

bool is_settings(const Json* item) {
    const auto* relation = node(item, "RangeVar");
    return relation != nullptr && base::string_member(*relation, "relname") == "pg_settings";
}

/// current_setting() of something that is no constant.
bool asks_any(const std::string& type, const Json& call) {
    if (type != "FuncCall" || function_of(call) != "current_setting") {
        return false;
    }
    const auto* name = argument(call, 0);
    return name != nullptr && !constants::text(*name);
}

/// Whether something of the statement gets the name `name`, but for the column of pg_settings.
bool calls_something_name(const std::string& type, const Json& members) {
    const auto* columns = base::member(members, type == "alias" ? "colnames" : "aliascolnames");
    const auto names = names_in(columns);
    if (std::find(names.begin(), names.end(), "name") != names.end()) {
        return true;
    }
    if (type == "TypeCast") { // a column without a name is called after its type or function
        const auto* target = base::member(members, "typeName");
        return target != nullptr && dotted(base::member(*target, "names")).last == "name";
    }
    return (type == "ResTarget" && base::string_member(members, "name") == "name") ||
           (type == "FuncCall" && function_of(members) == "name");
}

/// Whether the statement reads pg_settings, once and nothing else, and what it calls `name` is the
/// name of the row's setting.
bool names_are_its_own(const Json& statement, bool with_sub_selects) {
    std::size_t relations = 0;
    const bool other = any_node(statement, [&](const std::string& type, const Json& members) {
        if (type == "RangeVar") {
            ++relations;
            return base::string_member(members, "relname") != "pg_settings";
        }
        return calls_something_name(type, members) || type == "RangeFunction" ||
               type == "SubLink" || type == "CommonTableExpr" ||
               (type == "RangeSubselect" && !with_sub_selects);
    });
    return !other && relations == 1;
}

bool asks_for_column(const std::string& type, const Json& call) {
    const auto* name = asks_any(type, call) ? argument(call, 0) : nullptr;
    return name != nullptr && node(name, "ColumnRef") != nullptr;
}

/// Nothing but constants is read, none of them holds the name of a secret setting, and nothing
/// makes other names of them: beside unnest() there is only what the guard puts around a statement
/// (cut_by_server), which can shorten a text at its end.
bool asks_for_constants(const Json& statement) {
    return !any_node(statement, [](const std::string& type, const Json& members) {
        if (type == "FuncCall") {
            const auto name = function_of(members);
            const auto* first = argument(members, 0);
            const bool around = name == "num_nulls" ||
                                (name == "format" && constants::text(*first) == "%s") ||
                                (name == "left" && constants::called(*first) == "format");
            return !around && name != "current_setting" && name != "unnest";
        }
        if (type == "A_Const") {
            const auto text =
                base::lower_ascii(constants::text(Json{{type, members}}).value_or(""));
            return guard_data::secret_setting(text) || text.find("conninfo") != std::string::npos ||
                   text.find("passphrase") != std::string::npos;
        }
        const bool joins = type == "A_Expr" && dotted(base::member(members, "name")).last != "=";
        return type == "RangeVar" || joins;
    });
}

/// `range`.name, where one range of the statement is called so, and is pg_settings with its own
/// columns.
bool is_name_of_settings(const Json* column, const Json& statement) {
    const auto* found = node(column, "ColumnRef");
    const auto names =
        found ? names_in(base::member(*found, "fields")) : std::vector<std::string>{};
    if (names.size() != 2 || names[1] != "name") {
        return false;
    }
    std::size_t settings = 0;
    const bool other = any_node(statement, [&](const std::string& type, const Json& members) {
        if (type == "CommonTableExpr") {
            const auto name = base::string_member(members, "ctename");
            return name == "pg_settings" || name == names[0];
        }
        const auto* alias = base::member(members, "alias");
        const auto relation = base::string_member(members, "relname");
        const auto called = alias ? base::string_member(*alias, "aliasname") : relation;
        if (!type.starts_with("Range") || called != names[0]) {
            return type == "JoinExpr" && called == names[0];
        }
        ++settings;
        return relation != "pg_settings" ||
               (alias != nullptr && base::member(*alias, "colnames") != nullptr);
    });
    return !other && settings == 1;
}

/// current_setting() of names that are not made up: those of pg_settings, or constants.
bool asks_for_what_it_names(const Json& statement) {
    const bool by_name = names_are_its_own(statement, /*with_sub_selects=*/true);
    return !any_node(statement, [&](const std::string& type, const Json& call) {
        return asks_any(type, call) && !(asks_for_column(type, call) &&
                                         ((by_name && last_name(argument(call, 0)) == "name") ||
                                          is_name_of_settings(argument(call, 0), statement) ||
                                          asks_for_constants(statement)));
    });
}

/// A comparison or a function of a setting's value and a text that speaks of a secret.
bool asks_for_secret(const std::string& type, const Json& members) {
    if (type != "A_Expr" && type != "FuncCall") {
        return false;
    }
    const bool has_value = any_node(members, [](const std::string& inner, const Json& column) {
        constexpr std::string_view values =
            " setting boot_val reset_val setconfig rolconfig useconfig ";
        const auto names = inner == "ColumnRef" ? names_in(base::member(column, "fields"))
                                                : std::vector<std::string>{};
        return !names.empty() && values.find(" " + names.back() + " ") != std::string_view::npos;
    });
    return has_value && any_node(members, [](const std::string& inner, const Json& constant) {
               const auto text =
                   inner == "A_Const" ? constants::text(Json{{inner, constant}}) : std::nullopt;
               const auto lower = base::lower_ascii(text.value_or(""));
               constexpr auto words = std::to_array<std::string_view>(
                   {"password", "passwd", "secret", "token", "credential", "word="}
               );
               return std::any_of(words.begin(), words.end(), [&](std::string_view word) {
                   return lower.find(word) != std::string::npos;
               });
           });
}

/// Constants that name a secret setting, but for those that are compared in order to leave it out.
bool names_secret(const Json& statement) {
    std::vector<const Json*> rest{&statement};
    while (!rest.empty()) {
        const auto* next = rest.back();
        rest.pop_back();
        const auto* expression = node(next, "A_Expr");
        const auto name = expression ? dotted(base::member(*expression, "name")).last : "";
        if (name == "<>" || name == "!~" || name == "!~~" || name == "!~~*") {
            continue;
        }
        const bool joined = name == "||" || constants::called(*next) == "concat";
        if ((joined || next->contains("A_Const")) && next->is_object()) {
            const auto text = constants::text(*next);
            if (text && guard_data::secret_setting(base::lower_ascii(*text))) {
                return true;
            }
        }
        if (next->is_structured()) {
            for (const auto& item : *next) {
                rest.push_back(&item);
            }
        }
    }
    return false;
}

/// A condition on names that no secret setting meets.
bool tells_which(const Json& condition) {
    const auto* expression = node(&condition, "A_Expr");
    if (expression == nullptr) {
        return false;
    }
    const auto kind = base::string_member(*expression, "kind").value_or("");
    const auto name = dotted(base::member(*expression, "name")).last;
    const auto* left = base::member(*expression, "lexpr");
    const auto* right = base::member(*expression, "rexpr");
    const bool named = left != nullptr && right != nullptr && last_name(left) == "name" &&
                       !constants::has_column(*right) && !right->contains("SubLink");
    if (!named) {
        return false;
    }
    const auto text = constants::text(*right);
    if (kind == "AEXPR_LIKE" && name == "~~" && text) {
        return !guard_data::begins_secret_setting(text->substr(0, text->find_first_of("%_\\")));
    }
    const bool one_of = name == "=" && kind != "AEXPR_OP_ALL";
    // The one that every standby has; what else is secret is named by whoever made it.
    const bool but = name == "<>" && kind != "AEXPR_OP_ANY" &&
                     constants::texts_in(*right).find("primary_conninfo") != std::string::npos;
    return one_of || but;
}

bool any_tells_which(const Json& condition) {
    if (const auto* both = node(&condition, "BoolExpr")) {
        const auto* arms = base::member(*both, "args");
        return arms != nullptr && base::string_member(*both, "boolop") == "AND_EXPR" &&
               std::any_of(arms->begin(), arms->end(), any_tells_which);
    }
    return tells_which(condition);
}

/// Whether every query that reads the settings says which it means.
bool all_named(const Json& statement) {
    return !any_node(statement, [](const std::string&, const Json& select) {
        const auto* from = base::member(select, "fromClause");
        if (from == nullptr) {
            return false;
        }
        std::vector<const Json*> rest{from};
        bool reads = false;
        const auto* where = base::member(select, "whereClause");
        bool named = where != nullptr && any_tells_which(*where);
        while (!rest.empty()) {
            const auto* item = rest.back();
            rest.pop_back();
            reads = reads || is_settings(item);
            if (item->is_array()) {
                for (const auto& each : *item) {
                    rest.push_back(&each);
                }
            } else if (const auto* join = node(item, "JoinExpr")) {
                const auto* condition = base::member(*join, "quals");
                named = named || (condition != nullptr && any_tells_which(*condition));
                rest.push_back(&(*join)["larg"]);
                rest.push_back(&(*join)["rarg"]);
            }
        }
        return reads && !named;
    });
}

/// Names under which values of settings go through the statement.
class Values {
public:
    explicit Values(const Json& statement) {
        any_node(statement, [&](const std::string& type, const Json& members) {
            if (type == "RangeVar" && base::string_member(members, "relname") == "pg_settings") {
                const auto* alias = base::member(members, "alias");
                names_.insert(
                    alias ? base::string_member(*alias, "aliasname").value_or("") : "pg_settings"
                );
            }
            const auto* columns =
                base::member(members, type == "alias" ? "colnames" : "aliascolnames");
            for (const auto& name : names_in(columns)) {
                names_.insert(name);
            }
            return false;
        });
        constexpr int rounds_max = 16; // nobody hands a value on more often
        int rounds = 0;
        for (std::size_t before = 0; before != names_.size();) {
            before = names_.size();
            everything_ = ++rounds > rounds_max;
            if (everything_) {
                return;
            }
            any_node(statement, [&](const std::string& type, const Json& target) {
                const auto name = base::string_member(target, "name");
                const auto* value = base::member(target, "val");
                if (type == "ResTarget" && name && value != nullptr && holds(*value)) {
                    names_.insert(*name);
                }
                return false;
            });
        }
    }

    bool holds(const Json& value) const {
        return everything_ || any_node(value, [&](const std::string& type, const Json& members) {
                   if (type == "ColumnRef") {
                       const auto names = names_in(base::member(members, "fields"));
                       return !names.empty() && names_.contains(names.back());
                   }
                   return asks_any(type, members);
               });
    }

private:
    bool everything_ = false;
    std::set<std::string> names_{"setting", "boot_val", "reset_val"};
};

/// The beginning of a value, in front of whose end nothing is missing.
bool keeps_beginning(const std::string& name, const Json& call) {
    const auto* from = argument(call, 1);
    const auto* constant = from ? node(from, "A_Const") : nullptr;
    const auto* number = constant ? base::member(*constant, "ival") : nullptr;
    const auto value = number ? base::integer_member(*number, "ival").value_or(0) : 0;
    return (name == "left" && value > 0) ||
           ((name == "substr" || name == "substring") && value == 1);
}

} // namespace

std::string reads_secret_settings(const Json& whole) {
    const Json statement = without_shields(whole);
    if (any_node(statement, [](const std::string& type, const Json& members) {
            return type == "FuncCall" && function_of(members) == "pg_show_all_settings";
        })) {
        return "pg_show_all_settings() tells secrets that pg_settings, read here, leaves out.";
    }
    const bool reads_some = any_node(statement, [](const std::string& type, const Json& members) {
        const auto name = type == "RangeVar" ? base::string_member(members, "relname").value_or("")
                                             : std::string{};
        return name == "pg_settings" || name == "pg_db_role_setting" || name == "pg_roles" ||
               name == "pg_user";
    });
    if (reads_some && any_node(statement, asks_for_secret)) {
        return "The statement asks whether a setting holds a secret.";
    }
    const bool reads = any_node(statement, [](const std::string& type, const Json& members) {
        return asks_any(type, members) ||
               (type == "RangeVar" && base::string_member(members, "relname") == "pg_settings");
    });
    if (!reads) {
        return "";
    }
    if (names_secret(statement)) {
        return "The statement names a setting that may hold a password.";
    }
    const bool any = any_node(statement, asks_any);
    if (any && !asks_for_what_it_names(statement)) {
        return "current_setting() is asked for a name that is made up; a constant, or `name` of "
               "pg_settings, can be judged.";
    }
    if (!any && all_named(statement)) {
        return "";
    }
    const Values values{statement};
    const bool reshapes = any_node(statement, [&](const std::string& type, const Json& members) {
        if (type == "FuncCall") {
            const auto name = function_of(members);
            const auto* arguments = base::member(members, "args");
            return guard_data::reshapes_text(name) && arguments != nullptr &&
                   !keeps_beginning(name, members) && values.holds(*arguments);
        }
        const auto* target = type == "TypeCast" ? base::member(members, "typeName") : nullptr;
        return target != nullptr && dotted(base::member(*target, "names")).last == "bytea" &&
               values.holds(members);
    });
    return reshapes ? "Values of settings are reshaped, and one of them may hold a password." : "";
}

bool names_settings_itself(std::string_view select) {
    const auto tree = parse_sql_tree(select);
    return tree && names_are_its_own(*tree, /*with_sub_selects=*/false);
}

} // namespace interlock::db

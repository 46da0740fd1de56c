#include "base/db/sql_guard_bounds.hpp"

#include "base/db/sql_guard_constants.hpp"
#include "base/db/sql_guard_cost.hpp"
#include "base/db/sql_guard_data.hpp"
#include "base/db/sql_guard_patterns.hpp"
#include "base/db/sql_guard_rows.hpp"
#include "base/db/sql_guard_steps.hpp"
#include "base/db/sql_tree.hpp"
#include "base/limits.hpp"
#include "base/text.hpp"

#include <algorithm>
#include <cmath>
#include <functional>
#include <vector>

#include <nlohmann/json.hpp>

namespace interlock::db {
namespace {

using base::Json;
namespace limits = base::limits;

using constants::any_node;
using constants::constant_number;
using constants::evaluate;
using constants::has_column;
using constants::node;
using constants::number;

bool has_number_above(std::string_view sql, const Json& value, double most) {
    return any_node(value, [&](const std::string& type, const Json& found) {
        return type == "A_Const" && std::abs(constant_number(sql, found).value_or(0)) > most;
    });
}

/// All constants of an expression multiplied, but for those that only make it smaller.
double product(std::string_view sql, const Json& value) {
    double all = 1;
    std::vector<const Json*> rest{&value};
    while (!rest.empty() && GuardSteps::take()) {
        const auto* next = rest.back();
        rest.pop_back();
        if (const auto* constant = node(next, "A_Const")) {
            all *= std::max(1.0, std::abs(constant_number(sql, *constant).value_or(1)));
            continue;
        }
        const auto* expression = node(next, "A_Expr");
        const auto name = expression ? dotted(base::member(*expression, "name")).last : "";
        if (name == "/" || name == "%") {
            rest.push_back(base::member(*expression, "lexpr"));
        } else if (next != nullptr && next->is_structured()) {
            for (const auto& item : *next) {
                rest.push_back(&item);
            }
        }
    }
    return all;
}

bool grows_fast(const Json& value) {
    return any_node(value, [](const std::string& type, const Json& found) {
        const auto name = dotted(base::member(found, type == "A_Expr" ? "name" : "funcname")).last;
        return (type == "A_Expr" && (name == "^" || name == "<<")) ||
               (type == "FuncCall" && (name == "power" || name == "pow" || name == "exp"));
    });
}

/// A digit run of a format's width that would fill memory.
bool wide_format(const std::string& format) {
    constexpr std::size_t digits_max = 4;
    for (std::size_t i = 0; i < format.size(); ++i) {
        if (format[i] != '%') {
            continue;
        }
        std::size_t digits = 0;
        for (++i; i < format.size() &&
                  std::string_view{"-$0123456789"}.find(format[i]) != std::string_view::npos;
             ++i) {
            digits = format[i] >= '0' && format[i] <= '9' ? digits + 1 : 0;
            if (digits > digits_max) {
                return true;
            }
        }
    }
    return false;
}

/// Whether a width is taken from the arguments: a star within a specifier.
bool stars(const std::string& format) {
    for (auto at = format.find('%'); at != std::string::npos; at = format.find('%', at + 1)) {
        const auto end = format.find_first_not_of("-$0123456789", at + 1);
        if (end != std::string::npos && format[end] == '*') {
            return true;
        }
    }
    return false;
}

/// How many elements an array of these dimensions has.
double filled(std::string_view sql, const Json& value) {
    const auto* list = node(&value, "A_ArrayExpr");
    const auto* sizes = list ? base::member(*list, "elements") : nullptr;
    double all = sizes == nullptr ? constants::endless : 1;
    for (std::size_t i = 0; sizes != nullptr && i < sizes->size(); ++i) {
        all *= std::max(1.0, evaluate(sql, &(*sizes)[i]).value_or(constants::endless));
    }
    return all;
}

/// Constants that are multiplied with each other, whatever else stands beside them.
bool has_product_above(std::string_view sql, const Json& value, double most) {
    return any_node(value, [&](const std::string& type, const Json& found) {
        return type == "A_Expr" && dotted(base::member(found, "name")).last == "*" &&
               product(sql, found) > most;
    });
}

/// What an expression of no column may still be that is no size by constants: a setting, a moment,
/// the length of something that the target has.
bool asks_target(const Json& value) {
    return value.contains("SQLValueFunction") ||
           any_node(value, [](const std::string& type, const Json& found) {
               const auto name =
                   type == "FuncCall" ? dotted(base::member(found, "funcname")).last : "";
               return type == "RangeVar" || type == "SQLValueFunction" ||
                      guard_data::asks_target(name);
           });
}

} // namespace

/// A size given by data is bounded by the data, a constant by its value; one that is neither (a
/// sub-select of constants) is nothing that a diagnosis needs.
bool GuardBounds::within(const Json& value, double most) const {
    if (const auto constant = constants::magnitude(sql_, value)) {
        return *constant <= most;
    }
    return (has_column(value) || asks_target(value)) && product(sql_, value) <= most &&
           !grows_fast(value);
}

std::string GuardBounds::first_text(const Json& call) {
    const auto* arguments = base::member(call, "args");
    const bool given = arguments != nullptr && arguments->is_array() && !arguments->empty();
    return given ? constants::text((*arguments)[0]).value_or("") : "";
}

std::string_view GuardBounds::whole(const Json& statement) const {
    if (patterns::costly(statement)) {
        return "dos_regex";
    }
    GuardCost cost{sql_};
    const auto price = cost.judge(statement);
    if (const auto family = GuardRows{sql_, cost.longest()}.judge(statement); !family.empty()) {
        return family;
    }
    if (!price.empty()) {
        return price;
    }
    // A column that is a constant somewhere else in the statement.
    if (sized_by_columns_ && has_constant_row(statement, limits::sql_text_length_max)) {
        return "dos_memory";
    }
    if (counted_by_columns_ && has_constant_row(statement, limits::sql_series_rows_max)) {
        return "dos_rows";
    }
    const bool raised = raised_by_columns_ && has_constant_row(statement, limits::sql_exponent_max);
    return raised ? "dos_cpu" : "";
}

/// Whether a row that the statement makes for itself has a constant so large in it: not one of its
/// result.
bool GuardBounds::has_constant_row(const Json& statement, double most) const {
    const auto* outer = node(&statement, "SelectStmt");
    const auto* result = outer ? base::member(*outer, "targetList") : nullptr;
    const auto shown = [&](const Json& target) {
        return result != nullptr &&
               std::any_of(result->begin(), result->end(), [&](const Json& each) {
                   return node(&each, "ResTarget") == &target;
               });
    };
    const auto large = [&](const Json* value) {
        return std::abs(evaluate(sql_, value).value_or(0)) > most;
    };
    return any_node(statement, [&](const std::string& type, const Json& found) {
        if (type == "ResTarget") {
            return large(base::member(found, "val")) && !shown(found);
        }
        const auto* items = base::member(found, type == "A_ArrayExpr" ? "elements" : "items");
        const bool list = type == "A_ArrayExpr" || type == "List";
        return list && items != nullptr && items->is_array() &&
               std::any_of(items->begin(), items->end(), [&](const Json& item) {
                   return large(&item);
               });
    });
}

std::string_view GuardBounds::length(const Json& arguments) {
    if (arguments.size() < 2 || !within(arguments[1], limits::sql_text_length_max)) {
        return "dos_memory";
    }
    sized_by_columns_ = sized_by_columns_ || !constants::magnitude(sql_, arguments[1]);
    return {};
}

std::string_view GuardBounds::series(const Json& arguments) {
    if (arguments.size() < 2) {
        return {};
    }
    const double most = limits::sql_series_rows_max;
    if (const auto rows = GuardRows::series(sql_, arguments)) {
        return *rows > most ? "dos_rows" : "";
    }
    // Only the end makes rows: a start may be an epoch, and a larger step makes fewer.
    const auto* end = &arguments[1];
    const auto from = evaluate(sql_, &arguments[0]);
    const auto to = constants::magnitude(sql_, *end);
    const bool by_data = has_column(*end);
    counted_by_columns_ = counted_by_columns_ || by_data;
    const bool known = to || by_data || asks_target(*end) || constants::moment(sql_, *end);
    const bool moment = constants::called(*end) == "to_timestamp";
    const bool large = !moment && (has_number_above(sql_, *end, most) || to.value_or(0) > most ||
                                   from.value_or(0) < -most || has_product_above(sql_, *end, most));
    const auto step = arguments.size() > 2 && !evaluate(sql_, &arguments[2])
                          ? constants::span(sql_, arguments[2])
                          : std::nullopt;
    return !known || large || step.value_or(1) < 1 ? "dos_rows" : "";
}

std::string_view GuardBounds::call(const std::string& function, const Json& call) {
    const auto* arguments = base::member(call, "args");
    if (arguments == nullptr || !arguments->is_array() || arguments->empty()) {
        return {};
    }
    if (function == "generate_series") {
        return series(*arguments);
    }
    if (function == "repeat" || function == "lpad" || function == "rpad") {
        return length(*arguments);
    }
    if (function == "array_fill") {
        const bool known = arguments->size() > 1 && !has_column((*arguments)[1]);
        return known && filled(sql_, (*arguments)[1]) <= limits::sql_collected_rows_max
                   ? ""
                   : "dos_memory";
    }
    if (function == "factorial") {
        constexpr double most = 400; // some thousand digits
        return evaluate(sql_, &(*arguments)[0]).value_or(constants::endless) <= most ? ""
                                                                                     : "dos_cpu";
    }
    if (function == "format") {
        const auto text = constants::text((*arguments)[0]);
        if (!text || (call.contains("func_variadic") && arguments->size() == 1)) {
            return "dos_memory"; // a width that nobody can read here
        }
        const bool starred = stars(*text);
        sized_by_columns_ = sized_by_columns_ || starred;
        const bool wide = wide_format(*text);
        const bool given =
            starred && has_number_above(sql_, *arguments, limits::sql_text_length_max);
        return wide || given ? "dos_memory" : "";
    }
    if (function == "power" || function == "pow" || function == "exp") {
        const Json& exponent = arguments->back();
        const auto value = evaluate(sql_, &exponent);
        const auto most = value ? *value : constants::magnitude(sql_, exponent).value_or(0);
        raised_by_columns_ = raised_by_columns_ || has_column(exponent);
        const bool huge = value || most > 0 ? most > limits::sql_exponent_max
                                            : !has_column(exponent) && product(sql_, exponent) >
                                                                           limits::sql_exponent_max;
        return huge ? "dos_cpu" : "";
    }
    return {};
}

bool GuardBounds::takes_all(const Json& select, std::string_view relation) {
    const auto* from = base::member(select, "fromClause");
    std::vector<const Json*> rest{from};
    bool found = false;
    while (!rest.empty()) {
        const auto* item = rest.back();
        rest.pop_back();
        if (item == nullptr) {
            continue;
        }
        if (item->is_array()) {
            for (const auto& each : *item) {
                rest.push_back(&each);
            }
        } else if (const auto* join = node(item, "JoinExpr")) {
            rest.push_back(base::member(*join, "larg"));
            rest.push_back(base::member(*join, "rarg"));
        } else if (const auto* sample = node(item, "RangeTableSample")) {
            rest.push_back(base::member(*sample, "relation"));
        } else if (const auto* named = node(item, "RangeVar")) {
            found = found || base::string_member(*named, "relname") == relation;
        }
    }
    return found && any_node(select, [](const std::string& type, const Json& each) {
               const auto* fields = base::member(each, "fields");
               return type == "ColumnRef" && fields != nullptr && fields->size() == 1 &&
                      (*fields)[0].contains("A_Star");
           });
}

std::string_view GuardBounds::type(const std::string& name, const Json& type) const {
    const auto* lengths = base::member(type, "typmods");
    const auto element = name.starts_with('_') ? name.substr(1) : name; // an array's own name
    const bool padded = element == "bpchar" || element == "bit";
    return padded && lengths != nullptr &&
                   has_number_above(sql_, *lengths, limits::sql_text_length_max)
               ? "dos_memory"
               : "";
}

} // namespace interlock::db

#include "base/db/sql_guard_bounds.hpp"

#include "base/db/sql_guard_data.hpp"
#include "base/db/sql_tree.hpp"
#include "base/limits.hpp"
#include "base/text.hpp"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <functional>
#include <limits>
#include <optional>
#include <vector>

#include <nlohmann/json.hpp>

namespace interlock::db {
namespace {

using base::Json;
namespace limits = base::limits;

constexpr double endless = std::numeric_limits<double>::infinity();
constexpr int arithmetic_depth_max = 32; // nobody writes a length as a deeper expression

/// The members of a node of `type`.
const Json* node(const Json* value, const char* type) {
    return value == nullptr ? nullptr : base::member(*value, type);
}

std::optional<std::string> string_constant(const Json& value) {
    const auto* constant = node(&value, "A_Const");
    const auto* cast = node(&value, "TypeCast");
    if (cast != nullptr && cast->contains("arg")) {
        constant = node(base::member(*cast, "arg"), "A_Const");
    }
    const auto* text = constant ? base::member(*constant, "sval") : nullptr;
    return text ? std::optional{base::string_member(*text, "sval").value_or("")} : std::nullopt;
}

std::optional<double> number(const std::string& text) {
    const std::string trimmed{base::trim(text)};
    char* end = nullptr;
    const double value = std::strtod(trimmed.c_str(), &end);
    const bool whole = !trimmed.empty() && end == trimmed.c_str() + trimmed.size();
    return whole ? std::optional{value} : std::nullopt;
}

/// The tree leaves a negative number out; the text still has it.
double negative(std::string_view sql, const Json& constant) {
    const auto at = base::integer_member(constant, "location").value_or(0);
    if (at < 0 || static_cast<std::size_t>(at) >= sql.size() ||
        sql[static_cast<std::size_t>(at)] != '-') {
        return 0;
    }
    auto rest = sql.substr(static_cast<std::size_t>(at) + 1);
    const auto digits = rest.find_first_not_of(" \t\r\n");
    rest = rest.substr(std::min(digits, rest.size()));
    const std::string text{rest.substr(0, rest.find_first_not_of("0123456789"))};
    return text.empty() ? -endless : -std::strtod(text.c_str(), nullptr);
}

std::optional<double> constant_number(std::string_view sql, const Json& constant) {
    if (const auto* integer = base::member(constant, "ival")) {
        const auto value = base::integer_member(*integer, "ival");
        return value ? static_cast<double>(*value) : negative(sql, constant);
    }
    for (const auto* kind : {"fval", "sval"}) {
        if (const auto* text = base::member(constant, kind)) {
            return number(base::string_member(*text, kind).value_or(""));
        }
    }
    return std::nullopt;
}

std::optional<double> operate(std::string_view name, double left, double right) {
    if (name == "+") {
        return left + right;
    }
    if (name == "-") {
        return left - right;
    }
    if (name == "*") {
        return left * right;
    }
    if (name == "/") {
        return left / right;
    }
    if (name == "^") {
        return std::pow(left, right);
    }
    if (name == "<<") {
        return left * std::pow(2, right);
    }
    return std::nullopt;
}

/// The number that an expression of constants has.
std::optional<double> evaluate(std::string_view sql, const Json* value, int depth = 0) {
    if (value == nullptr || depth > arithmetic_depth_max) {
        return depth > arithmetic_depth_max ? std::optional{endless} : std::nullopt;
    }
    if (const auto* constant = node(value, "A_Const")) {
        return constant_number(sql, *constant);
    }
    if (const auto* cast = node(value, "TypeCast")) {
        return evaluate(sql, base::member(*cast, "arg"), depth + 1);
    }
    if (const auto* call = node(value, "FuncCall")) {
        const auto* arguments = base::member(*call, "args");
        const auto name = dotted(base::member(*call, "funcname")).last;
        if ((name != "power" && name != "pow") || arguments == nullptr || arguments->size() != 2) {
            return std::nullopt;
        }
        const auto left = evaluate(sql, &(*arguments)[0], depth + 1);
        const auto right = evaluate(sql, &(*arguments)[1], depth + 1);
        return left && right ? operate("^", *left, *right) : std::nullopt;
    }
    if (const auto* expression = node(value, "A_Expr")) {
        const auto* first = base::member(*expression, "lexpr");
        const auto left = first ? evaluate(sql, first, depth + 1) : std::optional{0.0};
        const auto right = evaluate(sql, base::member(*expression, "rexpr"), depth + 1);
        const auto name = dotted(base::member(*expression, "name")).last;
        return left && right ? operate(name, *left, *right) : std::nullopt;
    }
    return std::nullopt;
}

/// Asks every node below `value`, until one says yes.
bool any_node(
    const Json& value, const std::function<bool(const std::string& type, const Json& node)>& asked
) {
    std::vector<const Json*> rest{&value};
    while (!rest.empty()) {
        const auto* next = rest.back();
        rest.pop_back();
        if (next->is_object()) {
            for (const auto& [key, item] : next->items()) {
                if (item.is_object() && asked(key, item)) {
                    return true;
                }
                rest.push_back(&item);
            }
        } else if (next->is_array()) {
            for (const auto& item : *next) {
                rest.push_back(&item);
            }
        }
    }
    return false;
}

/// Whether an expression takes anything from the data: a column, or count(*).
bool has_column(const Json& value) {
    return any_node(value, [](const std::string& type, const Json& found) {
        return type == "ColumnRef" || (type == "FuncCall" && found.contains("agg_star"));
    });
}

bool has_number_above(std::string_view sql, const Json& value, double most) {
    return any_node(value, [&](const std::string& type, const Json& found) {
        return type == "A_Const" && std::abs(constant_number(sql, found).value_or(0)) > most;
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

bool is_fine_interval(const Json& step) {
    const auto text = string_constant(step).value_or("");
    return text.find("micro") != std::string::npos || text.find("milli") != std::string::npos ||
           text.find(" us") != std::string::npos || text.find(" ms") != std::string::npos ||
           text.find("0.0") != std::string::npos;
}

/// How many relations of a FROM nothing holds together.
int unjoined(const Json& from, const std::function<bool(const std::string&)>& counts) {
    int relations = 0;
    std::vector<const Json*> rest{&from};
    while (!rest.empty()) {
        const auto* item = rest.back();
        rest.pop_back();
        if (item->is_array()) {
            for (const auto& each : *item) {
                rest.push_back(&each);
            }
        } else if (const auto* relation = node(item, "RangeVar")) {
            relations += counts(base::string_member(*relation, "relname").value_or("")) ? 1 : 0;
        } else if (const auto* join = node(item, "JoinExpr")) {
            const auto* condition = base::member(*join, "quals");
            const bool joined = (condition != nullptr && has_column(*condition)) ||
                                join->contains("usingClause") || join->contains("isNatural");
            for (const auto* side : {"larg", "rarg"}) {
                if (!joined && join->contains(side)) {
                    rest.push_back(&(*join)[side]);
                }
            }
            relations += joined ? 1 : 0;
        }
    }
    return relations;
}

} // namespace

/// A size given by data is bounded by the data, a constant by its value; one that is neither (a
/// sub-select of constants) is nothing that a diagnosis needs.
bool GuardBounds::within(const Json& value, double most) const {
    if (const auto constant = evaluate(sql_, &value)) {
        return std::abs(*constant) <= most;
    }
    return has_column(value) && !has_number_above(sql_, value, most);
}

std::string_view GuardBounds::series(const Json& arguments) {
    if (arguments.size() < 2) {
        return {};
    }
    const auto from = evaluate(sql_, &arguments[0]);
    const auto to = evaluate(sql_, &arguments[1]);
    const bool stepped = arguments.size() > 2;
    const auto step = stepped ? evaluate(sql_, &arguments[2]) : std::optional{1.0};
    if (from && to) {
        series_rows_ *= std::abs(*to - *from) / std::max(std::abs(step.value_or(1.0)), 1e-9) + 1;
        return series_rows_ > limits::sql_series_rows_max ? "dos_rows" : "";
    }
    const bool large = has_number_above(sql_, arguments, limits::sql_series_rows_max);
    const bool computed = any_node(arguments, [&](const std::string& type, const Json& found) {
        return type == "A_Expr" && evaluate(sql_, &found).value_or(0) > limits::sql_series_rows_max;
    });
    return large || computed || (stepped && is_fine_interval(arguments[2])) ? "dos_rows" : "";
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
        const bool sized = arguments->size() >= 2;
        return sized && within((*arguments)[1], limits::sql_text_length_max) ? "" : "dos_memory";
    }
    if (function == "format") {
        const auto text = string_constant((*arguments)[0]);
        const bool starred = !text || text->find('*') != std::string::npos;
        const bool wide = text && wide_format(*text);
        const bool given =
            starred && has_number_above(sql_, *arguments, limits::sql_text_length_max);
        return wide || given ? "dos_memory" : "";
    }
    if ((function.starts_with("regexp_") || function == "substring") && arguments->size() >= 2) {
        return pattern((*arguments)[1]);
    }
    if (function == "power" || function == "pow" || function == "exp") {
        const bool huge = has_number_above(sql_, *arguments, limits::sql_exponent_max);
        return huge ? "dos_cpu" : "";
    }
    return {};
}

/// Counted repetition is unrolled when a pattern is compiled; nested, it multiplies.
std::string_view GuardBounds::pattern(const Json& value) {
    const auto text = string_constant(value).value_or("");
    int large = 0;
    for (auto at = text.find('{'); at != std::string::npos; at = text.find('{', at + 1)) {
        const auto bounds = text.substr(at + 1, text.find('}', at) - at - 1);
        std::size_t digits = 0;
        std::size_t most = 0;
        for (const char c : bounds) {
            digits = c >= '0' && c <= '9' ? digits + 1 : 0;
            most = std::max(most, digits);
        }
        large += most >= 3 ? 1 : 0;
    }
    return large >= 2 ? "dos_regex" : "";
}

std::string_view GuardBounds::select(const Json& select, const Json* with) {
    constexpr int unjoined_max = 2;
    const auto* from = base::member(select, "fromClause");
    const auto* where = base::member(select, "whereClause");
    if (from == nullptr || (where != nullptr && has_column(*where))) {
        return {};
    }
    const int relations = unjoined(*from, [&](const std::string& name) {
        const bool query =
            with != nullptr && any_node(*with, [&](const auto& type, const Json& each) {
                return type == "CommonTableExpr" && base::string_member(each, "ctename") == name;
            });
        return !query && !guard_data::one_row_view(name);
    });
    return relations > unjoined_max ? "dos_rows" : "";
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

/// A recursion ends because a condition fails or because a join finds nothing more.
std::string_view GuardBounds::recursion(const Json& query, std::string_view name) const {
    const auto* select = node(base::member(query, "ctequery"), "SelectStmt");
    const auto* step = select ? base::member(*select, "rarg") : nullptr;
    const auto itself = [&](const std::string& type, const Json& found) {
        return type == "RangeVar" && base::string_member(found, "relname") == name &&
               !found.contains("schemaname");
    };
    if (step == nullptr || !any_node(*step, itself)) {
        return {};
    }
    const auto* where = base::member(*step, "whereClause");
    const bool filtered = where != nullptr && has_column(*where);
    const bool joined = any_node(*step, [](const std::string& type, const Json& found) {
        return (type == "JoinExpr" && (found.contains("quals") || found.contains("usingClause"))) ||
               type == "SubLink";
    });
    if (!filtered && !joined && !step->contains("limitCount")) {
        return "dos_recursion";
    }
    const bool counts = filtered && has_number_above(sql_, *where, limits::sql_series_rows_max);
    const auto* from = base::member(*step, "fromClause");
    const bool alone = from != nullptr && from->size() == 1 && (*from)[0].contains("RangeVar");
    return counts && alone ? "dos_recursion" : "";
}

std::string_view GuardBounds::type(const std::string& name, const Json& type) const {
    const auto* lengths = base::member(type, "typmods");
    const bool padded = name == "bpchar" || name == "bit";
    return padded && lengths != nullptr &&
                   has_number_above(sql_, *lengths, limits::sql_text_length_max)
               ? "dos_memory"
               : "";
}

} // namespace interlock::db

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
    const Json* inner = &value;
    const auto* cast = node(inner, "TypeCast");
    for (; cast != nullptr && cast->contains("arg"); cast = node(inner, "TypeCast")) {
        inner = base::member(*cast, "arg");
    }
    const auto* constant = node(inner, "A_Const");
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
    if (name == "/") { // of integers or not: the same only when nothing is left
        const bool even = right != 0 && std::fmod(left, right) == 0;
        return even ? std::optional{left / right} : std::nullopt;
    }
    if (name == "^") {
        return std::pow(left, right);
    }
    if (name == "<<") {
        return left * std::pow(2, right);
    }
    return std::nullopt;
}

std::optional<double> evaluate(std::string_view sql, const Json* value, int depth = 0);

/// GREATEST or LEAST of constants.
std::optional<double> extreme(std::string_view sql, const Json& members, int depth) {
    const auto* arguments = base::member(members, "args");
    const bool greatest = base::string_member(members, "op") == "IS_GREATEST";
    std::optional<double> found;
    for (std::size_t i = 0; arguments != nullptr && i < arguments->size(); ++i) {
        const auto each = evaluate(sql, &(*arguments)[i], depth + 1);
        if (!each) {
            return std::nullopt;
        }
        found = !found ? *each : greatest ? std::max(*found, *each) : std::min(*found, *each);
    }
    return found;
}

/// The number that an expression of constants has.
std::optional<double> evaluate(std::string_view sql, const Json* value, int depth) {
    if (value == nullptr || depth > arithmetic_depth_max) {
        return depth > arithmetic_depth_max ? std::optional{endless} : std::nullopt;
    }
    if (const auto* constant = node(value, "A_Const")) {
        return constant_number(sql, *constant);
    }
    if (const auto* cast = node(value, "TypeCast")) {
        return evaluate(sql, base::member(*cast, "arg"), depth + 1);
    }
    if (const auto* bounds = node(value, "MinMaxExpr")) {
        return extreme(sql, *bounds, depth);
    }
    if (const auto* call = node(value, "FuncCall")) {
        const auto* arguments = base::member(*call, "args");
        const auto name = dotted(base::member(*call, "funcname")).last;
        if (name == "length" && arguments != nullptr && arguments->size() == 1) {
            const auto text = string_constant((*arguments)[0]);
            return text ? std::optional{static_cast<double>(text->size())} : std::nullopt;
        }
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

/// All constants of an expression multiplied, but for those that only make it smaller.
double product(std::string_view sql, const Json& value) {
    double all = 1;
    std::vector<const Json*> rest{&value};
    while (!rest.empty()) {
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

/// How many calls below make text of a length of their own.
int makers(const Json& value) {
    int found = 0;
    any_node(value, [&](const std::string& type, const Json& call) {
        const auto name =
            type == "FuncCall" ? dotted(base::member(call, "funcname")).last : std::string{};
        found += name == "repeat" || name == "lpad" || name == "rpad" ? 1 : 0;
        return false;
    });
    return found;
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

/// Constants that are multiplied with each other, whatever else stands beside them.
bool has_product_above(std::string_view sql, const Json& value, double most) {
    return any_node(value, [&](const std::string& type, const Json& found) {
        return type == "A_Expr" && dotted(base::member(found, "name")).last == "*" &&
               product(sql, found) > most;
    });
}

bool is_fine_interval(const Json& step) {
    const auto text = string_constant(step).value_or("");
    return text.find("micro") != std::string::npos || text.find("milli") != std::string::npos ||
           text.find(" us") != std::string::npos || text.find(" ms") != std::string::npos ||
           text.find("0.0") != std::string::npos || text.starts_with('.') ||
           text.find(" .") != std::string::npos;
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
            const auto name = base::string_member(*relation, "relname").value_or("");
            relations += relation->contains("schemaname") || counts(name) ? 1 : 0;
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

/// Counted repetition is unrolled when a pattern is compiled; nested, it multiplies.
bool repeats_repetitions(const std::string& text) {
    int large = 0;
    int of_groups = 0;
    double all = 1;
    for (auto at = text.find('{'); at != std::string::npos; at = text.find('{', at + 1)) {
        const auto bounds = text.substr(at + 1, text.find('}', at) - at - 1);
        std::size_t digits = 0;
        std::size_t most = 0;
        for (const char c : bounds) {
            digits = c >= '0' && c <= '9' ? digits + 1 : 0;
            most = std::max(most, digits);
        }
        large += most >= 3 ? 1 : 0;
        of_groups += at > 0 && text[at - 1] == ')' ? 1 : 0;
        all *= std::max(1.0, number(bounds.substr(bounds.find(',') + 1)).value_or(1));
    }
    return large >= 2 || (of_groups >= 2 && all > limits::sql_pattern_repeats_max);
}

/// Whether any text of the statement is such a pattern, however it comes to the matching.
bool has_such_pattern(const Json& statement) {
    return any_node(statement, [](const std::string& type, const Json& constant) {
        const auto* text = type == "A_Const" ? base::member(constant, "sval") : nullptr;
        return text != nullptr &&
               repeats_repetitions(base::string_member(*text, "sval").value_or(""));
    });
}

/// A join, a sub-select or a function that finds nothing more when the data end.
bool joins_data(const std::string& type, const Json& found) {
    if (type == "JoinExpr") {
        const auto* condition = base::member(found, "quals");
        return found.contains("usingClause") || found.contains("isNatural") ||
               (condition != nullptr && has_column(*condition));
    }
    if (type == "RangeFunction") {
        const bool series = any_node(found, [](const std::string& inner, const Json& call) {
            return inner == "FuncCall" &&
                   dotted(base::member(call, "funcname")).last == "generate_series";
        });
        return !series && has_column(found);
    }
    const auto* query = type == "RangeSubselect" ? base::member(found, "subquery") : nullptr;
    const auto* select = query ? node(query, "SelectStmt") : nullptr;
    const auto* where = select ? base::member(*select, "whereClause") : nullptr;
    return where != nullptr && has_column(*where);
}

} // namespace

/// A size given by data is bounded by the data, a constant by its value; one that is neither (a
/// sub-select of constants) is nothing that a diagnosis needs.
bool GuardBounds::within(const Json& value, double most) const {
    if (const auto constant = evaluate(sql_, &value)) {
        return std::abs(*constant) <= most;
    }
    return has_column(value) && product(sql_, value) <= most && !grows_fast(value);
}

std::string GuardBounds::first_text(const Json& call) {
    const auto* arguments = base::member(call, "args");
    const bool given = arguments != nullptr && arguments->is_array() && !arguments->empty();
    return given ? string_constant((*arguments)[0]).value_or("") : "";
}

std::string_view GuardBounds::whole(const Json& statement) const {
    const bool collects = any_node(statement, [](const std::string& type, const Json& call) {
        return type == "FuncCall" &&
               guard_data::collecting_aggregate(dotted(base::member(call, "funcname")).last);
    });
    if (collects && series_rows_ > limits::sql_collected_rows_max) {
        return "dos_rows";
    }
    if (collects && series_rows_ * longest_ > limits::sql_made_bytes_max) {
        return "dos_memory";
    }
    if (has_such_pattern(statement)) {
        return "dos_regex";
    }
    // A column that is a constant somewhere else in the statement.
    const auto large = [&](const Json* value) {
        return std::abs(evaluate(sql_, value).value_or(0)) > limits::sql_text_length_max;
    };
    const bool made =
        sized_by_columns_ && any_node(statement, [&](const std::string& type, const Json& found) {
            if (type == "ResTarget") {
                return large(base::member(found, "val"));
            }
            const auto* items = base::member(found, type == "A_ArrayExpr" ? "elements" : "items");
            const bool list = type == "A_ArrayExpr" || type == "List";
            return list && items != nullptr && items->is_array() &&
                   std::any_of(items->begin(), items->end(), [&](const Json& item) {
                       return large(&item);
                   });
        });
    return made ? "dos_memory" : "";
}

std::string_view GuardBounds::length(const std::string& function, const Json& arguments) {
    if (arguments.size() < 2 || !within(arguments[1], limits::sql_text_length_max)) {
        return "dos_memory";
    }
    const auto constant = evaluate(sql_, &arguments[1]);
    sized_by_columns_ = sized_by_columns_ || !constant;
    if (function == "repeat") {
        longest_ = std::max(longest_, constant.value_or(1));
    }
    return function == "repeat" && makers(arguments[0]) > 0 ? "dos_memory" : "";
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
    // Only the end makes rows: a start may be an epoch, and a larger step makes fewer.
    const double most = limits::sql_series_rows_max;
    const auto* end = &arguments[1];
    const auto* call = node(end, "FuncCall");
    const bool moment =
        call != nullptr && dotted(base::member(*call, "funcname")).last == "to_timestamp";
    const bool large = !moment && (has_number_above(sql_, *end, most) || to.value_or(0) > most ||
                                   from.value_or(0) < -most || has_product_above(sql_, *end, most));
    return large || (stepped && is_fine_interval(arguments[2])) ? "dos_rows" : "";
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
        return length(function, *arguments);
    }
    if (guard_data::multiplies_text(function) && makers(*arguments) >= 2) {
        return "dos_memory";
    }
    if (function == "format") {
        const auto text = string_constant((*arguments)[0]);
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
        const bool huge =
            value ? *value > limits::sql_exponent_max
                  : !has_column(exponent) && product(sql_, exponent) > limits::sql_exponent_max;
        return huge ? "dos_cpu" : "";
    }
    return {};
}

std::string_view
GuardBounds::select(const Json& select, const std::function<bool(const std::string&)>& is_query) {
    constexpr int unjoined_max = 2;
    const auto* from = base::member(select, "fromClause");
    const auto* where = base::member(select, "whereClause");
    if (from == nullptr || (where != nullptr && has_column(*where))) {
        return {};
    }
    const int relations = unjoined(*from, [&](const std::string& name) {
        return !is_query(name) && !guard_data::one_row_view(name);
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
    const bool joined = any_node(*step, joins_data);
    if (!filtered && !joined && !step->contains("limitCount")) {
        return "dos_recursion";
    }
    // What counts by itself needs an end that it comes to.
    const bool others = any_node(*step, [&](const std::string& type, const Json& found) {
        return (type == "RangeVar" && !itself(type, found)) || joins_data(type, found);
    });
    // Upwards to something, or downwards to what is no bare number: nothing is counted down to 0.
    const auto end = [&](const std::string& type, const Json& found) {
        const auto written = dotted(base::member(found, "name")).last;
        return type == "A_Expr" && (written == "<" || written == "<=" ||
                                    ((written == ">" || written == ">=") &&
                                     !evaluate(sql_, base::member(found, "rexpr"))));
    };
    const bool ends = where != nullptr && any_node(*where, end);
    const bool counts = filtered && has_number_above(sql_, *where, limits::sql_series_rows_max);
    const bool endless_count = !others && !step->contains("limitCount") && (!ends || counts);
    return endless_count ? "dos_recursion" : "";
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

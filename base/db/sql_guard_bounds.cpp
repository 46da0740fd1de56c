#include "base/db/sql_guard_bounds.hpp"

#include "base/db/sql_guard_constants.hpp"
#include "base/db/sql_guard_data.hpp"
#include "base/db/sql_guard_rows.hpp"
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

/// What a pattern unrolls to: counted repetitions are written out when it is compiled, and nested
/// ones multiply.
class PatternSize {
public:
    explicit PatternSize(std::string_view pattern) : pattern_(pattern) {}

    /// The largest product of repetitions around one place.
    double deepest() {
        std::vector<double> open{1}; // for each bracket: the deepest within it
        double last = 1;             // of what stands in front of a repetition
        for (at_ = 0; at_ < pattern_.size(); ++at_) {
            const char c = pattern_[at_];
            if (c == '\\') {
                ++at_;
                last = 1;
            } else if (c == '[') {
                skip_set();
                last = 1;
            } else if (c == '(') {
                open.push_back(1);
                last = 1;
            } else if (c == ')' && open.size() > 1) {
                last = open.back();
                open.pop_back();
                open.back() = std::max(open.back(), last);
            } else if (c == '{') {
                last *= count();
                open.back() = std::max(open.back(), last);
            } else {
                last = 1;
            }
        }
        return *std::max_element(open.begin(), open.end());
    }

private:
    void skip_set() {
        const auto first = pattern_.find_first_not_of('^', at_ + 1);
        const auto end = first == std::string_view::npos ? first : pattern_.find(']', first + 1);
        at_ = std::min(end, pattern_.size());
    }
    double count() {
        const auto end = pattern_.find('}', at_);
        const auto within = pattern_.substr(at_ + 1, end - at_ - 1);
        if (end == std::string_view::npos || within.empty() ||
            within.find_first_not_of("0123456789,") != std::string_view::npos) {
            return 1;
        }
        at_ = end;
        const auto comma = within.find(',');
        const auto most = comma == std::string_view::npos || comma + 1 == within.size()
                              ? within.substr(0, comma)
                              : within.substr(comma + 1);
        return std::max(1.0, number(std::string{most}).value_or(1));
    }

    std::string_view pattern_;
    std::size_t at_ = 0;
};

/// What matched must match again, however it was parted: tried in every way.
bool refers_back(const std::string& text) {
    bool nested = false;
    bool back = false;
    for (std::size_t i = 0; i + 1 < text.size(); ++i) {
        const auto repeats = [](char c) { return c == '*' || c == '+' || c == '}' || c == '{'; };
        nested = nested || (repeats(text[i]) && text[i + 1] == ')' && i + 2 < text.size() &&
                            repeats(text[i + 2]));
        back = back || (text[i] == '\\' && text[i + 1] >= '1' && text[i + 1] <= '9');
    }
    return nested && back;
}

bool repeats_repetitions(const std::string& text) {
    return refers_back(text) || (text.find('{') != std::string::npos &&
                                 PatternSize{text}.deepest() >= limits::sql_pattern_repeats_max);
}

/// A path that descends everywhere, from everywhere.
bool descends_twice(const std::string& text) {
    const auto first = text.find(".**");
    return first != std::string::npos && text.find(".**", first + 3) != std::string::npos;
}

bool joins_texts(const Json& value) {
    const auto* expression = node(&value, "A_Expr");
    const auto name =
        expression ? dotted(base::member(*expression, "name")).last : constants::called(value);
    return name == "||" || guard_data::joins_text(name);
}

/// Whether any text of the statement is such a pattern, however it comes to the matching: also one
/// that is put together.
bool has_such_pattern(const Json& statement) {
    struct Piece {
        const Json* value;
        bool joined; // what stands around it was looked at as one text
    };
    std::vector<Piece> rest{{&statement, false}};
    while (!rest.empty()) {
        const auto [value, joined] = rest.back();
        rest.pop_back();
        if (const auto* constant = node(value, "A_Const")) {
            const auto* text = base::member(*constant, "sval");
            const auto written = text ? base::string_member(*text, "sval").value_or("") : "";
            if (repeats_repetitions(written) || descends_twice(written)) {
                return true;
            }
            continue;
        }
        const bool joins = value->is_object() && joins_texts(*value);
        if (joins && !joined && repeats_repetitions(constants::texts_in(*value))) {
            return true;
        }
        const bool expression =
            value->is_object() && (value->contains("A_Expr") || value->contains("FuncCall"));
        for (const auto& item : *value) {
            if (item.is_structured()) {
                rest.push_back({&item, expression ? joins : joined});
            }
        }
    }
    return false;
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
    if (has_such_pattern(statement)) {
        return "dos_regex";
    }
    if (const auto family = GuardRows{sql_, longest_}.judge(statement); !family.empty()) {
        return family;
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

std::string_view GuardBounds::length(const std::string& function, const Json& arguments) {
    if (arguments.size() < 2 || !within(arguments[1], limits::sql_text_length_max)) {
        return "dos_memory";
    }
    const auto constant = constants::magnitude(sql_, arguments[1]);
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
        return length(function, *arguments);
    }
    if (guard_data::multiplies_text(function) &&
        (makers(*arguments) >= 2 ||
         constants::text_bound(sql_, Json{{"FuncCall", call}}) > limits::sql_made_bytes_max)) {
        return "dos_memory";
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

#include "base/db/sql_guard_constants.hpp"

#include "base/db/sql_guard_steps.hpp"
#include "base/db/sql_tree.hpp"
#include "base/text.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

namespace interlock::db::constants {

using base::Json;

namespace {

constexpr int depth_max = 32; // nobody writes a length as a deeper expression

std::string operator_of(const Json& expression) {
    return dotted(base::member(expression, "name")).last;
}

/// Arguments by place; for make_interval the places of those that are named.
const Json* argument(const Json& call, std::size_t place) {
    const auto* arguments = base::member(call, "args");
    const bool given = arguments != nullptr && arguments->is_array() && place < arguments->size();
    return given ? &(*arguments)[place] : nullptr;
}

std::size_t argument_count(const Json& call) {
    const auto* arguments = base::member(call, "args");
    return arguments != nullptr && arguments->is_array() ? arguments->size() : 0;
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

std::optional<double> evaluate_call(std::string_view sql, const Json& call, int depth) {
    const auto name = dotted(base::member(call, "funcname")).last;
    const auto count = argument_count(call);
    if ((name == "length" || name == "char_length" || name == "octet_length") && count == 1) {
        const auto constant = text(*argument(call, 0));
        return constant ? std::optional{static_cast<double>(constant->size())} : std::nullopt;
    }
    const bool rounds = name == "ceil" || name == "ceiling" || name == "floor" || name == "round" ||
                        name == "abs" || name == "int4" || name == "int8";
    if (rounds && count == 1) { // one more at most
        return evaluate(sql, argument(call, 0), depth + 1);
    }
    if ((name == "power" || name == "pow") && count == 2) {
        const auto left = evaluate(sql, argument(call, 0), depth + 1);
        const auto right = evaluate(sql, argument(call, 1), depth + 1);
        return left && right ? operate("^", *left, *right) : std::nullopt;
    }
    return std::nullopt;
}

/// A bit string is a number once it is cast to one.
std::optional<double> bits(const Json& constant) {
    const auto* value = base::member(constant, "bsval");
    const auto written = value ? base::string_member(*value, "bsval").value_or("") : "";
    if (written.size() < 2) {
        return std::nullopt;
    }
    const double each = written[0] == 'x' ? 16 : 2;
    double all = 0;
    for (const char c : written.substr(1)) {
        const int digit = c >= 'a' ? c - 'a' + 10 : c >= 'A' ? c - 'A' + 10 : c - '0';
        all = all * each + digit;
    }
    return all;
}

} // namespace

const Json* node(const Json* value, const char* type) {
    return value == nullptr ? nullptr : base::member(*value, type);
}

std::string called(const Json& value) {
    const auto* call = node(&value, "FuncCall");
    return call ? dotted(base::member(*call, "funcname")).last : "";
}

bool any_node(
    const Json& value,
    const std::function<bool(const std::string& type, const Json& members)>& asked
) {
    std::vector<const Json*> rest{&value};
    while (!rest.empty() && GuardSteps::take()) {
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

bool has_column(const Json& value) {
    return any_node(value, [](const std::string& type, const Json& found) {
        return type == "ColumnRef" || (type == "FuncCall" && found.contains("agg_star"));
    });
}

std::string texts_in(const Json& value) {
    std::vector<std::pair<long long, std::string>> found;
    any_node(value, [&](const std::string& type, const Json& constant) {
        const auto* text = type == "A_Const" ? base::member(constant, "sval") : nullptr;
        if (text != nullptr) {
            found.emplace_back(
                base::integer_member(constant, "location").value_or(0),
                base::string_member(*text, "sval").value_or("")
            );
        }
        return false;
    });
    std::sort(found.begin(), found.end());
    std::string all;
    for (const auto& [at, text] : found) {
        all += text;
    }
    return all;
}

std::optional<std::string> text(const Json& value) {
    const Json* inner = &value;
    const auto* cast = node(inner, "TypeCast");
    for (; cast != nullptr && cast->contains("arg"); cast = node(inner, "TypeCast")) {
        inner = base::member(*cast, "arg");
    }
    const auto* constant = node(inner, "A_Const");
    if (constant != nullptr) {
        const auto* text = base::member(*constant, "sval");
        return text ? std::optional{base::string_member(*text, "sval").value_or("")} : std::nullopt;
    }
    const auto* expression = node(inner, "A_Expr");
    const bool joined = expression != nullptr && operator_of(*expression) == "||";
    if ((joined || called(*inner) == "concat") && !has_column(*inner)) {
        return texts_in(*inner);
    }
    return std::nullopt;
}

std::optional<double> number(const std::string& text) {
    std::string plain;
    for (const char c : base::trim(text)) {
        plain.append(c == '_' ? 0U : 1U, c); // servers since 16 read 1_000
    }
    const bool octal = plain.starts_with("0o") || plain.starts_with("0O");
    const bool binary = plain.starts_with("0b") || plain.starts_with("0B");
    char* end = nullptr;
    double value = 0;
    if (octal || binary) {
        value = static_cast<double>(std::strtoull(plain.c_str() + 2, &end, octal ? 8 : 2));
    } else {
        value = std::strtod(plain.c_str(), &end);
    }
    const bool whole = !plain.empty() && end == plain.c_str() + plain.size();
    return whole ? std::optional{value} : std::nullopt;
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
    return bits(constant);
}

std::optional<double> evaluate(std::string_view sql, const Json* value, int depth) {
    if (value == nullptr || depth > depth_max || !GuardSteps::take()) {
        return depth > depth_max ? std::optional{endless} : std::nullopt;
    }
    if (const auto* constant = node(value, "A_Const")) {
        return constant_number(sql, *constant);
    }
    if (const auto* cast = node(value, "TypeCast")) {
        const auto inner = evaluate(sql, base::member(*cast, "arg"), depth + 1);
        const auto joined = inner ? std::nullopt : text(*value);
        return joined ? number(*joined) : inner;
    }
    if (const auto* bounds = node(value, "MinMaxExpr")) {
        return extreme(sql, *bounds, depth);
    }
    if (const auto* call = node(value, "FuncCall")) {
        return evaluate_call(sql, *call, depth);
    }
    if (const auto* expression = node(value, "A_Expr")) {
        const auto* first = base::member(*expression, "lexpr");
        const auto left = first ? evaluate(sql, first, depth + 1) : std::optional{0.0};
        const auto right = evaluate(sql, base::member(*expression, "rexpr"), depth + 1);
        return left && right ? operate(operator_of(*expression), *left, *right) : std::nullopt;
    }
    return std::nullopt;
}

// Only for what stands in for a size: too large is safe, too small is not.
std::optional<double> magnitude(std::string_view sql, const Json& value, int depth) {
    if (depth > depth_max || !GuardSteps::take()) {
        return std::nullopt;
    }
    if (const auto exact = evaluate(sql, &value)) {
        return std::abs(*exact);
    }
    const auto inner = [&](const Json* piece) {
        return piece ? magnitude(sql, *piece, depth + 1) : std::nullopt;
    };
    if (const auto* cast = node(&value, "TypeCast")) {
        return inner(base::member(*cast, "arg"));
    }
    if (const auto* list = node(&value, "CoalesceExpr")) {
        double most = 0;
        for (std::size_t i = 0; i < argument_count(*list); ++i) {
            const auto each = inner(argument(*list, i));
            if (!each) {
                return std::nullopt;
            }
            most = std::max(most, *each);
        }
        return most;
    }
    if (const auto* expression = node(&value, "A_Expr")) {
        const auto name = operator_of(*expression);
        const auto* first = base::member(*expression, "lexpr");
        const auto left = first ? inner(first) : std::optional{0.0};
        const auto right = inner(base::member(*expression, "rexpr"));
        if (!left || !right) {
            return std::nullopt;
        }
        const auto divisor = evaluate(sql, base::member(*expression, "rexpr")).value_or(0);
        if (name == "/" && std::abs(divisor) >= 1) {
            return left;
        }
        return name == "%"                  ? right
               : name == "+" || name == "-" ? std::optional{*left + *right}
               : name == "*"                ? std::optional{*left * *right}
                                            : std::nullopt;
    }
    const auto* call = node(&value, "FuncCall");
    if (call == nullptr) {
        return std::nullopt;
    }
    const auto name = called(value);
    const auto count = argument_count(*call);
    if (name == "random" && count == 0) {
        return 1;
    }
    if (name == "mod" && count == 2) {
        return inner(argument(*call, 1));
    }
    const bool rounds = name == "ceil" || name == "ceiling" || name == "floor" || name == "round" ||
                        name == "trunc" || name == "abs";
    if (rounds && count >= 1) {
        const auto most = inner(argument(*call, 0));
        return most ? std::optional{*most + 1} : most;
    }
    if ((name == "ln" || name == "log" || name == "sqrt") && count == 1) {
        const auto most = inner(argument(*call, 0));
        return most && *most >= 1 ? most : std::nullopt;
    }
    return std::nullopt;
}

namespace {

struct Unit {
    std::string_view name; // as PostgreSQL writes it, and what it may be cut to
    double seconds;
};

constexpr double day = 86'400;

constexpr auto units = std::to_array<Unit>({
    {"microsecond", 1e-6},
    {"us", 1e-6},
    {"usec", 1e-6},
    {"millisecond", 1e-3},
    {"ms", 1e-3},
    {"msec", 1e-3},
    {"second", 1},
    {"sec", 1},
    {"s", 1},
    {"minute", 60},
    {"min", 60},
    {"m", 60},
    {"hour", 3'600},
    {"hr", 3'600},
    {"h", 3'600},
    {"day", day},
    {"d", day},
    {"week", 7 * day},
    {"w", 7 * day},
    {"month", 30 * day},
    {"mon", 30 * day},
    {"year", 365 * day},
    {"yr", 365 * day},
    {"y", 365 * day},
    {"decade", 3650 * day},
    {"century", 36'500 * day},
});

std::optional<double> unit_seconds(std::string_view name) {
    for (const auto& unit : units) {
        if (name == unit.name ||
            (name.ends_with('s') && name.substr(0, name.size() - 1) == unit.name)) {
            return unit.seconds;
        }
    }
    return std::nullopt;
}

/// "1:30" and "01:30:05.5", sign included.
std::optional<double> clock_seconds(const std::string& text) {
    double all = 0;
    double scale = 3'600;
    const char* at = text.c_str();
    for (int part = 0; part < 3; ++part, scale /= 60) {
        char* end = nullptr;
        all += std::abs(std::strtod(at, &end)) * scale;
        if (end == at) {
            return std::nullopt;
        }
        at = end;
        if (*at == '\0') {
            return part > 0 ? std::optional{all} : std::nullopt;
        }
        if (*at++ != ':') {
            return std::nullopt;
        }
    }
    return std::nullopt;
}

/// "1 day 02:00:00", "-5 minutes", "90s". Nothing for what PostgreSQL reads in other ways too.
std::optional<double> interval_seconds(const std::string& written) {
    const auto text = base::lower_ascii(written);
    std::vector<std::string> words{""};
    bool digits = false;
    for (const char c : text) {
        const bool part = (c >= '0' && c <= '9') || c == '.' || c == ':' || c == '-' || c == '+';
        if (c == ' ' || (part != digits && !words.back().empty())) {
            words.emplace_back();
        }
        words.back().append(c == ' ' ? 0U : 1U, c);
        digits = part;
    }
    words.erase(std::remove(words.begin(), words.end(), ""), words.end());
    double all = 0;
    for (std::size_t i = 0; i < words.size(); ++i) {
        if (words[i].find(':') != std::string::npos) {
            const auto clock = clock_seconds(words[i]);
            if (!clock) {
                return std::nullopt;
            }
            all += *clock;
            continue;
        }
        const auto count = number(words[i]);
        const bool named = i + 1 < words.size();
        const auto unit = named ? unit_seconds(words[i + 1]) : std::nullopt;
        if (!count || (named && !unit)) {
            return std::nullopt;
        }
        all += *count * unit.value_or(1); // without a unit: seconds
        ++i;
    }
    return words.empty() ? std::nullopt : std::optional{std::abs(all)};
}

/// "2026-01-31 12:00" and what begins so.
std::optional<double> date_seconds(const std::string& text) {
    char* end = nullptr;
    const auto year = std::strtol(text.c_str(), &end, 10);
    if (*end != '-' || year < 1 || year > 300'000) {
        return std::nullopt;
    }
    const auto month = std::strtol(end + 1, &end, 10);
    const auto dayth = *end == '-' ? std::strtol(end + 1, &end, 10) : 1;
    double all = static_cast<double>(year - 1970) * 365.2425 * day +
                 static_cast<double>(month - 1) * 30.44 * day + static_cast<double>(dayth) * day;
    while (*end == ' ' || *end == 'T' || *end == 't') {
        ++end;
    }
    const std::string clock{end};
    return all +
           clock_seconds(clock.substr(0, clock.find_first_not_of("0123456789:."))).value_or(0);
}

constexpr double some_day = 60 * 365.2425 * day; // the first of 2030: not before any today of ours

} // namespace

std::optional<double> span(std::string_view sql, const Json& value, int depth) {
    if (depth > depth_max) {
        return std::nullopt;
    }
    if (const auto* cast = node(&value, "TypeCast")) {
        const auto* inner = base::member(*cast, "arg");
        const auto* type = base::member(*cast, "typeName");
        const bool unit_in_type = type != nullptr && type->contains("typmods"); // '5' minute
        return inner && !unit_in_type ? span(sql, *inner, depth + 1) : std::nullopt;
    }
    if (const auto constant = text(value)) {
        return interval_seconds(*constant);
    }
    if (const auto* expression = node(&value, "A_Expr")) {
        const auto name = operator_of(*expression);
        const auto* first = base::member(*expression, "lexpr");
        const auto* second = base::member(*expression, "rexpr");
        if (first == nullptr || second == nullptr || (name != "*" && name != "/")) {
            return std::nullopt;
        }
        const auto left = span(sql, *first, depth + 1);
        const auto right = evaluate(sql, second);
        if (left && right && !evaluate(sql, first)) {
            return name == "*"   ? *left * *right
                   : *right == 0 ? std::nullopt
                                 : std::optional{*left / *right};
        }
        const auto factor = evaluate(sql, first);
        const auto length = span(sql, *second, depth + 1);
        return factor && length && name == "*" ? std::optional{*factor * *length} : std::nullopt;
    }
    const auto* call = node(&value, "FuncCall");
    if (call == nullptr || called(value) != "make_interval") {
        return std::nullopt;
    }
    constexpr auto places = std::to_array<std::string_view>(
        {"years", "months", "weeks", "days", "hours", "mins", "secs"}
    );
    double all = 0;
    for (std::size_t i = 0; i < argument_count(*call); ++i) {
        const auto* each = argument(*call, i);
        const auto* named = node(each, "NamedArgExpr");
        const auto name = named ? base::string_member(*named, "name").value_or("")
                                : std::string{i < places.size() ? places[i] : ""};
        const auto count = evaluate(sql, named ? base::member(*named, "arg") : each);
        const auto unit = unit_seconds(name);
        if (!count || !unit) {
            return std::nullopt;
        }
        all += *count * *unit;
    }
    return std::abs(all);
}

std::optional<double> moment(std::string_view sql, const Json& value, int depth) {
    if (depth > depth_max) {
        return std::nullopt;
    }
    if (value.contains("SQLValueFunction")) {
        return some_day;
    }
    if (const auto constant = text(value)) {
        const auto word = base::lower_ascii(std::string{base::trim(*constant)});
        const bool today =
            word == "now" || word == "today" || word == "tomorrow" || word == "yesterday";
        return word == "epoch" ? 0 : today ? some_day : date_seconds(word);
    }
    if (const auto* cast = node(&value, "TypeCast")) {
        const auto* inner = base::member(*cast, "arg");
        return inner ? moment(sql, *inner, depth + 1) : std::nullopt;
    }
    if (const auto* expression = node(&value, "A_Expr")) {
        const auto name = operator_of(*expression);
        const auto* first = base::member(*expression, "lexpr");
        const auto* second = base::member(*expression, "rexpr");
        if (first == nullptr || second == nullptr || (name != "+" && name != "-")) {
            return std::nullopt;
        }
        const auto from = moment(sql, *first, depth + 1);
        // A bare number is added to a date: days.
        const auto days = evaluate(sql, second);
        const auto by = days ? std::optional{*days * day} : span(sql, *second, depth + 1);
        return from && by ? operate(name, *from, *by) : std::nullopt;
    }
    const auto name = called(value);
    const auto* call = node(&value, "FuncCall");
    if (name == "now" || name == "clock_timestamp" || name == "statement_timestamp" ||
        name == "transaction_timestamp") {
        return some_day;
    }
    const bool wraps = name == "date_trunc" || name == "timezone";
    const auto* inner = wraps                                      ? argument(*call, 1)
                        : name == "date" || name == "to_timestamp" ? argument(*call, 0)
                                                                   : nullptr;
    if (inner == nullptr) {
        return std::nullopt;
    }
    const auto seconds = name == "to_timestamp" ? evaluate(sql, inner) : std::nullopt;
    return seconds ? seconds : moment(sql, *inner, depth + 1);
}

} // namespace interlock::db::constants

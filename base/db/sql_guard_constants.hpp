// What the constants of a parse tree amount to: numbers, lengths, spans of time, moments. What
// depends on data has no value here.
#pragma once

#include "base/json.hpp"

#include <functional>
#include <limits>
#include <optional>
#include <string>
#include <string_view>

namespace interlock::db::constants {

inline constexpr double endless = std::numeric_limits<double>::infinity();

/// The members of a node of `type`; nullptr when `value` is none.
const base::Json* node(const base::Json* value, const char* type);
/// The name of the function that a node calls, without its schema; "" when it calls none.
std::string called(const base::Json& value);
/// Asks every node below `value`, until one says yes.
bool any_node(
    const base::Json& value,
    const std::function<bool(const std::string& type, const base::Json& members)>& asked
);
/// Whether an expression takes anything from the data: a column, or count(*).
bool has_column(const base::Json& value);
/// All text constants below a piece of the tree, one behind the other.
std::string texts_in(const base::Json& value);

/// The text that an expression of constants has: a constant, casts of it, `||` and concat().
std::optional<std::string> text(const base::Json& value);
std::optional<double> number(const std::string& text);
/// A constant node's number; the statement's text has the sign, which the tree leaves out.
std::optional<double> constant_number(std::string_view sql, const base::Json& constant);
/// The number that an expression of constants has.
std::optional<double> evaluate(std::string_view sql, const base::Json* value, int depth = 0);
/// What the absolute value of an expression cannot exceed, though nobody knows it here.
std::optional<double> magnitude(std::string_view sql, const base::Json& value, int depth = 0);

/// Seconds of an interval, and seconds since the epoch of a moment. Now is some fixed day: only
/// differences are of use, and a few years more or less decide nothing.
std::optional<double> span(std::string_view sql, const base::Json& value, int depth = 0);
std::optional<double> moment(std::string_view sql, const base::Json& value, int depth = 0);

} // namespace interlock::db::constants

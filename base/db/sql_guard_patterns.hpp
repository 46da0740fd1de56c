// Texts of a statement that are programs of their own: regular expressions and JSON paths.
#pragma once

#include "base/json.hpp"

#include <string_view>

namespace interlock::db::patterns {

/// States that a regular expression unrolls to; 0 for one that repeats nothing a counted number of
/// times.
double states(std::string_view pattern);
/// Whether a text of the statement, also one that is joined of constants, is a pattern or a path
/// that takes more than a diagnosis needs.
bool costly(const base::Json& statement);

/// How many wildcards a JSON path has, and how many operations that multiply.
struct PathFacts {
    int wildcards = 0;
    int descents = 0;
    int products = 0;
};
PathFacts path_facts(std::string_view path);

} // namespace interlock::db::patterns

// Where the columns of a SELECT's answer come from, as far as it decides how they may be shown:
// texts of statements, which hold literals; values of settings, which may be passwords; or what an
// expression made of either, in which no rule finds a secret any more. Read from the parse tree
// without a catalog, so names count wherever they stand and doubt is for hiding.
#pragma once

#include "base/result.hpp"

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace interlock::db {

enum class Origin {
    ordinary,
    statement, // the text of a statement from its beginning on: the lexer masks its literals
    setting,   // holds the value of a setting as it is
    computed,  // made of one of them in a way that hides what it is
};

/// Of each of `columns`, the names that the target gave the columns of `select`'s answer.
base::Result<std::vector<Origin>>
column_origins(std::string_view select, const std::vector<std::string>& columns);

/// Whether a setting of this name may hold a secret, or a command that does.
bool is_secret_setting(std::string_view name);
/// The same of a name in lower case as a regular expression of PostgreSQL, but for
/// password_encryption.
std::string_view secret_setting_pattern();

/// Whether a setting's value may be seen where its name is not known: one word or a list of them,
/// or assignments, none of which names a setting that may hold a secret.
bool is_plain_setting_value(std::string_view value);

} // namespace interlock::db

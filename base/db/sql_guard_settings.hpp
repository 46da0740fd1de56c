// Settings that hold a password, or a command that prints one. pg_settings shows them to whoever
// may read all settings. Plain, their values are masked before they leave; what reshapes a value
// would get it past that, so it needs to say which settings it means.
#pragma once

#include "base/json.hpp"

#include <string>
#include <string_view>

namespace interlock::db {

/// "" or why a statement may show what it should not.
std::string reads_secret_settings(const base::Json& statement);

/// Whether what `select` calls `name` is the name of the setting in the same row.
bool names_settings_itself(std::string_view select);

} // namespace interlock::db

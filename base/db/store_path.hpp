// Telling a store that is not there from one that this user may not look at.
#pragma once

#include "base/result.hpp"

#include <optional>
#include <string>

namespace interlock::db {

/// Why this program cannot even see whether `path` is there: the directory above that keeps it out,
/// whose it is, and whom this is. nullopt: it can.
std::optional<base::Error> kept_out_of(const std::string& path);

} // namespace interlock::db

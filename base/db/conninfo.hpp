// Where a target is and how to log in, without the secret standing in the open.
#pragma once

#include "base/decode.hpp"
#include "base/result.hpp"

#include <string>
#include <vector>

namespace interlock::db {

/// A target as a configuration names it. `conninfo` is libpq's key=value form or a URI.
struct TargetAddress {
    std::string name; // [a-z0-9][a-z0-9_-]{0,62}
    std::string conninfo;
    std::string password_file; // read at connect time; "" = none (pgpass and the like still work)
    /// Directory of the server's log files, as this machine sees it; "" = none. Only diagnosing
    /// programs read it: read_logs_directory().
    std::string logs = {};
};

/// Reads `name`, `conninfo`, `password_file` of one entry of `targets:`.
TargetAddress read_target_address(base::Decoder& entry);
/// NAME=CONNINFO of the command line.
base::Result<TargetAddress> parse_target_argument(std::string_view text);
/// conninfo without password, for messages.
std::string describe(const TargetAddress& address);

} // namespace interlock::db

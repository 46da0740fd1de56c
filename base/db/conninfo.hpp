// Where a target is and how to log in, without the secret standing in the open.
#pragma once

#include "base/decode.hpp"
#include "base/result.hpp"

#include <chrono>
#include <optional>
#include <string>
#include <vector>

namespace interlock::db {

/// A target as a configuration names it. `conninfo` is libpq's key=value form or a URI; it may name
/// several servers, as in host=db1,db2, with the rule in target_session_attrs.
struct TargetAddress {
    std::string name; // [a-z0-9][a-z0-9_-]{0,62}
    std::string conninfo;
    std::string password_file; // read at connect time; "" = none (pgpass and the like still work)
    /// Directory of the server's log files, as this machine sees it; "" = none. Only diagnosing
    /// programs read it: read_logs_directory().
    std::string logs = {};
    std::string password_variable = {};             // of the environment; "" = none
    std::vector<std::string> password_command = {}; // argv of what prints it; empty = none
    /// How far a standby's data may lie behind before every answer about it says so; none: any
    /// distance will do.
    std::optional<std::chrono::milliseconds> freshness_max = {};

    bool operator==(const TargetAddress&) const = default;
};

/// One of a target's servers, in libpq's words.
struct ServerAddress {
    std::string host; // a name, an address, or the directory of a socket; "" = libpq's default
    std::string hostaddr;
    std::string port; // "" = libpq's default
    std::string name; // host:port, for people
};

/// The servers that `conninfo` names, in its order. One where none or one is named, or where only
/// libpq knows (a service file, the environment). invalid_input when hosts and ports do not match.
base::Result<std::vector<ServerAddress>> servers_of(const TargetAddress& address);

/// What a server is to be.
enum class Role { any, primary, standby };
const char* name(Role role);

/// Which of a target's servers is wanted: the first with that role, and if none has it, another
/// unless that is not wanted at all.
struct Choice {
    Role role = Role::any;
    bool strict = false;

    bool takes(bool in_recovery) const {
        return role == Role::any || (role == Role::standby) == in_recovery;
    }
};

/// What a read looks at: a server's own doings (sessions, locks, slots, statistics) are the
/// primary's in a target of several servers; data, catalogs and plans are the same on each.
enum class Looks { at_server, at_data };

/// The target's rule, target_session_attrs of conninfo: `primary` (or read-write) and `standby` (or
/// read-only) take no other; `prefer-standby` looks at data on a standby where there is one; `any`
/// takes the first that answers. Without a rule a target of several servers means its primary, and
/// a standby where there is none.
Choice choice_of(const TargetAddress& address, Looks looks);

/// To change a target: its primary, where several servers are named.
Choice choice_to_write(const TargetAddress& address);

/// Reads `name`, `conninfo`, and at most one of `password_file`, `password_env` and
/// `password_command` of one entry of `targets:`.
TargetAddress read_target_address(base::Decoder& entry);
/// NAME=CONNINFO of the command line, which holds no password: everybody on the machine sees it.
base::Result<TargetAddress> parse_target_argument(std::string_view text);
/// conninfo without password, for messages.
std::string describe(const TargetAddress& address);

} // namespace interlock::db

#include "base/db/conninfo_rules.hpp"

#include "base/db/conninfo_options.hpp"

#include <algorithm>
#include <array>
#include <string>

namespace interlock::db {
namespace {

using base::Errc;
using base::Error;

constexpr std::array<std::string_view, 6> rules{
    "any", "primary", "standby", "prefer-standby", "read-write", "read-only"};

constexpr std::string_view secret_remedy =
    "keep it in a file of mode 0600 (password_file), in a variable (password_env), in what a "
    "command prints (password_command), or in libpq's passfile or service file";

} // namespace

base::Status check_conninfo(const TargetAddress& address) {
    const auto problem = [](std::string what, std::string_view remedy) {
        return Error{Errc::invalid_input, std::move(what), std::string{remedy}};
    };
    const auto options = ConninfoOptions::parse(address.conninfo);
    if (!options) {
        return problem("does not parse", conninfo_form);
    }
    for (const auto* secret : {"password", "sslpassword"}) {
        if (options->find(secret)) {
            return problem("holds a password", secret_remedy);
        }
    }
    const auto rule = options->find("target_session_attrs").value_or("any");
    if (std::find(rules.begin(), rules.end(), rule) == rules.end()) {
        return problem(
            "has a target_session_attrs that is none",
            "Write any, primary, standby, prefer-standby, read-write or read-only."
        );
    }
    INTERLOCK_CHECK(servers_of(address));
    return base::done;
}

void read_password_source(base::Decoder& entry, TargetAddress& address) {
    address.password_file = entry.text_or("password_file", "");
    address.password_variable = entry.text_or("password_env", "");
    address.password_command = entry.texts("password_command");
    for (const auto* key : {"password_file", "password_env", "password_command"}) {
        entry.refuse_empty(key);
    }
    const int sources = int{!address.password_file.empty()} +
                        int{!address.password_variable.empty()} +
                        int{!address.password_command.empty()};
    if (sources > 1) {
        entry.fail(
            "password_file",
            "there is one password: give one of password_file, password_env and password_command"
        );
    }
}

} // namespace interlock::db

// How interlock-server is told what to do: a configuration file, the command line, or both (the
// command line wins; its targets are added).
#pragma once

#include "base/db/conninfo.hpp"
#include "base/http_server.hpp"
#include "base/log.hpp"
#include "base/result.hpp"
#include "server/authorization/options.hpp"
#include "server/supervisor.hpp"

#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace interlock::server {

/// Exit codes, also printed by --help.
enum class Exit {
    ok = 0,
    other = 1,
    usage = 2,              // command line or configuration
    refused_credential = 3, // a target's credential could write
    store = 4,              // the state directory or its files
};

struct Options {
    std::string state; // directory
    bool stdio = false;
    std::optional<std::string> listen;       // address
    unsigned short port = 0;                 // 0: any free port
    std::optional<std::string> admin_listen; // loopback: what operators see, and nothing else
    unsigned short admin_port = 0;           // 0: any free port
    std::vector<db::TargetAddress> targets;
    std::vector<std::string> toolsets; // domains; empty = all
    std::string desk_url;
    std::string port_file; // gets the port once it listens; "" = none
    base::LogLevel log_level = base::LogLevel::info;
    std::optional<AuthorizationOptions> authorization; // nullopt: none, on loopback only
    std::optional<base::HttpTls> tls;
    std::vector<std::string> allowed_hosts;   // with the resource's host; "name" or "name:port"
    std::vector<std::string> allowed_origins; // "https://app.example"
    bool behind_proxy = false;                // which speaks TLS for this server
    std::optional<SupervisorLimits> supervisor = SupervisorLimits{}; // nullopt: nobody is watched
    std::string config_file;                                         // "" = none
    std::vector<std::string> arguments; // the command line, for reread()
};

/// What to print instead of running (--help, --version, a usage error), and the exit code.
struct Printed {
    std::string text;
    Exit exit = Exit::ok;
};

std::variant<Options, Printed> read_options(int argc, const char* const* argv);
/// The configuration file as it is now, with the command line still on top.
base::Result<Options> reread(const Options& options);
/// Settings that differ and are not taken over by a reload: names of keys, to be told.
std::vector<std::string> waiting_for_restart(const Options& running, const Options& fresh);
/// The YAML of --config, alone.
base::Result<Options> parse_configuration(std::string_view yaml);
/// Why this server does not listen so; done when it may.
base::Status check_exposure(const Options& options);

} // namespace interlock::server

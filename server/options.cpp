#include "server/options.hpp"

#include "base/decode.hpp"
#include "base/file.hpp"
#include "base/http_server.hpp"
#include "base/limits.hpp"
#include "base/yaml.hpp"
#include "server/http_endpoint.hpp"

#include <algorithm>
#include <utility>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

namespace interlock::server {
namespace {

using base::Errc;
using base::Error;
using base::LogLevel;

constexpr const char* about =
    "Interlock's MCP server: agents diagnose PostgreSQL through it and cannot change it.\n\n"
    "  interlock-server --stdio --target shop='host=db1 dbname=shop user=interlock_diag'\n"
    "  interlock-server --listen 127.0.0.1:7420 --target shop='service=shop'\n"
    "  interlock-server --config /etc/interlock/server.yaml";

constexpr const char* footer =
    "Keep passwords out of the command line: use a passfile, a service file, or password_file in\n"
    "the configuration. HTTP has no authorization yet and therefore listens on loopback only:\n"
    "POST /mcp, GET /healthz, /readyz, /metrics. With --stdio, stdout carries the protocol and\n"
    "nothing else; the log is on stderr.\n\n"
    "Configuration (YAML): state, listen, stdio, desk_url, toolsets: [..], log_level,\n"
    "targets: [{name, conninfo, password_file}].\n\n"
    "Exit codes: 0 ended as asked; 1 other failure; 2 command line or configuration; 3 a target's\n"
    "credential could write (the check, its proof and the remedy are printed); 4 the state\n"
    "directory cannot be used.";

/// The command line as typed; what was not given stays empty.
struct Typed {
    std::string config;
    std::string state;
    std::string listen;
    std::string desk_url;
    std::string port_file;
    std::string log_level;
    bool stdio = false;
    std::vector<std::string> targets;
    std::vector<std::string> toolsets;
};

void declare(CLI::App& app, Typed& typed) {
    app.footer(footer);
    app.set_version_flag("--version", std::string("interlock-server ") + INTERLOCK_VERSION);
    app.add_option("--config", typed.config, "Configuration file (YAML)");
    app.add_flag("--stdio", typed.stdio, "Serve MCP on stdin and stdout");
    app.add_option("--listen", typed.listen, "Serve MCP over HTTP on this loopback ADDRESS:PORT");
    app.add_option("--target", typed.targets, "NAME=CONNINFO of a PostgreSQL server; repeatable")
        ->allow_extra_args(false);
    app.add_option("--state", typed.state, "Directory for queue, audit and evidence");
    app.add_option("--toolsets", typed.toolsets, "Only these domains of tools, comma-separated")
        ->delimiter(',')
        ->allow_extra_args(false);
    app.add_option("--desk-url", typed.desk_url, "Where people decide; shown with every plan");
    app.add_option("--port-file", typed.port_file, "Write the port that is listened on here");
    app.add_option("--log-level", typed.log_level, "debug, info, warning or error")
        ->check(CLI::IsMember(base::log_level_names()));
}

base::Status set_listen(Options& options, const std::string& text) {
    INTERLOCK_TRY(const auto parsed, base::parse_listen_address(text));
    options.listen = parsed.first;
    options.port = parsed.second;
    return base::done;
}

/// For names that were checked already; anything else keeps the default.
LogLevel level_from(const std::string& name) {
    const auto level = base::log_level_from_name(name);
    return level ? *level : LogLevel::info;
}

base::Result<Options> from_file(const std::string& path) {
    if (path.empty()) {
        return Options{};
    }
    INTERLOCK_TRY(const auto text, base::read_file(path, base::limits::yaml_bytes_max));
    auto options = parse_configuration(text);
    if (!options) {
        return Error{
            options.error().code, path + ": " + options.error().what, options.error().remedy};
    }
    return options;
}

base::Status check_targets(const Options& options) {
    if (options.targets.empty()) {
        return Error{
            Errc::invalid_input,
            "There is no target to look at.",
            "Give --target NAME=CONNINFO, or `targets:` in the configuration."};
    }
    std::vector<std::string> names;
    for (const db::TargetAddress& target : options.targets) {
        if (std::find(names.begin(), names.end(), target.name) != names.end()) {
            return Error{
                Errc::invalid_input,
                "Target `" + target.name + "` is named twice.",
                "Give every target a name of its own."};
        }
        names.push_back(target.name);
    }
    return base::done;
}

base::Result<Options> combine(const Typed& typed) {
    INTERLOCK_TRY(Options options, from_file(typed.config));
    options.stdio = options.stdio || typed.stdio;
    if (!typed.listen.empty()) {
        INTERLOCK_CHECK(set_listen(options, typed.listen));
    }
    for (const std::string& text : typed.targets) {
        INTERLOCK_TRY(auto target, db::parse_target_argument(text));
        options.targets.push_back(std::move(target));
    }
    const auto prefer = [](std::string& into, const std::string& given) {
        into = given.empty() ? into : given;
    };
    prefer(options.state, typed.state);
    prefer(options.desk_url, typed.desk_url);
    prefer(options.port_file, typed.port_file);
    if (!typed.toolsets.empty()) {
        options.toolsets = typed.toolsets;
    }
    if (!typed.log_level.empty()) {
        options.log_level = level_from(typed.log_level);
    }
    if (options.state.empty()) {
        options.state = base::default_state_directory();
    }
    if (!options.stdio && !options.listen) {
        return Error{
            Errc::invalid_input,
            "There is nothing to serve on.",
            "Give --stdio, or --listen 127.0.0.1:PORT, or both."};
    }
    if (options.listen && !base::is_loopback(*options.listen)) {
        return not_loopback(*options.listen);
    }
    INTERLOCK_CHECK(check_targets(options));
    return options;
}

} // namespace

base::Result<Options> parse_configuration(std::string_view yaml) {
    INTERLOCK_TRY(const base::Json document, base::parse_yaml(yaml));
    base::Decoder decoder(document, "");
    Options options;
    options.state = decoder.text_or("state", "");
    options.stdio = decoder.boolean_or("stdio", false);
    options.desk_url = decoder.text_or("desk_url", "");
    options.toolsets = decoder.texts("toolsets");
    if (decoder.has("log_level")) {
        options.log_level = level_from(decoder.choice("log_level", base::log_level_names()));
    }
    for (base::Decoder& entry : decoder.mappings("targets")) {
        options.targets.push_back(db::read_target_address(entry));
    }
    const std::string listen = decoder.text_or("listen", "");
    INTERLOCK_CHECK(decoder.finish());
    if (!listen.empty()) {
        INTERLOCK_CHECK(set_listen(options, listen));
    }
    return options;
}

std::variant<Options, Printed> read_options(int argc, const char* const* argv) {
    CLI::App app(about, "interlock-server");
    Typed typed;
    declare(app, typed);
    try {
        app.parse(argc, argv);
    } catch (const CLI::CallForHelp&) {
        return Printed{app.help(), Exit::ok};
    } catch (const CLI::CallForVersion& version) {
        return Printed{std::string(version.what()) + "\n", Exit::ok};
    } catch (const CLI::ParseError& problem) {
        return Printed{
            std::string("interlock-server: ") + problem.what() + "\nSee interlock-server --help.\n",
            Exit::usage};
    }
    auto options = combine(typed);
    if (!options) {
        return Printed{"interlock-server: " + base::to_text(options.error()) + "\n", Exit::usage};
    }
    return std::move(options).value();
}

} // namespace interlock::server

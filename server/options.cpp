#include "server/options.hpp"

#include "base/decode.hpp"
#include "base/file.hpp"
#include "base/http_server.hpp"
#include "base/limits.hpp"
#include "base/text.hpp"
#include "base/yaml.hpp"
#include "server/authorization/url.hpp"

#include <algorithm>
#include <filesystem>
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
    "A password on the command line is refused: use a passfile, a service file, or password_file,\n"
    "password_env or password_command in the configuration. HTTP answers /mcp, /healthz, /readyz "
    "and /metrics; without authorization\n"
    "in the configuration it listens on loopback only. With --stdio, stdout carries the protocol\n"
    "and nothing else; the log is on stderr. SIGHUP reads configuration, keys and certificates\n"
    "again.\n\n"
    "Configuration (YAML): state, listen, admin_listen, stdio, desk_url, toolsets: [..], "
    "log_level,\n"
    "targets: [{name, conninfo, password_file | password_env | password_command: [..], logs}],\n"
    "tls: {certificate, key}, behind_proxy,\n"
    "allowed_hosts: [..], allowed_origins: [..], authorization: {resource, clock_skew_seconds,\n"
    "issuers: [{issuer, jwks, algorithms}], rules: [{claims, database_role, toolsets}]},\n"
    "supervisor: {failing_calls, identical_calls, window, calls, result_bytes, database_time}.\n\n"
    "Exit codes: 0 ended as asked; 1 other failure; 2 command line or configuration; 3 a target's\n"
    "credential could write (the check, its proof and the remedy are printed); 4 the state\n"
    "directory cannot be used.";

/// The command line as typed; what was not given stays empty.
struct Typed {
    std::string config;
    std::string state;
    std::string listen;
    std::string admin_listen;
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
    app.add_option("--listen", typed.listen, "Serve MCP over HTTP on this ADDRESS:PORT");
    app.add_option(
        "--admin-listen",
        typed.admin_listen,
        "Serve /metrics, /readyz and /healthz on this loopback ADDRESS:PORT, too"
    );
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

base::Status set_admin_listen(Options& options, const std::string& text) {
    INTERLOCK_TRY(const auto parsed, base::parse_listen_address(text));
    options.admin_listen = parsed.first;
    options.admin_port = parsed.second;
    return base::done;
}

/// For names that were checked already; anything else keeps the default.
LogLevel level_from(const std::string& name) {
    const auto level = base::log_level_from_name(name);
    return level ? *level : LogLevel::info;
}

/// Relative paths start at the configuration's directory, wherever the program was started.
void start_paths_at(Options& options, const std::filesystem::path& directory) {
    const auto resolve = [&](std::string& path) {
        path = path.empty() ? path : (directory / path).lexically_normal().string();
    };
    resolve(options.state);
    for (db::TargetAddress& target : options.targets) {
        resolve(target.password_file);
        resolve(target.logs);
    }
    if (options.tls) {
        resolve(options.tls->certificate_file);
        resolve(options.tls->key_file);
    }
    if (options.authorization) {
        for (Issuer& issuer : options.authorization->issuers) {
            if (!is_key_url(issuer.jwks)) {
                resolve(issuer.jwks);
            }
        }
    }
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
    start_paths_at(*options, std::filesystem::path(path).parent_path());
    options->config_file = path;
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
    if (!typed.admin_listen.empty()) {
        INTERLOCK_CHECK(set_admin_listen(options, typed.admin_listen));
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
    INTERLOCK_CHECK(check_exposure(options));
    INTERLOCK_CHECK(check_targets(options));
    if (options.authorization) {
        INTERLOCK_TRY(const Url resource, parse_url(options.authorization->resource));
        options.allowed_hosts.push_back(resource.authority);
    }
    return options;
}

std::optional<AuthorizationOptions>
read_authorization(base::Decoder& decoder, const base::Json& document) {
    const base::Json* value = base::member(document, "authorization");
    if (!decoder.has("authorization")) {
        decoder.refuse_empty("authorization");
        return std::nullopt;
    }
    if (value->is_string()) {
        (void)decoder.choice("authorization", {"none"});
        return std::nullopt;
    }
    base::Decoder entry = decoder.mapping("authorization");
    return read_authorization_options(entry);
}

std::optional<base::HttpTls> read_tls(base::Decoder& decoder) {
    if (!decoder.has("tls")) {
        decoder.refuse_empty("tls");
        return std::nullopt;
    }
    base::Decoder entry = decoder.mapping("tls");
    return base::HttpTls{entry.text("certificate"), entry.text("key")};
}

/// Each limit alone may be given; the others keep their defaults.
std::optional<SupervisorLimits>
read_supervisor(base::Decoder& decoder, const base::Json& document) {
    const base::Json* value = base::member(document, "supervisor");
    if (!decoder.has("supervisor")) {
        decoder.refuse_empty("supervisor");
        return SupervisorLimits{};
    }
    if (value->is_string()) {
        (void)decoder.choice("supervisor", {"none"});
        return std::nullopt;
    }
    constexpr long long most = 1'000'000'000'000; // as good as no limit
    constexpr std::chrono::hours window_max{24};
    base::Decoder entry = decoder.mapping("supervisor");
    SupervisorLimits limits;
    limits.failing_calls = entry.integer_or("failing_calls", 1, most, limits.failing_calls);
    limits.identical_calls = entry.integer_or("identical_calls", 2, most, limits.identical_calls);
    limits.calls = entry.integer_or("calls", 1, most, limits.calls);
    limits.result_bytes = entry.integer_or("result_bytes", 1, most, limits.result_bytes);
    limits.database_time =
        entry.duration_or("database_time", base::limits::supervised_database_time);
    limits.window = entry.duration_or("window", base::limits::supervised_window);
    if (limits.window < std::chrono::seconds{1} || limits.window > window_max) {
        entry.fail("window", "it is to be from 1s to 24h");
    }
    return limits;
}

/// What a client writes in Host: a name or an address, with or without a port.
std::vector<std::string> read_hosts(base::Decoder& decoder) {
    auto hosts = decoder.texts("allowed_hosts");
    for (std::string& host : hosts) {
        const auto url = parse_url("https://" + host);
        if (!url || !url->path.empty()) {
            decoder.fail(
                "allowed_hosts",
                "`" + base::cut_middle(base::sanitize(host), 60) +
                    "` is not a host; write host.example or host.example:8443, without wildcards"
            );
        }
        host = base::lower_ascii(host);
    }
    return hosts;
}

/// What a browser writes in Origin.
std::vector<std::string> read_origins(base::Decoder& decoder) {
    auto origins = decoder.texts("allowed_origins");
    for (std::string& origin : origins) {
        const auto url = parse_url(origin);
        if (!url || !url->path.empty()) {
            decoder.fail(
                "allowed_origins",
                "`" + base::cut_middle(base::sanitize(origin), 60) +
                    "` is not an origin; write https://app.example, without path and wildcards"
            );
        }
        origin = base::lower_ascii(origin);
    }
    return origins;
}

/// What to print when the arguments are not to be run with.
std::optional<Printed> parse_arguments(const std::vector<std::string>& arguments, Typed& typed) {
    CLI::App app(about, "interlock-server");
    declare(app, typed);
    try {
        app.parse(std::vector<std::string>(arguments.rbegin(), arguments.rend()));
    } catch (const CLI::CallForHelp&) {
        return Printed{app.help(), Exit::ok};
    } catch (const CLI::CallForVersion& version) {
        return Printed{std::string(version.what()) + "\n", Exit::ok};
    } catch (const CLI::ParseError& problem) {
        return Printed{
            std::string("interlock-server: ") + problem.what() + "\nSee interlock-server --help.\n",
            Exit::usage};
    }
    return std::nullopt;
}

} // namespace

base::Status check_exposure(const Options& options) {
    if (options.admin_listen && !base::is_loopback(*options.admin_listen)) {
        return Error{
            Errc::permission_denied,
            "`admin_listen` asks nobody who they are, and " + *options.admin_listen +
                " is not loopback.",
            "Use 127.0.0.1:PORT or [::1]:PORT; from elsewhere, /metrics of `listen` takes a "
            "token."};
    }
    if (!options.listen) {
        if (!options.tls && !options.authorization) {
            return base::done;
        }
        return Error{
            Errc::invalid_input,
            "`tls` and `authorization` are about HTTP, and nothing listens there: on stdio the "
            "caller is the user of the operating system.",
            "Add `listen: ADDRESS:PORT`, or remove them."};
    }
    if (base::is_loopback(*options.listen)) {
        return base::done;
    }
    if (!options.authorization) {
        return Error{
            Errc::permission_denied,
            "Without authorization this server listens on loopback only, and " + *options.listen +
                " is not loopback: everybody who reaches it could ask the targets anything.",
            "Configure `authorization:` with issuers and rules, or listen on 127.0.0.1:PORT."};
    }
    if (!options.tls && !options.behind_proxy) {
        return Error{
            Errc::permission_denied,
            "Without TLS on " + *options.listen +
                " access tokens and answers would cross the network in clear text.",
            "Configure `tls: {certificate, key}`; or, when a proxy in front of this server speaks "
            "TLS with clients and nobody else can reach this address, `behind_proxy: true`."};
    }
    return base::done;
}

base::Result<Options> parse_configuration(std::string_view yaml) {
    INTERLOCK_TRY(const base::Json document, base::parse_yaml(yaml));
    base::Decoder decoder(document, "");
    Options options;
    options.state = decoder.text_or("state", "");
    options.stdio = decoder.boolean_or("stdio", false);
    options.desk_url = decoder.text_or("desk_url", "");
    options.toolsets = decoder.texts("toolsets");
    decoder.refuse_empty("toolsets");
    if (decoder.has("log_level")) {
        options.log_level = level_from(decoder.choice("log_level", base::log_level_names()));
    }
    for (base::Decoder& entry : decoder.mappings("targets")) {
        options.targets.push_back(db::read_target_address(entry));
        options.targets.back().logs = entry.text_or("logs", "");
        entry.refuse_empty("logs");
        entry.refuse_empty("freshness_max");
        if (entry.has("freshness_max")) {
            options.targets.back().freshness_max =
                entry.duration_or("freshness_max", std::chrono::milliseconds{0});
        }
    }
    options.authorization = read_authorization(decoder, document);
    options.tls = read_tls(decoder);
    options.supervisor = read_supervisor(decoder, document);
    options.allowed_hosts = read_hosts(decoder);
    options.allowed_origins = read_origins(decoder);
    options.behind_proxy = decoder.boolean_or("behind_proxy", false);
    const std::string listen = decoder.text_or("listen", "");
    const std::string admin_listen = decoder.text_or("admin_listen", "");
    INTERLOCK_CHECK(decoder.finish());
    if (!listen.empty()) {
        INTERLOCK_CHECK(set_listen(options, listen));
    }
    if (!admin_listen.empty()) {
        INTERLOCK_CHECK(set_admin_listen(options, admin_listen));
    }
    return options;
}

std::variant<Options, Printed> read_options(int argc, const char* const* argv) {
    std::vector<std::string> arguments(argv + std::min(argc, 1), argv + argc);
    Typed typed;
    if (auto printed = parse_arguments(arguments, typed)) {
        return std::move(*printed);
    }
    auto options = combine(typed);
    if (!options) {
        return Printed{"interlock-server: " + base::to_text(options.error()) + "\n", Exit::usage};
    }
    options->arguments = std::move(arguments);
    return std::move(options).value();
}

std::vector<std::string> waiting_for_restart(const Options& running, const Options& fresh) {
    const auto tls = [](const Options& options) {
        return options.tls ? std::vector{options.tls->certificate_file, options.tls->key_file}
                           : std::vector<std::string>{};
    };
    const auto same = [&](auto member) { return running.*member == fresh.*member; };
    std::vector<std::string> changed;
    for (const auto& [name, is_same] : std::initializer_list<std::pair<const char*, bool>>{
             {"state", same(&Options::state)},
             {"stdio", same(&Options::stdio)},
             {"listen", same(&Options::listen) && same(&Options::port)},
             {"admin_listen", same(&Options::admin_listen) && same(&Options::admin_port)},
             {"targets", same(&Options::targets)},
             {"desk_url", same(&Options::desk_url)},
             {"tls", tls(running) == tls(fresh)},
             {"allowed_hosts", same(&Options::allowed_hosts)},
             {"allowed_origins", same(&Options::allowed_origins)},
             {"behind_proxy", same(&Options::behind_proxy)},
             {"authorization",
              running.authorization.has_value() == fresh.authorization.has_value()}}) {
        if (!is_same) {
            changed.emplace_back(name);
        }
    }
    return changed;
}

base::Result<Options> reread(const Options& options) {
    Typed typed;
    if (parse_arguments(options.arguments, typed)) {
        return Error{Errc::internal, "The command line cannot be read a second time.", ""};
    }
    INTERLOCK_TRY(Options next, combine(typed));
    next.arguments = options.arguments;
    return next;
}

} // namespace interlock::server

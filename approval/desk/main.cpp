// interlock-desk: shows people the queue. It holds no credential of any target.
#include "approval/desk/log_watch.hpp"
#include "approval/desk/notifier.hpp"
#include "approval/desk/options.hpp"
#include "approval/desk/plan_source.hpp"
#include "approval/desk/site.hpp"
#include "approval/desk/token.hpp"
#include "approval/desk/worker.hpp"
#include "base/db/store_place.hpp"
#include "base/file.hpp"
#include "base/log.hpp"
#include "base/signals.hpp"
#include "base/state_directory.hpp"
#include "telemetry/redaction.hpp"

#include <atomic>
#include <cstdio>
#include <memory>
#include <optional>

#include <CLI/CLI.hpp>

namespace {

namespace base = interlock::base;
namespace telemetry = interlock::telemetry;
namespace desk = interlock::desk;

constexpr std::chrono::milliseconds drain{2000};
constexpr int exit_failed = 1;
constexpr int exit_usage = 2;

int complain(const base::Error& error, int code) {
    std::fprintf(stderr, "interlock-desk: %s\n", base::to_text(error).c_str());
    return code;
}

base::Result<std::unique_ptr<base::HttpServer>>
listen(const desk::Options& options, desk::Worker& worker) {
    std::vector<std::string> hosts{"127.0.0.1", "localhost", "[::1]"};
    hosts.insert(hosts.end(), options.allowed_hosts.begin(), options.allowed_hosts.end());
    // Known once the server has bound, and the first request comes after that at the earliest.
    auto port = std::make_shared<std::atomic<unsigned short>>(options.port);
    base::HttpServerOptions server;
    server.address = options.address;
    server.port = options.port;
    server.gate = [hosts, port](const base::HttpRequest& request) {
        return base::refuse_foreign_host(request, hosts, port->load());
    };
    server.handler = [&worker](std::shared_ptr<base::HttpExchange> exchange) {
        worker.take(std::move(exchange));
    };
    INTERLOCK_TRY(auto started, base::HttpServer::start(std::move(server)));
    port->store(started->port());
    return started;
}

base::Status run(const desk::Options& options) {
    base::SystemClock clock;
    base::SystemRandom random;
    INTERLOCK_TRY(std::string token, desk::load_or_create_token(options.token_file, random));
    const base::StateDirectory state{options.state};
    INTERLOCK_TRY(const auto watch, desk::LogWatch::open(state, clock, random));
    INTERLOCK_TRY(const auto queue, interlock::db::find_store(state, options.queue));
    std::optional<desk::Notifier> notifier;
    if (!options.notify_url_file.empty()) {
        INTERLOCK_TRY(
            auto receiver, desk::read_receiver(options.notify_url_file, options.notify_secret_file)
        );
        notifier.emplace(desk::NotifierParts{
            queue, options.state + "/notified", std::move(receiver), clock});
    }
    const desk::PlanSource plans(queue, *watch, clock, random);
    const desk::Site site(plans, std::move(token));
    desk::Worker worker(site);
    INTERLOCK_TRY(const auto server, listen(options, worker));
    const std::string port = std::to_string(server->port());
    if (!options.port_file.empty())
        INTERLOCK_CHECK(base::write_file_atomically(options.port_file, port + "\n", 0644));
    if (notifier)
        notifier->start();
    base::log_info("desk.listening", {{"address", options.address}, {"port", port}});
    while (!base::wait_for_stop(std::chrono::hours{1})) {
    }
    server->stop(drain);
    base::log_info("desk.stopped");
    return base::done;
}

} // namespace

int main(int argc, char** argv) {
    CLI::App app("Shows the approval queue to people, on loopback, to who has the token.");
    app.set_version_flag("--version", INTERLOCK_VERSION);
    desk::Flags flags;
    auto* config = app.add_option("--config", flags.config, "Configuration file (YAML)");
    app.add_option("--state", flags.state, "State directory that holds the queue")
        ->excludes(config);
    app.add_option("--listen", flags.listen, "ADDRESS:PORT, loopback only (127.0.0.1:7421)");
    app.add_option("--token-file", flags.token_file, "File with the token; made when absent");
    app.add_option("--port-file", flags.port_file, "File to write the port to once it listens");
    app.add_option("--allowed-host", flags.allowed_hosts, "Host name of a TLS proxy in front");
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        return app.exit(error) == 0 ? 0 : exit_usage;
    }
    base::install_signal_handling();
    const auto options = desk::make_options(flags);
    if (!options.ok())
        return complain(options.error(), exit_usage);
    base::log_setup("interlock-desk", options->log_level, telemetry::redact_log_field);
    if (const auto ended = run(options.value()); !ended.ok())
        return complain(ended.error(), exit_failed);
    return 0;
}

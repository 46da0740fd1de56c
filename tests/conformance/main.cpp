// interlock-conformance: the MCP server with fixtures instead of diagnosis, for the official
// conformance suite and the end-to-end tests. Loopback only, without authorization, audit or
// databases.
#include "base/clock.hpp"
#include "base/file.hpp"
#include "base/http_server.hpp"
#include "base/ids.hpp"
#include "base/log.hpp"
#include "base/signals.hpp"
#include "server/http_endpoint.hpp"
#include "server/stdio.hpp"
#include "telemetry/redaction.hpp"
#include "tests/conformance/fixtures.hpp"

#include <cstdio>
#include <memory>
#include <string>
#include <thread>
#include <unistd.h>

#include <CLI/CLI.hpp>

namespace {

namespace base = interlock::base;
namespace conformance = interlock::conformance;
namespace server = interlock::server;
namespace telemetry = interlock::telemetry;

constexpr std::chrono::milliseconds close_grace{500}; // for answers already on their way

struct Options {
    std::string listen; // address:port; "" = no HTTP
    std::string port_file;
    bool stdio = false;
};

telemetry::Identity identity() {
    telemetry::Identity everybody;
    everybody.subject = "loopback:anonymous";
    everybody.issuer = "loopback";
    everybody.proof = "none";
    return everybody;
}

/// Everything between the transports and the fixtures.
struct Server {
    Server(
        conformance::Changes& changes,
        std::shared_ptr<const server::CompiledOffer> offer,
        base::Clock& clock,
        base::Random& random
    )
        : states(clock, random),
          tasks(clock, random),
          sessions(clock, random),
          tracer(telemetry::null_span_sink(), clock, random),
          catalogue(std::move(offer)),
          hub(sessions, clock),
          protocol({catalogue, sessions, tasks, states, tracer, metrics, clock}),
          runner({states, tasks, questions, nullptr, metrics, clock, random}),
          dispatcher(clock),
          handler({protocol, dispatcher, runner, hub, questions}) {
        changes.attach(catalogue, hub);
        catalogue.on_change([this](const server::OfferChange& change) { hub.lists_changed(change); }
        );
        tasks.on_change([this](
                            const std::string& owner, const std::string& id, const std::string& task
                        ) { hub.task_changed(owner, id, task); });
    }

    telemetry::Metrics metrics;
    server::RequestStates states;
    server::Tasks tasks;
    server::Sessions sessions;
    server::Questions questions;
    telemetry::Tracer tracer;
    server::Catalogue catalogue;
    server::Hub hub;
    server::Protocol protocol;
    server::CallRunner runner;
    server::Dispatcher dispatcher; // after all that its work uses
    server::MessageHandler handler;
};

int fail(const base::Error& error) {
    std::fputs(("interlock-conformance: " + base::to_text(error) + "\n").c_str(), stderr);
    return 1;
}

base::Result<std::unique_ptr<base::HttpServer>>
listen(const Options& options, Server& served, server::Gatekeeper& gatekeeper) {
    INTERLOCK_TRY(const auto address, base::parse_listen_address(options.listen));
    if (!base::is_loopback(address.first)) {
        return base::Error{
            base::Errc::invalid_input,
            address.first + " is not loopback, and everybody may call the fixtures.",
            "Listen on 127.0.0.1:PORT."};
    }
    INTERLOCK_TRY(
        auto http,
        server::start_http_endpoint(
            address.first,
            address.second,
            {served.handler,
             served.sessions,
             served.metrics,
             gatekeeper,
             [] { return std::string(); }}
        )
    );
    const std::string port = std::to_string(http->port());
    base::log_info("server.listening", {{"url", "http://" + address.first + ":" + port + "/mcp"}});
    if (!options.port_file.empty()) {
        INTERLOCK_CHECK(base::write_file_atomically(options.port_file, port + "\n", 0644));
    }
    return http;
}

int run(const Options& options) {
    base::SystemClock clock;
    base::SystemRandom random;
    conformance::Changes changes;
    auto offer = changes.begin();
    if (!offer) {
        return fail(offer.error());
    }
    Server served(changes, std::move(offer).value(), clock, random);
    const auto gatekeeper = server::open_gatekeeper(identity());
    std::unique_ptr<base::HttpServer> http;
    if (!options.listen.empty()) {
        auto started = listen(options, served, *gatekeeper);
        if (!started) {
            return fail(started.error());
        }
        http = std::move(started).value();
    }
    std::thread reader;
    if (options.stdio) {
        reader = std::thread([&served] {
            server::StdioServer(served.handler, served.hub, identity(), STDIN_FILENO, STDOUT_FILENO)
                .serve();
            base::request_stop();
        });
    }
    while (!base::wait_for_stop(std::chrono::minutes{1})) {
        base::take_reload_request(); // nothing to read again
    }
    if (reader.joinable()) {
        reader.join();
    }
    served.hub.close();
    served.dispatcher.drain(close_grace);
    if (http) {
        http->stop(close_grace);
    }
    return 0;
}

} // namespace

int main(int argc, char** argv) {
    Options options;
    CLI::App app("The MCP server with the fixtures of the official conformance suite.");
    app.add_option("--listen", options.listen, "Serve HTTP on this loopback address:port (0: any)");
    app.add_option("--port-file", options.port_file, "Write the port here once it listens");
    app.add_flag("--stdio", options.stdio, "Serve stdin and stdout");
    CLI11_PARSE(app, argc, argv);
    if (options.listen.empty() && !options.stdio) {
        std::fputs("interlock-conformance: give --listen, --stdio, or both.\n", stderr);
        return 2;
    }
    base::install_signal_handling();
    base::log_setup("interlock-conformance", base::LogLevel::warning, telemetry::redact_log_field);
    return run(options);
}

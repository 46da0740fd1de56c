// interlock-server: MCP over stdio and Streamable HTTP for agents that diagnose. Only the wiring of
// transports, signals and exit codes is here.
#include "base/clock.hpp"
#include "base/file.hpp"
#include "base/ids.hpp"
#include "base/log.hpp"
#include "base/signals.hpp"
#include "server/authorization/authorizer.hpp"
#include "server/http_endpoint.hpp"
#include "server/operator_pages.hpp"
#include "server/options.hpp"
#include "server/service.hpp"
#include "server/stdio.hpp"
#include "telemetry/redaction.hpp"

#include <cstdio>
#include <malloc.h>
#include <memory>
#include <string>
#include <thread>
#include <unistd.h>

namespace {

namespace base = interlock::base;
namespace telemetry = interlock::telemetry;
namespace limits = interlock::base::limits;
namespace server = interlock::server;
using server::Exit;

constexpr const char* program = "interlock-server";
constexpr std::chrono::seconds checkpoint_interval{60};
constexpr int malloc_arenas = 2;
constexpr std::chrono::milliseconds close_grace{500}; // for answers already on their way

Exit fail(Exit exit, const base::Error& error) {
    base::log_error("server.failed", {{"code", base::name(error.code)}});
    std::fputs(("interlock-server: " + base::to_text(error) + "\n").c_str(), stderr);
    return exit;
}

/// A descriptor that only the protocol has: whatever else writes to stdout lands on stderr.
int take_stdout() {
    const int out = ::dup(STDOUT_FILENO);
    ::dup2(STDERR_FILENO, STDOUT_FILENO);
    return out;
}

base::Status announce(const server::Options& options, unsigned short port) {
    const std::string address = *options.listen + ":" + std::to_string(port);
    const std::string scheme = options.tls ? "https://" : "http://";
    base::log_info("server.listening", {{"address", address}, {"url", scheme + address + "/mcp"}});
    if (options.port_file.empty()) {
        return base::done;
    }
    return base::write_file_atomically(options.port_file, std::to_string(port) + "\n", 0644);
}

/// The listener, and who is let in. Without --listen it holds nothing.
struct Listener {
    std::unique_ptr<server::Authorizer> authorizer; // null: no authorization is in force
    std::unique_ptr<server::Gatekeeper> open;       // then everybody is let in
    std::unique_ptr<base::HttpServer> http;
    std::unique_ptr<base::HttpServer> operators; // --admin-listen

    /// "" when calls can be made, else why not.
    std::string unready(const server::Service& service) const {
        const std::string why_not = service.unready();
        return why_not.empty() && authorizer ? authorizer->unready() : why_not;
    }
};

base::Status listen(
    Listener& listener, const server::Options& options, base::Clock& clock, server::Service& service
) {
    if (options.authorization) {
        INTERLOCK_TRY(
            listener.authorizer, server::Authorizer::start(*options.authorization, clock)
        );
    } else {
        listener.open = server::open_gatekeeper(server::loopback_identity());
    }
    server::Gatekeeper& gatekeeper = listener.authorizer
                                         ? static_cast<server::Gatekeeper&>(*listener.authorizer)
                                         : *listener.open;
    INTERLOCK_TRY(
        listener.http,
        server::start_http_endpoint(
            *options.listen,
            options.port,
            {.handler = service.handler(),
             .sessions = service.sessions(),
             .metrics = service.metrics(),
             .gatekeeper = gatekeeper,
             .unready = [&listener, &service] { return listener.unready(service); },
             .allowed_hosts = options.allowed_hosts,
             .allowed_origins = options.allowed_origins,
             .behind_proxy = options.behind_proxy,
             .tls = options.tls,
             .turned_away = &service.turned_away()}
        )
    );
    return base::done;
}

base::Status
listen_for_operators(Listener& listener, const server::Options& options, server::Service& service) {
    INTERLOCK_TRY(
        listener.operators,
        server::start_operator_endpoint(
            *options.admin_listen,
            options.admin_port,
            {service.metrics(), [&listener, &service] { return listener.unready(service); }}
        )
    );
    base::log_info(
        "server.admin_listening",
        {{"address", *options.admin_listen + ":" + std::to_string(listener.operators->port())}}
    );
    return base::done;
}

/// Reads configuration, keys and certificates again. What is wrong is logged, and what was in force
/// stays in force.
void reload(const server::Options& options, Listener& listener, server::Service& service) {
    const auto told = [](const char* what, const base::Status& status) {
        if (status.ok()) {
            base::log_info("server.reloaded", {{"what", what}});
        } else {
            base::log_error(
                "server.not_reloaded", {{"what", what}, {"why", base::to_text(status.error())}}
            );
        }
    };
    const auto fresh = server::reread(options);
    if (!fresh) {
        told("configuration", fresh.error());
        return;
    }
    base::log_setup(program, fresh.value().log_level, telemetry::redact_log_field);
    told("toolsets", service.reload(fresh.value()));
    if (listener.authorizer && fresh.value().authorization) {
        told("authorization", listener.authorizer->reload(*fresh.value().authorization));
    }
    if (listener.http && options.tls) {
        told("tls", listener.http->reload_tls());
    }
    std::string waiting;
    for (const std::string& name : server::waiting_for_restart(options, fresh.value())) {
        waiting += (waiting.empty() ? "" : ", ") + name;
    }
    if (!waiting.empty()) {
        base::log_warning("server.restart_needed", {{"changed", waiting}});
    }
}

Exit serve(const server::Options& options, base::Clock& clock, server::Service& service) {
    Listener listener;
    const auto end = [&](Exit exit) {
        service.drain();
        if (listener.http) {
            listener.http->stop(close_grace);
        }
        if (listener.operators) {
            listener.operators->stop(close_grace);
        }
        return exit;
    };
    // What needs no database is answered at once; calls wait until the credentials are checked, and
    // /readyz says so. The port is announced only then: who reads it can call.
    if (options.listen) {
        if (const auto listening = listen(listener, options, clock, service); !listening) {
            return fail(Exit::other, listening.error());
        }
    }
    if (options.admin_listen) {
        if (const auto listening = listen_for_operators(listener, options, service); !listening) {
            return end(fail(Exit::other, listening.error()));
        }
    }
    if (const auto narrow = service.check_credentials(); !narrow) {
        return end(fail(Exit::refused_credential, narrow.error()));
    }
    if (listener.http) {
        if (const auto told = announce(options, listener.http->port()); !told) {
            return end(fail(Exit::other, told.error()));
        }
    }
    base::log_info("server.ready");
    while (!base::wait_for_stop(checkpoint_interval)) {
        if (base::take_reload_request()) {
            reload(options, listener, service);
        } else {
            service.keep_checkpoint();
        }
    }
    base::log_info("server.stopping");
    return end(Exit::ok);
}

Exit run(const server::Options& options) {
    base::SystemClock clock;
    base::SystemRandom random;
    auto service = server::Service::open(options, clock, random);
    if (!service) {
        const bool ours = service.error().code == base::Errc::invalid_input;
        return fail(ours ? Exit::usage : Exit::store, service.error());
    }
    std::thread reader;
    if (options.stdio) {
        // Reading begins before the targets are checked: a client's first probe must not wait for a
        // database. Calls do wait.
        reader = std::thread([&service, &options, out = take_stdout()] {
            server::StdioServer stdio(
                service.value()->handler(),
                service.value()->hub(),
                server::stdio_identity(),
                STDIN_FILENO,
                out
            );
            stdio.serve();
            if (!options.listen) {
                base::request_stop(); // the end of input is the end; over HTTP others may call on
            }
        });
    }
    const Exit exit = serve(options, clock, *service.value());
    base::request_stop();
    if (reader.joinable()) {
        reader.join();
    }
    service.value()->drain();
    return exit;
}

} // namespace

int main(int argc, char** argv) {
    const auto read = server::read_options(argc, argv);
    if (const auto* printed = std::get_if<server::Printed>(&read)) {
        std::fputs(printed->text.c_str(), printed->exit == Exit::ok ? stdout : stderr);
        return static_cast<int>(printed->exit);
    }
    const auto& options = std::get<server::Options>(read);
    // Each of a few dozen threads would otherwise come to hold an arena of its own: memory that is
    // free, and never given back.
    ::mallopt(M_ARENA_MAX, malloc_arenas);
    base::install_signal_handling();
    base::log_setup(program, options.log_level, telemetry::redact_log_field);
    return static_cast<int>(run(options));
}

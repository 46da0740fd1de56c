// interlock-server: MCP over stdio and Streamable HTTP for agents that diagnose. Only the wiring of
// transports, signals and exit codes is here.
#include "base/clock.hpp"
#include "base/file.hpp"
#include "base/ids.hpp"
#include "base/log.hpp"
#include "base/signals.hpp"
#include "server/http_endpoint.hpp"
#include "server/options.hpp"
#include "server/service.hpp"
#include "server/stdio.hpp"

#include <cstdio>
#include <memory>
#include <string>
#include <thread>
#include <unistd.h>

namespace {

namespace base = interlock::base;
namespace limits = interlock::base::limits;
namespace server = interlock::server;
using server::Exit;

constexpr std::chrono::seconds checkpoint_interval{60};
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
    base::log_info(
        "server.listening", {{"address", address}, {"url", "http://" + address + "/mcp"}}
    );
    if (options.port_file.empty()) {
        return base::done;
    }
    return base::write_file_atomically(options.port_file, std::to_string(port) + "\n", 0644);
}

Exit serve(const server::Options& options, server::Service& service) {
    if (const auto narrow = service.check_credentials(); !narrow) {
        return fail(Exit::refused_credential, narrow.error());
    }
    std::unique_ptr<base::HttpServer> http;
    if (options.listen) {
        auto started = server::start_http_endpoint(
            *options.listen,
            options.port,
            {service.handler(),
             service.protocol(),
             service.metrics(),
             server::loopback_identity(),
             [&service] { return service.unready(); }}
        );
        if (!started) {
            return fail(Exit::other, started.error());
        }
        http = std::move(started).value();
        if (const auto announced = announce(options, http->port()); !announced) {
            return fail(Exit::other, announced.error());
        }
    }
    base::log_info("server.ready");
    while (!base::wait_for_stop(checkpoint_interval)) {
        service.keep_checkpoint();
    }
    base::log_info("server.stopping");
    service.drain();
    if (http) {
        http->stop(close_grace);
    }
    return Exit::ok;
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
        reader = std::thread([&service, out = take_stdout()] {
            server::StdioServer stdio(
                service.value()->handler(), server::stdio_identity(), STDIN_FILENO, out
            );
            stdio.serve();
            base::request_stop();
        });
    }
    const Exit exit = serve(options, *service.value());
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
    base::install_signal_handling();
    base::log_setup("interlock-server", options.log_level);
    return static_cast<int>(run(options));
}

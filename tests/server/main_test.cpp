// The program as people start it.
#include "base/file.hpp"
#include "base/http_client.hpp"
#include "base/process.hpp"
#include "tests/lab/lab.hpp"
#include "tests/server/fixture.hpp"

#include <arpa/inet.h>
#include <csignal>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

namespace {

namespace base = interlock::base;
using interlock::test::eventually;
using interlock::test::modern_meta;
using interlock::test::TemporaryDirectory;

/// A port of this machine where connections are taken and nothing is ever said.
class SilentPort {
public:
    SilentPort() : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        socklen_t size = sizeof address;
        auto* const raw = reinterpret_cast<sockaddr*>(&address);
        REQUIRE(::bind(socket_, raw, size) == 0);
        REQUIRE(::listen(socket_, 64) == 0);
        REQUIRE(::getsockname(socket_, raw, &size) == 0);
        number_ = ntohs(address.sin_port);
    }
    SilentPort(const SilentPort&) = delete;
    SilentPort& operator=(const SilentPort&) = delete;
    ~SilentPort() { ::close(socket_); }
    std::string number() const { return std::to_string(number_); }

private:
    int socket_;
    unsigned short number_ = 0;
};

std::string free_port() {
    return SilentPort().number();
}

} // namespace

TEST_CASE("what needs no database is answered before the credentials are checked", "[server]") {
    const TemporaryDirectory directory;
    const SilentPort database;
    const std::string port = free_port();
    const std::string port_file = directory.file("port");
    base::Command command;
    command.arguments = {
        INTERLOCK_SERVER,
        "--listen=127.0.0.1:" + port,
        "--port-file=" + port_file,
        "--state=" + directory.file("state"),
        "--target=silent=host=127.0.0.1 dbname=x user=x port=" + database.number()};
    command.stderr_path = directory.file("log");
    auto child = base::Child::start(command);
    REQUIRE(child.ok());
    base::HttpCall list;
    list.method = "POST";
    list.url = "http://127.0.0.1:" + port + "/mcp";
    list.headers = {
        {"Content-Type", "application/json"},
        {"MCP-Protocol-Version", "2026-07-28"},
        {"Mcp-Method", "tools/list"}};
    list.body =
        R"({"jsonrpc":"2.0","id":1,"method":"tools/list","params":{)" + modern_meta() + "}}";
    std::string tools;
    REQUIRE(eventually([&] {
        const auto response = base::http_call(list);
        tools = response.ok() ? response.value().body : std::string();
        return !tools.empty();
    }));
    CHECK(tools.find("get_activity") != std::string::npos);
    base::HttpCall ready;
    ready.method = "GET";
    ready.url = "http://127.0.0.1:" + port + "/readyz";
    const auto response = base::http_call(ready);
    REQUIRE(response.ok());
    CHECK(response.value().status == 503);
    CHECK(response.value().body.find("not checked yet") != std::string::npos);
    CHECK_FALSE(base::read_file(port_file, 16).ok()); // told once calls can be made
}

TEST_CASE("what a reload cannot change is told, and the rest is changed", "[server]") {
    const TemporaryDirectory directory;
    const std::string config = directory.file("server.yaml");
    const std::string log = directory.file("log");
    const std::string admin_port = free_port();
    const std::string closed_port = free_port();
    const auto configure = [&](const std::string& user, const std::string& more) {
        const std::string text = "state: state\nlisten: 127.0.0.1:0\ntargets:\n  - name: gone\n"
                                 "    conninfo: host=127.0.0.1 port=" +
                                 closed_port + " user=" + user + "\n" + more;
        REQUIRE(base::write_file_atomically(config, text, 0600).ok());
    };
    const auto logged = [&](const std::string& what) {
        return eventually([&] {
            const auto text = base::read_file(log, 1 << 20);
            return text.ok() && text->find(what) != std::string::npos;
        });
    };
    configure("x", "admin_listen: 127.0.0.1:" + admin_port + "\n");
    base::Command command;
    command.arguments = {INTERLOCK_SERVER, "--config=" + config};
    command.stderr_path = log;
    auto child = base::Child::start(command);
    REQUIRE(child.ok());
    REQUIRE(logged("server.ready"));
    base::HttpCall metrics;
    metrics.method = "GET";
    metrics.url = "http://127.0.0.1:" + admin_port + "/metrics";
    CHECK(base::http_call(metrics)->status == 200);
    configure("y", "toolsets: [triage]\n");
    child.value().signal(SIGHUP);
    CHECK(logged("server.restart_needed"));
    CHECK(logged("admin_listen, targets"));
    CHECK(logged("server.reloaded"));
}

TEST_CASE("a credential that can write ends the program with its own code", "[server][live]") {
    const interlock::lab::Database database;
    const TemporaryDirectory directory;
    const std::string port_file = directory.file("port");
    base::Command command;
    command.arguments = {
        INTERLOCK_SERVER,
        "--listen=127.0.0.1:0",
        "--port-file=" + port_file,
        "--state=" + directory.file("state"),
        "--target=shop=" + database.conninfo("postgres")};
    const auto output = base::run(command, {}, std::chrono::seconds(60));
    REQUIRE(output.ok());
    CHECK(output.value().exit_code == 3);
    CHECK(output.value().err.find("shop") != std::string::npos);
    CHECK_FALSE(base::read_file(port_file, 16).ok());
}

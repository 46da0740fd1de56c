#include "server/options.hpp"
#include "tests/support/fakes.hpp"

#include <fstream>
#include <vector>

#include <catch2/catch.hpp>

namespace {

using interlock::server::Exit;
using interlock::server::Options;
using interlock::server::parse_configuration;
using interlock::server::Printed;
using interlock::server::read_options;

std::variant<Options, Printed> read(std::vector<const char*> arguments) {
    arguments.insert(arguments.begin(), "interlock-server");
    return read_options(static_cast<int>(arguments.size()), arguments.data());
}

Options good(const std::vector<const char*>& arguments) {
    auto outcome = read(arguments);
    if (const auto* printed = std::get_if<Printed>(&outcome)) {
        FAIL(printed->text);
    }
    return std::get<Options>(outcome);
}

Printed bad(const std::vector<const char*>& arguments) {
    auto outcome = read(arguments);
    REQUIRE(std::holds_alternative<Printed>(outcome));
    return std::get<Printed>(outcome);
}

} // namespace

TEST_CASE("the quick start needs a transport and a target", "[server]") {
    const auto options =
        good({"--listen", "127.0.0.1:0", "--target", "shop=dbname=shop", "--target", "b=dbname=b"});
    CHECK(options.listen == "127.0.0.1");
    CHECK(options.port == 0);
    REQUIRE(options.targets.size() == 2);
    CHECK(options.targets[0].name == "shop");
    CHECK(options.targets[0].conninfo == "dbname=shop");
    CHECK_FALSE(options.state.empty());
    CHECK(good({"--stdio", "--target", "a=dbname=a"}).stdio);
    CHECK(bad({"--stdio"}).exit == Exit::usage);
    CHECK(bad({"--target", "a=dbname=a"}).exit == Exit::usage);
    CHECK(bad({}).exit == Exit::usage);
}

TEST_CASE(
    "an address that is not loopback is refused while there is no authorization", "[server]"
) {
    for (const char* address : {"0.0.0.0:80", "192.168.1.5:7420", "[::]:7420"}) {
        const auto printed = bad({"--listen", address, "--target", "a=dbname=a"});
        CHECK(printed.exit == Exit::usage);
        CHECK(printed.text.find("loopback") != std::string::npos);
    }
    CHECK(good({"--listen", "[::1]:0", "--target", "a=dbname=a"}).listen.has_value());
}

TEST_CASE("help and version are printed with exit code 0", "[server]") {
    const auto help = bad({"--help"});
    CHECK(help.exit == Exit::ok);
    CHECK(help.text.find("Exit codes") != std::string::npos);
    CHECK(bad({"--version"}).text.find("interlock-server") != std::string::npos);
    CHECK(bad({"--no-such-option"}).exit == Exit::usage);
}

TEST_CASE("a configuration is read whole and refuses what it does not know", "[server]") {
    const auto options = parse_configuration(R"(
state: /var/lib/interlock
listen: 127.0.0.1:7420
stdio: false
desk_url: https://desk.example
log_level: warning
toolsets: [triage, planning]
targets:
  - name: shop
    conninfo: host=db1 dbname=shop
    password_file: /etc/interlock/shop.password
)");
    REQUIRE(options.ok());
    CHECK(options.value().state == "/var/lib/interlock");
    CHECK(options.value().port == 7420);
    CHECK(options.value().toolsets == std::vector<std::string>{"triage", "planning"});
    CHECK(options.value().targets.at(0).password_file == "/etc/interlock/shop.password");
    CHECK(options.value().log_level == interlock::base::LogLevel::warning);
    for (const char* wrong :
         {"lissten: 127.0.0.1:1",
          "listen: nowhere",
          "stdio: maybe",
          "log_level: loud",
          "targets: [{name: a}]",
          "targets: [{name: A B, conninfo: dbname=a}]",
          "state: [a]",
          "- a"}) {
        INFO(wrong);
        CHECK_FALSE(parse_configuration(wrong).ok());
    }
}

TEST_CASE("the command line wins over the file and its targets are added", "[server]") {
    const interlock::test::TemporaryDirectory directory;
    const auto path = directory.file("server.yaml");
    std::ofstream(path) << "state: /from/file\nlisten: 127.0.0.1:1\n"
                           "targets:\n  - name: a\n    conninfo: dbname=a\n";
    const auto options = good(
        {"--config",
         path.c_str(),
         "--listen",
         "127.0.0.1:2",
         "--state",
         "/from/line",
         "--target",
         "b=dbname=b",
         "--toolsets",
         "triage,planning"}
    );
    CHECK(options.port == 2);
    CHECK(options.state == "/from/line");
    CHECK(options.targets.size() == 2);
    CHECK(options.toolsets.size() == 2);
    CHECK(
        bad({"--config", path.c_str(), "--target", "a=dbname=x"}).text.find("twice") !=
        std::string::npos
    );
    CHECK(bad({"--config", directory.file("none").c_str()}).exit == Exit::usage);
}

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
using interlock::server::reread;

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

const std::string guarded = R"(
targets: [{name: a, conninfo: dbname=a}]
authorization:
  resource: https://interlock.example/mcp
  issuers:
    - {issuer: "https://login.example", jwks: keys.json, algorithms: [RS256]}
  rules:
    - {claims: {groups: dba}, database_role: interlock_read}
)";

/// A directory with a configuration in it.
class Configured {
public:
    explicit Configured(const std::string& yaml) { write(yaml); }
    void write(const std::string& yaml) const { std::ofstream(path, std::ios::trunc) << yaml; }
    Options good() const { return ::good({"--config", path.c_str()}); }
    std::string problem() const {
        const auto printed = bad({"--config", path.c_str()});
        CHECK(printed.exit == Exit::usage);
        return printed.text;
    }
    const interlock::test::TemporaryDirectory directory;
    const std::string path = directory.file("server.yaml");
};

bool names(const std::string& text, const char* part) {
    return text.find(part) != std::string::npos;
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

TEST_CASE("an address that is not loopback is refused without authorization", "[server]") {
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
    logs: /var/log/postgresql
    freshness_max: 90s
)");
    REQUIRE(options.ok());
    CHECK(options.value().targets.at(0).logs == "/var/log/postgresql");
    CHECK(options.value().targets.at(0).freshness_max == std::chrono::seconds{90});
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
          "targets: [{name: a, conninfo: dbname=a, logs: }]",
          "targets: [{name: a, conninfo: dbname=a, logs: [x]}]",
          "targets: [{name: a, conninfo: dbname=a, freshness_max: }]",
          "targets: [{name: a, conninfo: dbname=a, freshness_max: soon}]",
          "targets: [{name: a, conninfo: dbname=a, log: /var/log/postgresql}]",
          "state: [a]",
          "- a"}) {
        INFO(wrong);
        CHECK_FALSE(parse_configuration(wrong).ok());
    }
}

TEST_CASE("every example of the page on targets is a configuration", "[server]") {
    const auto page = interlock::base::read_file("docs/targets.md", 100'000).value();
    int examples = 0;
    const std::string open = "```yaml\n";
    for (auto at = page.find(open); at != std::string::npos; at = page.find(open, at)) {
        at += open.size();
        const auto options = parse_configuration(page.substr(at, page.find("```", at) - at));
        INFO((options.ok() ? "" : interlock::base::to_text(options.error())));
        CHECK(options.ok());
        ++examples;
    }
    CHECK(examples == 3);
}

TEST_CASE("a password in the configuration is refused", "[server]") {
    for (const auto* conninfo :
         {"host=db1 password=hunter2",
          "postgresql://u:hunter2@db1/shop",
          "host=a sslpassword=hunter2"}) {
        const auto options =
            parse_configuration(std::string{"targets: [{name: a, conninfo: '"} + conninfo + "'}]");
        REQUIRE_FALSE(options.ok());
        const auto text = interlock::base::to_text(options.error());
        CHECK(names(text, "targets[0].conninfo"));
        CHECK(names(text, "holds a password"));
        CHECK(names(text, "password_command"));
        CHECK_FALSE(names(text, "hunter2"));
    }
}

TEST_CASE("the supervisor's limits are the operator's", "[server]") {
    const interlock::server::SupervisorLimits defaults;
    CHECK(parse_configuration("stdio: true").value().supervisor == defaults);
    CHECK_FALSE(parse_configuration("supervisor: none").value().supervisor);
    const auto given = parse_configuration(R"(
supervisor:
  identical_calls: 50
  database_time: 30s
  window: 10m
)");
    REQUIRE(given.ok());
    REQUIRE(given.value().supervisor);
    CHECK(given.value().supervisor->identical_calls == 50);
    CHECK(given.value().supervisor->database_time == std::chrono::seconds(30));
    CHECK(given.value().supervisor->window == std::chrono::minutes(10));
    CHECK(given.value().supervisor->failing_calls == defaults.failing_calls);
    for (const char* wrong :
         {"supervisor:",
          "supervisor: off",
          "supervisor: {failing_calls: 0}",
          "supervisor: {identical_calls: 1}",
          "supervisor: {calls: many}",
          "supervisor: {window: 25h}",
          "supervisor: {window: 10ms}",
          "supervisor: {patience: 1}"}) {
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

TEST_CASE("a listener that others reach needs authorization, and TLS from somebody", "[server]") {
    const Configured file("listen: 0.0.0.0:7420\n" + guarded);
    CHECK(names(file.problem(), "clear text"));
    CHECK(names(file.problem(), "behind_proxy: true"));
    file.write("listen: 0.0.0.0:7420\nbehind_proxy: true\n" + guarded);
    CHECK(file.good().behind_proxy);
    file.write("listen: 0.0.0.0:7420\ntls: {certificate: a.pem, key: b.pem}\n" + guarded);
    CHECK(file.good().tls.has_value());
    const std::string open = "targets: [{name: a, conninfo: dbname=a}]\nlisten: 0.0.0.0:7420\n";
    for (const char* more :
         {"",
          "authorization: none\n",
          "behind_proxy: true\n",
          "tls: {certificate: a.pem, key: b.pem}\n"}) {
        INFO(more);
        file.write(open + more);
        CHECK(names(file.problem(), "Without authorization"));
        CHECK(names(file.problem(), "`authorization:`"));
    }
    // The command line cannot open it either.
    file.write("listen: 127.0.0.1:7420\ntargets: [{name: a, conninfo: dbname=a}]\n");
    CHECK(names(
        bad({"--config", file.path.c_str(), "--listen", "0.0.0.0:7420"}).text,
        "Without authorization"
    ));
}

TEST_CASE("loopback needs neither, and may have both", "[server]") {
    const Configured file("listen: 127.0.0.1:7420\nauthorization: none\n"
                          "targets: [{name: a, conninfo: dbname=a}]\n");
    CHECK_FALSE(file.good().authorization.has_value());
    CHECK(file.good().allowed_hosts.empty());
    file.write("listen: 127.0.0.1:7420\n" + guarded);
    REQUIRE(file.good().authorization.has_value());
    CHECK(file.good().authorization->rules.size() == 1);
}

TEST_CASE("what is about HTTP alone is refused without a listener", "[server]") {
    const Configured file("stdio: true\n" + guarded);
    CHECK(names(file.problem(), "listen"));
    file.write("stdio: true\ntls: {certificate: a, key: b}\n"
               "targets: [{name: a, conninfo: dbname=a}]\n");
    CHECK(names(file.problem(), "listen"));
}

TEST_CASE("operators have an address of their own, on this machine only", "[server]") {
    const std::string targets = "targets: [{name: a, conninfo: dbname=a}]\n";
    const Configured file("stdio: true\nadmin_listen: 127.0.0.1:7423\n" + targets);
    CHECK(file.good().admin_listen == "127.0.0.1");
    CHECK(file.good().admin_port == 7423);
    CHECK_FALSE(good({"--stdio", "--target", "a=dbname=a"}).admin_listen);
    const auto typed =
        good({"--config", file.path.c_str(), "--admin-listen", "[::1]:0", "--stdio"});
    CHECK(typed.admin_listen == "::1");
    CHECK(typed.admin_port == 0);
    file.write("stdio: true\nadmin_listen: 0.0.0.0:7423\n" + targets);
    CHECK(names(file.problem(), "`admin_listen`"));
    CHECK(names(file.problem(), "not loopback"));
}

TEST_CASE("what a reload does not take over is named", "[server]") {
    using interlock::server::waiting_for_restart;
    const Configured file("listen: 127.0.0.1:7420\n" + guarded);
    const auto running = file.good();
    CHECK(waiting_for_restart(running, running).empty());
    std::string later = guarded;
    later.replace(later.find("interlock_read"), 14, "interlock_less");
    file.write("listen: 127.0.0.1:7420\nlog_level: debug\ntoolsets: [triage]\n" + later);
    CHECK(waiting_for_restart(running, file.good()).empty());
    later.replace(later.find("dbname=a"), 8, "dbname=b");
    file.write(
        "listen: 127.0.0.1:7421\nadmin_listen: 127.0.0.1:0\nstate: elsewhere\nstdio: true\n"
        "desk_url: https://desk.example/\nbehind_proxy: true\n"
        "tls: {certificate: a.pem, key: b.pem}\nallowed_hosts: [b.example]\n"
        "allowed_origins: ['https://b.example']\n" +
        later
    );
    CHECK(
        waiting_for_restart(running, file.good()) ==
        std::vector<std::string>{
            "state",
            "stdio",
            "listen",
            "admin_listen",
            "targets",
            "desk_url",
            "tls",
            "allowed_hosts",
            "allowed_origins",
            "behind_proxy"}
    );
    file.write("listen: 127.0.0.1:7420\ntargets: [{name: a, conninfo: dbname=a}]\n");
    CHECK(
        waiting_for_restart(running, file.good()) ==
        std::vector<std::string>{"allowed_hosts", "authorization"}
    );
}

TEST_CASE("relative paths start at the configuration's directory", "[server]") {
    const Configured file(
        "state: state\nlisten: 127.0.0.1:7420\ntls: {certificate: tls/a.pem, key: /k.pem}\n" +
        guarded
    );
    const auto options = file.good();
    CHECK(options.state == file.directory.file("state"));
    CHECK(options.tls->certificate_file == file.directory.file("tls/a.pem"));
    CHECK(options.tls->key_file == "/k.pem");
    CHECK(options.authorization->issuers[0].jwks == file.directory.file("keys.json"));
    CHECK(options.config_file == file.path);
}

TEST_CASE("hosts and origins are exact, and the resource's host is one of them", "[server]") {
    const Configured file(
        "listen: 127.0.0.1:7420\nallowed_hosts: [Db.example, '[::1]:8443']\n"
        "allowed_origins: ['https://App.example']\n" +
        guarded
    );
    const auto options = file.good();
    CHECK(
        options.allowed_hosts ==
        std::vector<std::string>{"db.example", "[::1]:8443", "interlock.example"}
    );
    CHECK(options.allowed_origins == std::vector<std::string>{"https://app.example"});
    for (const char* wrong :
         {"allowed_hosts: ['*']",
          "allowed_hosts: ['*.example']",
          "allowed_hosts: ['https://db.example']",
          "allowed_hosts: ['db.example/path']",
          "allowed_hosts: ['']",
          "allowed_origins: ['*']",
          "allowed_origins: ['null']",
          "allowed_origins: ['app.example']",
          "allowed_origins: ['https://app.example/']",
          "behind_proxy: maybe",
          "tls: {certificate: a.pem}",
          "tls: yes",
          "toolsets:",
          "admin_listen: nowhere",
          "authorization: open",
          "authorization:",
          "tls: ~",
          "authorization: [none]",
          "authorization: {}"}) {
        INFO(wrong);
        CHECK_FALSE(parse_configuration(wrong).ok());
    }
}

TEST_CASE("a mistake in authorization is told with its path", "[server]") {
    std::string yaml = "listen: 127.0.0.1:7420\n" + guarded;
    yaml.replace(yaml.find("RS256"), 5, "HS256");
    const Configured file(yaml);
    CHECK(names(file.problem(), "authorization.issuers[0].algorithms"));
    CHECK(names(file.problem(), "server.yaml"));
}

TEST_CASE("reading again takes the file as it is now, with the command line on top", "[server]") {
    const Configured file("listen: 127.0.0.1:7420\n" + guarded);
    const auto first = good({"--config", file.path.c_str(), "--listen", "127.0.0.1:1"});
    std::string changed = "listen: 127.0.0.1:7420\nlog_level: debug\n" + guarded;
    changed.replace(changed.find("interlock_read"), 14, "interlock_less");
    file.write(changed);
    const auto second = reread(first);
    REQUIRE(second.ok());
    CHECK(second->port == 1);
    CHECK(second->log_level == interlock::base::LogLevel::debug);
    CHECK(second->authorization->rules[0].database_role == "interlock_less");
    CHECK(reread(*second).ok());
    file.write("listen: nowhere\n");
    const auto third = reread(*second);
    REQUIRE_FALSE(third.ok());
    CHECK(names(third.error().what, "server.yaml"));
    const auto bare = good({"--stdio", "--target", "a=dbname=a"});
    CHECK(reread(bare)->stdio);
}

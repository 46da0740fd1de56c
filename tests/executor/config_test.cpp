#include "executor/config.hpp"
#include "tests/support/fakes.hpp"

#include <catch2/catch.hpp>

namespace interlock::executor {
namespace {

constexpr auto whole = R"(
state: /var/lib/interlock
store: /srv/queue.db
targets:
  - name: main
    conninfo: host=db1 dbname=app user=interlock_exec
    password_file: /etc/interlock/main.password
  - name: other
    conninfo: host=db2 dbname=app
approvers:
  allowed_signers: signers
  revoked_keys: /etc/interlock/revoked
  people:
    - name: alice
      subjects: [alice@example.com, os:al]
listen: 127.0.0.1:9090
log_level: debug
lease_lifetime: 10s
poll_interval: 100ms
)";

/// A usable configuration with a real allowed_signers file.
Config usable(const test::TemporaryDirectory& directory) {
    Config config;
    config.state = directory.path();
    config.targets = {{"main", "dbname=app", ""}};
    config.approvers.allowed_signers = directory.file("signers");
    const auto written = base::write_file_atomically(
        config.approvers.allowed_signers, "# people\nalice ssh-ed25519 AAAA\n"
    );
    REQUIRE(written.ok());
    return config;
}

std::string problem(const Config& config) {
    const auto checked = check_config(config);
    return checked.ok() ? "" : base::to_text(checked.error());
}

} // namespace

TEST_CASE("a people file says which subjects are one person", "[executor]") {
    const auto people = read_people("people:\n  - name: alice\n    subjects: [os:al]\n");
    REQUIRE(people.ok());
    CHECK(*people == std::vector<std::vector<std::string>>{{"alice", "os:al"}});
    CHECK_FALSE(read_people("persons: []\n").ok()); // a misspelt key would merge nobody
}

TEST_CASE("a configuration file is read whole", "[executor]") {
    const auto config = read_config(whole, "/etc/interlock");
    REQUIRE(config.ok());
    CHECK(config->state == "/var/lib/interlock");
    CHECK(config->store == "/srv/queue.db");
    REQUIRE(config->targets.size() == 2);
    CHECK(config->targets[0].password_file == "/etc/interlock/main.password");
    CHECK(config->approvers.allowed_signers == "/etc/interlock/signers");
    CHECK(config->approvers.revoked_keys == "/etc/interlock/revoked");
    REQUIRE(config->approvers.people.size() == 1);
    CHECK(
        config->approvers.people[0] ==
        std::vector<std::string>{"alice", "alice@example.com", "os:al"}
    );
    CHECK(config->listen == "127.0.0.1:9090");
    CHECK(config->log_level == base::LogLevel::debug);
    CHECK(config->lease_lifetime == std::chrono::seconds{10});
    CHECK(config->poll_interval == std::chrono::milliseconds{100});
}

TEST_CASE("what a file leaves out has a default", "[executor]") {
    const auto config = read_config(
        "state: data\ntargets: [{name: main, conninfo: dbname=app}]\n"
        "approvers: {allowed_signers: /a}\n",
        "/etc/interlock"
    );
    REQUIRE(config.ok());
    CHECK(config->store == "/etc/interlock/data/queue.db");
    CHECK(config->listen.empty());
    CHECK(config->lease_lifetime == base::limits::lease_lifetime);
}

TEST_CASE("a misspelt or missing key is an error that names it", "[executor]") {
    const std::string text = whole;
    const auto refusal = [](const std::string& yaml) {
        const auto config = read_config(yaml, "/etc");
        return config.ok() ? std::string() : config.error().what;
    };
    CHECK_THAT(refusal(text + "lisen: x\n"), Catch::Contains("lisen"));
    CHECK_THAT(refusal("targets: []\n"), Catch::Contains("state"));
    CHECK_THAT(refusal("state: /s\ntargets: []\n"), Catch::Contains("approvers"));
    CHECK_THAT(refusal(text + "log_level: debug\n"), Catch::Contains("log_level")); // twice
}

TEST_CASE("an executor that could do nothing refuses to start and says why", "[executor]") {
    const test::TemporaryDirectory directory;
    auto config = usable(directory);
    CHECK(problem(config).empty());
    SECTION("no target") {
        config.targets.clear();
        CHECK_THAT(problem(config), Catch::Contains("No target"));
    }
    SECTION("one target twice") {
        config.targets.push_back(config.targets[0]);
        CHECK_THAT(problem(config), Catch::Contains("twice"));
    }
    SECTION("no approvers file") {
        config.approvers.allowed_signers.clear();
        CHECK_THAT(problem(config), Catch::Contains("No allowed_signers"));
    }
    SECTION("a missing approvers file") {
        config.approvers.allowed_signers = directory.file("absent");
        CHECK_THAT(problem(config), Catch::Contains("absent"));
    }
    SECTION("an approvers file without people") {
        REQUIRE(base::write_file_atomically(config.approvers.allowed_signers, "\n  # nobody\n").ok()
        );
        CHECK_THAT(problem(config), Catch::Contains("names nobody"));
    }
    SECTION("a missing revocation file must not mean that nothing is revoked") {
        config.approvers.revoked_keys = directory.file("absent");
        CHECK_THAT(problem(config), Catch::Contains("absent"));
    }
    SECTION("a lease too short to be renewed") {
        config.lease_lifetime = std::chrono::milliseconds{1'999};
        CHECK_THAT(problem(config), Catch::Contains("lease"));
    }
    SECTION("a lease so long that a dead executor blocks its target") {
        config.lease_lifetime = std::chrono::hours{1};
        CHECK_THAT(problem(config), Catch::Contains("lease"));
    }
    SECTION("a listen address that is none") {
        config.listen = "nowhere";
        CHECK_FALSE(problem(config).empty());
    }
}

} // namespace interlock::executor

#include "approval/desk/options.hpp"
#include "tests/approval/fixture.hpp"

#include <string>

#include <catch2/catch.hpp>

namespace interlock::desk {

using test::fails;
using test::must;

TEST_CASE("the quick form takes a state directory and an address") {
    Flags flags;
    flags.state = "/somewhere/state";
    const Options options = must(make_options(flags));
    CHECK(options.queue == "/somewhere/state/queue.db");
    CHECK(options.token_file == "/somewhere/state/desk.token");
    CHECK(options.address == "127.0.0.1");
    CHECK(options.port == 7421);
    flags.listen = "[::1]:0";
    flags.token_file = "/elsewhere/token";
    flags.allowed_hosts = {"desk.example.com"};
    const Options other = must(make_options(flags));
    CHECK(other.address == "::1");
    CHECK(other.port == 0);
    CHECK(other.token_file == "/elsewhere/token");
    CHECK(other.allowed_hosts == flags.allowed_hosts);
}

TEST_CASE("an address that is not loopback is refused clearly") {
    for (const char* const listen :
         {"0.0.0.0:7421", "192.0.2.7:7421", "[::]:7421", "10.0.0.1:80"}) {
        INFO(listen);
        Flags flags;
        flags.state = "/s";
        flags.listen = listen;
        CHECK(fails(make_options(flags), base::Errc::invalid_input, "TLS"));
    }
    for (const char* const listen : {"7421", "127.0.0.1", "127.0.0.1:", "127.0.0.1:99999", "x:y"}) {
        INFO(listen);
        Flags flags;
        flags.state = "/s";
        flags.listen = listen;
        CHECK_FALSE(make_options(flags).ok());
    }
}

TEST_CASE("a configuration file says the same, with paths beside it") {
    test::TemporaryDirectory directory;
    const std::string file = directory.file("desk.yaml");
    Flags flags;
    flags.config = file;
    must(base::write_file_atomically(
        file,
        "state: state\nlisten: 127.0.0.1:9000\ntoken_file: token\n"
        "allowed_hosts: [desk.example.com]\nlog_level: warning\n"
    ));
    const Options options = must(make_options(flags));
    CHECK(options.queue == directory.file("state/queue.db"));
    CHECK(options.token_file == directory.file("token"));
    CHECK(options.port == 9000);
    CHECK(options.allowed_hosts == std::vector<std::string>{"desk.example.com"});
    CHECK(options.log_level == base::LogLevel::warning);
    flags.listen = "127.0.0.1:0";
    CHECK(must(make_options(flags)).port == 0);

    must(base::write_file_atomically(file, "state: /s\nstore: /q/other.db\n"));
    CHECK(must(make_options(flags)).queue == "/q/other.db");

    must(base::write_file_atomically(
        file, "state: /s\nnotify:\n  url_file: hook\n  secret_file: /s/secret\n"
    ));
    CHECK(must(make_options(flags)).notify_url_file == directory.file("hook"));
    CHECK(must(make_options(flags)).notify_secret_file == "/s/secret");
    must(base::write_file_atomically(file, "state: /s\nnotify:\n  secret_file: /s/secret\n"));
    CHECK(fails(make_options(flags), base::Errc::invalid_input, "url_file"));

    must(base::write_file_atomically(file, "state: /s\nlissen: 127.0.0.1:1\n"));
    CHECK(fails(make_options(flags), base::Errc::invalid_input, "lissen"));
    must(base::write_file_atomically(file, "listen: 127.0.0.1:1\n"));
    CHECK(fails(make_options(flags), base::Errc::invalid_input, "state"));
    must(base::write_file_atomically(file, "state: [\n"));
    CHECK_FALSE(make_options(flags).ok());
    flags.config = directory.file("nowhere");
    CHECK(fails(make_options(flags), base::Errc::not_found));
}

} // namespace interlock::desk

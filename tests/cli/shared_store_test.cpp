// The command line and the desk on a store in PostgreSQL, each with a state directory of its own.
#include "approval/brakes.hpp"
#include "approval/queue.hpp"
#include "base/db/store_place.hpp"
#include "base/file.hpp"
#include "base/http_client.hpp"
#include "base/process.hpp"
#include "base/text.hpp"
#include "tests/lab/shared_store.hpp"
#include "tests/support/fakes.hpp"

#include <csignal>

#include <catch2/catch.hpp>

namespace interlock::cli {
namespace {

/// A machine: its state directory leads to the store.
struct Machine {
    explicit Machine(const lab::SharedStore& store) {
        const auto said = base::write_file_atomically(
            state.store(), "conninfo: \"" + store.database.conninfo() + "\"\n"
        );
        REQUIRE(said.ok());
    }
    base::Command command(std::vector<std::string> arguments) const {
        arguments[0] = std::string{INTERLOCK_BIN} + "/" + arguments[0];
        arguments.insert(arguments.end(), {"--state", state.root});
        base::Command made;
        made.arguments = std::move(arguments);
        return made;
    }
    base::Output run(std::vector<std::string> arguments) const {
        auto output = base::run(command(std::move(arguments)));
        REQUIRE(output.ok());
        return std::move(*output);
    }

    test::TemporaryDirectory directory;
    base::StateDirectory state{directory.path()};
};

TEST_CASE("commands and desk of several machines share one store", "[cli][live]") {
    const lab::SharedStore shared;
    const Machine one{shared};
    const Machine other{shared};
    const auto early = one.run({"interlock", "plans", "list"});
    CHECK(early.exit_code == 3);
    CHECK(early.err.find("no store") != std::string::npos);

    base::SystemRandom random;
    const auto store = shared.open();
    REQUIRE(approval::Queue(*store, random).create_tables().ok()); // as a server's start does
    const auto killed =
        one.run({"interlock", "kill", "tool", "get_blocking", "--reason", "it does harm"});
    INFO(killed.err);
    CHECK(killed.exit_code == 0);
    CHECK(other.run({"interlock", "kill", "list"}).out.find("it does harm") != std::string::npos);
    CHECK(other.run({"interlock", "plans", "list"}).exit_code == 0);
    const auto found = other.run({"interlock", "audit", "search"});
    CHECK(found.exit_code == 0);
    CHECK(found.out.find("os:") != std::string::npos); // who did it

    auto command = other.command(
        {"interlock-desk", "--listen", "127.0.0.1:0", "--port-file", other.directory.file("port")}
    );
    command.stdout_path = "/dev/null";
    command.stderr_path = other.directory.file("desk.log");
    auto desk = base::Child::start(command);
    REQUIRE(desk.ok());
    base::Result<std::string> port = std::string{};
    REQUIRE(lab::wait_until([&] {
        port = base::read_file(other.directory.file("port"), 16);
        return port.ok();
    }));
    const auto token = base::read_file(other.state.root + "/desk.token", 4'096);
    REQUIRE(token.ok());
    base::HttpCall call;
    call.url = "http://127.0.0.1:" + std::string{base::trim(*port)} + "/brakes";
    call.headers = {{"Authorization", "Bearer " + std::string{base::trim(*token)}}};
    const auto page = base::http_call(call);
    REQUIRE(page.ok());
    CHECK(page->status == 200);
    CHECK(page->body.find("it does harm") != std::string::npos);
    desk->signal(SIGTERM);
    CHECK(desk->wait(std::chrono::seconds{20}).ok());

    // Two stores at once would split what people see.
    REQUIRE(base::write_file_atomically(other.state.queue(), "").ok());
    const auto refused = other.run({"interlock", "plans", "list"});
    CHECK(refused.exit_code == 2);
    CHECK(refused.err.find("store.yaml") != std::string::npos);
}

} // namespace
} // namespace interlock::cli

// What each program can never do is a fact of its linked code: the symbols of the built binaries
// show that the server has no code to execute a plan, that only the executor can write to a target,
// and that the desk cannot even read one. The paths come from the build.
#include "base/process.hpp"
#include "tests/support/fakes.hpp"

#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include <catch2/catch.hpp>

namespace {

using interlock::base::Command;

const std::string server = INTERLOCK_SERVER_BINARY;
const std::string desk = INTERLOCK_DESK_BINARY;
const std::string executor = INTERLOCK_EXECUTOR_BINARY;
const std::string crashing_executor = INTERLOCK_CRASHING_EXECUTOR_BINARY;
const std::string cli = INTERLOCK_CLI_BINARY;

std::string content_of(const std::string& path) {
    std::ifstream in(path, std::ios::binary);
    std::ostringstream content;
    content << in.rdbuf();
    REQUIRE(in.good());
    return std::move(content).str();
}

/// All symbols of a binary, demangled, one a line.
std::string symbols_of(const std::string& binary) {
    const interlock::test::TemporaryDirectory directory;
    const auto list = directory.file("symbols");
    const Command command{
        .arguments = {"nm", "--demangle", binary},
        .environment = {},
        .directory = {},
        .user = {},
        .stdout_path = list,
        .stderr_path = {}};
    const auto output = interlock::base::run(command, {}, std::chrono::seconds{60});
    INFO(binary);
    if (!output)
        FAIL(interlock::base::to_text(output.error()));
    REQUIRE(output->exit_code == 0);
    auto symbols = content_of(list);
    // A stripped binary would prove nothing.
    REQUIRE(symbols.find("interlock::base::") != std::string::npos);
    return symbols;
}

/// The first line that holds `text`, or "".
std::string first_with(const std::string& symbols, const std::string& text) {
    const auto at = symbols.find(text);
    if (at == std::string::npos)
        return {};
    const auto begin = symbols.rfind('\n', at) + 1;
    return symbols.substr(begin, symbols.find('\n', at) - begin);
}

const std::string executor_code = "interlock::executor::";
const std::string server_code = "interlock::server::";
const std::string target_write = "WriterConnection";
const std::string target_read = "ReaderConnection";

TEST_CASE("the server has no code to execute a plan or to write to a target", "[binaries]") {
    const auto symbols = symbols_of(server);
    CHECK(first_with(symbols, executor_code) == "");
    CHECK(first_with(symbols, target_write) == "");
    // The same search finds what is there.
    CHECK(first_with(symbols, server_code) != "");
    CHECK(first_with(symbols, target_read) != "");
}

TEST_CASE("only people at the command line can lift what is stopped", "[binaries]") {
    const std::string lifting = "interlock::approval::lift_brakes";
    CHECK(first_with(symbols_of(server), lifting) == "");
    CHECK(first_with(symbols_of(desk), lifting) == "");
    CHECK(first_with(symbols_of(executor), lifting) == "");
    CHECK(first_with(symbols_of(cli), lifting) != "");
}

TEST_CASE("the desk has no code to reach a target", "[binaries]") {
    const auto symbols = symbols_of(desk);
    CHECK(first_with(symbols, executor_code) == "");
    CHECK(first_with(symbols, target_write) == "");
    CHECK(first_with(symbols, target_read) == "");
    CHECK(first_with(symbols, server_code) == "");
}

TEST_CASE("the command line has no code to execute a plan or to write to a target", "[binaries]") {
    const auto symbols = symbols_of(cli);
    CHECK(first_with(symbols, executor_code) == "");
    CHECK(first_with(symbols, target_write) == "");
    CHECK(first_with(symbols, server_code) == "");
}

TEST_CASE("the executor has the code to write and none of the server", "[binaries]") {
    const auto symbols = symbols_of(executor);
    CHECK(first_with(symbols, server_code) == "");
    CHECK(first_with(symbols, executor_code) != "");
    CHECK(first_with(symbols, target_write) != "");
}

TEST_CASE("only the test build of the executor can be told to crash", "[binaries]") {
    const std::string switch_name = "INTERLOCK_CRASH_AT";
    for (const auto& product : {server, desk, executor, cli}) {
        CAPTURE(product);
        CHECK(content_of(product).find(switch_name) == std::string::npos);
    }
    CHECK(content_of(crashing_executor).find(switch_name) != std::string::npos);
}

} // namespace

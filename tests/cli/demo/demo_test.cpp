// The demo as a newcomer runs it: the built programs, a real PostgreSQL, a real incident.
#include "base/file.hpp"
#include "base/process.hpp"
#include "cli/demo/demo.hpp"
#include "tests/support/fakes.hpp"

#include <csignal>
#include <filesystem>
#include <string>

#include <catch2/catch.hpp>

namespace interlock::cli {

namespace {

constexpr std::chrono::seconds demo_deadline{120};

base::Command demo_command(const std::string& directory, const std::string& flag) {
    base::Command command;
    command.arguments = {std::string(INTERLOCK_BIN) + "/interlock", "demo", flag};
    command.environment = {{"TMPDIR", directory}};
    return command;
}

/// A directory the unprivileged database user can reach.
void open_to_all(const std::string& directory) {
    std::filesystem::permissions(
        directory,
        std::filesystem::perms::owner_all | std::filesystem::perms::group_exec |
            std::filesystem::perms::others_exec | std::filesystem::perms::others_read |
            std::filesystem::perms::others_write
    );
}

bool has_processes_of(const std::string& directory) {
    for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
        std::error_code problem;
        const auto working = std::filesystem::read_symlink(entry.path() / "cwd", problem);
        if (!problem && working.string().starts_with(directory)) {
            return true;
        }
    }
    return false;
}

} // namespace

TEST_CASE("the demo ends with the workload recovered and leaves nothing behind", "[cli][live]") {
    test::TemporaryDirectory directory;
    open_to_all(directory.path());
    const test::TemporaryDirectory kept;
    const auto bundle = kept.file("change.tar");
    auto command = demo_command(directory.path(), "--yes");
    command.arguments.push_back("--bundle=" + bundle);
    const auto output = base::run(command, {}, demo_deadline);
    REQUIRE(output.ok());
    INFO(output->out);
    INFO(output->err);
    CHECK(output->exit_code == 0);
    CHECK(output->out.find("SUCCEEDED") != std::string::npos);
    CHECK(output->out.ends_with("recovered\n"));
    CHECK(std::filesystem::is_empty(directory.path()));

    // All that made it is gone: the bundle speaks for itself, and not after a change of one byte.
    const auto verify = [&] {
        base::Command checked;
        checked.arguments = {
            std::string(INTERLOCK_BIN) + "/interlock", "audit", "verify", bundle, "--json"};
        return base::run(checked, {}, demo_deadline);
    };
    const auto whole = verify();
    REQUIRE(whole.ok());
    INFO(whole->out);
    CHECK(whole->exit_code == 0);
    CHECK(whole->out.find("demo-approver") != std::string::npos);
    auto bytes = base::read_file(bundle, std::size_t{64} << 20).value();
    const auto at = bytes.find("demo-approver");
    REQUIRE(at != std::string::npos);
    bytes[at] = 'D';
    REQUIRE(base::write_file_atomically(bundle, bytes).ok());
    const auto forged = verify();
    REQUIRE(forged.ok());
    CHECK(forged->exit_code == 7);
}

TEST_CASE("a refusal at the terminal runs nothing", "[cli][live]") {
    test::TemporaryDirectory directory;
    open_to_all(directory.path());
    base::Command command = demo_command(directory.path(), "--yes");
    command.arguments.pop_back();
    const auto output = base::run(command, "no\n", demo_deadline);
    REQUIRE(output.ok());
    INFO(output->out);
    CHECK(output->exit_code == 0);
    CHECK(output->out.find("Refused: nothing was run") != std::string::npos);
    CHECK(output->out.find("EXECUTING") == std::string::npos);
    CHECK(output->out.find("recovered\n") == std::string::npos);
}

TEST_CASE(
    "no answer decides nothing, and a bundle that cannot be written is told first", "[cli][live]"
) {
    test::TemporaryDirectory directory;
    open_to_all(directory.path());
    base::Command command = demo_command(directory.path(), "--yes");
    command.arguments.pop_back();
    const auto unanswered = base::run(command, "", demo_deadline);
    REQUIRE(unanswered.ok());
    INFO(unanswered->out);
    CHECK(unanswered->exit_code == 2);
    CHECK(unanswered->err.find("Nobody answered") != std::string::npos);
    CHECK(unanswered->out.find("Refused") == std::string::npos);
    command.arguments.push_back("--bundle=" + directory.path() + "/nowhere/change.tar");
    const auto early = base::run(command, "", demo_deadline);
    REQUIRE(early.ok());
    CHECK(early->exit_code == 2);
    CHECK(early->out.empty());
}

TEST_CASE("Ctrl-C in the middle of the demo cleans everything up", "[cli][live]") {
    test::TemporaryDirectory directory;
    open_to_all(directory.path());
    auto demo = base::Child::start(demo_command(directory.path(), "--yes"));
    REQUIRE(demo.ok());
    std::optional<std::string> line;
    do {
        line = demo->read_line(demo_deadline);
    } while (line && line->find("idle in its transaction") == std::string::npos);
    REQUIRE(line);
    demo->signal(SIGINT);
    const auto exit_code = demo->wait(std::chrono::seconds{20});
    REQUIRE(exit_code.ok());
    CHECK(*exit_code == 1);
    CHECK(std::filesystem::is_empty(directory.path()));
    CHECK_FALSE(has_processes_of(directory.path()));
}

} // namespace interlock::cli

#include "base/file.hpp"
#include "cli/audit_keys.hpp"
#include "tests/cli/audit_story.hpp"

#include <catch2/catch.hpp>

namespace interlock::cli {

TEST_CASE("executors' keys are given one by one, or stand in a file", "[cli]") {
    const test::Story story;
    const auto first = story.key_of("interlock-executor");
    const auto second = story.key_of("interlock-server");
    const auto file = story.directory.file("keys");
    const auto keys = [&](std::vector<std::string> given, const std::string& text) {
        REQUIRE(base::write_file_atomically(file, text).ok());
        return read_executor_keys(given, file);
    };
    CHECK(read_executor_keys({}, "").value().empty());
    CHECK(read_executor_keys({first + "\n"}, "").value() == std::vector{first});
    CHECK(keys({}, "# 2026\n" + first + "\n\n  " + second).value() == std::vector{first, second});
    CHECK(keys({first}, second + "\r\n").value() == std::vector{first, second});
    for (const auto& wrong : {std::string(), std::string("\n# none\n"), first + "\nno key\n"}) {
        INFO(wrong);
        const auto read = keys({}, wrong);
        REQUIRE_FALSE(read.ok());
        CHECK(exit_code(read.error().code) == Exit::usage);
    }
    CHECK_FALSE(read_executor_keys({"no key"}, "").ok());
    CHECK(read_executor_keys({}, file + ".none").error().code == base::Errc::invalid_arguments);
}

} // namespace interlock::cli

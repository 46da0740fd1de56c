#include "telemetry/rotating_file.hpp"
#include "tests/support/fakes.hpp"

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include <catch2/catch.hpp>

namespace interlock::telemetry {
namespace {

std::vector<std::string> lines_of(const std::string& path) {
    std::vector<std::string> lines;
    std::ifstream file(path);
    for (std::string line; std::getline(file, line);)
        lines.push_back(line);
    return lines;
}

using Lines = std::vector<std::string>;

TEST_CASE("full files are rotated and only the newest are kept", "[telemetry]") {
    const test::TemporaryDirectory directory;
    RotatingFile file(directory.path(), "svc", 20, 3);
    for (const char* line :
         {"one......",
          "two......",
          "three....",
          "four.....",
          "five.....",
          "six......",
          "seven...."})
        CHECK(file.append(line));
    CHECK(lines_of(directory.file("svc.jsonl")) == Lines{"seven...."});
    CHECK(lines_of(directory.file("svc.1.jsonl")) == Lines{"five.....", "six......"});
    CHECK(lines_of(directory.file("svc.2.jsonl")) == Lines{"three....", "four....."});
    CHECK_FALSE(std::filesystem::exists(directory.file("svc.3.jsonl")));
}

TEST_CASE("a line longer than the file may be stands alone in it", "[telemetry]") {
    const test::TemporaryDirectory directory;
    RotatingFile file(directory.path(), "svc", 20, 2);
    const std::string line(100, 'x');
    CHECK(file.append("short"));
    CHECK(file.append(line));
    CHECK(lines_of(directory.file("svc.jsonl")) == Lines{line});
    CHECK(lines_of(directory.file("svc.1.jsonl")) == Lines{"short"});
}

TEST_CASE("a second writer finds the file that a first one rotated away", "[telemetry]") {
    const test::TemporaryDirectory directory;
    RotatingFile first(directory.path(), "svc", 12, 5);
    RotatingFile second(directory.path(), "svc", 12, 5);
    CHECK(first.append("a1......."));
    CHECK(second.append("b1.......")); // rotates
    CHECK(first.append("a2......."));  // again
    CHECK(lines_of(directory.file("svc.jsonl")) == Lines{"a2......."});
    CHECK(lines_of(directory.file("svc.1.jsonl")) == Lines{"b1......."});
    CHECK(lines_of(directory.file("svc.2.jsonl")) == Lines{"a1......."});
}

TEST_CASE("a line that cannot be written is told", "[telemetry]") {
    const test::TemporaryDirectory directory;
    std::ofstream(directory.file("taken")) << "a file where a directory should be";
    RotatingFile file(directory.file("taken"), "svc", 100, 2);
    CHECK_FALSE(file.append("lost"));
}

} // namespace
} // namespace interlock::telemetry

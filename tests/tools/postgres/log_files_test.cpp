#include "base/limits.hpp"
#include "tests/support/fakes.hpp"
#include "tools/postgres/log_files.hpp"

#include <algorithm>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <sys/stat.h>
#include <unistd.h>

#include <catch2/catch.hpp>

namespace base = interlock::base;
namespace limits = base::limits;
namespace tools = interlock::tools;
using interlock::test::TemporaryDirectory;
using tools::LogDirectory;
using tools::LogLines;

namespace {

void write(const std::string& path, const std::string& text) {
    std::ofstream(path, std::ios::binary) << text;
}

struct Lines {
    std::vector<std::string> lines;
    int cut = 0;
    std::size_t torn = 0;
};

Lines read(const tools::LogFile& file, std::int64_t from = 0) {
    std::vector<char> buffer(limits::log_buffer_bytes);
    LogLines lines{file, buffer, from};
    Lines out;
    std::string_view line;
    for (bool cut = false; lines.next(line, cut);) {
        out.lines.emplace_back(line);
        out.cut += cut ? 1 : 0;
    }
    out.torn = lines.torn();
    return out;
}

/// Lines "0000001234 ..." that stand for times in microseconds.
bool numbered(std::string_view line, std::optional<base::Time>& at) {
    if (line.size() < 10 || line[0] != '0') {
        return false;
    }
    at = base::Time{std::chrono::seconds{std::stoll(std::string{line.substr(0, 10)})}};
    return true;
}

std::string numbered_line(long long number) {
    std::string digits = std::to_string(number);
    return std::string(10 - digits.size(), '0') + digits + std::string(90, 'x') + "\n";
}

} // namespace

TEST_CASE("regular files of the directory are read and nothing else", "[tools]") {
    const TemporaryDirectory directory;
    const TemporaryDirectory outside;
    write(directory.file("a.log"), "x\n");
    write(directory.file("b.log.1.gz"), "x\n");
    write(outside.file("secret"), "secret\n");
    std::filesystem::create_symlink(outside.file("secret"), directory.file("link.log"));
    std::filesystem::create_directory(directory.file("sub"));
    REQUIRE(::mkfifo(directory.file("pipe.log").c_str(), 0600) == 0);
    const auto opened = LogDirectory::open(directory.path());
    REQUIRE(opened.ok());
    const auto listed = (*opened)->list(base::Time{});
    REQUIRE(listed.ok());
    CHECK(listed->names == std::vector<std::string>{"a.log"});
    CHECK(listed->refused.size() == 4);
    CHECK((*opened)->file("a.log").ok());
    for (const std::string& name :
         {std::string{"link.log"},
          std::string{"sub"},
          std::string{"pipe.log"},
          "../" + std::filesystem::path(outside.path()).filename().string() + "/secret",
          outside.file("secret"),
          std::string{"none"}}) {
        INFO(name);
        CHECK_FALSE((*opened)->file(name).ok());
    }
    CHECK_FALSE(LogDirectory::open(directory.file("none")).ok());
    CHECK_FALSE(LogDirectory::open(directory.file("a.log")).ok());
}

TEST_CASE("files come last written first, those before the window not at all", "[tools]") {
    const TemporaryDirectory directory;
    for (const char* name : {"old", "middle", "new"}) {
        write(directory.file(name), "x\n");
    }
    const auto set = [&](const char* name, std::time_t seconds) {
        const timespec times[2] = {{seconds, 0}, {seconds, 0}};
        REQUIRE(::utimensat(AT_FDCWD, directory.file(name).c_str(), times, 0) == 0);
    };
    set("old", 1'000);
    set("middle", 2'000);
    set("new", 3'000);
    const auto opened = LogDirectory::open(directory.path());
    const auto listed = (*opened)->list(base::Time{std::chrono::seconds{1'500}});
    CHECK(listed->names == std::vector<std::string>{"new", "middle"});
}

TEST_CASE("lines are read across the buffer's borders, and what is torn is told", "[tools]") {
    const TemporaryDirectory directory;
    std::string text;
    std::vector<std::string> expected;
    for (int i = 0; i < 60'000; ++i) {
        expected.push_back(std::string(static_cast<std::size_t>(i % 97), 'a') + std::to_string(i));
        text += expected.back() + "\n";
    }
    write(directory.file("a"), text + "torn");
    const auto opened = LogDirectory::open(directory.path());
    const auto file = (*opened)->file("a");
    REQUIRE(file.ok());
    const auto read_back = read(**file);
    CHECK(read_back.lines == expected);
    CHECK(read_back.torn == 4);
    CHECK(read_back.cut == 0);
    // What is appended later belongs to the next reading; what is cut off is not there.
    std::ofstream(directory.file("a"), std::ios::app) << " more\n";
    CHECK(read(**file).lines.size() == expected.size());
    std::filesystem::resize_file(directory.file("a"), 5);
    CHECK(read(**file).lines.size() == 2);
}

TEST_CASE("a line longer than the buffer costs no more than the buffer", "[tools]") {
    const TemporaryDirectory directory;
    write(
        directory.file("a"),
        "first\n" + std::string(5 * limits::log_buffer_bytes, 'x') + "\n" +
            std::string(limits::log_line_bytes_max, 'y') + "\nlast\n"
    );
    const auto opened = LogDirectory::open(directory.path());
    const auto file = (*opened)->file("a");
    const auto read_back = read(**file);
    REQUIRE(read_back.lines.size() == 4);
    CHECK(read_back.lines[1] == std::string(limits::log_line_bytes_max, 'x'));
    CHECK(read_back.lines[2].size() == limits::log_line_bytes_max);
    CHECK(read_back.lines[3] == "last");
    CHECK(read_back.cut == 1);
}

TEST_CASE("a narrow window is found without reading the file", "[tools]") {
    const TemporaryDirectory directory;
    std::string text;
    constexpr long long lines = 100'000; // 10 MB
    for (long long i = 0; i < lines; ++i) {
        text += numbered_line(i);
    }
    write(directory.file("a"), text);
    const auto opened = LogDirectory::open(directory.path());
    const auto file = (*opened)->file("a");
    std::vector<char> buffer(limits::log_buffer_bytes);
    for (const long long wanted : {0LL, 30LL, 50'000LL, 99'999LL, 200'000LL}) {
        INFO(wanted);
        const auto from =
            tools::first_offset(**file, base::Time{std::chrono::seconds{wanted}}, buffer, numbered);
        const long long first = from / 101;
        CHECK(first <= std::max(wanted - limits::log_disorder_max.count(), 0LL));
        const long long near = std::min(wanted, lines) - 60 - 2 * 1024 * 1024 / 101;
        CHECK(first >= near);
        CHECK(from % 101 == 0);
    }
}

TEST_CASE("a file out of order is read from its beginning", "[tools]") {
    const TemporaryDirectory directory;
    std::string text;
    for (long long i = 0; i < 60'000; ++i) {
        text += numbered_line(i < 30'000 ? i + 500'000 : i);
    }
    write(directory.file("a"), text);
    const auto opened = LogDirectory::open(directory.path());
    const auto file = (*opened)->file("a");
    std::vector<char> buffer(limits::log_buffer_bytes);
    CHECK(
        tools::first_offset(**file, base::Time{std::chrono::seconds{520'000}}, buffer, numbered) ==
        0
    );
}

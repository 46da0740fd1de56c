#include "base/json.hpp"
#include "base/log.hpp"
#include "tests/support/fakes.hpp"

#include <algorithm>
#include <fcntl.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

namespace interlock::base {
namespace {

/// What `body` writes to stderr.
template <class Body>
std::string stderr_of(Body body) {
    const test::TemporaryDirectory directory;
    const std::string path = directory.file("stderr");
    const int saved = ::dup(2);
    const int file = ::open(path.c_str(), O_WRONLY | O_CREAT, 0600);
    ::dup2(file, 2);
    body();
    ::dup2(saved, 2);
    ::close(file);
    ::close(saved);
    return read_file(path, 1 << 20).value();
}

} // namespace

TEST_CASE("an event is one line of JSON with its fields", "[base]") {
    log_setup("tester", LogLevel::info, nullptr);
    const std::string text = stderr_of([] {
        log_info("tool.finished", {{"tool", "get_activity"}, {"elapsed_ms", "12"}});
    });
    REQUIRE(text.ends_with("\n"));
    const auto line = parse_json(text);
    REQUIRE(line.ok());
    CHECK(string_member(*line, "event") == "tool.finished");
    CHECK(string_member(*line, "program") == "tester");
    CHECK(string_member(*line, "level") == "info");
    CHECK(string_member(*line, "elapsed_ms") == "12");
    CHECK(parse_time(*string_member(*line, "time")).ok());
}

TEST_CASE("events below the level are not written", "[base]") {
    log_setup("tester", LogLevel::warning, nullptr);
    const std::string text = stderr_of([] {
        log_info("quiet");
        log_event(LogLevel::debug, "quiet");
        log_warning("loud");
        log_error("louder");
    });
    log_setup("tester", LogLevel::info, nullptr);
    CHECK(text.find("quiet") == std::string::npos);
    CHECK(std::count(text.begin(), text.end(), '\n') == 2);
}

TEST_CASE("a hostile value can neither forge a line nor move the terminal", "[base]") {
    const std::string text = stderr_of([] {
        log_info("e", {{"value", "a\n{\"event\":\"forged\"}\x1b[2J\xe2\x80\xae\xff %s {}"}});
    });
    CHECK(std::count(text.begin(), text.end(), '\n') == 1);
    CHECK(text.find('\x1b') == std::string::npos);
    for (const char letter : text) {
        REQUIRE(static_cast<unsigned char>(letter) < 0x7f);
    }
    CHECK(parse_json(text).ok());
}

TEST_CASE("the redactor sees every field whole, harmless, and with its name", "[base]") {
    log_setup("tester", LogLevel::info, [](std::string_view key, std::string_view value) {
        return std::string{key} + " of " + std::to_string(value.size());
    });
    const std::string text = stderr_of([] {
        log_info("e", {{"why", "\x1b[2Jabc"}, {"long", std::string(100'000, 'x')}});
    });
    log_setup("tester", LogLevel::info, nullptr);
    const auto line = parse_json(text);
    REQUIRE(line.ok());
    CHECK(string_member(*line, "why") == "why of 3");
    CHECK(string_member(*line, "long") == "long of 100000");
}

TEST_CASE("a field cannot replace what the log itself says, and is cut when long", "[base]") {
    const std::string text = stderr_of([] {
        log_info("real", {{"event", "forged"}, {"long", std::string(100'000, 'x')}});
    });
    const auto line = parse_json(text);
    REQUIRE(line.ok());
    CHECK(string_member(*line, "event") == "real");
    CHECK(string_member(*line, "field.event") == "forged");
    CHECK(text.size() < 3'000);
}

TEST_CASE("log levels have four names", "[base]") {
    CHECK(log_level_names().size() == 4);
    for (const auto& each : log_level_names()) {
        CHECK(log_level_from_name(each).ok());
    }
    CHECK(log_level_from_name("warning").value() == LogLevel::warning);
    CHECK_FALSE(log_level_from_name("loud").ok());
}

} // namespace interlock::base

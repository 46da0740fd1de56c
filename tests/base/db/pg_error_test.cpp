#include "base/db/pg_error.hpp"
#include "base/limits.hpp"
#include "base/text.hpp"

#include <catch2/catch.hpp>

namespace interlock::db {
namespace {

using base::Errc;

TEST_CASE("each SQLSTATE has its meaning", "[db]") {
    const std::pair<const char*, Errc> expected[] = {
        {"57014", Errc::timeout},
        {"55P03", Errc::timeout},
        {"25P03", Errc::timeout},
        {"42501", Errc::permission_denied},
        {"28P01", Errc::permission_denied},
        {"28000", Errc::permission_denied},
        {"08006", Errc::target_unreachable},
        {"57P01", Errc::target_unreachable},
        {"57P03", Errc::target_unreachable},
        {"57P05", Errc::target_unreachable},
        {"53300", Errc::target_unreachable},
        {"53200", Errc::limit_exceeded},
        {"54001", Errc::limit_exceeded},
        {"0A000", Errc::not_supported},
        {"42883", Errc::not_supported},
        {"42P01", Errc::not_supported},
        {"55000", Errc::not_supported},
        {"3D000", Errc::not_found},
        {"25006", Errc::refused_by_guard},
        {"25001", Errc::refused_by_guard},
        {"25P02", Errc::internal},
        {"40P01", Errc::conflict},
        {"40001", Errc::conflict},
        {"23505", Errc::conflict},
        {"42601", Errc::invalid_input},
        {"22012", Errc::invalid_input},
        {"P0001", Errc::refused},
        {"XX001", Errc::corrupt},
        {"XX000", Errc::internal},
        {"58030", Errc::io},
        {"99999", Errc::internal},
        {"", Errc::internal}};
    for (const auto& [state, code] : expected) {
        CAPTURE(state);
        const auto error = pg_error(state, "message", "a_statement");
        CHECK(error.code == code);
        CHECK(error.what.find(state) != std::string::npos);
        CHECK(error.what.find("a_statement") != std::string::npos);
    }
}

TEST_CASE("a cancelled statement is told apart from one that ran too long", "[db]") {
    CHECK(
        pg_error("57014", "canceling statement due to user request", "s").code == Errc::cancelled
    );
    CHECK(
        pg_error("57014", "canceling statement due to statement timeout", "s").code == Errc::timeout
    );
}

TEST_CASE("the server's message is made harmless and short", "[db]") {
    const auto hostile = "bad \x1b[31mred\x1b[0m\nline " + std::string(10'000, 'x');
    const auto error = pg_error("42601", hostile, "s");
    CHECK(error.what.find('\x1b') == std::string::npos);
    CHECK(error.what.find('\n') == std::string::npos);
    CHECK(base::count_characters(error.what) < base::limits::database_message_chars_max + 200);
}

TEST_CASE("values that a message quotes are not repeated, names are", "[db]") {
    const auto what = [](const char* state, const char* message) {
        return pg_error(state, message, "s").what;
    };
    const auto holds = [](const std::string& text, const char* part) {
        return text.find(part) != std::string::npos;
    };
    CHECK(holds(
        what("22P02", "invalid input syntax for type integer: \"a\"b\""), "type integer: \"...\" ("
    ));
    CHECK_FALSE(holds(what("22003", "value \"99999\" is out of range"), "99999"));
    CHECK_FALSE(holds(what("22P02", "Eingabe: \xE2\x80\x9Ehunter2\xE2\x80\x9C"), "hunter2"));
    CHECK_FALSE(holds(what("22P02", "cut: \"hunter2"), "hunter2"));
    CHECK_FALSE(holds(what("42601", "syntax error at or near \"'hunter2'\""), "hunter2"));
    CHECK_FALSE(holds(what("42601", "syntax error at or near \"4111\""), "4111"));
    CHECK(holds(what("42601", "syntax error at or near \"from\""), "\"from\""));
    CHECK(holds(what("42703", "column \"amount\" does not exist"), "\"amount\""));
    CHECK(holds(what("22012", "division by zero"), "division by zero"));
}

} // namespace
} // namespace interlock::db

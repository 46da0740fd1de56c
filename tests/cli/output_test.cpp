#include "cli/output.hpp"

#include <catch2/catch.hpp>

namespace interlock::cli {

TEST_CASE("each kind of failure has the documented exit code", "[cli]") {
    using base::Errc;
    CHECK(exit_code(Errc::invalid_input) == Exit::usage);
    CHECK(exit_code(Errc::invalid_arguments) == Exit::usage);
    CHECK(exit_code(Errc::not_found) == Exit::not_found);
    CHECK(exit_code(Errc::invalid_signature) == Exit::refused);
    CHECK(exit_code(Errc::refused) == Exit::refused);
    CHECK(exit_code(Errc::expired) == Exit::refused);
    CHECK(exit_code(Errc::changed) == Exit::refused);
    CHECK(exit_code(Errc::store_read_only) == Exit::store);
    CHECK(exit_code(Errc::store_full) == Exit::store);
    CHECK(exit_code(Errc::store_unreachable) == Exit::store);
    CHECK(exit_code(Errc::target_unreachable) == Exit::unreachable);
    CHECK(exit_code(Errc::internal) == Exit::failed);
}

TEST_CASE("no failure ends with exit code 0", "[cli]") {
    for (int code = 0; code <= static_cast<int>(base::Errc::internal); ++code) {
        CHECK(exit_code(static_cast<base::Errc>(code)) != Exit::ok);
    }
}

TEST_CASE("there are no colours when output is not a terminal", "[cli]") {
    CHECK(coloured(Colour::red, "text") == "text");
}

} // namespace interlock::cli

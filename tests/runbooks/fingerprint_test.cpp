#include "runbooks/fingerprint.hpp"

#include <catch2/catch.hpp>

namespace interlock {
namespace {

db::Table row(std::vector<db::Cell> cells) {
    db::Table table;
    table.columns = {"system_identifier", "database", "timeline", "in_recovery", "server_major"};
    table.rows.push_back(std::move(cells));
    return table;
}

} // namespace

TEST_CASE("a fingerprint is read from the one row of its statement", "[runbooks]") {
    const auto read = runbooks::fingerprint_from(row({"731", "app", "3", "t", "15"}), "main");
    REQUIRE(read.ok());
    CHECK(*read == runbooks::TargetFingerprint{"main", "731", "app", 3, true, 15});
}

TEST_CASE("a fingerprint with anything missing or out of range is no fingerprint", "[runbooks]") {
    const std::vector<std::vector<db::Cell>> rows{
        {std::nullopt, "app", "1", "f", "15"},
        {"731", std::nullopt, "1", "f", "15"},
        {"731", "app", std::nullopt, "f", "15"},
        {"731", "app", "0", "f", "15"},
        {"731", "app", "4294967296", "f", "15"},
        {"731", "app", "1", std::nullopt, "15"},
        {"731", "app", "1", "f", "0"},
        {"731", "app", "1", "f", "x"},
    };
    for (const auto& cells : rows) {
        const auto read = runbooks::fingerprint_from(row(cells), "main");
        REQUIRE_FALSE(read.ok());
        CHECK(read.error().code == base::Errc::not_supported);
    }
    db::Table empty = row({"731", "app", "1", "f", "15"});
    empty.rows.clear();
    CHECK_FALSE(runbooks::fingerprint_from(empty, "main").ok());
    db::Table twice = row({"731", "app", "1", "f", "15"});
    twice.rows.push_back(twice.rows[0]);
    CHECK_FALSE(runbooks::fingerprint_from(twice, "main").ok());
}

} // namespace interlock

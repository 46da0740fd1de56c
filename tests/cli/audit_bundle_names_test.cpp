#include "cli/audit_bundle_names.hpp"

#include <catch2/catch.hpp>

namespace interlock::cli {

TEST_CASE("a bundle's files are named so that they sort as the log", "[cli]") {
    CHECK(bundle_record(42, "header.json") == "records/000000000042/header.json");
    CHECK(bundle_witness(7, "proof.tlog-proof") == "witnesses/000000000007/proof.tlog-proof");
    CHECK(bundle_plan("abc", "decisions/01.json") == "plans/abc/decisions/01.json");
    CHECK(bundle_record(9, "salt") < bundle_record(10, "salt"));
}

TEST_CASE("the number of a record is read from its file's name, or there is none", "[cli]") {
    CHECK(bundle_index("000000000042/salt") == 42);
    CHECK(bundle_index("7") == 7);
    for (const char* wrong : {"", "/", "x/salt", "1x/salt", "-1/salt", "99999999999999999999/salt"})
        CHECK_FALSE(bundle_index(wrong));
}

} // namespace interlock::cli

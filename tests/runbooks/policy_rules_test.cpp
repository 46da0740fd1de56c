#include "runbooks/policy_rules.hpp"

#include <catch2/catch.hpp>

namespace interlock {

using runbooks::FunctionRule;
using runbooks::Place;

TEST_CASE("functions are known by their full name only", "[runbooks]") {
    CHECK(runbooks::function_rule("pg_catalog.count") == FunctionRule::harmless);
    CHECK(runbooks::function_rule("pg_catalog.pg_terminate_backend") == FunctionRule::signals);
    for (const auto* name :
         {"count",
          "pg_terminate_backend",
          "app.count",
          "PG_CATALOG.COUNT",
          "pg_catalog.pg_sleep",
          "pg_catalog.set_config",
          "pg_catalog.pg_read_file",
          "pg_catalog.query_to_xml",
          "operator(app.###)",
          ""}) {
        INFO(name);
        CHECK(runbooks::function_rule(name) == FunctionRule::unknown);
    }
}

TEST_CASE("kinds that nobody judged are denied like those that were judged badly", "[runbooks]") {
    CHECK(runbooks::kind_denial("SelectStmt", Place::step).empty());
    CHECK(runbooks::kind_denial("SelectStmt", Place::read).empty());
    for (const auto* kind :
         {"DropStmt",
          "DropdbStmt",
          "TruncateStmt",
          "DeleteStmt",
          "UpdateStmt",
          "DoStmt",
          "CallStmt",
          "CopyStmt",
          "VariableSetStmt",
          "TransactionStmt",
          "VacuumStmt",
          "IndexStmt",
          "NotYetInventedStmt",
          ""}) {
        INFO(kind);
        CHECK_FALSE(runbooks::kind_denial(kind, Place::step).empty());
        CHECK_FALSE(runbooks::kind_denial(kind, Place::read).empty());
    }
}

TEST_CASE("catalogs with secrets and unjudged types are told apart", "[runbooks]") {
    CHECK(runbooks::is_secret_relation("pg_catalog.pg_authid"));
    CHECK_FALSE(runbooks::is_secret_relation("pg_catalog.pg_stat_activity"));
    CHECK(runbooks::is_bindable_type("timestamptz"));
    CHECK_FALSE(runbooks::is_bindable_type("regclass"));
    CHECK_FALSE(runbooks::is_bindable_type("int4; drop table t"));
}

TEST_CASE(
    "the rules' text names every list, so that a change of any changes the digest", "[runbooks]"
) {
    const auto text = runbooks::rules_text();
    for (const auto* part :
         {"policy 1",
          "SelectStmt",
          "pg_catalog.pg_terminate_backend",
          "pg_catalog.pg_authid",
          "timestamptz"}) {
        CHECK(text.find(part) != std::string::npos);
    }
}

} // namespace interlock

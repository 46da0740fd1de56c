#include "base/db/sql_guard_data.hpp"

#include <catch2/catch.hpp>

namespace interlock::db::guard_data {
namespace {

TEST_CASE("a member is known for its own node type only", "[db][guard]") {
    CHECK(member_of("SelectStmt", "targetList")->kind == MemberKind::nodes);
    CHECK(member_of("SelectStmt", "op")->kind == MemberKind::scalar);
    CHECK(member_of("SelectStmt", "larg")->kind == MemberKind::fixed);
    CHECK(member_of("SelectStmt", "larg")->type == "SelectStmt");
    CHECK(member_of("SelectStmt", "intoClause")->kind == MemberKind::denied);
    CHECK(member_of("SelectStmt", "lockingClause")->kind == MemberKind::denied);
    CHECK_FALSE(member_of("SelectStmt", "funcname").has_value());
    CHECK_FALSE(member_of("A_Star", "anything").has_value());
    CHECK_FALSE(member_of("InsertStmt", "relation").has_value());
}

TEST_CASE("every member of a fixed type leads to a known type", "[db][guard]") {
    for (const auto* type :
         {"WithClause",
          "CTESearchClause",
          "CTECycleClause",
          "Alias",
          "TypeName",
          "WindowDef",
          "CollateClause",
          "Integer",
          "Float",
          "Boolean",
          "String",
          "BitString"}) {
        CHECK(allowed_node(type));
    }
    for (const auto* type :
         {"InsertStmt",
          "IntoClause",
          "LockingClause",
          "XmlExpr",
          "RangeTableFunc",
          "CopyStmt",
          ""}) {
        CHECK_FALSE(allowed_node(type));
    }
}

TEST_CASE("statements are classed by their node type", "[db][guard]") {
    CHECK(statement_class("DeleteStmt") == "dml");
    CHECK(statement_class("CopyStmt") == "copy");
    CHECK(statement_class("CreateFunctionStmt") == "ddl");
    CHECK(statement_class("AlterSystemStmt") == "utility");
    CHECK(statement_class("TransactionStmt") == "txn_control");
    CHECK(statement_class("AnythingNewStmt") == "utility");
}

} // namespace
} // namespace interlock::db::guard_data

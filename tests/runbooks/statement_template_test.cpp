#include "runbooks/statement_template.hpp"

#include <catch2/catch.hpp>

namespace interlock {
namespace {

std::map<std::string, runbooks::BoundParameter> values() {
    return {{"pid", {"pid", "int4", "42"}}, {"since", {"since", "timestamptz", "'; drop table t"}}};
}

} // namespace

TEST_CASE("each distinct name becomes one placeholder with its type", "[runbooks]") {
    const auto good = runbooks::bind_template(
        "select {since}\nwhere {pid} = 1 or {since} is null or x = 'it''s'", values()
    );
    REQUIRE(good.ok());
    CHECK(
        good->sql == "select $1::pg_catalog.timestamptz\nwhere $2::pg_catalog.int4 = 1 or "
                     "$1::pg_catalog.timestamptz is null or x = 'it''s'"
    );
    REQUIRE(good->parameters.size() == 2);
    CHECK(good->parameters[0].name == "since");
    CHECK(good->parameters[0].value == "'; drop table t");
    CHECK(good->parameters[1].name == "pid");
}

TEST_CASE("a template without names binds nothing", "[runbooks]") {
    const auto bound = runbooks::bind_template("select 1", values());
    REQUIRE(bound.ok());
    CHECK(bound->sql == "select 1");
    CHECK(bound->parameters.empty());
    CHECK(
        runbooks::template_names("select {pid}, {since}, {pid}").value() ==
        std::vector<std::string>{"pid", "since"}
    );
}

TEST_CASE("a template that could hide something is refused", "[runbooks]") {
    for (const std::string sql : {
             "select {nobody}",
             "select '{pid}'",
             "select \"{pid}\"",
             "select 'it''s {pid}'",
             "select 'a' || '{pid}'",
             "select {pid",
             "select {}",
             "select { pid }",
             "select {PID}",
             "select {pid;drop}",
             "select a{pid}",
             "select 1{pid}",
             "select {{pid}}",
             "select pid}",
             "select $1",
             "select $$ {pid} $$",
             "select '$1'",
             "select 1 -- {pid}",
             "select 1 /* {pid} */",
             "select 1; select {pid}",
             "select E'\\''",
             "select 'open",
             "select \"open",
             "select 1\t",
             "select 1\r\n",
             "select '\xc3\xa9'",
             "select 1 \xe2\x80\xae",
             "select \x7f",
         }) {
        INFO(sql);
        CHECK_FALSE(runbooks::bind_template(sql, values()).ok());
    }
    using namespace std::string_literals;
    CHECK_FALSE(runbooks::template_names("select 1\0 {pid}"s).ok());
}

} // namespace interlock

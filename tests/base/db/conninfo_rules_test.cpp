#include "base/db/conninfo_rules.hpp"
#include "base/yaml.hpp"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

namespace interlock::db {
namespace {

std::string refusal(const std::string& conninfo) {
    const auto kept = check_conninfo({"x", conninfo, {}});
    return kept ? "" : kept.error().what;
}

TEST_CASE("a connection string without secrets may stand in a configuration", "[db][conninfo]") {
    CHECK(refusal("host=db1,db2 port=5432 dbname=app target_session_attrs=primary") == "");
    CHECK(refusal("postgresql://user@db1/app?sslmode=verify-full") == "");
    CHECK(refusal("service=app") == "");
    CHECK(refusal("") == "");
}

TEST_CASE("what is wrong with a connection string is told, and not what it holds", "[db]") {
    CHECK(refusal("host=db1 password=hunter2") == "holds a password");
    CHECK(refusal("postgresql://user:hunter2@db1/app") == "holds a password");
    CHECK(refusal("host=db1 sslpassword=hunter2") == "holds a password");
    CHECK(refusal("host=db1 hunter2") == "does not parse");
    CHECK(refusal("target_session_attrs=best") == "has a target_session_attrs that is none");
    CHECK(refusal("host=a,b port=1,2,3").find("names 2 servers") == 0);
}

base::Result<TargetAddress> source_of(const std::string& yaml) {
    INTERLOCK_TRY(const auto document, base::parse_yaml(yaml));
    base::Decoder entry(document, "");
    TargetAddress address;
    read_password_source(entry, address);
    INTERLOCK_CHECK(entry.finish());
    return address;
}

TEST_CASE("a password has at most one source", "[db][conninfo]") {
    CHECK(source_of("password_file: /a")->password_file == "/a");
    CHECK(source_of("password_env: A")->password_variable == "A");
    CHECK(source_of("password_command: [a, b]")->password_command.size() == 2);
    CHECK_FALSE(source_of("password_file: /a\npassword_env: A").ok());
    CHECK_FALSE(source_of("password_file:").ok());
}

} // namespace
} // namespace interlock::db

#include "base/db/conninfo.hpp"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

namespace interlock::db {
namespace {

using base::Errc;

base::Result<TargetAddress> read(const base::Json& entry) {
    base::Decoder decoder{entry, "targets[0]"};
    auto address = read_target_address(decoder);
    INTERLOCK_CHECK(decoder.finish());
    return address;
}

TEST_CASE("a target of the command line is a name and a connection string", "[db]") {
    const auto address = parse_target_argument("shop=host=db1 dbname=shop user=interlock_diag");
    REQUIRE(address.ok());
    CHECK(address->name == "shop");
    CHECK(address->conninfo == "host=db1 dbname=shop user=interlock_diag");
    CHECK(address->password_file.empty());
    CHECK(parse_target_argument("a-1_b=postgresql://u@h:5433/d?connect_timeout=3").ok());
}

TEST_CASE("a target without a proper name or connection string is refused", "[db]") {
    for (const auto* text :
         {"",
          "shop",
          "=host=x",
          "Shop=host=x",
          "-a=host=x",
          "a b=host=x",
          "shop=",
          "shop=nonsense",
          "shop=host",
          "shop=colour=red",
          "shop=postgresql://[half"}) {
        CAPTURE(text);
        const auto address = parse_target_argument(text);
        REQUIRE_FALSE(address.ok());
        CHECK(address.error().code == Errc::invalid_input);
        CHECK_FALSE(address.error().remedy.empty());
    }
    CHECK(parse_target_argument(std::string(63, 'a') + "=host=x").ok());
    CHECK_FALSE(parse_target_argument(std::string(64, 'a') + "=host=x").ok());
}

TEST_CASE("an error about a connection string never quotes it", "[db]") {
    const auto address = parse_target_argument("shop=host=x password=open sesame");
    REQUIRE_FALSE(address.ok());
    CHECK(base::to_text(address.error()).find("sesame") == std::string::npos);
}

TEST_CASE("a configured target is read with its password file", "[db]") {
    const auto address =
        read({{"name", "shop"}, {"conninfo", "host=db1"}, {"password_file", "/run/secret"}});
    REQUIRE(address.ok());
    CHECK(address->password_file == "/run/secret");
}

TEST_CASE("a configured target must not hold a password in the open", "[db]") {
    for (const auto* conninfo : {"host=x password=secret", "postgresql://u:secret@h/d"}) {
        CAPTURE(conninfo);
        const auto address = read({{"name", "shop"}, {"conninfo", conninfo}});
        REQUIRE_FALSE(address.ok());
        const auto text = base::to_text(address.error());
        CHECK(text.find("password_file") != std::string::npos);
        CHECK(text.find("secret@") == std::string::npos);
        CHECK(text.find("=secret") == std::string::npos);
    }
}

TEST_CASE("a configured target with a wrong name or connection string is refused", "[db]") {
    CHECK_FALSE(read({{"name", "Shop!"}, {"conninfo", "host=x"}}).ok());
    CHECK_FALSE(read({{"name", "shop"}, {"conninfo", "nonsense"}}).ok());
    CHECK_FALSE(read({{"name", "shop"}}).ok());
    CHECK_FALSE(read({{"name", "shop"}, {"conninfo", "host=x"}, {"passwordfile", "x"}}).ok());
}

TEST_CASE("a description shows where, never the secret", "[db]") {
    const TargetAddress address{
        "shop", "host=db1 port=5433 dbname=d user=u password=secret sslpassword=hidden", {}};
    CHECK(describe(address) == "shop (host=db1 port=5433 dbname=d user=u)");
    CHECK(describe({"shop", "postgresql://u:secret@h/d", {}}) == "shop (host=h dbname=d user=u)");
    CHECK(describe({"shop", "not parsable secret", {}}) == "shop");
    CHECK(describe({"shop", "", {}}) == "shop");
}

} // namespace
} // namespace interlock::db

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

TEST_CASE("a password on the command line, or of a client's key, is refused too", "[db]") {
    for (const auto* conninfo :
         {"host=x password=secret", "postgresql://u:secret@h/d", "host=x sslpassword=secret"}) {
        CAPTURE(conninfo);
        const auto address = parse_target_argument(std::string{"shop="} + conninfo);
        REQUIRE_FALSE(address.ok());
        const auto text = base::to_text(address.error());
        CHECK_THAT(text, Catch::Contains("holds a password") && Catch::Contains("password_file"));
        CHECK_THAT(text, !Catch::Contains("secret"));
    }
}

TEST_CASE("a configured target has one source of its password", "[db]") {
    const base::Json command = {"vault", "read"};
    const auto address =
        read({{"name", "shop"}, {"conninfo", "host=x"}, {"password_command", command}});
    REQUIRE(address.ok());
    CHECK(address->password_command == std::vector<std::string>{"vault", "read"});
    const auto named =
        read({{"name", "shop"}, {"conninfo", "host=x"}, {"password_env", "SHOP_PASSWORD"}});
    REQUIRE(named.ok());
    CHECK(named->password_variable == "SHOP_PASSWORD");
    CHECK_FALSE(read({{"name", "shop"},
                      {"conninfo", "host=x"},
                      {"password_env", "SHOP_PASSWORD"},
                      {"password_file", "/run/secret"}}
    ).ok());
    CHECK_FALSE(read({{"name", "shop"}, {"conninfo", "host=x"}, {"password_env", nullptr}}).ok());
}

std::vector<std::string> names_of(const std::string& conninfo) {
    std::vector<std::string> names;
    const auto servers = servers_of({"shop", conninfo, {}});
    for (const auto& server : servers.value()) {
        names.push_back(server.name);
    }
    return names;
}

TEST_CASE("a target names one server or several", "[db]") {
    using Names = std::vector<std::string>;
    CHECK(names_of("service=shop") == Names{""});
    CHECK(names_of("host=db1 port=5433") == Names{"db1:5433"});
    CHECK(names_of("host=db1,db2") == Names{"db1", "db2"});
    CHECK(names_of("host=db1,db2 port=5433") == Names{"db1:5433", "db2:5433"});
    CHECK(names_of("host=db1,db2 port=5433,") == Names{"db1:5433", "db2:5432"});
    CHECK(names_of("postgresql://u@db1:1,db2:2/d") == Names{"db1:1", "db2:2"});
    CHECK(names_of("hostaddr=10.0.0.1,10.0.0.2") == Names{"10.0.0.1", "10.0.0.2"});
    for (const auto* conninfo :
         {"host=a,b port=1,2,3",
          "host=a,b hostaddr=10.0.0.1",
          "host=a,,b",
          "host=a,b,c,d,e,f,g,h,i",
          "host=a target_session_attrs=secondary"}) {
        CAPTURE(conninfo);
        const auto address = parse_target_argument(std::string{"shop="} + conninfo);
        REQUIRE_FALSE(address.ok());
        CHECK_FALSE(address.error().remedy.empty());
    }
}

TEST_CASE("the target's rule says which server is read", "[db]") {
    const auto rule = [](const std::string& conninfo, Looks looks) {
        const auto choice = choice_of({"shop", conninfo, {}}, looks);
        return std::string{choice.strict ? "only " : "first "} + name(choice.role);
    };
    const std::string two = "host=a,b target_session_attrs=";
    for (const auto looks : {Looks::at_server, Looks::at_data}) {
        CHECK(rule("host=a", looks) == "first any");
        CHECK(rule("host=a,b", looks) == "first primary");
        CHECK(rule(two + "any", looks) == "first any");
        CHECK(rule(two + "primary", looks) == "only primary");
        CHECK(rule(two + "read-write", looks) == "only primary");
        CHECK(rule(two + "standby", looks) == "only standby");
        CHECK(rule("host=a target_session_attrs=standby", looks) == "only standby");
    }
    CHECK(rule(two + "prefer-standby", Looks::at_server) == "first primary");
    CHECK(rule(two + "prefer-standby", Looks::at_data) == "first standby");
    CHECK(choice_to_write({"shop", two + "prefer-standby", {}}).strict);
    CHECK(choice_to_write({"shop", "host=a", {}}).role == Role::any);
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

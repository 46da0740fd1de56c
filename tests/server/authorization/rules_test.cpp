#include "base/digest.hpp"
#include "server/authorization/rules.hpp"
#include "tools/tool.hpp"

#include <algorithm>

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

namespace interlock::server {
namespace {

using Scopes = std::set<std::string>;

base::Json json(const std::string& text) {
    const auto parsed = base::parse_json(text);
    REQUIRE(parsed.ok());
    return *parsed;
}

IdentityRule rule(std::map<std::string, std::string> claims, std::string role) {
    return {"", std::move(claims), std::move(role), {}};
}

/// The role of the first matching rule; "" without one.
std::string role_for(const std::vector<IdentityRule>& rules, const std::string& claims) {
    const auto* found = matching_rule(rules, "https://as.example", json(claims));
    return found == nullptr ? "" : found->database_role;
}

} // namespace

TEST_CASE("every domain of the catalogue has a scope", "[server][auth]") {
    for (const tools::Tool& tool : tools::catalog()) {
        INFO(tool.domain);
        const auto& known = tool_domains();
        CHECK(std::find(known.begin(), known.end(), tool.domain) != known.end());
    }
}

TEST_CASE("scopes are read from scope and scp and closed under implication", "[server][auth]") {
    CHECK(
        scopes_of(json(R"({"scope":"openid interlock:triage profile"})")) ==
        Scopes{"interlock:triage"}
    );
    CHECK(
        scopes_of(json(R"({"scp":["interlock:triage","interlock:planning"]})")) ==
        Scopes{"interlock:triage", "interlock:planning"}
    );
    CHECK(scopes_of(json(R"({"scp":"interlock:postgres"})")) == Scopes{"interlock:postgres"});
    const Scopes all{
        "interlock",
        "interlock:orientation",
        "interlock:triage",
        "interlock:postgres",
        "interlock:planning"};
    CHECK(scopes_of(json(R"({"scope":"interlock"})")) == all);
    for (const char* none :
         {"{}",
          R"({"scope":""})",
          R"({"scope":7,"scp":{"interlock":1}})",
          R"({"scope":"Interlock INTERLOCK:TRIAGE interlock: interlock:all interlock:*"})",
          R"({"scope":"interlock\ttriage"})",
          R"({"scp":[["interlock"],7,null]})",
          R"({"scopes":"interlock"})"}) {
        INFO(none);
        CHECK(scopes_of(json(none)).empty());
    }
}

TEST_CASE("the first rule whose claims all match gives the role", "[server][auth]") {
    const std::vector<IdentityRule> rules{
        rule({{"groups", "dba"}, {"email", "alice@corp.example"}}, "alice_role"),
        rule({{"groups", "dba"}}, "dba_role"),
        rule({{"admin", "true"}}, "admin_role"),
        rule({{"level", "5"}}, "level_role"),
        rule({{"department", "*"}}, "staff_role")};
    CHECK(
        role_for(rules, R"({"groups":["ops","dba"],"email":"alice@corp.example"})") == "alice_role"
    );
    CHECK(role_for(rules, R"({"groups":["dba"],"email":"bob@corp.example"})") == "dba_role");
    CHECK(role_for(rules, R"({"groups":"dba"})") == "dba_role");
    CHECK(role_for(rules, R"({"admin":true})") == "admin_role");
    CHECK(role_for(rules, R"({"level":5})") == "level_role");
    CHECK(role_for(rules, R"({"department":"x"})") == "staff_role");
    for (const char* nobody :
         {"{}",
          R"({"groups":["DBA"]})",
          R"({"groups":["dba "]})",
          R"({"groups":"ops dba"})",
          R"({"groups":{"dba":true}})",
          R"({"groups":[["dba"]]})",
          R"({"department":null})",
          R"({"department":[]})",
          R"({"admin":false})"}) {
        INFO(nobody);
        CHECK(role_for(rules, nobody).empty());
    }
}

TEST_CASE("a claim inside others is named by its path", "[server][auth]") {
    const std::vector<IdentityRule> rules{
        rule({{"realm_access.roles", "dba"}}, "realm_role"),
        rule({{"resource_access.app.example.roles", "dba"}}, "client_role"),
        rule({{"https://corp.example/team", "dba"}}, "team_role")};
    CHECK(role_for(rules, R"({"realm_access":{"roles":["x","dba"]}})") == "realm_role");
    CHECK(role_for(rules, R"({"realm_access.roles":"dba"})") == "realm_role");
    CHECK(
        role_for(rules, R"({"resource_access":{"app.example":{"roles":["dba"]},"app":{}}})") ==
        "client_role"
    );
    CHECK(role_for(rules, R"({"https://corp.example/team":"dba"})") == "team_role");
    for (const char* nobody :
         {R"({"realm_access":{"roles":["x"]}})",
          R"({"realm_access":["roles","dba"]})",
          R"({"realm_access":"roles.dba"})",
          R"({"realm_access":{"roles":{"dba":true}}})",
          R"({"roles":["dba"]})",
          // The claim of this very name goes before what its path leads to.
          R"({"realm_access.roles":"none","realm_access":{"roles":["dba"]}})"}) {
        INFO(nobody);
        CHECK(role_for(rules, nobody).empty());
    }
}

TEST_CASE("an address its issuer did not verify matches nothing", "[server][auth]") {
    const std::vector<IdentityRule> rules{rule({{"email", "alice@corp.example"}}, "role")};
    CHECK(role_for(rules, R"({"email":"alice@corp.example"})") == "role");
    CHECK(role_for(rules, R"({"email":"alice@corp.example","email_verified":true})") == "role");
    CHECK(role_for(rules, R"({"email":"alice@corp.example","email_verified":false})").empty());
    CHECK(role_for(rules, R"({"email":"alice@corp.example","email_verified":"false"})").empty());
}

TEST_CASE("a rule of one issuer is for no other", "[server][auth]") {
    auto mine = rule({{"sub", "*"}}, "role");
    mine.issuer = "https://as.example";
    const auto claims = json(R"({"sub":"alice"})");
    CHECK(matching_rule({mine}, "https://as.example", claims) != nullptr);
    CHECK(matching_rule({mine}, "https://other.example", claims) == nullptr);
    CHECK(matching_rule({rule({}, "role")}, "https://as.example", claims) == nullptr);
}

TEST_CASE("an identity keeps few claims, none of them a secret or long", "[server][auth]") {
    AuthorizationOptions options;
    options.rules = {rule({{"sub", "*"}}, "interlock_read")};
    options.rules[0].toolsets = {"triage"};
    Issuer issuer;
    issuer.issuer = "https://as.example";
    issuer.subject_prefix = "corp:";
    const auto access = access_of(
        options,
        issuer,
        "alice",
        json(R"({"sub":"alice","iss":"https://as.example","aud":["a","b"],"client_id":"cli",
                 "email":"alice@corp.example\u202e","groups":["x"],"jti":"secret-id",
                 "nonce":"n","at_hash":"h","address":"home","scope":"interlock:triage"})")
    );
    REQUIRE(access.has_value());
    const auto& identity = access->identity;
    CHECK(identity.subject == "corp:alice");
    CHECK(identity.issuer == "https://as.example");
    CHECK(identity.proof == "jwt");
    CHECK(identity.client.empty());
    CHECK(identity.database_role == "interlock_read");
    CHECK(access->scopes == Scopes{"interlock:triage"});
    CHECK(access->toolsets == Scopes{"triage"});
    CHECK(identity.claims.at("aud") == R"(["a","b"])");
    CHECK(identity.claims.at("email") == "alice@corp.example");
    CHECK(identity.claims.at("groups") == R"(["x"])");
    CHECK(identity.claims.at("jti_sha256") == base::hex(base::sha256("secret-id")));
    CHECK(identity.claims.size() == 7);
    const auto crowd = access_of(
        options,
        issuer,
        "alice",
        {{"sub", "alice"},
         {"groups", std::vector<std::string>(100, "g")},
         {"azp", std::string(999, 'x')}}
    );
    CHECK_FALSE(crowd->identity.claims.contains("groups"));
    CHECK(crowd->identity.claims.at("azp").size() < 300);
    CHECK_FALSE(access_of({}, issuer, "alice", json("{}")).has_value());
}

} // namespace interlock::server

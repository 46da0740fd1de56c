#include "base/yaml.hpp"
#include "server/authorization/options.hpp"

#include <functional>

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

namespace interlock::server {
namespace {

constexpr const char* good = R"(
resource: https://interlock.example/mcp
clock_skew_seconds: 10
issuers:
  - issuer: https://login.example/realms/ops
    jwks: https://login.example/realms/ops/certs
    algorithms: [RS256, ES256]
rules:
  - claims: {groups: dba}
    database_role: interlock_read
    toolsets: [triage, postgres]
)";

base::Result<AuthorizationOptions> read(const std::string& yaml) {
    INTERLOCK_TRY(const base::Json document, base::parse_yaml(yaml));
    base::Decoder decoder(document, "authorization");
    AuthorizationOptions options = read_authorization_options(decoder);
    INTERLOCK_CHECK(decoder.finish());
    return options;
}

AuthorizationOptions some() {
    const auto options = read(good);
    REQUIRE(options.ok());
    return *options;
}

/// What is told after one change to good options.
std::string problem(const std::function<void(AuthorizationOptions&)>& change) {
    auto options = some();
    change(options);
    const auto status = check_authorization_options(options);
    return status ? "" : status.error().what;
}

bool names(const std::string& text, const char* part) {
    return text.find(part) != std::string::npos;
}

} // namespace

TEST_CASE("authorization is read from its mapping", "[server][auth]") {
    const auto options = some();
    CHECK(options.resource == "https://interlock.example/mcp");
    CHECK(options.clock_skew == std::chrono::seconds{10});
    REQUIRE(options.issuers.size() == 1);
    CHECK(options.issuers[0].issuer == "https://login.example/realms/ops");
    CHECK(options.issuers[0].algorithms == std::vector<std::string>{"RS256", "ES256"});
    CHECK_FALSE(options.issuers[0].private_network);
    REQUIRE(options.rules.size() == 1);
    CHECK(options.rules[0].claims.at("groups") == "dba");
    CHECK(options.rules[0].toolsets.size() == 2);
    CHECK(check_authorization_options(options).ok());
}

TEST_CASE("a mistake is told with its place and its remedy", "[server][auth]") {
    std::string text = good;
    text.replace(text.find("RS256"), 5, "HS256");
    const auto refused = read(text);
    REQUIRE_FALSE(refused.ok());
    CHECK(names(refused.error().what, "`authorization.issuers[0].algorithms`"));
    CHECK(names(refused.error().what, "RS256"));
    CHECK_FALSE(read("resource: https://h.example/mcp").ok());
    CHECK_FALSE(read(std::string(good) + "audience: x\n").ok());
    CHECK_FALSE(read("[]").ok());
}

TEST_CASE("toolsets that name none are not taken for all", "[server][auth]") {
    std::string yaml = good;
    const auto at = yaml.find("[triage, postgres]");
    for (const char* nothing : {"[]", "~", ""}) {
        INFO(nothing);
        std::string wrong = yaml;
        wrong.replace(at, 18, nothing);
        const auto options = read(wrong);
        REQUIRE_FALSE(options.ok());
        CHECK(names(options.error().what, "rules[0].toolsets"));
    }
}

TEST_CASE("only algorithms that prove something can be pinned", "[server][auth]") {
    for (const std::string& name : signature_algorithms()) {
        CHECK(problem([&](auto& options) { options.issuers[0].algorithms = {name}; }).empty());
    }
    for (const char* name : {"none", "None", "HS256", "HS512", "Ed448", "rs256", "", "*"}) {
        INFO(name);
        CHECK_FALSE(problem([&](auto& options) { options.issuers[0].algorithms = {name}; }).empty()
        );
    }
    CHECK_FALSE(problem([](auto& options) { options.issuers[0].algorithms = {}; }).empty());
}

TEST_CASE("keys come from https, from this machine, or from a file", "[server][auth]") {
    for (const char* fine :
         {"https://login.example/certs",
          "http://127.0.0.1:8080/certs",
          "http://localhost/certs",
          "/etc/interlock/keys.json",
          "keys.json"}) {
        INFO(fine);
        CHECK(problem([&](auto& options) { options.issuers[0].jwks = fine; }).empty());
    }
    for (const char* bad :
         {"",
          "http://login.example/certs",
          "HTTP://login.example/certs",
          "ftp://login.example/certs",
          "file:///etc/keys.json",
          "https://user:secret@login.example/certs",
          "https://login.example/certs?kid=1"}) {
        INFO(bad);
        CHECK_FALSE(problem([&](auto& options) { options.issuers[0].jwks = bad; }).empty());
    }
    CHECK(is_key_url("HTTPS://h/keys"));
    CHECK_FALSE(is_key_url("/https/keys"));
}

TEST_CASE("issuers and the resource are URLs that cannot be overheard", "[server][auth]") {
    for (const char* bad : {"", "login.example", "http://login.example", "https://h.example/#x"}) {
        INFO(bad);
        CHECK_FALSE(problem([&](auto& options) { options.resource = bad; }).empty());
        CHECK_FALSE(problem([&](auto& options) { options.issuers[0].issuer = bad; }).empty());
    }
    CHECK(problem([](auto& options) { options.resource = "http://127.0.0.1:7420/mcp"; }).empty());
    CHECK_FALSE(problem([](auto& options) { options.clock_skew = std::chrono::hours{1}; }).empty());
}

TEST_CASE("several issuers need subjects that cannot be mistaken", "[server][auth]") {
    const auto with_prefixes = [](const std::string& first, const std::string& second) {
        return problem([&](AuthorizationOptions& options) {
            options.issuers.push_back(options.issuers[0]);
            options.issuers[1].issuer = "https://other.example";
            options.issuers[0].subject_prefix = first;
            options.issuers[1].subject_prefix = second;
            options.rules[0].issuer = options.issuers[0].issuer;
        });
    };
    CHECK(with_prefixes("corp:", "partner:").empty());
    CHECK(names(with_prefixes("", ""), "subject_prefix"));
    CHECK_FALSE(with_prefixes("", "partner:").empty());
    CHECK_FALSE(with_prefixes("a:", "a:").empty());
    CHECK_FALSE(with_prefixes("a", "ab").empty());
    CHECK_FALSE(with_prefixes("os:", "b:").empty());
    CHECK_FALSE(with_prefixes("o", "b:").empty()); // with a sub of "s:root"
    CHECK_FALSE(with_prefixes("os", "b:").empty());
    CHECK(names(
        problem([](auto& options) {
            options.issuers.push_back(options.issuers[0]);
            options.issuers[0].subject_prefix = "a:";
            options.issuers[1].subject_prefix = "b:";
        }),
        "twice"
    ));
    CHECK(names(
        problem([](auto& options) {
            options.issuers.push_back(options.issuers[0]);
            options.issuers[1].issuer = "https://other.example";
            options.issuers[0].subject_prefix = "a:";
            options.issuers[1].subject_prefix = "b:";
        }),
        "rules[0].issuer"
    ));
    CHECK_FALSE(problem([](auto& options) { options.issuers.clear(); }).empty());
}

TEST_CASE("a rule says whom it maps, and to which role", "[server][auth]") {
    const auto rule = [](const std::function<void(IdentityRule&)>& change) {
        return problem([&](AuthorizationOptions& options) { change(options.rules[0]); });
    };
    CHECK(names(rule([](auto& r) { r.claims.clear(); }), "at least one claim"));
    CHECK_FALSE(rule([](auto& r) { r.claims["groups"] = ""; }).empty());
    CHECK_FALSE(rule([](auto& r) { r.issuer = "https://unknown.example"; }).empty());
    CHECK(rule([](auto& r) { r.issuer = "https://login.example/realms/ops"; }).empty());
    CHECK_FALSE(rule([](auto& r) { r.database_role = ""; }).empty());
    CHECK_FALSE(rule([](auto& r) { r.database_role = "None"; }).empty());
    CHECK_FALSE(rule([](auto& r) { r.database_role = std::string(64, 'r'); }).empty());
    CHECK_FALSE(rule([](auto& r) { r.database_role = "a\nb"; }).empty());
    CHECK(names(rule([](auto& r) { r.toolsets = {"everything"}; }), "orientation"));
    CHECK_FALSE(problem([](auto& options) { options.rules.clear(); }).empty());
}

} // namespace interlock::server

#include "base/limits.hpp"
#include "server/authorization/authorizer.hpp"
#include "tests/server/authorization/signer.hpp"
#include "tests/support/fakes.hpp"

#include <fstream>
#include <functional>
#include <thread>

#include <catch2/catch.hpp>

namespace interlock::server {
namespace {

using namespace std::chrono_literals;
using test::ec_pair;
using test::key_set;
using test::other_rsa_pair;
using test::rsa_pair;
using test::SigningPair;

constexpr const char* corp = "https://as.corp.example";
constexpr const char* partner = "https://as.partner.example";

/// Two issuers with a key file each, and an authorizer between them and the test.
class Scene {
public:
    Scene() {
        write("corp.json", key_set({rsa_pair().jwk("r1"), ec_pair().jwk("e1")}));
        write("partner.json", key_set({other_rsa_pair().jwk("r1")}));
        options.resource = "https://host.example/mcp";
        options.issuers = {
            {corp, directory.file("corp.json"), {"RS256", "ES256"}, false, "corp:"},
            {partner, directory.file("partner.json"), {"RS256"}, false, "partner:"}};
        options.rules = {
            {corp, {{"groups", "dba"}}, "interlock_read", {}},
            {partner, {{"sub", "bob"}}, "interlock_partner", {"triage"}}};
    }

    void write(const std::string& name, const std::string& text) const {
        REQUIRE(base::write_file_atomically(directory.file(name), text).ok());
    }

    Authorizer& authorizer() {
        if (!authorizer_) {
            auto started = Authorizer::start(options, clock);
            REQUIRE(started.ok());
            authorizer_ = std::move(*started);
            REQUIRE(until([&] { return authorizer_->unready().empty(); }));
        }
        return *authorizer_;
    }
    Authorizer& authorizer_without_keys() {
        auto started = Authorizer::start(options, clock);
        REQUIRE(started.ok());
        authorizer_ = std::move(*started);
        return *authorizer_;
    }

    static bool until(const std::function<bool()>& holds) {
        const auto deadline = base::SystemClock().ticks() + 20s;
        while (!holds()) {
            if (base::SystemClock().ticks() > deadline) {
                return false;
            }
            std::this_thread::yield();
        }
        return true;
    }

    /// Claims of a good token of alice; `more` is further members.
    std::string claims(const std::string& more = "", const char* issuer = corp) const {
        return R"({"iss":")" + std::string(issuer) + R"(","sub":"alice","groups":["dba"],)" +
               R"("aud":"https://host.example/mcp","scope":"interlock:triage","exp":)" +
               std::to_string(clock.seconds() + 600) + more + "}";
    }
    static std::string header(const std::string& kid, const std::string& algorithm = "RS256") {
        return R"({"alg":")" + algorithm + R"(","kid":")" + kid + R"("})";
    }
    std::string good() const { return rsa_pair().token("RS256", header("r1"), claims()); }

    std::variant<Access, base::HttpResponse> admit(const std::string& token) {
        return admit_with({{"Authorization", "Bearer " + token}});
    }
    std::variant<Access, base::HttpResponse>
    admit_with(base::HttpHeaders headers, std::string query = "") {
        base::HttpRequest request;
        request.method = "POST";
        request.path = "/mcp";
        request.query = std::move(query);
        request.headers = std::move(headers);
        return authorizer().admit(request);
    }
    std::optional<telemetry::Identity> proven(const std::string& token) {
        base::HttpRequest request;
        request.method = "POST";
        request.path = "/mcp";
        request.headers = {{"Authorization", "Bearer " + token}};
        return authorizer().proven(request);
    }
    /// The status of a refusal; 200 when admitted.
    unsigned status(const std::string& token) {
        const auto outcome = admit(token);
        const auto* refusal = std::get_if<base::HttpResponse>(&outcome);
        return refusal == nullptr ? 200 : refusal->status;
    }
    base::HttpResponse refusal(const std::string& token) {
        const auto outcome = admit(token);
        REQUIRE(std::holds_alternative<base::HttpResponse>(outcome));
        return std::get<base::HttpResponse>(outcome);
    }

    const test::TemporaryDirectory directory;
    test::SharedClock clock;
    AuthorizationOptions options;

private:
    std::unique_ptr<Authorizer> authorizer_;
};

std::string challenge(const base::HttpResponse& response) {
    base::HttpRequest lookup;
    lookup.headers = response.headers;
    return lookup.header("WWW-Authenticate").value_or("");
}

} // namespace

TEST_CASE("a good token admits its subject with role, scopes and toolsets", "[server][auth]") {
    Scene scene;
    for (int i = 0; i < 2; ++i) { // the second time from the cache
        const auto outcome = scene.admit(scene.good());
        REQUIRE(std::holds_alternative<Access>(outcome));
        const auto& access = std::get<Access>(outcome);
        CHECK(access.identity.subject == "corp:alice");
        CHECK(access.identity.issuer == corp);
        CHECK(access.identity.proof == "jwt");
        CHECK(access.identity.database_role == "interlock_read");
        CHECK(access.allows("interlock:triage"));
        CHECK_FALSE(access.allows("interlock:planning"));
        CHECK_FALSE(access.allows("interlock"));
        CHECK_FALSE(access.toolsets.has_value());
        REQUIRE(access.expires.has_value()); // with the skew, as it is refused
        CHECK(*access.expires == scene.clock.now() + 630s);
    }
    const auto bob = scene.admit(other_rsa_pair().token(
        "RS256",
        Scene::header("r1"),
        R"({"iss":")" + std::string(partner) +
            R"(","sub":"bob","aud":["https://HOST.example/mcp"],"scp":["interlock"],"exp":)" +
            std::to_string(scene.clock.seconds() + 600) + "}"
    ));
    REQUIRE(std::holds_alternative<Access>(bob));
    CHECK(std::get<Access>(bob).identity.database_role == "interlock_partner");
    CHECK(std::get<Access>(bob).allows("interlock:planning"));
    CHECK(std::get<Access>(bob).shows("triage"));
    CHECK_FALSE(std::get<Access>(bob).shows("planning"));
    CHECK(
        scene.status(ec_pair().token("ES256", Scene::header("e1", "ES256"), scene.claims())) == 200
    );
}

TEST_CASE("without a token the way to one is told", "[server][auth]") {
    Scene scene;
    for (const base::HttpHeaders& headers :
         {base::HttpHeaders{}, base::HttpHeaders{{"Authorization", "Basic YWxpY2U6c2VjcmV0"}}}) {
        const auto outcome = scene.admit_with(headers);
        const auto& refusal = std::get<base::HttpResponse>(outcome);
        CHECK(refusal.status == 401);
        CHECK(
            challenge(refusal) ==
            "Bearer resource_metadata=\"https://host.example/.well-known/oauth-protected-resource/"
            "mcp\", scope=\"interlock\""
        );
    }
}

TEST_CASE("a token in the query or in two headers is a mistake, even a good one", "[auth]") {
    Scene scene;
    const std::string good = scene.good();
    const auto in_query = scene.admit_with({}, "access_token=" + good);
    CHECK(std::get<base::HttpResponse>(in_query).status == 400);
    CHECK(std::get<base::HttpResponse>(in_query).body.find(good) == std::string::npos);
    const auto in_both = scene.admit_with({{"Authorization", "Bearer " + good}}, "access_token=x");
    CHECK(std::get<base::HttpResponse>(in_both).status == 400);
    const auto twice =
        scene.admit_with({{"Authorization", "Bearer " + good}, {"Authorization", "Bearer " + good}}
        );
    CHECK(std::get<base::HttpResponse>(twice).status == 400);
}

TEST_CASE("forged tokens are all refused alike", "[server][auth]") {
    Scene scene;
    const auto& pair = rsa_pair();
    const std::string now = std::to_string(scene.clock.seconds());
    const std::string good = scene.good();
    const std::string start =
        test::base64url(R"({"alg":"HS256","kid":"r1"})") + "." + test::base64url(scene.claims());
    const auto mac = base::hmac_sha256(pair.public_pem(), start);
    const std::string ec = ec_pair().token("ES256", Scene::header("e1", "ES256"), scene.claims());
    const std::string ec_start = ec.substr(0, ec.rfind('.'));
    const auto aimed = [&](const std::string& audience) {
        return pair.token(
            "RS256",
            Scene::header("r1"),
            R"({"iss":")" + std::string(corp) + R"(","sub":"alice","groups":["dba"],"aud":")" +
                audience + R"(","scope":"interlock","exp":9999999999})"
        );
    };
    const std::vector<std::pair<const char*, std::string>> forged{
        {"garbage", "x"},
        {"alg none",
         test::base64url(R"({"alg":"none"})") + "." + test::base64url(scene.claims()) + "."},
        {"alg none, spelt otherwise",
         test::base64url(R"({"alg":"nOnE"})") + "." + test::base64url(scene.claims()) + ".AA"},
        {"public key as secret", start + "." + test::base64url(mac.view())},
        {"key of another", other_rsa_pair().token("RS256", Scene::header("r1"), scene.claims())},
        {"key of other issuer",
         pair.token("RS256", Scene::header("r1"), scene.claims("", partner))},
        {"unknown issuer",
         pair.token("RS256", Scene::header("r1"), scene.claims("", "https://evil.example"))},
        {"issuer with a slash",
         pair.token("RS256", Scene::header("r1"), scene.claims("", "https://as.corp.example/"))},
        {"issuer in capitals",
         pair.token("RS256", Scene::header("r1"), scene.claims("", "HTTPS://as.corp.example"))},
        {"unknown kid", pair.token("RS256", Scene::header("r9"), scene.claims())},
        {"kid that walks", pair.token("RS256", Scene::header("../../etc/passwd"), scene.claims())},
        {"kid of the other type", pair.token("RS256", Scene::header("e1"), scene.claims())},
        {"embedded key",
         other_rsa_pair().token(
             "RS256",
             R"({"alg":"RS256","kid":"r1","jwk":)" + other_rsa_pair().jwk("r1") + "}",
             scene.claims()
         )},
        {"key elsewhere",
         other_rsa_pair().token(
             "RS256",
             R"({"alg":"RS256","kid":"r9","jku":"http://127.0.0.1:1/keys"})",
             scene.claims()
         )},
        {"wrong audience", aimed("https://other.example/mcp")},
        {"audience of the host", aimed("https://host.example")},
        {"not yet", pair.token("RS256", Scene::header("r1"), scene.claims(R"(,"nbf":9999999999)"))},
        {"claims twice",
         pair.token("RS256", Scene::header("r1"), scene.claims(R"(,"sub":"root")"))},
        {"algorithm not pinned", pair.token("RS512", Scene::header("r1", "RS512"), scene.claims())},
        {"one bit of the signature",
         good.substr(0, good.size() - 9) + (good[good.size() - 9] == 'A' ? "B" : "A") +
             good.substr(good.size() - 8)},
        {"signature in DER",
         ec_start + "." + test::base64url(ec_pair().sign_der("ES256", ec_start))},
        {"signature with zeros before",
         ec_start + "." +
             test::base64url(SigningPair::raw(ec_pair().sign_der("ES256", ec_start), 40))},
        {"cut", good.substr(0, good.size() / 2)},
        {"no signature", good.substr(0, good.rfind('.') + 1)},
        {"a part too many", good + ".AAAA"},
        {"padded", good + "=="},
        {"huge", good + std::string(base::limits::token_bytes_max, 'A')},
    };
    const auto expected = scene.refusal("x");
    for (const auto& [name, token] : forged) {
        INFO(name);
        const auto refusal = scene.refusal(token);
        CHECK(refusal.status == 401);
        CHECK(refusal.headers == expected.headers); // one answer: nobody learns how far they came
        CHECK(refusal.body == expected.body);
    }
    CHECK(scene.status(good) == 200);
}

TEST_CASE("a token ends when it expires, cached or not", "[server][auth]") {
    Scene scene;
    const std::string token = scene.good();
    CHECK(scene.status(token) == 200);
    scene.clock.advance(629s);
    CHECK(scene.status(token) == 200);
    scene.clock.advance(1s);
    const auto refusal = scene.refusal(token);
    CHECK(refusal.status == 401);
    CHECK(challenge(refusal).find("error=\"invalid_token\"") != std::string::npos);
    CHECK(challenge(refusal).find("expired") != std::string::npos);
    CHECK(refusal.body.find("alice") == std::string::npos);
}

TEST_CASE("who no rule maps is turned away without a challenge", "[server][auth]") {
    Scene scene;
    const auto token = other_rsa_pair().token(
        "RS256", Scene::header("r1"), scene.claims("", partner) // alice is bob to nobody
    );
    const auto refusal = scene.refusal(token);
    CHECK(refusal.status == 403);
    CHECK(challenge(refusal).empty());
    CHECK(refusal.body.find("bob") == std::string::npos);
    CHECK(refusal.body.find("alice") == std::string::npos);
    CHECK(refusal.body.find("role") != std::string::npos);
    // The log may say who it was.
    const auto proven = scene.proven(token);
    REQUIRE(proven);
    CHECK_FALSE(proven->subject.empty());
    CHECK_FALSE(proven->issuer.empty());
    CHECK(proven->proof == "jwt");
    CHECK(proven->database_role.empty());
    CHECK_FALSE(scene.proven(token.substr(0, token.size() - 8) + "AAAAAAAA"));
    CHECK_FALSE(scene.proven("x"));
    CHECK_FALSE(scene.proven(""));
}

TEST_CASE("a token without a scope of this server may do nothing here", "[server][auth]") {
    Scene scene;
    std::string claims = scene.claims();
    claims.replace(claims.find("interlock:triage"), 16, "openid");
    const auto refusal = scene.refusal(rsa_pair().token("RS256", Scene::header("r1"), claims));
    CHECK(refusal.status == 403);
    CHECK(
        challenge(refusal).find("error=\"insufficient_scope\", scope=\"interlock\"") !=
        std::string::npos
    );
}

TEST_CASE("it starts closed, and opens when the keys are there", "[server][auth]") {
    Scene scene;
    REQUIRE(base::remove_recursively(scene.directory.file("corp.json")).ok());
    Authorizer& authorizer = scene.authorizer_without_keys();
    const auto refusal = scene.refusal(scene.good());
    CHECK(refusal.status == 503);
    CHECK(authorizer.unready().find(corp) != std::string::npos);
    // The other issuer's outage is not this one's.
    CHECK(Scene::until([&] { return authorizer.unready().find(partner) == std::string::npos; }));
    scene.write("corp.json", key_set({rsa_pair().jwk("r1")}));
    authorizer.reload();
    CHECK(Scene::until([&] { return authorizer.unready().empty(); }));
    CHECK(scene.status(scene.good()) == 200);
}

TEST_CASE("a new key is found by the first token that names it", "[server][auth]") {
    Scene scene;
    const std::string old = scene.good();
    CHECK(scene.status(old) == 200);
    scene.write("corp.json", key_set({other_rsa_pair().jwk("r2")}));
    scene.clock.advance(base::limits::jwks_unknown_kid_pause);
    const auto next = other_rsa_pair().token("RS256", Scene::header("r2"), scene.claims());
    CHECK(Scene::until([&] { return scene.status(next) == 200; }));
    // The old key is gone, and with it what it had signed, cached or not.
    CHECK(scene.status(old) == 401);
}

TEST_CASE("a document that is broken later changes nothing", "[server][auth]") {
    Scene scene;
    CHECK(scene.status(scene.good()) == 200);
    for (const std::string& bad :
         {std::string("<html>"), std::string("{}"), key_set({}).substr(1)}) {
        scene.write("corp.json", bad);
        scene.authorizer().reload();
        scene.clock.advance(base::limits::jwks_refresh);
        CHECK(scene.status(scene.good()) == 200);
    }
}

TEST_CASE("other rules are in force at once, for tokens that were seen before, too", "[auth]") {
    Scene scene;
    const std::string token = scene.good();
    CHECK(scene.status(token) == 200);
    scene.options.rules[0].claims = {{"sub", "carol"}};
    CHECK(scene.authorizer().reload(scene.options).ok());
    CHECK(scene.status(token) == 403); // the keys stayed: no moment of 503
    scene.options.issuers[0].algorithms = {"none"};
    const auto refused = scene.authorizer().reload(scene.options);
    REQUIRE_FALSE(refused.ok());
    CHECK(refused.error().what.find("authorization.issuers[0].algorithms") != std::string::npos);
    CHECK(scene.status(token) == 403);
    scene.options.issuers.erase(scene.options.issuers.begin());
    scene.options.rules.erase(scene.options.rules.begin());
    CHECK(scene.authorizer().reload(scene.options).ok());
    CHECK(scene.status(token) == 401);
}

TEST_CASE("mistakes in the options are refused at the start", "[server][auth]") {
    Scene scene;
    scene.options.rules.clear();
    CHECK_FALSE(Authorizer::start(scene.options, scene.clock).ok());
}

TEST_CASE("metadata and scope challenges are those of the resource", "[server][auth]") {
    Scene scene;
    base::HttpRequest request;
    request.method = "GET";
    request.path = "/.well-known/oauth-protected-resource/mcp";
    const auto document = scene.authorizer().metadata(request);
    REQUIRE(document);
    CHECK(document->status == 200);
    request.path = "/mcp";
    CHECK_FALSE(scene.authorizer().metadata(request));
    const auto refusal = scene.authorizer().insufficient_scope("interlock:planning", "{\"x\":1}");
    CHECK(refusal.status == 403);
    CHECK(refusal.body == "{\"x\":1}");
    CHECK(challenge(refusal).find("scope=\"interlock:planning\"") != std::string::npos);
}

} // namespace interlock::server

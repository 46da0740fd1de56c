#include "base/limits.hpp"
#include "server/authorization/options.hpp"
#include "server/authorization/token.hpp"
#include "tests/server/authorization/signer.hpp"

#include <openssl/obj_mac.h>

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

namespace interlock::server {
namespace {

using base::Errc;
using test::base64url;
using test::ec_pair;
using test::key_set;
using test::other_rsa_pair;
using test::rsa_pair;
using test::SigningPair;

constexpr const char* some_claims = R"({"iss":"https://as.example","sub":"alice"})";

std::string header(const std::string& algorithm, const std::string& kid) {
    return R"({"alg":")" + algorithm + R"(","kid":")" + kid + R"(","typ":"at+jwt"})";
}

std::shared_ptr<const KeySet> keys(const std::vector<std::string>& jwks) {
    const auto set = KeySet::parse(key_set(jwks), signature_algorithms());
    REQUIRE(set.ok());
    return *set;
}

base::Status verify(
    const std::string& compact,
    const KeySet& set,
    const std::vector<std::string>& pinned = signature_algorithms()
) {
    INTERLOCK_TRY(const Token token, read_token(compact));
    return check_signature(token, pinned, set);
}

base::Json json(const std::string& text) {
    const auto parsed = base::parse_json(text);
    REQUIRE(parsed.ok());
    return *parsed;
}

constexpr const char* resource = "https://host.example/mcp";
const base::Time now{std::chrono::seconds{2'000'000'000}};

base::Result<Verified> claims(const std::string& text) {
    return check_claims(json(text), resource, now, std::chrono::seconds{30});
}

/// Good claims with one member replaced or, with "", left out.
std::string with(const std::string& name, const std::string& value) {
    base::Json good = json(
        R"({"iss":"https://as.example","sub":"alice","aud":"https://host.example/mcp",
            "exp":2000000600,"nbf":1999999999,"iat":1999999999})"
    );
    good.erase(name);
    if (!value.empty()) {
        good[name] = json(value);
    }
    return good.dump();
}

} // namespace

TEST_CASE("every pinned algorithm verifies what OpenSSL signed with it", "[server][auth]") {
    const auto p384 = SigningPair::ec("P-384");
    const auto p521 = SigningPair::ec("P-521");
    const auto edwards = SigningPair::ed25519();
    const auto set = keys(
        {rsa_pair().jwk("r"),
         ec_pair().jwk("e2"),
         p384.jwk("e3"),
         p521.jwk("e5"),
         edwards.jwk("ed")}
    );
    const auto check = [&](const SigningPair& pair, const char* kid, const std::string& algorithm) {
        INFO(algorithm);
        const std::string good = pair.token(algorithm, header(algorithm, kid), some_claims);
        CHECK(verify(good, *set).ok());
        const std::string other = pair.token(algorithm, header(algorithm, kid), R"({"iss":"x"})");
        const std::string grafted =
            other.substr(0, other.rfind('.')) + good.substr(good.rfind('.'));
        CHECK(verify(grafted, *set).error().code == Errc::invalid_signature);
        CHECK(verify(good, *set, {"none"}).error().code == Errc::invalid_signature);
    };
    for (const char* algorithm : {"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"}) {
        check(rsa_pair(), "r", algorithm);
    }
    check(ec_pair(), "e2", "ES256");
    check(p384, "e3", "ES384");
    check(p521, "e5", "ES512");
    check(edwards, "ed", "EdDSA");
    check(edwards, "ed", "Ed25519"); // the name of RFC 9864
}

TEST_CASE("an Ed25519 signature has one form and one length", "[server][auth]") {
    const auto pair = SigningPair::ed25519();
    const auto set = keys({pair.jwk("ed")});
    const std::string start = base64url(header("EdDSA", "ed")) + "." + base64url(some_claims);
    const std::string good = pair.sign("EdDSA", start);
    const auto with_signature = [&](const std::string& bytes) {
        return verify(start + "." + base64url(bytes), *set).ok();
    };
    REQUIRE(good.size() == 64);
    CHECK(with_signature(good));
    CHECK_FALSE(with_signature(good.substr(0, 63)));
    CHECK_FALSE(with_signature(good + std::string(1, '\0')));
    CHECK_FALSE(with_signature(std::string(64, '\0')));
    for (const std::size_t at :
         {std::size_t{0}, std::size_t{31}, std::size_t{32}, std::size_t{63}}) {
        std::string bent = good;
        bent[at] = static_cast<char>(bent[at] ^ 1);
        CHECK_FALSE(with_signature(bent));
    }
    // Only the curve's own names; and a key of small order proves nothing.
    CHECK_FALSE(verify(pair.token("ES256", header("ES256", "ed"), some_claims), *set).ok());
    CHECK_FALSE(verify(pair.token("Ed448", header("Ed448", "ed"), some_claims), *set).ok());
    const auto weak = keys(
        {R"({"kid":"w","kty":"OKP","crv":"Ed25519","x":")" + base64url(std::string(32, '\0')) +
         "\"}"}
    );
    const std::string weak_start = base64url(header("EdDSA", "w")) + "." + base64url(some_claims);
    CHECK_FALSE(verify(weak_start + "." + base64url(std::string(64, '\0')), *weak).ok());
}

TEST_CASE("an unsigned token is refused however it spells none", "[server][auth]") {
    const auto set = keys({rsa_pair().jwk("r")});
    for (const char* none : {"none", "None", "NONE", "nOnE", "", " none", "null"}) {
        INFO(none);
        const std::string start = base64url(header(none, "r")) + "." + base64url(some_claims) + ".";
        CHECK_FALSE(verify(start, *set).ok());
        CHECK_FALSE(verify(start + "AA", *set).ok());
    }
    for (const char* odd :
         {R"({"kid":"r"})", R"({"alg":null,"kid":"r"})", R"({"alg":["RS256"],"kid":"r"})"}) {
        const std::string token = rsa_pair().token("RS256", odd, some_claims);
        CHECK_FALSE(verify(token, *set).ok());
    }
}

TEST_CASE("a public key is never taken for a shared secret", "[server][auth]") {
    const auto set = keys({rsa_pair().jwk("r")});
    for (const char* algorithm : {"HS256", "hs256", "RS256"}) {
        const std::string start = base64url(header(algorithm, "r")) + "." + base64url(some_claims);
        const auto mac = base::hmac_sha256(rsa_pair().public_pem(), start);
        const std::string token = start + "." + base64url(mac.view());
        CHECK_FALSE(verify(token, *set).ok());
        // Not even if somebody pinned it.
        CHECK_FALSE(verify(token, *set, {"HS256", "hs256", "RS256"}).ok());
    }
}

TEST_CASE("a key verifies only with the algorithm the token names", "[server][auth]") {
    const auto set = keys({rsa_pair().jwk("r"), ec_pair().jwk("e")});
    // Signed as one thing and labelled another.
    CHECK_FALSE(verify(rsa_pair().token("PS256", header("RS256", "r"), some_claims), *set).ok());
    CHECK_FALSE(verify(rsa_pair().token("RS256", header("RS512", "r"), some_claims), *set).ok());
    CHECK_FALSE(verify(rsa_pair().token("RS256", header("ES256", "r"), some_claims), *set).ok());
    CHECK_FALSE(verify(ec_pair().token("ES256", header("ES256", "r"), some_claims), *set).ok());
    CHECK_FALSE(verify(ec_pair().token("ES384", header("ES384", "e"), some_claims), *set).ok());
    // A good one of an algorithm that this issuer does not use.
    const auto good = rsa_pair().token("RS512", header("RS512", "r"), some_claims);
    CHECK_FALSE(verify(good, *set, {"RS256"}).ok());
    CHECK(verify(good, *set, {"RS512"}).ok());
}

TEST_CASE("a key that is not there is told apart from a signature that does not hold", "[auth]") {
    const auto set = keys({rsa_pair().jwk("r")});
    for (const char* kid : {"unknown", "../../etc/passwd", "r ", "", "https://evil.example/k"}) {
        INFO(kid);
        const auto token = rsa_pair().token("RS256", header("RS256", kid), some_claims);
        CHECK(verify(token, *set).error().code == Errc::not_found);
    }
    const auto forged = other_rsa_pair().token("RS256", header("RS256", "r"), some_claims);
    CHECK(verify(forged, *set).error().code == Errc::invalid_signature);
    CHECK_FALSE(
        verify(rsa_pair().token("RS256", R"({"alg":"RS256","kid":7})", some_claims), *set).ok()
    );
}

TEST_CASE("key material in a token is never used", "[server][auth]") {
    const auto set = keys({rsa_pair().jwk("r")});
    const std::string theirs = other_rsa_pair().jwk("r");
    for (const std::string& extra :
         {R"("jwk":)" + theirs,
          std::string(R"("jku":"https://evil.example/keys")"),
          std::string(R"("x5u":"https://evil.example/cert")"),
          std::string(R"("x5c":["MIIB"])")}) {
        INFO(extra.substr(0, 20));
        const std::string head = R"({"alg":"RS256","kid":"r",)" + extra + "}";
        CHECK_FALSE(verify(other_rsa_pair().token("RS256", head, some_claims), *set).ok());
        // It says nothing about a token that our own key signed.
        CHECK(verify(rsa_pair().token("RS256", head, some_claims), *set).ok());
    }
}

TEST_CASE("headers that demand more than is understood are refused", "[server][auth]") {
    const auto set = keys({rsa_pair().jwk("r")});
    const auto sign = [](const std::string& extra) {
        return rsa_pair().token("RS256", R"({"alg":"RS256","kid":"r")" + extra + "}", some_claims);
    };
    for (const char* bad :
         {R"(,"crit":["exp"])",
          R"(,"crit":[])",
          R"(,"b64":false)",
          R"(,"typ":"id+jwt")",
          R"(,"typ":"logout+jwt")",
          R"(,"typ":"dpop+jwt")",
          R"(,"typ":7)",
          R"(,"alg":"RS256")"}) {
        INFO(bad);
        CHECK_FALSE(verify(sign(bad), *set).ok());
    }
    for (const char* fine :
         {"", R"(,"typ":"JWT")", R"(,"typ":"AT+JWT")", R"(,"typ":"application/at+jwt")"}) {
        INFO(fine);
        CHECK(verify(sign(fine), *set).ok());
    }
}

TEST_CASE("a token has one spelling", "[server][auth]") {
    const auto set = keys({rsa_pair().jwk("r"), ec_pair().jwk("e")});
    const std::string good = rsa_pair().token("RS256", header("RS256", "r"), some_claims);
    REQUIRE(verify(good, *set).ok());
    const auto first = good.find('.');
    const auto second = good.rfind('.');
    const std::string head = good.substr(0, first);
    const std::string body = good.substr(first + 1, second - first - 1);
    const std::string tail = good.substr(second + 1);
    const std::string newline = base64url(header("RS256", "r") + std::string(1, '\0'));
    for (const std::string& bad :
         {std::string(""),
          std::string("."),
          std::string(".."),
          std::string("..."),
          head,
          head + "." + body,
          head + "." + body + ".",
          "." + body + "." + tail,
          head + ".." + tail,
          good + ".",
          "." + good,
          good + "." + tail,
          head + "." + body + "." + body + "." + tail + "." + tail,
          good + "=",
          good + "==",
          head + "=." + body + "." + tail,
          head + "." + body + "=." + tail,
          good + " ",
          " " + good,
          good + "\n",
          good.substr(0, good.size() - 1),
          good.substr(0, good.size() - 4),
          good + "A",
          good + "AAAA",
          newline + "." + body + "." + tail,
          head + "." + base64url("[1]") + "." + tail,
          head + "." + base64url("null") + "." + tail,
          head + "." + base64url(R"({"iss":"a","iss":"b"})") + "." + tail,
          head + "." + base64url("{\"iss\":\"\xff\"}") + "." + tail,
          std::string(base::limits::token_bytes_max + 1, 'a')}) {
        INFO(bad);
        CHECK_FALSE(verify(bad, *set).ok());
    }
    // The last character of base64url carries bits that no byte uses.
    std::string stray = good;
    const std::string alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    stray.back() = alphabet[alphabet.find(stray.back()) ^ 1U];
    CHECK_FALSE(verify(stray, *set).ok());
}

TEST_CASE("duplicate members are refused although the signature holds", "[server][auth]") {
    const auto set = keys({rsa_pair().jwk("r")});
    const auto sign = [](const std::string& text) {
        return rsa_pair().token("RS256", header("RS256", "r"), text);
    };
    CHECK_FALSE(verify(sign(R"({"iss":"a","sub":"alice","sub":"root"})"), *set).ok());
    CHECK_FALSE(verify(sign(R"({"iss":"a","x":{"y":1,"y":2}})"), *set).ok());
    CHECK_FALSE(verify(sign(R"({"iss":"a"} {})"), *set).ok());
    CHECK_FALSE(verify(sign(R"({"iss":"a",})"), *set).ok());
    CHECK_FALSE(verify(sign(R"({"exp":1e999})"), *set).ok());
    CHECK_FALSE(verify(sign(std::string(100, '[') + std::string(100, ']')), *set).ok());
}

TEST_CASE("an EC signature has one form and one length", "[server][auth]") {
    const auto set = keys({ec_pair().jwk("e")});
    const std::string start = base64url(header("ES256", "e")) + "." + base64url(some_claims);
    const std::string der = ec_pair().sign_der("ES256", start);
    const auto with_signature = [&](const std::string& bytes) {
        return verify(start + "." + base64url(bytes), *set).ok();
    };
    const std::string raw = SigningPair::raw(der, 32);
    CHECK(with_signature(raw));
    CHECK_FALSE(with_signature(der));
    CHECK_FALSE(with_signature(SigningPair::raw(der, 33))); // the same numbers, with zeros before
    CHECK_FALSE(with_signature(SigningPair::raw(der, 48)));
    CHECK_FALSE(with_signature(std::string(64, '\0'))); // r = s = 0
    CHECK_FALSE(with_signature(std::string(64, '\xff')));
    CHECK_FALSE(with_signature(raw.substr(32) + raw.substr(0, 32)));
    CHECK_FALSE(with_signature(raw.substr(0, 63)));
    CHECK_FALSE(with_signature(raw + std::string(1, '\0')));
}

TEST_CASE("good claims give a subject and the time they end", "[server][auth]") {
    const auto verified = claims(with("x", "1"));
    REQUIRE(verified.ok());
    CHECK(verified->subject == "alice");
    CHECK(verified->expires == base::Time{std::chrono::seconds{2'000'000'630}});
    CHECK(claims(with("nbf", "")).ok());
    CHECK(claims(with("iat", "")).ok());
    CHECK(claims(with("exp", "2000000000.5")).ok());
    CHECK(claims(with("exp", "1e10")).ok());
}

TEST_CASE("times are checked to the second with the skew", "[server][auth]") {
    CHECK(claims(with("exp", "1999999971")).ok());
    CHECK(claims(with("exp", "1999999970")).error().code == Errc::expired);
    CHECK(claims(with("exp", "0")).error().code == Errc::expired);
    for (const char* bad : {"", "\"2000000600\"", "null", "-1", "true", "1e300", "[1]", "9e15"}) {
        INFO(bad);
        CHECK(claims(with("exp", bad)).error().code == Errc::invalid_signature);
    }
    for (const char* name : {"nbf", "iat"}) {
        CHECK(claims(with(name, "2000000030")).ok());
        CHECK_FALSE(claims(with(name, "2000000031")).ok());
        CHECK_FALSE(claims(with(name, "\"1999999999\"")).ok());
        CHECK_FALSE(claims(with(name, "null")).ok());
    }
}

TEST_CASE("only tokens for this server are taken", "[server][auth]") {
    for (const char* ours :
         {R"("https://host.example/mcp")",
          R"("HTTPS://HOST.example/mcp")",
          R"(["https://other.example","https://host.example/mcp"])"}) {
        INFO(ours);
        CHECK(claims(with("aud", ours)).ok());
    }
    for (const char* other :
         {"",
          "null",
          "7",
          "[]",
          "{}",
          R"("")",
          R"("https://other.example/mcp")",
          R"("https://host.example")",
          R"("https://host.example/mcp/")",
          R"("https://host.example/MCP")",
          R"("https://host.example/mcp/admin")",
          R"("https://host.example:8443/mcp")",
          R"("http://host.example/mcp")",
          R"("https://host.example/mcp?x")",
          R"("https://host.example/mcp#x")",
          R"("host.example/mcp")",
          R"(["https://other.example"])",
          R"([["https://host.example/mcp"]])",
          R"({"https://host.example/mcp":1})",
          R"("https://host.example/mcp ")",
          R"("https://other.example https://host.example/mcp")"}) {
        INFO(other);
        CHECK_FALSE(claims(with("aud", other)).ok());
    }
}

TEST_CASE("a subject is one short name that deceives nobody", "[server][auth]") {
    for (const char* bad :
         {"",
          "null",
          R"("")",
          "7",
          R"(["alice"])",
          R"("ali\u0000ce")",
          R"("alice\n")",
          R"("\u202ealice")",
          R"("al\u200bice")",
          R"("os:root")"}) {
        INFO(bad);
        CHECK_FALSE(claims(with("sub", bad)).ok());
    }
    CHECK_FALSE(claims(with("sub", "\"" + std::string(256, 'a') + "\"")).ok());
    CHECK(claims(with("sub", "\"" + std::string(255, 'a') + "\"")).ok());
    CHECK(claims(with("sub", R"("auth0|5f7c8ec7c33c6c004bbafe82")")).ok());
}

TEST_CASE("a token that is bound to its client's key is no bearer token", "[server][auth]") {
    CHECK_FALSE(claims(with("cnf", R"({"jkt":"abc"})")).ok());
}

} // namespace interlock::server

#include "base/limits.hpp"
#include "server/authorization/key_set.hpp"
#include "tests/server/authorization/signer.hpp"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

namespace interlock::server {
namespace {

using test::base64url;
using test::ec_pair;
using test::key_set;
using test::other_rsa_pair;
using test::rsa_pair;
using test::SigningPair;

const std::vector<std::string> both{"RS256", "ES256"};

std::string why_not(const std::string& jwk) {
    const auto json = base::parse_json(jwk);
    REQUIRE(json.ok());
    const auto key = VerificationKey::from_jwk(*json);
    return key ? "" : key.error().what;
}

} // namespace

TEST_CASE("keys are found by kid, and only for what their type can sign", "[server][auth]") {
    const auto set = KeySet::parse(key_set({rsa_pair().jwk("r"), ec_pair().jwk("e")}), both);
    REQUIRE(set.ok());
    const KeySet& keys = **set;
    CHECK(keys.size() == 2);
    CHECK(keys.left_out().empty());
    REQUIRE(keys.find("r", "RS256") != nullptr);
    CHECK(keys.find("r", "RS256")->kid() == "r");
    CHECK(keys.find("r", "PS512") != nullptr);
    CHECK(keys.find("r", "ES256") == nullptr);
    CHECK(keys.find("e", "ES256") != nullptr);
    CHECK(keys.find("e", "ES384") == nullptr);
    CHECK(keys.find("e", "RS256") == nullptr);
    CHECK(keys.find("../../etc/passwd", "RS256") == nullptr);
    CHECK(keys.find("R", "RS256") == nullptr);
    CHECK(keys.knows("e"));
    CHECK_FALSE(keys.knows("x"));
}

TEST_CASE("a token without kid gets a key only when there is one choice", "[server][auth]") {
    const auto one = KeySet::parse(key_set({rsa_pair().jwk("r"), ec_pair().jwk("e")}), both);
    REQUIRE(one.ok());
    CHECK((*one)->find(std::nullopt, "RS256") != nullptr);
    const auto two =
        KeySet::parse(key_set({rsa_pair().jwk("r"), other_rsa_pair().jwk("s")}), {"RS256"});
    REQUIRE(two.ok());
    CHECK((*two)->find(std::nullopt, "RS256") == nullptr);
}

TEST_CASE("a key's own algorithm and use bind", "[server][auth]") {
    const auto set = KeySet::parse(
        key_set(
            {rsa_pair().jwk("a", R"(,"alg":"RS512","use":"sig")"),
             other_rsa_pair().jwk("b", R"(,"key_ops":["verify"])")}
        ),
        {"RS256", "RS512"}
    );
    REQUIRE(set.ok());
    CHECK((*set)->find("a", "RS512") != nullptr);
    CHECK((*set)->find("a", "RS256") == nullptr);
    CHECK((*set)->find("b", "RS256") != nullptr);
    CHECK_FALSE(why_not(rsa_pair().jwk("a", R"(,"use":"enc")")).empty());
    CHECK_FALSE(why_not(rsa_pair().jwk("a", R"(,"key_ops":["encrypt"])")).empty());
}

TEST_CASE("keys that prove nothing are left out, and said to be", "[server][auth]") {
    const std::string secret = R"({"kid":"h","kty":"oct","k":"c2VjcmV0","alg":"HS256"})";
    const std::string leaked =
        rsa_pair().jwk("p", R"(,"d":")" + rsa_pair().private_number() + "\"");
    const std::string elsewhere = SigningPair::ec("P-384").jwk("x");
    const auto set = KeySet::parse(
        key_set({secret, leaked, elsewhere, ec_pair().jwk("e"), rsa_pair().jwk("e")}), both
    );
    REQUIRE(set.ok());
    CHECK((*set)->size() == 1);
    REQUIRE((*set)->left_out().size() == 4);
    CHECK((*set)->left_out()[0].find("key 0") == 0);
    CHECK((*set)->left_out()[1].find("private") != std::string::npos);
    CHECK((*set)->left_out()[2].find("pinned") != std::string::npos);
    CHECK((*set)->left_out()[3].find("taken") != std::string::npos);
    for (const std::string& line : (*set)->left_out()) {
        CHECK(line.find("c2VjcmV0") == std::string::npos);
    }
}

TEST_CASE("weak and broken keys are refused", "[server][auth]") {
    CHECK(why_not(SigningPair::rsa(1'024).jwk("s")).find("2048") != std::string::npos);
    CHECK_FALSE(why_not(R"({"kty":"RSA","n":"AQAB","e":"AQAB"})").empty());
    CHECK_FALSE(why_not(R"({"kty":"RSA","e":"AQAB"})").empty());
    CHECK_FALSE(why_not(R"({"kty":"EC","crv":"P-256","x":"AQ","y":"AQ"})").empty());
    CHECK_FALSE(why_not(R"({"kty":"EC","crv":"secp256k1","x":"AQ","y":"AQ"})").empty());
    CHECK_FALSE(why_not(R"({"kty":"OKP","crv":"Ed25519","x":"AQ"})").empty());
    CHECK_FALSE(why_not(R"({"kty":"OKP","crv":"Ed25519"})").empty());
    CHECK_FALSE(why_not(R"({"kty":"OKP","crv":"Ed25519","x":"a+b"})").empty());
    CHECK(why_not(R"({"kty":"OKP","crv":"X25519","x":"AQ"})").find("curve") != std::string::npos);
    CHECK(why_not(SigningPair::ed25519().jwk("e")).empty());
    CHECK_FALSE(why_not(SigningPair::ed25519().jwk("e", R"(,"d":"AQ")")).empty());
    CHECK_FALSE(why_not(R"({"kty":7})").empty());
    CHECK_FALSE(why_not(R"([])").empty());
    // A point that is not on the curve.
    const std::string ones = base64url(std::string(32, '\1'));
    CHECK_FALSE(
        why_not(R"({"kty":"EC","crv":"P-256","x":")" + ones + R"(","y":")" + ones + "\"}").empty()
    );
    const std::string modulus = base64url(std::string(256, '\xC1'));
    for (const char* exponent : {"AQ", "AA", "Ag", "", "AQAAAAAAAAAB"}) {
        INFO(exponent);
        CHECK_FALSE(
            why_not(R"({"kty":"RSA","n":")" + modulus + R"(","e":")" + exponent + "\"}").empty()
        );
    }
}

TEST_CASE("a document that is no key set is refused whole", "[server][auth]") {
    for (const std::string& document :
         {std::string(""),
          std::string("<html>"),
          std::string("{}"),
          std::string("[]"),
          std::string(R"({"keys":{}})"),
          std::string(R"({"keys":[]})"),
          std::string(R"({"keys":[1,null,"x"]})"),
          std::string(R"({"keys":[],"keys":[]})"),
          key_set({R"({"kty":"oct","k":"c2VjcmV0"})"}),
          std::string(base::limits::jwks_bytes_max + 1, ' ')}) {
        INFO(document.substr(0, 40));
        CHECK_FALSE(KeySet::parse(document, both).ok());
    }
    CHECK(KeySet::parse(R"({"keys":[]})", both).error().code == base::Errc::not_found);
    CHECK(KeySet::parse("{}", both).error().code != base::Errc::not_found);
    const std::vector<std::string> many(base::limits::jwks_keys_max + 1, ec_pair().jwk("e"));
    const auto flood = KeySet::parse(key_set(many), both);
    REQUIRE_FALSE(flood.ok());
    CHECK(flood.error().code == base::Errc::limit_exceeded);
}

} // namespace interlock::server

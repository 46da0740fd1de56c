#include "telemetry/redaction.hpp"
#include "telemetry/redaction_rules.hpp"

#include <map>

#include <catch2/catch.hpp>

namespace telemetry = interlock::telemetry;

namespace {

struct Found {
    std::string_view rule;
    std::string_view text;
    std::string_view shown;
};

/// What each rule finds, and exactly what stays.
const std::vector<Found> found{
    {"password",
     "ALTER ROLE a PASSWORD 'x y' LOGIN",
     "ALTER ROLE a PASSWORD [redacted:password] LOGIN"},
    {"password",
     "create user a encrypted password'x'",
     "create user a encrypted password[redacted:password]"},
    {"password", "PASSWORD E'S\\x33cret' VALID", "PASSWORD [redacted:password] VALID"},
    {"password", "PASSWORD U&'\\0053ecret'", "PASSWORD [redacted:password]"},
    {"password", "PASSWORD $pw$it's$pw$;", "PASSWORD [redacted:password];"},
    {"password", "PASSWORD /* of a */ 'x'/**/'y' z", "PASSWORD /* of a */ [redacted:password] z"},
    {"password", "PASSWORD -- of a\n 'x'", "PASSWORD -- of a\n [redacted:password]"},
    {"password", "PASSWORD -- of a 'x' y", "PASSWORD [redacted:password]"},
    {"password", "PASSWORD 'cut in the mid", "PASSWORD [redacted:password]"},
    {"password", "host=a password=b user=c", "host=a password=[redacted:password] user=c"},
    {"password", "password = 'b c' user=d", "password = [redacted:password] user=d"},
    {"password", "password=b\\ c user=d", "password=[redacted:password] user=d"},
    {"password",
     "'host=a password=''b c'' user=d'",
     "'host=a password=''[redacted:password]'' user=d'"},
    {"password", R"({"password":"b\"c","x":1})", R"({"password":"[redacted:password]","x":1})"},
    {"password", R"("{\"password\": \"b c\"}")", R"("{\"password\": \"[redacted:password]\"}")"},
    {"password", "PGPASSWORD=b psql", "PGPASSWORD=[redacted:password] psql"},
    {"password", "DB_PASSWORD: b", "DB_PASSWORD: [redacted:password]"},
    {"password",
     "OPTIONS (user 'a', password 'b')",
     "OPTIONS (user 'a', password [redacted:password])"},
    {"password",
     "OPTIONS (ADD \"password\" 'b')",
     "OPTIONS (ADD \"password\" [redacted:password])"},
    {"password", "set password = password('b')", "set password = [redacted:password]'b')"},
    {"pwd", "uid=a;pwd=b", "uid=a;pwd=[redacted:pwd]"},
    {"identified-by",
     "CREATE USER a IDENTIFIED BY 'b'",
     "CREATE USER a IDENTIFIED BY [redacted:identified-by]"},
    {"identified-by",
     "alter user a identified by b;",
     "alter user a identified by [redacted:identified-by]"},
    {"identified-by", "IDENTIFIED BY \"b c\"", "IDENTIFIED BY \"[redacted:identified-by]\""},
    {"connection",
     "CREATE SUBSCRIPTION s CONNECTION 'host=a x=b' PUBLICATION p",
     "CREATE SUBSCRIPTION s CONNECTION [redacted:connection] PUBLICATION p"},
    {"credentials",
     "COPY t FROM 's3://b' CREDENTIALS 'id=a;key=b' CSV",
     "COPY t FROM 's3://b' CREDENTIALS [redacted:credentials] CSV"},
    {"key", "aws_secret_access_key = wJalrXUt/nFEMI+x", "aws_secret_access_key = [redacted:key]"},
    {"key", "SECRET_ACCESS_KEY 'wJalr'", "SECRET_ACCESS_KEY [redacted:key]"},
    {"key", "api_key: 0123abc next", "api_key: [redacted:key] next"},
    {"authorization",
     "Authorization: Basic dXNlcjpwYXNz end",
     "Authorization: Basic [redacted:authorization] end"},
    {"authorization",
     "Authorization: Bearer \"a b\" end",
     "Authorization: Bearer \"[redacted:authorization]\" end"},
    {"authorization",
     "Authorization: Token hush-hush, and more",
     "Authorization: [redacted:authorization]"},
    {"authorization",
     "Authorization: hush hush\r\nHost: a",
     "Authorization: [redacted:authorization]\r\nHost: a"},
    {"authorization",
     "Authorization: ApiKey hush\n and hush\nHost: a",
     "Authorization: [redacted:authorization]\nHost: a"},
    {"authorization",
     "proxy-authorization : Hawk id=\"a\", mac=\"hush\"",
     "proxy-authorization : [redacted:authorization]"},
    {"authorization",
     "Authorization: Basic-ish hush hush",
     "Authorization: [redacted:authorization]"},
    {"authorization", "Authorization: --hush hush", "Authorization: [redacted:authorization]"},
    {"authorization",
     "Authorization: Digest username=\"a\", response=\"hush\"\nHost: a",
     "Authorization: Digest [redacted:authorization]\nHost: a"},
    {"authorization",
     "AUTHORIZATION: AWS4-HMAC-SHA256 Credential=a/b, Signature=hush",
     "AUTHORIZATION: AWS4-HMAC-SHA256 [redacted:authorization]"},
    {"authorization",
     "curl -H 'Authorization: Token hush' https://a -v",
     "curl -H 'Authorization: [redacted:authorization]' https://a -v"},
    {"authorization",
     R"(curl -H "X-Authorization: Token hush" -v)",
     R"(curl -H "X-Authorization: [redacted:authorization]" -v)"},
    {"authorization",
     R"({"cmd":"curl -H \"Authorization: Token hush\" -v"})",
     R"({"cmd":"curl -H \"Authorization: [redacted:authorization]\" -v"})"},
    {"authorization",
     R"({"Authorization": "Token hush hush", "x": 1})",
     R"({"Authorization": "[redacted:authorization]", "x": 1})"},
    {"authorization",
     R"({"Authorization": "Basic hush hush", "x": 1})",
     R"({"Authorization": "Basic [redacted:authorization]", "x": 1})"},
    {"authorization",
     R"("{\"authorization\": \"Token hush\", \"x\": 1}")",
     R"("{\"authorization\": \"[redacted:authorization]\", \"x\": 1}")"},
    {"authorization",
     "{'Authorization': 'Token hush' , 'x': 1}",
     "{'Authorization': [redacted:authorization] , 'x': 1}"},
    {"authorization",
     R"(["Authorization", "Token hush", "Host", "a"])",
     R"(["Authorization", "[redacted:authorization]", "Host", "a"])"},
    {"authorization",
     "('Authorization', 'Token hush' )",
     "('Authorization', [redacted:authorization] )"},
    {"authorization",
     "HTTP_AUTHORIZATION=Token hush",
     "HTTP_AUTHORIZATION=[redacted:authorization]"},
    {"authorization", "authorization => Token hush", "authorization => [redacted:authorization]"},
    {"bearer", "sent bearer abcdef0123456789.xyz to", "sent bearer [redacted:bearer] to"},
    {"function-secret",
     "select pgp_sym_encrypt(a, 'k') from t",
     "select pgp_sym_encrypt(a, [redacted:function-secret]) from t"},
    {"function-secret",
     "crypt('pw', gen_salt('bf')) = h and x = 'y'",
     "crypt([redacted:function-secret], gen_salt([redacted:function-secret])) = h and x = 'y'"},
    {"function-secret",
     "crypt(crypt('a', s), 'b'), 'c'",
     "crypt(crypt([redacted:function-secret], s), [redacted:function-secret]), 'c'"},
    {"function-secret",
     "dblink_connect('c', $$host=a password=b$$)",
     "dblink_connect([redacted:function-secret], [redacted:function-secret])"},
    {"uri-password", "postgres://bob:hunter2@db/x", "postgres://bob:[redacted:uri-password]@db/x"},
    {"uri-password", "amqp://bob:h@nter/2@mq:5672/", "amqp://bob:[redacted:uri-password]@mq:5672/"},
    {"uri-password", "redis://:hunter2@cache", "redis://:[redacted:uri-password]@cache"},
    {"uri-password", "cut postgres://bob:hunt", "cut postgres://bob:[redacted:uri-password]"},
    {"scram", "is SCRAM-SHA-256$4096:c2FsdA==$c3Q=:c2V=, ok", "is [redacted:scram], ok"},
    {"md5-password", "md5d41d8cd98f00b204e9800998ecf8427e x", "[redacted:md5-password] x"},
    {"aws-key", "id AKIAIOSFODNN7EXAMPLE.", "id [redacted:aws-key]."},
    {"aws-key", "\"dump_akiaiosfodnn7example\"", "\"dump_[redacted:aws-key]\""},
    {"token", "sk-abcdefghijklmnopqrst1234 x", "[redacted:token] x"},
    {"token", "key sk-proj-Ab3dEf9hIj_kLm-nOp", "key [redacted:token]"},
    {"token", "ghp_16C7e42F292c6912E7710c838347Ae178B4a", "[redacted:token]"},
    {"slack-token", "xoxb-2411-2411-AbCdEf", "[redacted:slack-token]"},
    {"jwt", "a eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln b", "a [redacted:jwt] b"},
    {"jwt", "cut eyJhbGciOiJIUzI1NiJ9.eyJzdW", "cut [redacted:jwt]"},
    {"pem", "-----BEGIN PRIVATE KEY-----\nMIIE\n-----END PRIVATE KEY----- x", "[redacted:pem] x"},
    {"pem", "x -----BEGIN RSA PRIVATE KEY----- MIIE", "x [redacted:pem]"},
    {"card", "card 4111111111111111 ok", "card [redacted:card] ok"},
    {"card", "5500-0000-0000-0004, 3782 822463 10005", "[redacted:card], [redacted:card]"},
    {"card", "pan_6011000990139424", "pan_[redacted:card]"},
    {"e-mail", "by ann.o'x+y@mail.example.org, ok", "by ann.o'[redacted:e-mail], ok"},
    {"e-mail", "?to=ann%40example.com&x", "?to=[redacted:e-mail]&x"},
    {"literal", "x = E'\\x41KIAIOSFODNN7EXAMPLE' y", "x = [redacted:literal] y"},
    {"literal", "x = 'AKIAIOSF'\n  'ODNN7EXAMPLE' y", "x = [redacted:literal] y"},
    {"literal", "U&'!0041KIA' UESCAPE '!' y", "[redacted:literal] UESCAPE '!' y"},
};

/// Looks like it, and is none.
const std::map<std::string_view, std::vector<std::string_view>> left_alone{
    {"password",
     {"password authentication failed for user \"bob\"",
      "password_encryption = 'scram-sha-256'",
      "ALTER ROLE a PASSWORD NULL",
      "where password = $1",
      "password=********",
      "the password is too short",
      "password::text"}},
    {"pwd", {"pwd=/var/lib/postgresql", "cmdpwd: x", "pwd"}},
    {"identified-by", {"rows identified by id", "identified by", "unidentified bystander"}},
    {"connection",
     {"connection authorized: user=bob", "connection 'reporting' lost", "connections = 'a=b'"}},
    {"credentials", {"credentials expired", "no credentials in 'x'"}},
    {"key", {"api_keys", "secret_keyring table", "client_secret is null"}},
    {"authorization",
     {"authorization failed",
      "SET SESSION AUTHORIZATION bob",
      "authorization",
      "Authorization:",
      "Authorization: ?",
      "authorization: ***",
      "select \"authorization\", b from t",
      "a.authorization::text"}},
    {"bearer", {"bearer of bad news", "bearer tokens expire after some time"}},
    {"function-secret", {"crypt of kings", "encryption('x')", "dblink is not installed", "hmac"}},
    {"uri-password",
     {"http://db.example:8080/x@y",
      "postgres://bob@db/x",
      "postgres://db:5432,db2:5432/x",
      "see https://example.com/a:b",
      "://x:y@z",
      "http://[::1]:80/"}},
    {"scram", {"scram-sha-256", "SCRAM-SHA-256$<iterations>"}},
    {"md5-password",
     {"md5",
      "md5(x)",
      "d41d8cd98f00b204e9800998ecf8427e",
      "md5d41d8cd98f00b204e9800998ecf8427e00"}},
    {"aws-key", {"AKIA", "asiapacificregion01", "AKIAIOSFODNN7EXAMPLEX", "XAKIAIOSFODNN7EXAMPLE"}},
    {"token",
     {"task-force-2026-reporting", "sk-learn-pipeline-20240101", "ghp_", "npm_install_everything"}},
    {"slack-token", {"xoxo-love", "xoxb-", "xoxb-abcdefghijk"}},
    {"jwt", {"eyJhbGciOiJIUzI1NiJ9", "eyjar.one.two", "obeyJohnson12345.something1.x"}},
    {"pem", {"-----", "----BEGIN", "-----END PRIVATE KEY-----"}},
    {"card",
     {"4111111111111112",
      "41111111111111111111",
      "7401234567890123456",
      "1763748469123456",
      "2026-11-21 18:07:49.123",
      "4111a11111111111",
      "12.4111111111111111"}},
    {"e-mail", {"postgresql@15-main.service", "root@localhost", "a @> b.c", "@user.name", "x@1.2"}},
    {"literal", {"'a' 'b'", "E'a\\nb'", "don't 'x' 'y'", "U&'\\0041b'"}},
    {"ipv4", {"1.2.3.4.5", "256.1.1.1", "15.18", "v1.2.3.4"}},
};

} // namespace

TEST_CASE("each rule takes out what it is for, and nothing beside it", "[telemetry]") {
    for (const Found& each : found) {
        CAPTURE(each.rule, each.text);
        const std::string shown = telemetry::redact(each.text);
        CHECK(shown == each.shown);
        CHECK(telemetry::redact(shown) == shown);
    }
}

TEST_CASE("each rule leaves alone what only looks like it", "[telemetry]") {
    for (const auto& [rule, texts] : left_alone) {
        for (const std::string_view text : texts) {
            CAPTURE(rule, text);
            CHECK(telemetry::redact(text, {.ipv4 = rule == "ipv4"}) == text);
        }
    }
}

TEST_CASE("no rule is without cases of both kinds", "[telemetry]") {
    for (const auto& rule : telemetry::redaction_rules()) {
        CAPTURE(rule.name);
        const bool finds = std::any_of(found.begin(), found.end(), [&](const Found& each) {
            return each.rule == rule.name && each.shown.find(rule.label) != std::string_view::npos;
        });
        CHECK((finds || rule.optional));
        CHECK(left_alone.count(rule.name) == 1);
        CHECK(rule.label == "[redacted:" + std::string{rule.name} + "]");
        CHECK(telemetry::label_at(rule.label, 0) == rule.label);
    }
}

TEST_CASE("addresses go only when asked for", "[telemetry]") {
    const std::string_view text = "from 192.168.17.4:5432, 10.0.0.1.";
    CHECK(telemetry::redact(text) == text);
    CHECK(telemetry::redact(text, {.ipv4 = true}) == "from [redacted:ipv4]:5432, [redacted:ipv4].");
}

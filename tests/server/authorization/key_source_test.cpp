#include "base/http_server.hpp"
#include "base/limits.hpp"
#include "server/authorization/key_source.hpp"
#include "tests/server/authorization/signer.hpp"
#include "tests/support/fakes.hpp"

#include <atomic>
#include <deque>
#include <fstream>

#include <catch2/catch.hpp>

namespace interlock::server {
namespace {

using namespace std::chrono_literals;
using base::Errc;
using base::Error;
using test::ec_pair;
using test::key_set;
using test::rsa_pair;

Issuer issuer_of(const std::string& jwks) {
    Issuer issuer;
    issuer.issuer = "https://as.example";
    issuer.jwks = jwks;
    issuer.algorithms = {"RS256", "ES256"};
    return issuer;
}

/// Answers each look with what the test says, and counts them.
class Scripted {
public:
    KeyFetcher fetcher() {
        return [this](const Issuer&, std::stop_token) {
            ++looks;
            return next;
        };
    }
    base::Result<std::string> next{std::string(key_set({ec_pair().jwk("e")}))};
    int looks = 0;
};

const base::Result<std::string> outage{Error{Errc::io, "There was no answer.", ""}};
constexpr const char* a_url = "https://as.example/keys";

/// An issuer's web server on loopback.
class Host {
public:
    Host() {
        base::HttpServerOptions options;
        options.handler = [this](std::shared_ptr<base::HttpExchange> exchange) {
            ++requests;
            const std::string path = exchange->request().path;
            if (path == "/keys") {
                exchange->respond({200, {}, key_set({rsa_pair().jwk("r")})});
            } else if (path == "/metadata-service") {
                exchange->respond({302, {{"Location", "http://169.254.169.254/latest/"}}, ""});
            } else if (path == "/huge") {
                exchange->respond({200, {}, std::string(base::limits::jwks_bytes_max + 1, ' ')});
            } else if (path == "/broken") {
                exchange->respond({500, {}, key_set({rsa_pair().jwk("r")})});
            } else {
                exchange->respond({200, {{"Content-Type", "text/html"}}, "<html>sign in</html>"});
            }
        };
        auto started = base::HttpServer::start(std::move(options));
        REQUIRE(started.ok());
        server_ = std::move(started).value();
    }
    Host(const Host&) = delete;
    Host& operator=(const Host&) = delete;
    ~Host() { server_->stop(0ms); }
    std::string url(const std::string& path) const {
        return "http://127.0.0.1:" + std::to_string(server_->port()) + path;
    }
    std::atomic<int> requests = 0;

private:
    std::unique_ptr<base::HttpServer> server_;
};

} // namespace

TEST_CASE("there are no keys until they were fetched", "[server][auth]") {
    test::ManualClock clock;
    Scripted script;
    KeySource source(issuer_of(a_url), clock, script.fetcher());
    CHECK_FALSE(source.keys().set);
    CHECK(source.unready().find("https://as.example") != std::string::npos);
    CHECK(source.step({}) == base::limits::jwks_refresh);
    REQUIRE(source.keys().set);
    CHECK(source.keys().set->knows("e"));
    CHECK(source.unready().empty());
    CHECK(source.step({}) == base::limits::jwks_refresh); // not due: no second look
    CHECK(script.looks == 1);
}

TEST_CASE("keys are renewed at intervals and change generation only when they differ", "[auth]") {
    test::ManualClock clock;
    Scripted script;
    KeySource source(issuer_of(a_url), clock, script.fetcher());
    source.step({});
    const auto first = source.keys();
    clock.advance(base::limits::jwks_refresh);
    source.step({});
    CHECK(script.looks == 2);
    CHECK(source.keys().generation == first.generation);
    script.next = key_set({rsa_pair().jwk("r")});
    clock.advance(base::limits::jwks_refresh);
    source.step({});
    CHECK(source.keys().generation != first.generation);
    CHECK(source.keys().set->knows("r"));
    CHECK_FALSE(source.keys().set->knows("e"));
}

TEST_CASE("an outage is retried with growing pauses and keeps the keys that are there", "[auth]") {
    test::ManualClock clock;
    Scripted script;
    script.next = outage;
    KeySource source(issuer_of(a_url), clock, script.fetcher());
    for (const auto pause : {1s, 2s, 4s, 8s, 16s, 32s, 64s, 128s, 256s, 300s, 300s}) {
        CHECK(source.step({}) == pause);
        clock.advance(pause);
    }
    CHECK(source.unready().find("There was no answer.") != std::string::npos);
    script.next = key_set({ec_pair().jwk("e")});
    CHECK(source.step({}) == base::limits::jwks_refresh);
    const auto kept = source.keys();
    REQUIRE(kept.set);
    for (const base::Result<std::string>& bad :
         {outage,
          base::Result<std::string>{std::string("not JSON")},
          base::Result<std::string>{std::string(R"({"keys":{}})")},
          base::Result<std::string>{std::string("{}")}}) {
        script.next = bad;
        clock.advance(base::limits::jwks_refresh);
        source.step({});
        CHECK(source.keys().set == kept.set);
        CHECK(source.unready().empty());
    }
}

TEST_CASE("keys that cannot be renewed are given up in the end", "[server][auth]") {
    test::ManualClock clock;
    Scripted script;
    KeySource source(issuer_of(a_url), clock, script.fetcher());
    source.step({});
    const auto before = source.keys();
    script.next = outage;
    clock.advance(base::limits::jwks_stale_max);
    source.step({});
    CHECK(source.keys().set);
    clock.advance(1s);
    CHECK_FALSE(source.keys().set); // by the clock alone, even if a look hangs
    source.step({});
    CHECK_FALSE(source.unready().empty());
    script.next = key_set({ec_pair().jwk("e")});
    clock.advance(base::limits::jwks_refresh);
    source.step({});
    REQUIRE(source.keys().set);
    CHECK(source.keys().generation != before.generation);
}

TEST_CASE("tokens with unknown keys cause few looks", "[server][auth]") {
    test::ManualClock clock;
    Scripted script;
    KeySource source(issuer_of(a_url), clock, script.fetcher());
    source.step({});
    for (int i = 0; i < 100; ++i) {
        source.look_early();
        source.step({});
    }
    CHECK(script.looks == 1);
    clock.advance(base::limits::jwks_unknown_kid_pause);
    for (int i = 0; i < 100; ++i) {
        source.look_early();
        source.step({});
    }
    CHECK(script.looks == 2);
    source.reload();
    source.step({});
    CHECK(script.looks == 3);
}

TEST_CASE("a file of keys is read again as it changes", "[server][auth]") {
    const test::TemporaryDirectory directory;
    const std::string path = directory.file("keys.json");
    test::ManualClock clock;
    KeySource source(issuer_of(path), clock);
    source.step({});
    CHECK_FALSE(source.keys().set);
    std::ofstream(path) << key_set({ec_pair().jwk("e")});
    clock.advance(1s);
    const auto pause = source.step({});
    REQUIRE(source.keys().set);
    CHECK(pause == base::limits::jwks_unknown_kid_pause);
    std::ofstream(path, std::ios::trunc) << key_set({rsa_pair().jwk("r")});
    clock.advance(pause);
    source.step({});
    CHECK(source.keys().set->knows("r"));
    std::ofstream(path, std::ios::trunc) << std::string(base::limits::jwks_bytes_max + 1, ' ');
    source.reload();
    source.step({});
    CHECK(source.keys().set->knows("r"));
}

TEST_CASE("an issuer withdraws its keys by a key set without them", "[server][auth]") {
    const test::TemporaryDirectory directory;
    const std::string path = directory.file("keys.json");
    test::ManualClock clock;
    KeySource source(issuer_of(path), clock);
    std::ofstream(path) << key_set({rsa_pair().jwk("r")});
    source.step({});
    REQUIRE(source.keys().set);
    const auto before = source.keys().generation;
    for (const char* withdrawn : {R"({"keys":[]})", R"({"keys":[{"kty":"oct","k":"AA"}]})"}) {
        std::ofstream(path, std::ios::trunc) << withdrawn;
        source.reload();
        source.step({});
        CHECK_FALSE(source.keys().set);
        CHECK(source.keys().generation != before);
        CHECK(source.unready().find("no key that could be used") != std::string::npos);
    }
    std::ofstream(path, std::ios::trunc) << key_set({rsa_pair().jwk("r")});
    source.reload();
    source.step({});
    CHECK(source.keys().set);
}

TEST_CASE("keys are fetched over HTTP, and only from where they were configured", "[auth]") {
    const Host host;
    const auto fetch = [](const std::string& url) { return fetch_keys(issuer_of(url), {}); };
    const auto good = fetch(host.url("/keys"));
    REQUIRE(good.ok());
    CHECK(KeySet::parse(*good, {"RS256"}).ok());
    CHECK(host.requests == 1);

    const auto redirected = fetch(host.url("/metadata-service"));
    REQUIRE_FALSE(redirected.ok());
    CHECK(redirected.error().what.find("302") != std::string::npos);
    CHECK(host.requests == 2); // and nothing else was asked anywhere
    CHECK(fetch(host.url("/huge")).error().code == Errc::limit_exceeded);
    CHECK_FALSE(fetch(host.url("/broken")).ok());
    CHECK_FALSE(KeySet::parse(*fetch(host.url("/page")), {"RS256"}).ok());
    CHECK(fetch("https://169.254.169.254/keys").error().code == Errc::refused);
    CHECK(fetch("https://10.0.0.1/keys").error().code == Errc::refused);
    CHECK(fetch("https://[fd00::1]/keys").error().code == Errc::refused);
    CHECK(fetch("https://2852039166/keys").error().code == Errc::refused); // 169.254.169.254
    CHECK_FALSE(fetch("/nonexistent/keys.json").ok());
}

TEST_CASE("an unreachable issuer is an error and not a wait", "[server][auth]") {
    std::string url;
    {
        const Host host;
        url = host.url("/keys");
    }
    CHECK(fetch_keys(issuer_of(url), {}).error().code == Errc::io);
}

TEST_CASE("the thread looks when it is told to, and ends with its source", "[server][auth]") {
    test::SharedClock clock;
    std::atomic<int> looks = 0;
    KeySource source(issuer_of(a_url), clock, [&](const Issuer&, std::stop_token) {
        ++looks;
        return base::Result<std::string>{key_set({ec_pair().jwk("e")})};
    });
    source.start();
    const auto reaches = [&](int count, const auto& meanwhile) {
        const auto deadline = base::SystemClock().ticks() + 20s;
        while (looks < count && base::SystemClock().ticks() < deadline) {
            meanwhile();
            std::this_thread::yield();
        }
        return looks >= count;
    };
    CHECK(reaches(1, [] {}));
    source.reload();
    CHECK(reaches(2, [] {}));
    clock.advance(base::limits::jwks_unknown_kid_pause);
    CHECK(reaches(3, [&] { source.look_early(); }));
}

} // namespace interlock::server

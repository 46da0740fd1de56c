#include "server/authorization/token_cache.hpp"

#include <catch2/catch.hpp>

namespace interlock::server {
namespace {

base::Time at(int seconds) {
    return base::Time{std::chrono::seconds{seconds}};
}

CachedToken token(const std::string& subject, int expires) {
    CachedToken made;
    made.access.identity.subject = subject;
    made.expires = at(expires);
    return made;
}

} // namespace

TEST_CASE("a verified token is remembered until it expires", "[server][auth]") {
    TokenCache cache(4);
    const auto digest = base::sha256("a");
    CHECK(cache.find(digest, at(0)) == nullptr);
    cache.put(digest, token("alice", 10));
    REQUIRE(cache.find(digest, at(9)) != nullptr);
    CHECK(cache.find(digest, at(9))->access.identity.subject == "alice");
    CHECK(cache.find(base::sha256("b"), at(9)) == nullptr);
    CHECK(cache.find(digest, at(10)) == nullptr);
    CHECK(cache.size() == 0);
}

TEST_CASE("the token that was unused for longest makes room", "[server][auth]") {
    TokenCache cache(2);
    cache.put(base::sha256("a"), token("a", 10));
    cache.put(base::sha256("b"), token("b", 10));
    CHECK(cache.find(base::sha256("a"), at(1)) != nullptr);
    cache.put(base::sha256("c"), token("c", 10));
    CHECK(cache.size() == 2);
    CHECK(cache.find(base::sha256("b"), at(1)) == nullptr);
    CHECK(cache.find(base::sha256("a"), at(1)) != nullptr);
    CHECK(cache.find(base::sha256("c"), at(1)) != nullptr);
    cache.put(base::sha256("c"), token("other", 10));
    CHECK(cache.size() == 2);
    cache.drop(base::sha256("c"));
    cache.drop(base::sha256("c"));
    CHECK(cache.size() == 1);
}

TEST_CASE("a moved cache keeps working", "[server][auth]") {
    TokenCache cache(2);
    cache.put(base::sha256("a"), token("a", 10));
    cache = TokenCache(2);
    CHECK(cache.size() == 0);
    cache.put(base::sha256("b"), token("b", 10));
    CHECK(cache.find(base::sha256("b"), at(1)) != nullptr);
}

} // namespace interlock::server

#include "base/db/store_place.hpp"
#include "base/file.hpp"
#include "base/limits.hpp"
#include "tests/base/db/store_support.hpp"
#include "tests/lab/shared_store.hpp"
#include "tests/support/fakes.hpp"

#include <fstream>
#include <sys/stat.h>

namespace interlock::db {
namespace {

using base::Errc;

struct Place {
    interlock::test::TemporaryDirectory directory;
    base::StateDirectory state{directory.path()};
    base::SystemClock clock;

    void say(const std::string& yaml) const {
        REQUIRE(base::write_file_atomically(state.store(), yaml).ok());
    }
};

TEST_CASE("without store.yaml the store is queue.db", "[db][store]") {
    const Place place;
    const auto found = find_store(place.state);
    REQUIRE(found.ok());
    CHECK(found->file == place.state.queue());
    CHECK_FALSE(found->shared);
    CHECK(found->describe() == place.state.queue());
    CHECK(find_store(place.state, "/elsewhere/queue.db")->file == "/elsewhere/queue.db");
}

TEST_CASE("store.yaml names the shared store, its password beside it", "[db][store]") {
    const Place place;
    place.say("conninfo: host=db1 dbname=interlock user=interlock\npassword_file: pw\n");
    const auto found = find_store(place.state, place.state.queue());
    REQUIRE(found.ok());
    REQUIRE(found->shared);
    CHECK(found->shared->conninfo == "host=db1 dbname=interlock user=interlock");
    CHECK(found->shared->password_file == place.directory.path() + "/pw");
    CHECK(found->describe() == "postgresql (host=db1 dbname=interlock user=interlock)");
    // A file that is named outright is that file.
    CHECK_FALSE(find_store(place.state, "/elsewhere/queue.db")->shared);
}

TEST_CASE("a store.yaml that is wrong names itself and what is wrong", "[db][store]") {
    const Place place;
    const auto refused = [&](const std::string& yaml, const std::string& why) {
        place.say(yaml);
        const auto found = find_store(place.state);
        REQUIRE_FALSE(found.ok());
        CHECK(found.error().what.starts_with(place.state.store() + ": "));
        CHECK(base::to_text(found.error()).find(why) != std::string::npos);
        CHECK(base::to_text(found.error()).find("hunter2") == std::string::npos);
    };
    refused("conninfo: host=db1 password=hunter2", "password_file");
    refused("conninfo: host=db1 hunter2", "parse");
    refused("password_env: A", "conninfo");
    refused("conninfo: host=db1\nhost: db2", "host");
    refused("conninfo: host=db1\npassword_file: a\npassword_env: B", "one password");
    refused("", "");
}

TEST_CASE("two stores in one state directory are refused", "[db][store]") {
    Place place;
    REQUIRE(open_store(place.state, StoreMode::create, place.clock).ok());
    place.say("conninfo: host=db1 dbname=interlock");
    const auto store = open_store(place.state, StoreMode::create, place.clock);
    REQUIRE_FALSE(store.ok());
    CHECK(store.error().code == Errc::invalid_input);
    CHECK(store.error().remedy.find("checkpoints") != std::string::npos);
}

TEST_CASE("an address is not taken for the path of a file", "[db][store]") {
    CHECK(not_a_store_file("postgresql://db1/interlock"));
    CHECK(not_a_store_file("host=db1 dbname=interlock"));
    CHECK_FALSE(not_a_store_file("/var/lib/interlock/queue.db"));
    CHECK_FALSE(not_a_store_file(""));
}

TEST_CASE("a state directory leads to PostgreSQL", "[db][store][live]") {
    const lab::SharedStore shared;
    Place one;
    Place other;
    for (const auto* place : {&one, &other}) {
        place->say("conninfo: \"" + shared.database.conninfo() + "\"\n");
    }
    CHECK(open_store(one.state, StoreMode::existing, one.clock).error().code == Errc::not_found);
    const auto store = open_store(one.state, StoreMode::create, one.clock);
    REQUIRE(store.ok());
    test::make_table(**store);
    REQUIRE(test::write(**store, "insert into t values (1, 'a')").ok());
    const auto seen = open_store(other.state, StoreMode::read_only, other.clock);
    REQUIRE(seen.ok());
    CHECK(test::count(**seen) == 1);
}

/// The first block of a language in a document.
std::string block(const std::string& text, const std::string& language) {
    const std::string fence = "```" + language + "\n";
    const auto from = text.find(fence);
    REQUIRE(from != std::string::npos);
    const auto begin = from + fence.size();
    return text.substr(begin, text.find("```", begin) - begin);
}

TEST_CASE("the documented store opens as documented", "[db][store][live]") {
    const auto document = base::read_file("docs/store.md", base::limits::yaml_bytes_max);
    REQUIRE(document.ok());
    auto& cluster = lab::durable();
    const auto sql = block(*document, "sql");
    for (std::size_t at = 0; at < sql.size(); at = sql.find('\n', at) + 1) {
        lab::run_sql(cluster, "postgres", sql.substr(at, sql.find('\n', at) - at));
    }
    Place place;
    auto yaml = block(*document, "yaml");
    const std::string host = "host=db-control.internal";
    REQUIRE(yaml.find(host) != std::string::npos);
    yaml.replace(yaml.find(host), host.size(), "host=" + cluster.directory());
    place.say(yaml);
    {
        std::ofstream password(place.directory.file("store.password"));
        password << "unused: the laboratory trusts its sockets\n";
    }
    REQUIRE(::chmod(place.directory.file("store.password").c_str(), 0600) == 0);
    const auto store = open_store(place.state, StoreMode::create, place.clock);
    INFO((store ? "" : base::to_text(store.error())));
    REQUIRE(store.ok());
    test::make_table(**store);
    CHECK(test::count(**store) == 0);
}

} // namespace
} // namespace interlock::db

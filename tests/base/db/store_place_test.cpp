#include "base/db/store_place.hpp"
#include "base/file.hpp"
#include "tests/base/db/store_support.hpp"
#include "tests/lab/shared_store.hpp"
#include "tests/support/fakes.hpp"

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

} // namespace
} // namespace interlock::db

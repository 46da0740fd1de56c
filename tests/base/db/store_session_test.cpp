#include "base/db/store_session.hpp"
#include "tests/lab/bouncer.hpp"
#include "tests/lab/shared_store.hpp"

#include <catch2/catch.hpp>

namespace interlock::db {
namespace {

using base::Errc;

constexpr StoreSchema schema{"interlock", 1};

base::Result<std::unique_ptr<StoreSession>>
open(const TargetAddress& address, bool to_write = true) {
    return StoreSession::open(address, schema, "here", to_write);
}

void check_refused(const TargetAddress& address, const std::string& why) {
    const auto session = open(address);
    REQUIRE_FALSE(session.ok());
    CHECK(session.error().code == Errc::not_supported);
    CHECK(session.error().what.find(why) != std::string::npos);
    CHECK_FALSE(session.error().remedy.empty());
}

TEST_CASE("what a server says of a store is told apart", "[db][store]") {
    const auto code = [](const char* state) {
        const auto error = store_error("here", state, "it says so");
        CHECK(error.what.starts_with("The store here "));
        CHECK(error.what.find("it says so") != std::string::npos);
        return error.code;
    };
    CHECK(code("53100") == Errc::store_full);
    CHECK(code("25006") == Errc::store_read_only);
    CHECK(code("55P03") == Errc::store_busy);
    CHECK(code("57014") == Errc::store_busy);
    CHECK(code("40001") == Errc::store_busy);
    CHECK(code("40P01") == Errc::store_busy);
    CHECK(code("53300") == Errc::store_busy);
    CHECK(code("53200") == Errc::limit_exceeded);
    CHECK(code("54000") == Errc::limit_exceeded);
    CHECK(code("42501") == Errc::permission_denied);
    CHECK(code("23505") == Errc::conflict);
    CHECK(code("57P01") == Errc::store_unreachable);
    CHECK(code("08006") == Errc::store_unreachable);
    CHECK(code("58030") == Errc::io);
    CHECK(code("XX001") == Errc::corrupt);
    CHECK(code("42P01") == Errc::internal);
    CHECK(code("") == Errc::internal);
}

TEST_CASE("a session is its own before anything is done with it", "[db][store][live]") {
    const lab::SharedStore shared;
    const auto& name = shared.database.name();
    // What an administrator or a role may have set is not what the store relies on.
    shared.database.sql(
        "alter database " + name + " set search_path = public; alter database " + name +
        " set default_transaction_isolation = 'serializable'; alter database " + name +
        " set default_transaction_read_only = on; alter database " + name +
        " set standard_conforming_strings = off"
    );
    const auto session = open(shared.database.address());
    REQUIRE(session.ok());
    CHECK_FALSE((*session)->has_schema());
    REQUIRE((*session)->begin(StoreSession::Access::write).ok());
    CHECK((*session)->in_transaction());
    const auto set = (*session)->run(
        "select current_setting('search_path') as path, "
        "current_setting('transaction_isolation') as isolation, "
        "current_setting('transaction_read_only') as read_only, "
        "current_setting('lock_timeout') as lock, current_setting('statement_timeout') as time, "
        "current_setting('idle_in_transaction_session_timeout') as idle, 'a\\' as text, "
        "current_setting('application_name') as program",
        {}
    );
    REQUIRE(set.ok());
    CHECK(set->text(0, "path") == "interlock, pg_temp");
    CHECK(set->text(0, "isolation") == "read committed");
    CHECK(set->text(0, "read_only") == "off");
    CHECK(set->text(0, "lock") == "5s");
    CHECK(set->text(0, "time") == "30s");
    CHECK(set->text(0, "idle") == "30s");
    CHECK(set->text(0, "text") == "a\\");
    CHECK(set->text(0, "program") == "interlock:store");
    CHECK((*session)->commit().ok());
    CHECK((*session)->usable());
    REQUIRE((*session)->begin(StoreSession::Access::read).ok());
    CHECK_FALSE((*session)->run("create table t (a int)", {}).ok());
    CHECK_FALSE((*session)->usable());
    (*session)->roll_back();
    CHECK((*session)->usable());
}

TEST_CASE("a database that cannot keep the promises is refused", "[db][store][live]") {
    check_refused(lab::Database{}.address(), "fsync off");
    CHECK(open(lab::Database{}.address(), /*to_write=*/false).ok());
    auto& cluster = lab::durable();
    const auto address = [&](const std::string& database) {
        return TargetAddress{"", cluster.conninfo("postgres", database), {}};
    };
    const auto make = [&](const std::string& database, const std::string& how) {
        lab::run_sql(
            cluster, "postgres", "create database " + database + " template template0 " + how
        );
    };
    make("latin", "encoding 'LATIN1' locale 'C'");
    check_refused(address("latin"), "UTF-8");
    make("english", "locale_provider icu icu_locale 'en-US' locale 'C'");
    check_refused(address("english"), "sorted by its bytes");
}

TEST_CASE("a store is not reached through a pooler", "[db][store][live]") {
    const lab::SharedStore shared;
    const lab::Bouncer bouncer{shared.database.cluster(), "transaction", 2};
    check_refused({"", bouncer.conninfo("postgres", shared.database.name()), {}}, "pooler");
}

} // namespace
} // namespace interlock::db

#include "base/db/postgres_store.hpp"
#include "base/file.hpp"
#include "base/limits.hpp"
#include "tests/base/db/store_support.hpp"
#include "tests/lab/session.hpp"
#include "tests/lab/shared_store.hpp"
#include "tests/lab/topology.hpp"
#include "tests/support/fakes.hpp"

#include <atomic>
#include <filesystem>
#include <pwd.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <thread>
#include <unistd.h>

namespace interlock::db {
namespace {

using base::Errc;
using base::Status;
using lab::SharedStore;
using test::count;
using test::make_table;
using test::query;
using test::write;

// --- What both stores promise ------------------------------------------------------------------

/// A place that is opened again and again.
class House {
public:
    explicit House(bool shared) {
        if (shared) {
            shared_.emplace();
        }
    }
    base::Result<std::unique_ptr<Store>> try_open(StoreMode mode) {
        return shared_ ? open_postgres_store(shared_->database.address(), StorePart::queue, mode)
                       : open_sqlite_store(directory_.file("queue.db"), mode, clock_);
    }
    std::unique_ptr<Store> open(StoreMode mode = StoreMode::create) {
        auto store = try_open(mode);
        if (!store) {
            FAIL(base::to_text(store.error()));
        }
        return std::move(*store);
    }

private:
    interlock::test::TemporaryDirectory directory_;
    base::SystemClock clock_;
    std::optional<SharedStore> shared_;
};

TEST_CASE(
    "both stores: what is committed is kept, what fails leaves nothing", "[db][store][live]"
) {
    House house{GENERATE(false, true)};
    auto store = house.open();
    make_table(*store);
    REQUIRE(write(*store, "insert into t values ($1, $2)", {"1", "one"}).ok());
    const auto refused = store->transact([](StoreTransaction& transaction) -> Status {
        INTERLOCK_CHECK(transaction.run("insert into t values (2, 'two')"));
        return base::Error{Errc::refused, "No.", ""};
    });
    CHECK(refused.error().code == Errc::refused);
    const auto thrown = store->transact([](StoreTransaction& transaction) -> Status {
        INTERLOCK_CHECK(transaction.run("insert into t values (3, 'three')"));
        throw std::runtime_error("broken");
    });
    CHECK(thrown.error().code == Errc::internal);
    CHECK(write(*store, "insert into t values (1, 'again')").error().code == Errc::conflict);
    CHECK(write(*store, "insert into no_such_table values (1)").error().code == Errc::internal);
    store.reset();
    store = house.open(StoreMode::existing);
    const auto found = query(*store, "select id, note from t");
    CHECK(found.columns == std::vector<std::string>{"id", "note"});
    REQUIRE(found.rows.size() == 1);
    CHECK(found.text(0, "note") == "one");
    CHECK(store->sync().ok());
}

TEST_CASE("both stores: parameters are bound by their number, never spliced", "[db][store][live]") {
    House house{GENERATE(false, true)};
    const auto store = house.open();
    make_table(*store);
    const std::string hostile = "'); drop table t; --\n\\ \xc3\xa9 $1";
    REQUIRE(write(*store, "insert into t (note, id) values ($2, $1)", {"7", hostile}).ok());
    REQUIRE(write(*store, "insert into t (note, id) values ($2, $1)", {"8", std::nullopt}).ok());
    const auto found = query(*store, "select id from t where note = $1", {hostile});
    REQUIRE(found.rows.size() == 1);
    CHECK(found.integer(0, "id") == 7);
    CHECK(query(*store, "select note from t where id = 8").at(0, "note") == std::nullopt);
    CHECK(write(*store, "insert into t values ($1, $2)", {"9"}).error().code == Errc::internal);
}

TEST_CASE("both stores: changed rows are counted, read ones are not", "[db][store][live]") {
    House house{GENERATE(false, true)};
    const auto store = house.open();
    make_table(*store);
    const auto status = store->transact([](StoreTransaction& transaction) -> Status {
        INTERLOCK_TRY(const auto in, transaction.run("insert into t values (1, 'a'), (2, 'b')"));
        CHECK(in.affected == 2);
        INTERLOCK_TRY(const auto read, transaction.run("select * from t"));
        CHECK(read.affected == 0);
        CHECK(read.rows.size() == 2);
        INTERLOCK_TRY(const auto none, transaction.run("update t set note = 'c' where id = 9"));
        CHECK(none.affected == 0);
        return base::done;
    });
    CHECK(status.ok());
}

TEST_CASE("both stores: text is sorted and compared by its bytes", "[db][store][live]") {
    House house{GENERATE(false, true)};
    const auto store = house.open();
    make_table(*store);
    REQUIRE(write(*store, "insert into t values (1, 'b'), (2, 'B'), (3, '_'), (4, '')").ok());
    const auto found = query(*store, "select id from t where note > 'A' order by note");
    REQUIRE(found.rows.size() == 3);
    CHECK(found.integer(0, "id") == 2);
    CHECK(found.integer(1, "id") == 3);
    CHECK(found.integer(2, "id") == 1);
}

TEST_CASE(
    "both stores: a read is one snapshot, and writing in it is an error", "[db][store][live]"
) {
    House house{GENERATE(false, true)};
    const auto store = house.open();
    const auto other = house.open(StoreMode::existing);
    make_table(*store);
    const auto read = store->read([&](StoreTransaction& transaction) -> Status {
        INTERLOCK_TRY(const auto before, transaction.run("select count(*) as n from t"));
        REQUIRE(write(*other, "insert into t values (1, 'a')").ok());
        INTERLOCK_TRY(const auto after, transaction.run("select count(*) as n from t"));
        CHECK(before.integer(0, "n") == 0);
        CHECK(after.integer(0, "n") == 0);
        const auto written = transaction.run("insert into t values (2, 'b')");
        REQUIRE_FALSE(written.ok());
        return written.error();
    });
    CHECK(read.error().code == Errc::store_read_only);
    CHECK(count(*store) == 1);
}

TEST_CASE("both stores: a transaction inside another is a defect, not a deadlock", "[db][live]") {
    House house{GENERATE(false, true)};
    const auto store = house.open();
    make_table(*store);
    const auto status = store->transact([&](StoreTransaction&) -> Status {
        CHECK(write(*store, "insert into t values (1, 'a')").error().code == Errc::internal);
        CHECK(
            store->read([](StoreTransaction&) -> Status { return base::done; }).error().code ==
            Errc::internal
        );
        return base::done;
    });
    CHECK(status.ok());
    CHECK(write(*store, "insert into t values (1, 'a')").ok());
}

TEST_CASE("both stores: writers in parallel lose nothing and see each other", "[db][store][live]") {
    House house{GENERATE(false, true)};
    const auto one = house.open();
    const auto other = house.open(StoreMode::existing);
    make_table(*one);
    REQUIRE(write(*one, "insert into t values (1, '0'), (2, '100')").ok());
    // From the second to the first, each by what it reads there; anything lost breaks the sum.
    const auto move = [](Store& store) {
        return store.transact([](StoreTransaction& transaction) -> Status {
            INTERLOCK_TRY(const auto rows, transaction.run("select note from t order by id"));
            const auto first = rows.integer(0, "note").value_or(-1);
            const auto second = rows.integer(1, "note").value_or(-1);
            INTERLOCK_CHECK(
                transaction.run("update t set note = $1 where id = 1", {std::to_string(first + 1)})
            );
            INTERLOCK_CHECK(
                transaction.run("update t set note = $1 where id = 2", {std::to_string(second - 1)})
            );
            return base::done;
        });
    };
    std::atomic<int> failures{0};
    {
        std::vector<std::jthread> threads;
        for (int i = 0; i < 4; ++i) {
            threads.emplace_back([&, i] {
                for (int round = 0; round < 25; ++round) {
                    failures += move(i % 2 == 0 ? *one : *other).ok() ? 0 : 1;
                }
            });
        }
    }
    CHECK(failures == 0);
    const auto found = query(*one, "select note from t order by id");
    CHECK(found.integer(0, "note") == 100);
    CHECK(found.integer(1, "note") == 0);
}

TEST_CASE("both stores: a writer that holds on too long makes others busy", "[db][store][live]") {
    House house{GENERATE(false, true)};
    const auto holder = house.open();
    make_table(*holder);
    const auto other = house.open(StoreMode::existing);
    const auto status = holder->transact([&](StoreTransaction& transaction) -> Status {
        INTERLOCK_CHECK(transaction.run("insert into t values (1, 'mine')"));
        const auto blocked = write(*other, "insert into t values (2, 'a')");
        REQUIRE_FALSE(blocked.ok());
        CHECK(blocked.error().code == Errc::store_busy);
        CHECK_FALSE(blocked.error().remedy.empty());
        CHECK(count(*other) == 0); // readers wait for nobody
        return base::done;
    });
    CHECK(status.ok());
    CHECK(write(*other, "insert into t values (2, 'a')").ok());
}

TEST_CASE("both stores: the clock stands still in a transaction and goes on after", "[db][live]") {
    House house{GENERATE(false, true)};
    const auto store = house.open();
    base::SystemClock clock;
    base::Time first{};
    const auto tell = [&](base::Time& time) {
        return store->transact([&](StoreTransaction& transaction) -> Status {
            time = transaction.now();
            INTERLOCK_CHECK(transaction.run("select 1"));
            CHECK(transaction.now() == time);
            return base::done;
        });
    };
    REQUIRE(tell(first).ok());
    CHECK(first <= clock.now());
    CHECK(first > clock.now() - std::chrono::hours{1});
    base::Time second{};
    CHECK(lab::wait_until([&] { return tell(second).ok() && second > first; }));
}

TEST_CASE("both stores: what is opened for reading is not written", "[db][store][live]") {
    House house{GENERATE(false, true)};
    CHECK(house.try_open(StoreMode::existing).error().code == Errc::not_found);
    CHECK(house.try_open(StoreMode::read_only).error().code == Errc::not_found);
    const auto store = house.open();
    make_table(*store);
    const auto reader = house.open(StoreMode::read_only);
    CHECK(write(*reader, "insert into t values (1, 'a')").error().code == Errc::store_read_only);
    CHECK(count(*reader) == 0);
}

TEST_CASE("both stores: a read that is too large says so", "[db][store][live]") {
    House house{GENERATE(false, true)};
    const auto store = house.open();
    const auto status = store->read([](StoreTransaction& transaction) -> Status {
        INTERLOCK_CHECK(
            transaction.run("with recursive n (i) as (select 1 union all select i + 1 from n "
                            "where i <= 200000) select i from n")
        );
        return base::done;
    });
    CHECK(status.error().code == Errc::limit_exceeded);
    CHECK(query(*store, "select 1 as n").integer(0, "n") == 1);
}

// --- What only the shared store can meet -------------------------------------------------------

TEST_CASE("a body that swallows an error keeps nothing", "[db][store][live]") {
    const SharedStore shared;
    const auto store = shared.open();
    make_table(*store);
    const auto status = store->transact([](StoreTransaction& transaction) -> Status {
        INTERLOCK_CHECK(transaction.run("insert into t values (1, 'a')"));
        CHECK(transaction.run("insert into t values (1, 'b')").error().code == Errc::conflict);
        CHECK(transaction.run("insert into t values (2, 'c')").error().code == Errc::conflict);
        return base::done;
    });
    CHECK(status.error().code == Errc::conflict);
    CHECK(count(*store) == 0);
}

TEST_CASE("a statement that ends the transaction is a defect", "[db][store][live]") {
    const SharedStore shared;
    const auto store = shared.open();
    make_table(*store);
    for (const std::string end : {"commit", "rollback"}) {
        const auto status = store->transact([&](StoreTransaction& transaction) -> Status {
            (void)transaction.run(end);
            CHECK_FALSE(transaction.run("insert into t values (1, 'a')").ok());
            return base::done;
        });
        CHECK(status.error().code == Errc::internal);
    }
    CHECK_FALSE(write(*store, "select 1; insert into t values (2, 'b')").ok());
    CHECK(count(*store) == 0);
}

TEST_CASE("a value that PostgreSQL cannot keep is told, and nothing of it is kept", "[db][live]") {
    const SharedStore shared;
    const auto store = shared.open();
    make_table(*store);
    for (const auto& value : {std::string{"a\0b", 3}, std::string{"\xc3("}}) {
        const auto status = write(*store, "insert into t values (1, $1)", {value});
        CHECK(status.error().code == Errc::invalid_input);
    }
    CHECK(count(*store) == 0);
}

TEST_CASE("the queue and the evidence of one database do not wait for each other", "[db][live]") {
    const SharedStore shared;
    const auto queue = shared.open();
    const auto evidence = shared.open(StoreMode::create, StorePart::evidence);
    make_table(*queue);
    const auto status = queue->transact([&](StoreTransaction&) -> Status {
        make_table(*evidence); // the same name in another schema
        return write(*evidence, "insert into t values (1, 'a')");
    });
    CHECK(status.ok());
    CHECK(count(*queue) == 0);
    CHECK(count(*evidence) == 1);
}

TEST_CASE("many threads share few connections", "[db][store][live]") {
    const SharedStore shared;
    const auto store = shared.open();
    std::atomic<int> failures{0};
    std::atomic<int> most{0};
    {
        std::vector<std::jthread> threads;
        for (int i = 0; i < 3 * base::limits::pool_connections; ++i) {
            threads.emplace_back([&] {
                for (int round = 0; round < 5; ++round) {
                    int seen = 0;
                    const auto status = store->read([&](StoreTransaction& at) -> Status {
                        INTERLOCK_TRY(
                            const auto found,
                            at.run("select count(*) as n from pg_stat_activity where "
                                   "datname = current_database()")
                        );
                        seen = static_cast<int>(found.integer(0, "n").value_or(1'000));
                        return base::done;
                    });
                    failures += status.ok() ? 0 : 1;
                    most = std::max(most.load(), seen);
                }
            });
        }
    }
    CHECK(failures == 0);
    CHECK(most <= base::limits::pool_connections);
}

TEST_CASE("a commit waits for the disk whatever the server was told", "[db][store][live]") {
    const SharedStore shared;
    const auto& name = shared.database.name();
    const auto store = shared.open();
    const auto setting = [&] {
        const auto fresh = shared.open(StoreMode::existing);
        return query(*fresh, "select current_setting('synchronous_commit') as s").text(0, "s");
    };
    for (const std::string weak : {"off", "local", "remote_write"}) {
        shared.database.sql("alter database " + name + " set synchronous_commit = " + weak);
        CHECK(setting() == "on");
    }
    shared.database.sql("alter database " + name + " set synchronous_commit = remote_apply");
    CHECK(setting() == "remote_apply");
}

TEST_CASE("connections that were lost are made anew", "[db][store][live]") {
    const SharedStore shared;
    const auto store = shared.open();
    make_table(*store);
    const auto end_all = [&] {
        shared.database.sql("select pg_terminate_backend(pid, 10000) from pg_stat_activity "
                            "where datname = current_database() and pid <> pg_backend_pid()");
    };
    end_all();
    CHECK(write(*store, "insert into t values (1, 'a')").ok());
    const auto status = store->transact([&](StoreTransaction& transaction) -> Status {
        INTERLOCK_CHECK(transaction.run("insert into t values (2, 'b')"));
        end_all();
        INTERLOCK_CHECK(transaction.run("insert into t values (3, 'c')"));
        return base::done;
    });
    CHECK(status.error().code == Errc::store_unreachable); // in the middle: not begun again
    CHECK(count(*store) == 1);
}

TEST_CASE("a commit without an answer says that nobody knows", "[db][store][live]") {
    const SharedStore shared;
    const auto store = shared.open();
    make_table(*store);
    // Nobody answers for this standby: the commit is on the disk here, and waits.
    shared.database.sql("alter system set synchronous_standby_names = 'nobody'");
    shared.database.sql("select pg_reload_conf()");
    std::atomic<bool> calling{true};
    std::jthread ends_it{[&] {
        const auto waiting = [&] {
            return shared.database.scalar(
                       "select count(pg_terminate_backend(pid)) from pg_stat_activity where "
                       "datname = current_database() and wait_event = 'SyncRep'"
                   ) == "1";
        };
        CHECK(lab::wait_until([&] { return waiting() || !calling; }));
    }};
    const auto status = write(*store, "insert into t values (1, 'a')");
    calling = false;
    ends_it.join();
    shared.database.sql("alter system reset synchronous_standby_names");
    shared.database.sql("select pg_reload_conf()");
    REQUIRE_FALSE(status.ok());
    CHECK(status.error().code == Errc::io);
    CHECK(status.error().what.find("not known") != std::string::npos);
    CHECK(count(*store) == 1); // it was kept after all
}

TEST_CASE("a server that crashes takes only what was under way with it", "[db][store][live]") {
    cli::ClusterOptions options;
    options.settings = {{"fsync", "on"}};
    auto cluster = cli::Cluster::start(options);
    REQUIRE(cluster.ok());
    std::unique_ptr<Store> store;
    {
        const TargetAddress address{"", (*cluster)->conninfo("postgres", "postgres"), {}};
        auto opened = open_postgres_store(address, StorePart::queue, StoreMode::create);
        REQUIRE(opened.ok());
        store = std::move(*opened);
        make_table(*store);
        REQUIRE(write(*store, "insert into t values (1, 'committed')").ok());
        const auto status = store->transact([&](StoreTransaction& transaction) -> Status {
            INTERLOCK_CHECK(transaction.run("insert into t values (2, 'under way')"));
            (*cluster)->crash();
            INTERLOCK_CHECK(transaction.run("insert into t values (3, 'too late')"));
            return base::done;
        });
        CHECK(status.error().code == Errc::store_unreachable);
        const auto down = write(*store, "insert into t values (4, 'down')");
        CHECK(down.error().code == Errc::store_unreachable);
        CHECK(down.error().what.starts_with("The store "));
        CHECK_FALSE(down.error().remedy.empty());
        REQUIRE((*cluster)->start_again().ok());
        CHECK(query(*store, "select note from t").text(0, "note") == "committed");
        CHECK(count(*store) == 1);
        CHECK(write(*store, "insert into t values (2, 'after')").ok());
    }
}

TEST_CASE("a server that crashes in the commit leaves all or nothing, and says so", "[db][live]") {
    cli::ClusterOptions options;
    options.settings = {{"fsync", "on"}, {"synchronous_standby_names", "nobody"}};
    auto cluster = cli::Cluster::start(options);
    REQUIRE(cluster.ok());
    lab::Session admin{(*cluster)->conninfo("postgres", "postgres")};
    admin.run("set synchronous_commit = local; create schema interlock; "
              "create table interlock.t (id bigint primary key, note text)");
    const TargetAddress address{"", (*cluster)->conninfo("postgres", "postgres"), {}};
    auto opened = open_postgres_store(address, StorePart::queue, StoreMode::existing);
    REQUIRE(opened.ok());
    std::jthread crashes_it{[&] {
        CHECK(lab::wait_until([&] {
            return admin.run("select 1 from pg_stat_activity where wait_event = 'SyncRep'")
                       .rows.size() == 1;
        }));
        (*cluster)->crash();
    }};
    const auto status = (*opened)->transact([](StoreTransaction& transaction) -> Status {
        INTERLOCK_CHECK(transaction.run("insert into t values (1, 'a'), (2, 'b')"));
        return base::done;
    });
    crashes_it.join();
    CHECK(status.error().code == Errc::io);
    CHECK(status.error().what.find("not known") != std::string::npos);
    REQUIRE((*cluster)->start_again().ok());
    const auto kept = count(**opened);
    CHECK((kept == 0 || kept == 2));
}

TEST_CASE("a standby is read and not written", "[db][store][live]") {
    const SharedStore shared;
    {
        const auto store = shared.open();
        make_table(*store);
        REQUIRE(write(*store, "insert into t values (1, 'a')").ok());
    }
    lab::Replica replica{shared.database.cluster()};
    REQUIRE(replica.catch_up());
    const TargetAddress address{
        "", replica.cluster().conninfo("postgres", shared.database.name()), {}};
    for (const auto mode : {StoreMode::create, StoreMode::existing}) {
        const auto refused = open_postgres_store(address, StorePart::queue, mode);
        REQUIRE_FALSE(refused.ok());
        CHECK(refused.error().code == Errc::store_read_only);
        CHECK(refused.error().remedy.find("primary") != std::string::npos);
    }
    const auto reader = open_postgres_store(address, StorePart::queue, StoreMode::read_only);
    REQUIRE(reader.ok());
    CHECK(count(**reader) == 1);
}

TEST_CASE("a server that became read-only says so", "[db][store][live]") {
    const SharedStore shared;
    const auto store = shared.open();
    make_table(*store);
    const auto status = store->transact([](StoreTransaction& transaction) -> Status {
        INTERLOCK_CHECK(transaction.run("set transaction read only"));
        INTERLOCK_CHECK(transaction.run("insert into t values (1, 'a')"));
        return base::done;
    });
    CHECK(status.error().code == Errc::store_read_only);
}

TEST_CASE("what a role may not do is told with what it needs", "[db][store][live]") {
    const SharedStore shared;
    const auto& database = shared.database;
    const std::string role = "role_of_" + database.name();
    database.sql("create role " + role + " login");
    const auto address = database.address(role);
    const auto not_made = open_postgres_store(address, StorePart::queue, StoreMode::create);
    REQUIRE_FALSE(not_made.ok());
    CHECK(not_made.error().code == Errc::permission_denied);
    CHECK(not_made.error().remedy.find("create schema interlock") != std::string::npos);
    const auto owner = shared.open();
    make_table(*owner);
    const auto no_schema = open_postgres_store(address, StorePart::queue, StoreMode::existing);
    REQUIRE_FALSE(no_schema.ok());
    CHECK(no_schema.error().code == Errc::permission_denied);
    database.sql("grant usage on schema interlock to " + role);
    const auto store = open_postgres_store(address, StorePart::queue, StoreMode::existing);
    REQUIRE(store.ok());
    const auto no_table = write(**store, "insert into t values (1, 'a')");
    CHECK(no_table.error().code == Errc::permission_denied);
    database.sql("drop owned by " + role + "; drop role " + role);
}

TEST_CASE("a full disk of the server says so, and there is room again later", "[db][store][live]") {
    const SharedStore shared;
    auto& cluster = shared.database.cluster();
    const auto disk = cluster.directory() + "/disk";
    ::mkdir(disk.c_str(), 0700);
    if (::mount("tmpfs", disk.c_str(), "tmpfs", 0, "size=2m") != 0) {
        WARN("needs the right to mount a small file system");
        return;
    }
    const auto* account = ::getpwnam(cluster.user().c_str());
    REQUIRE((account != nullptr && ::chown(disk.c_str(), account->pw_uid, account->pw_gid) == 0));
    shared.database.sql("create tablespace small location '" + disk + "'");
    {
        const auto store = shared.open();
        REQUIRE(write(*store, "create table t (id bigint, note text) tablespace small").ok());
        REQUIRE(write(*store, "alter table t alter note set storage external").ok());
        Status status = base::done;
        for (int id = 0; id < 400 && status; ++id) {
            status = write(
                *store,
                "insert into t values ($1, $2)",
                {std::to_string(id), std::string(16'384, 'x')}
            );
        }
        REQUIRE_FALSE(status.ok());
        CHECK(status.error().code == Errc::store_full);
        CHECK_FALSE(status.error().remedy.empty());
        CHECK(count(*store) > 0);
        REQUIRE(::mount("tmpfs", disk.c_str(), "tmpfs", MS_REMOUNT, "size=16m") == 0);
        CHECK(write(*store, "insert into t values (1000, 'again')").ok());
        CHECK(write(*store, "drop table t").ok());
    }
    shared.database.sql("drop tablespace small");
    ::umount(disk.c_str());
}

TEST_CASE("a store's password comes from its source and is told nowhere", "[db][store][live]") {
    cli::ClusterOptions options;
    options.settings = {{"fsync", "on"}};
    options.tcp = true;
    const auto cluster = cli::Cluster::start(options);
    REQUIRE(cluster.ok());
    const interlock::test::TemporaryDirectory directory;
    const auto file = directory.file("password");
    const TargetAddress address{"", (*cluster)->tcp_conninfo("postgres", "postgres"), file};
    const auto open = [&](const std::string& password) {
        REQUIRE(base::write_file_atomically(file, password + "\n", 0600).ok());
        return open_postgres_store(address, StorePart::queue, StoreMode::create);
    };
    const auto refused = open("hunter2");
    REQUIRE_FALSE(refused.ok());
    CHECK(refused.error().code == Errc::permission_denied);
    CHECK(refused.error().what.starts_with("The store (host=127.0.0.1"));
    CHECK(base::to_text(refused.error()).find("hunter2") == std::string::npos);
    const auto store = open((*cluster)->password());
    REQUIRE(store.ok());
    CHECK((*store)->describe().find((*cluster)->password()) == std::string::npos);
    make_table(**store);
    CHECK(count(**store) == 0);
}

TEST_CASE("a store that is not there says where it was looked for", "[db][store][live]") {
    const TargetAddress address{"x", "host=/nowhere dbname=interlock user=somebody", {}};
    const auto store = open_postgres_store(address, StorePart::queue, StoreMode::create);
    REQUIRE_FALSE(store.ok());
    CHECK(store.error().code == Errc::store_unreachable);
    CHECK(store.error().what.starts_with("The store (host=/nowhere dbname=interlock"));
    CHECK_FALSE(store.error().remedy.empty());
}

} // namespace
} // namespace interlock::db

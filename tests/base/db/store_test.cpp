#include "base/db/store.hpp"
#include "tests/support/fakes.hpp"

#include <atomic>
#include <csignal>
#include <fcntl.h>
#include <functional>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

#include <catch2/catch.hpp>

namespace interlock::db {
namespace {

using base::Errc;
using base::Status;

class Fixture {
public:
    std::unique_ptr<Store> open(StoreMode mode = StoreMode::create) {
        auto store = open_sqlite_store(path(), mode, clock);
        if (!store) {
            FAIL(base::to_text(store.error()));
        }
        return std::move(*store);
    }
    std::string path() const { return directory.file("queue.db"); }

    test::TemporaryDirectory directory;
    test::ManualClock clock;
};

Status write(Store& store, const std::string& sql, const std::vector<Cell>& parameters = {}) {
    return store.transact([&](StoreTransaction& transaction) -> Status {
        INTERLOCK_CHECK(transaction.run(sql, parameters));
        return base::done;
    });
}

Table query(Store& store, const std::string& sql, const std::vector<Cell>& parameters = {}) {
    Table found;
    const auto status = store.read([&](StoreTransaction& transaction) -> Status {
        INTERLOCK_TRY(found, transaction.run(sql, parameters));
        return base::done;
    });
    if (!status) {
        FAIL(base::to_text(status.error()));
    }
    return found;
}

long long count(Store& store) {
    return query(store, "select count(*) as n from t").integer(0, "n").value_or(-1);
}

void make_table(Store& store) {
    REQUIRE(write(store, "create table t (id integer primary key, note text)").ok());
}

/// Runs `body` in a child process as `uid`; its exit code.
int in_child(const std::function<int()>& body, unsigned uid = 0) {
    const int pid = ::fork();
    if (pid == 0) {
        if (uid != 0 && ::setuid(uid) != 0) {
            ::_exit(99);
        }
        ::_exit(body());
    }
    int status = 0;
    ::waitpid(pid, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

constexpr unsigned nobody = 65'534;

TEST_CASE("a transaction that returns a value is kept", "[db][store]") {
    Fixture fixture;
    auto store = fixture.open();
    make_table(*store);
    REQUIRE(write(*store, "insert into t values ($1, $2)", {"1", "one"}).ok());
    store.reset();
    store = fixture.open(StoreMode::existing);
    const auto found = query(*store, "select id, note from t");
    CHECK(found.columns == std::vector<std::string>{"id", "note"});
    CHECK(found.text(0, "note") == "one");
    CHECK(store->describe() == "sqlite:" + fixture.path());
}

TEST_CASE("a transaction that returns an error leaves nothing", "[db][store]") {
    Fixture fixture;
    auto store = fixture.open();
    make_table(*store);
    const auto status = store->transact([](StoreTransaction& transaction) -> Status {
        INTERLOCK_CHECK(transaction.run("insert into t values (1, 'a')"));
        return base::Error{Errc::refused, "No.", ""};
    });
    CHECK(status.error().code == Errc::refused);
    CHECK(count(*store) == 0);
    CHECK(write(*store, "insert into t values (1, 'a')").ok());
}

TEST_CASE("a transaction that throws leaves nothing and is an error", "[db][store]") {
    Fixture fixture;
    auto store = fixture.open();
    make_table(*store);
    const auto status = store->transact([](StoreTransaction& transaction) -> Status {
        INTERLOCK_CHECK(transaction.run("insert into t values (1, 'a')"));
        throw std::runtime_error("broken");
    });
    CHECK(status.error().code == Errc::internal);
    CHECK(count(*store) == 0);
}

TEST_CASE("parameters are bound by their number, never spliced", "[db][store]") {
    Fixture fixture;
    auto store = fixture.open();
    make_table(*store);
    const std::string hostile = "'); drop table t; --\n\xc3\xa9";
    REQUIRE(write(*store, "insert into t (note, id) values ($2, $1)", {"7", hostile}).ok());
    const auto found =
        query(*store, "select note from t where id = $1 and note = $2 and $1 = $1", {"7", hostile});
    REQUIRE(found.rows.size() == 1);
    CHECK(found.text(0, "note") == hostile);
    CHECK(query(*store, "select $1 is null as n", {std::nullopt}).boolean(0, "n") == true);
    CHECK(
        store
            ->read([](StoreTransaction& transaction) -> Status {
                INTERLOCK_CHECK(transaction.run("select $2", {"1"}));
                return base::done;
            })
            .error()
            .code == Errc::internal
    );
}

TEST_CASE("changed rows are counted", "[db][store]") {
    Fixture fixture;
    auto store = fixture.open();
    make_table(*store);
    REQUIRE(write(*store, "insert into t values (1,'a'), (2,'b'), (3,'c')").ok());
    const auto status = store->transact([](StoreTransaction& transaction) -> Status {
        INTERLOCK_TRY(const auto two, transaction.run("update t set note = 'x' where id > 1"));
        CHECK(two.affected == 2);
        INTERLOCK_TRY(const auto none, transaction.run("update t set note = 'x' where id > 9"));
        CHECK(none.affected == 0);
        INTERLOCK_TRY(const auto read, transaction.run("select * from t"));
        CHECK(read.affected == 0);
        return base::done;
    });
    CHECK(status.ok());
}

TEST_CASE("several statements run together only without parameters", "[db][store]") {
    Fixture fixture;
    auto store = fixture.open();
    REQUIRE(write(*store, "create table t (id integer); insert into t values (1); -- end\n").ok());
    CHECK(count(*store) == 1);
    CHECK_FALSE(write(*store, "delete from t where id = $1; delete from t", {"9"}).ok());
    CHECK(count(*store) == 1);
}

TEST_CASE("a statement that is run again starts anew", "[db][store]") {
    Fixture fixture;
    auto store = fixture.open();
    make_table(*store);
    const std::string insert = "insert into t values ($1, $2)";
    for (const char* id : {"1", "2", "3"}) {
        CHECK(write(*store, insert, {id, "note"}).ok());
    }
    CHECK(write(*store, insert, {"3", "again"}).error().code == Errc::conflict);
    CHECK(write(*store, insert, {"4"}).error().code == Errc::internal); // no value of a run before
    CHECK(write(*store, insert, {"4", std::nullopt}).ok());
    const std::string read = "select * from t where id >= $1 order by id";
    CHECK(query(*store, read, {"1"}).rows.size() == 4);
    CHECK(query(*store, read, {"4"}).rows.size() == 1);
    // More texts than are kept, and a table that changed under a kept one.
    for (int i = 0; i < 100; ++i) {
        CHECK(query(*store, "select " + std::to_string(i) + " as n").integer(0, "n") == i);
    }
    CHECK(query(*store, read, {"1"}).rows.size() == 4);
    CHECK(write(*store, "alter table t add column more text default 'm'").ok());
    CHECK(query(*store, "select more from t where id = $1", {"1"}).text(0, "more") == "m");
    CHECK(write(*store, "drop table t").ok());
    CHECK_FALSE(write(*store, insert, {"5", "note"}).ok());
}

TEST_CASE("a broken rule is a conflict, and the body may go on", "[db][store]") {
    Fixture fixture;
    auto store = fixture.open();
    make_table(*store);
    const auto status = store->transact([](StoreTransaction& transaction) -> Status {
        INTERLOCK_CHECK(transaction.run("insert into t values (1, 'a')"));
        const auto again = transaction.run("insert into t values (1, 'b')");
        CHECK(again.error().code == Errc::conflict);
        INTERLOCK_CHECK(transaction.run("insert into t values (2, 'c')"));
        return base::done;
    });
    CHECK(status.ok());
    CHECK(count(*store) == 2);
}

TEST_CASE("foreign keys are enforced", "[db][store]") {
    Fixture fixture;
    auto store = fixture.open();
    make_table(*store);
    REQUIRE(write(*store, "create table c (t_id integer references t(id))").ok());
    CHECK(write(*store, "insert into c values (1)").error().code == Errc::conflict);
}

TEST_CASE("a read cannot write", "[db][store]") {
    Fixture fixture;
    auto store = fixture.open();
    make_table(*store);
    const auto status = store->read([](StoreTransaction& transaction) -> Status {
        INTERLOCK_CHECK(transaction.run("insert into t values (1, 'a')"));
        return base::done;
    });
    CHECK(status.error().code == Errc::store_read_only);
    CHECK(count(*store) == 0);
    CHECK(write(*store, "insert into t values (1, 'a')").ok());
}

TEST_CASE("a read sees one snapshot while others write", "[db][store]") {
    Fixture fixture;
    auto reader = fixture.open();
    auto writer = fixture.open(StoreMode::existing);
    make_table(*writer);
    const auto status = reader->read([&](StoreTransaction& transaction) -> Status {
        INTERLOCK_TRY(const auto before, transaction.run("select count(*) as n from t"));
        REQUIRE(write(*writer, "insert into t values (1, 'a')").ok());
        INTERLOCK_TRY(const auto after, transaction.run("select count(*) as n from t"));
        CHECK(before.integer(0, "n") == 0);
        CHECK(after.integer(0, "n") == 0);
        return base::done;
    });
    CHECK(status.ok());
    CHECK(count(*reader) == 1);
}

TEST_CASE("a body cannot end the transaction and go on", "[db][store]") {
    Fixture fixture;
    auto store = fixture.open();
    make_table(*store);
    const auto status = store->transact([](StoreTransaction& transaction) -> Status {
        INTERLOCK_CHECK(transaction.run("insert into t values (1, 'a')"));
        CHECK_FALSE(transaction.run("rollback").ok());
        CHECK_FALSE(transaction.run("insert into t values (2, 'b')").ok());
        return base::done;
    });
    CHECK_FALSE(status.ok());
    CHECK(count(*store) == 0);
}

TEST_CASE("transactions do not nest", "[db][store]") {
    Fixture fixture;
    auto store = fixture.open();
    const auto status = store->transact([&](StoreTransaction&) -> Status {
        return store->read([](StoreTransaction&) -> Status { return base::done; });
    });
    CHECK(status.error().code == Errc::internal);
}

TEST_CASE("the store's clock stands still within a transaction", "[db][store]") {
    Fixture fixture;
    auto store = fixture.open();
    const auto status = store->transact([&](StoreTransaction& transaction) -> Status {
        const auto began = transaction.now();
        CHECK(began == fixture.clock.now());
        fixture.clock.advance(std::chrono::seconds{1});
        CHECK(transaction.now() == began);
        return base::done;
    });
    CHECK(status.ok());
}

TEST_CASE("the file and its log are for their owner only", "[db][store]") {
    Fixture fixture;
    const auto mask = ::umask(0);
    auto store = fixture.open();
    make_table(*store);
    ::umask(mask);
    for (const auto* suffix : {"", "-wal", "-shm"}) {
        struct stat info {};
        REQUIRE(::stat((fixture.path() + suffix).c_str(), &info) == 0);
        CHECK((info.st_mode & 0777U) == 0600U);
    }
}

TEST_CASE("a store that is not there is found missing", "[db][store]") {
    Fixture fixture;
    for (const auto mode : {StoreMode::existing, StoreMode::read_only}) {
        const auto store = open_sqlite_store(fixture.path(), mode, fixture.clock);
        REQUIRE_FALSE(store.ok());
        CHECK(store.error().code == Errc::not_found);
    }
    const auto nowhere =
        open_sqlite_store(fixture.path() + "/x/y", StoreMode::create, fixture.clock);
    CHECK(nowhere.error().code == Errc::io);
}

TEST_CASE("a file that is no store is called corrupt", "[db][store]") {
    Fixture fixture;
    REQUIRE(base::write_file_atomically(fixture.path(), std::string(8'192, 'x')).ok());
    for (const auto mode : {StoreMode::existing, StoreMode::read_only, StoreMode::create}) {
        const auto store = open_sqlite_store(fixture.path(), mode, fixture.clock);
        REQUIRE_FALSE(store.ok());
        CHECK(store.error().code == Errc::corrupt);
    }
}

TEST_CASE("a store opened for reading reads and refuses to write", "[db][store]") {
    Fixture fixture;
    auto writer = fixture.open();
    make_table(*writer);
    REQUIRE(write(*writer, "insert into t values (1, 'a')").ok());
    auto reader = fixture.open(StoreMode::read_only);
    CHECK(count(*reader) == 1);
    REQUIRE(write(*writer, "insert into t values (2, 'b')").ok());
    CHECK(count(*reader) == 2);
    const auto refused = write(*reader, "insert into t values (3, 'c')");
    REQUIRE_FALSE(refused.ok());
    CHECK(refused.error().code == Errc::store_read_only);
    CHECK(refused.error().what.find(fixture.path()) != std::string::npos);
}

TEST_CASE("a write-protected store can be read but not opened for writing", "[db][store]") {
    if (::geteuid() != 0) {
        WARN("needs root to become another user");
        return;
    }
    Fixture fixture;
    {
        auto store = fixture.open();
        make_table(*store);
        REQUIRE(write(*store, "insert into t values (1, 'a')").ok());
    }
    ::chmod(fixture.path().c_str(), 0444);
    ::chmod(fixture.directory.path().c_str(), 0555);
    const auto child = in_child(
        [&] {
            auto reader = open_sqlite_store(fixture.path(), StoreMode::read_only, fixture.clock);
            if (!reader || count(**reader) != 1) {
                return 1;
            }
            if (write(**reader, "delete from t").error().code != Errc::store_read_only) {
                return 2;
            }
            for (const auto mode : {StoreMode::existing, StoreMode::create}) {
                const auto writer = open_sqlite_store(fixture.path(), mode, fixture.clock);
                if (writer.ok() || writer.error().code != Errc::store_read_only) {
                    return 3;
                }
            }
            return 0;
        },
        nobody
    );
    CHECK(child == 0);
    CHECK_FALSE(::access((fixture.path() + "-wal").c_str(), F_OK) == 0);
    ::chmod(fixture.directory.path().c_str(), 0700);
}

TEST_CASE("a writable file in a directory that cannot hold its log is read-only", "[db][store]") {
    if (::geteuid() != 0) {
        WARN("needs root to become another user");
        return;
    }
    Fixture fixture;
    {
        auto store = fixture.open();
        make_table(*store);
    }
    ::chmod(fixture.path().c_str(), 0666);
    ::chmod(fixture.directory.path().c_str(), 0555);
    const auto child = in_child(
        [&] {
            const auto store =
                open_sqlite_store(fixture.path(), StoreMode::existing, fixture.clock);
            return !store.ok() && store.error().code == Errc::store_read_only ? 0 : 1;
        },
        nobody
    );
    CHECK(child == 0);
    ::chmod(fixture.directory.path().c_str(), 0700);
}

TEST_CASE("a full store says so and keeps nothing of the change", "[db][store]") {
    Fixture fixture;
    auto store = fixture.open();
    make_table(*store);
    const auto status = store->transact([](StoreTransaction& transaction) -> Status {
        INTERLOCK_CHECK(transaction.run("pragma max_page_count = 8"));
        INTERLOCK_CHECK(transaction.run("insert into t values (1, 'small')"));
        const auto filled =
            transaction.run("insert into t values (2, $1)", {std::string(65'536, 'x')});
        CHECK(filled.error().code == Errc::store_full);
        // A body that does not look must not get half a change committed.
        (void)transaction.run("insert into t values (3, 'small')");
        return base::done;
    });
    REQUIRE_FALSE(status.ok());
    CHECK(status.error().code == Errc::store_full);
    CHECK_FALSE(status.error().remedy.empty());
    CHECK(count(*store) == 0);
    CHECK(write(*store, "insert into t values (4, 'after')").ok());
}

TEST_CASE("a full disk says so, and the store works again when there is room", "[db][store]") {
    Fixture fixture;
    const auto disk = fixture.directory.file("disk");
    ::mkdir(disk.c_str(), 0700);
    if (::mount("tmpfs", disk.c_str(), "tmpfs", 0, "size=256k") != 0) {
        WARN("needs the right to mount a small file system");
        return;
    }
    {
        auto store = open_sqlite_store(disk + "/queue.db", StoreMode::create, fixture.clock);
        REQUIRE(store.ok());
        make_table(**store);
        REQUIRE(write(**store, "insert into t values (1, 'kept')").ok());
        Status status = base::done;
        for (int id = 2; id < 200 && status; ++id) {
            status = write(
                **store,
                "insert into t values ($1, $2)",
                {std::to_string(id), std::string(8'192, 'x')}
            );
        }
        REQUIRE_FALSE(status.ok());
        CHECK(status.error().code == Errc::store_full);
        CHECK(query(**store, "select note from t where id = 1").text(0, "note") == "kept");
        ::mount("tmpfs", disk.c_str(), "tmpfs", MS_REMOUNT, "size=4m");
        CHECK(write(**store, "insert into t values (1000, 'again')").ok());
    }
    ::umount(disk.c_str());
}

TEST_CASE("threads sharing one store lose no write", "[db][store]") {
    Fixture fixture;
    auto store = fixture.open();
    REQUIRE(write(*store, "create table t (n integer); insert into t values (0)").ok());
    std::atomic<int> failures{0};
    {
        std::vector<std::jthread> threads;
        for (int i = 0; i < 4; ++i) {
            threads.emplace_back([&] {
                for (int round = 0; round < 50; ++round) {
                    failures += write(*store, "update t set n = n + 1").ok() ? 0 : 1;
                }
            });
        }
    }
    CHECK(failures == 0);
    CHECK(query(*store, "select n from t").integer(0, "n") == 200);
}

TEST_CASE("processes sharing one file lose no write", "[db][store]") {
    Fixture fixture;
    {
        auto store = fixture.open();
        REQUIRE(write(*store, "create table t (n integer); insert into t values (0)").ok());
    }
    constexpr int processes = 3;
    std::vector<int> children;
    for (int i = 0; i < processes; ++i) {
        const int pid = ::fork();
        if (pid == 0) {
            base::SystemClock clock;
            auto store = open_sqlite_store(fixture.path(), StoreMode::existing, clock);
            bool good = store.ok();
            for (int round = 0; good && round < 40; ++round) {
                good = write(**store, "update t set n = n + 1").ok();
            }
            ::_exit(good ? 0 : 1);
        }
        children.push_back(pid);
    }
    for (const int pid : children) {
        int status = 0;
        ::waitpid(pid, &status, 0);
        CHECK(status == 0);
    }
    auto store = fixture.open(StoreMode::existing);
    CHECK(query(*store, "select n from t").integer(0, "n") == processes * 40);
}

TEST_CASE("a writer that holds on too long makes others busy", "[db][store]") {
    Fixture fixture;
    auto holder = fixture.open();
    make_table(*holder);
    auto other = fixture.open(StoreMode::existing);
    const auto status = holder->transact([&](StoreTransaction&) -> Status {
        const auto blocked = write(*other, "insert into t values (1, 'a')");
        REQUIRE_FALSE(blocked.ok());
        CHECK(blocked.error().code == Errc::store_busy);
        return base::done;
    });
    CHECK(status.ok());
    CHECK(write(*other, "insert into t values (1, 'a')").ok());
}

TEST_CASE("a killed writer leaves what it committed and nothing else", "[db][store]") {
    Fixture fixture;
    {
        auto store = fixture.open();
        make_table(*store);
    }
    const int pid = ::fork();
    if (pid == 0) {
        base::SystemClock clock;
        auto store = open_sqlite_store(fixture.path(), StoreMode::existing, clock);
        if (!store || !write(**store, "insert into t values (1, 'committed')")) {
            ::_exit(1);
        }
        (void)(*store)->transact([](StoreTransaction& transaction) -> Status {
            INTERLOCK_CHECK(transaction.run("insert into t values (2, 'not committed')"));
            ::raise(SIGKILL);
            return base::done;
        });
        ::_exit(2);
    }
    int status = 0;
    ::waitpid(pid, &status, 0);
    REQUIRE(WIFSIGNALED(status));
    REQUIRE(::access((fixture.path() + "-wal").c_str(), F_OK) == 0);

    auto reader = fixture.open(StoreMode::read_only);
    CHECK(query(*reader, "select note from t").text(0, "note") == "committed");
    auto store = fixture.open(StoreMode::existing);
    CHECK(count(*store) == 1);
    CHECK(write(*store, "insert into t values (2, 'after')").ok());
}

/// The log's own number, another one each time that it begins anew.
std::uint32_t log_number(const std::string& path) {
    std::uint32_t number = 0;
    const int log = ::open((path + "-wal").c_str(), O_RDONLY | O_CLOEXEC);
    REQUIRE(log >= 0);
    CHECK(::pread(log, &number, sizeof number, 12) == sizeof number);
    ::close(log);
    return number;
}

/// Transactions without a pause.
bool write_until(Store& store, std::size_t bytes, const std::function<bool()>& condition) {
    const base::SystemClock clock;
    const auto deadline = clock.ticks() + std::chrono::seconds(60);
    const std::string cell(bytes, 'x');
    while (!condition()) {
        if (clock.ticks() > deadline || !write(store, "insert into t (note) values ($1)", {cell}) ||
            !write(store, "delete from t")) {
            return false;
        }
    }
    return true;
}

off_t size_of(const std::string& path) {
    struct stat info {};
    return ::stat(path.c_str(), &info) == 0 ? info.st_size : -1;
}

TEST_CASE("the log is folded into the file beside the writers, and begins anew", "[db][store]") {
    Fixture fixture;
    const auto store = fixture.open();
    make_table(*store);
    const auto empty = size_of(fixture.path());
    const auto first = log_number(fixture.path());
    const auto anew = [&] { return log_number(fixture.path()) != first; };
    constexpr std::size_t small = 20'000;
    constexpr std::size_t large = 1 << 20;
    SECTION("while somebody always writes a little") {
        CHECK(write_until(*store, small, anew));
    }
    SECTION("while somebody always writes much") {
        CHECK(write_until(*store, large, anew));
    }
    SECTION("while somebody reads an old state") {
        const auto reader = fixture.open(StoreMode::read_only);
        const auto status = reader->read([&](StoreTransaction& transaction) -> Status {
            CHECK(transaction.run("select count(*) from t").ok());
            // Past any length at which writers fold it themselves.
            int written = 0;
            CHECK(write_until(*store, large, [&] { return ++written > 40; }));
            CHECK_FALSE(anew());
            return base::done;
        });
        CHECK(status);
        CHECK(write_until(*store, small, anew));
    }
    CHECK(size_of(fixture.path()) > empty);
    CHECK(query(*store, "pragma integrity_check").text(0, "integrity_check") == "ok");
}

TEST_CASE("names with marks that mean something in a URI are only names", "[db][store]") {
    Fixture fixture;
    const auto path = fixture.directory.file("a?mode=memory#b%41.db");
    auto store = open_sqlite_store(path, StoreMode::create, fixture.clock);
    REQUIRE(store.ok());
    make_table(**store);
    CHECK(::access(path.c_str(), F_OK) == 0);
}

TEST_CASE("a store that syncs on demand keeps what the end of its process left", "[db]") {
    Fixture f;
    const auto open = [&] {
        auto opened = open_sqlite_store(f.path(), StoreMode::create, f.clock, Durability::sync);
        REQUIRE(opened.ok());
        return std::move(*opened);
    };
    {
        const auto store = open();
        make_table(*store);
        REQUIRE(write(*store, "insert into t values (1, 'a')").ok());
        CHECK(store->sync().ok());
        CHECK(store->sync().ok()); // nothing new: nothing to do
    }
    CHECK(count(*open()) == 1);
}

} // namespace
} // namespace interlock::db

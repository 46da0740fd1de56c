#include "base/file.hpp"
#include "telemetry/log_memory.hpp"
#include "tests/telemetry/audit_support.hpp"

#include <filesystem>

#include <catch2/catch.hpp>

namespace interlock::telemetry {
namespace {

using base::Errc;
using test::AuditFixture;

LogMemory memory_of(AuditFixture& f, char seed = 'k') {
    return {
        f.directory.file("program.note"),
        "interlock-test",
        base::signing_key_from_seed(std::string(32, seed))};
}

void append_for_plan(AuditFixture& f, const std::string& type, const std::string& plan) {
    f.require([&](db::StoreTransaction& transaction) -> base::Status {
        INTERLOCK_CHECK(append_audit(transaction, f.random, {type, "os:bob", plan, "{}"}));
        return base::done;
    });
}

/// A store that counts the rows it hands out.
class CountingStore final : public db::Store {
public:
    explicit CountingStore(db::Store& store) : store_(store) {}
    base::Status transact(const std::function<base::Status(db::StoreTransaction&)>& body) override {
        return store_.transact(body);
    }
    base::Status read(const std::function<base::Status(db::StoreTransaction&)>& body) override {
        return store_.read([&](db::StoreTransaction& transaction) {
            Counting counting(transaction, *this);
            return body(counting);
        });
    }
    std::string describe() const override { return store_.describe(); }
    std::size_t rows = 0;
    std::size_t largest = 0; // of one statement

private:
    class Counting final : public db::StoreTransaction {
    public:
        Counting(db::StoreTransaction& transaction, CountingStore& owner)
            : transaction_(transaction), owner_(owner) {}
        base::Result<db::Table>
        run(std::string_view sql, const std::vector<db::Cell>& parameters) override {
            auto table = transaction_.run(sql, parameters);
            if (table) {
                owner_.rows += table->rows.size();
                owner_.largest = std::max(owner_.largest, table->rows.size());
            }
            return table;
        }
        base::Time now() override { return transaction_.now(); }

    private:
        db::StoreTransaction& transaction_;
        CountingStore& owner_;
    };
    db::Store& store_;
};

const Scrutiny both[] = {Scrutiny::hashes, Scrutiny::records};

TEST_CASE("a log that only grows is followed and signed", "[telemetry]") {
    for (const auto scrutiny : both) {
        AuditFixture f;
        auto memory = memory_of(f);
        REQUIRE(memory.follow(*f.store, scrutiny));
        CHECK(memory.seen()->size == 0);
        for (int i = 0; i < 5; ++i) {
            f.fill(7);
            REQUIRE(memory.follow(*f.store, scrutiny));
            CHECK(memory.seen()->size == f.head().size);
            CHECK(memory.seen()->root == f.head().root);
            REQUIRE(memory.keep());
        }
        auto later = memory_of(f); // the program starts again
        f.fill(3);
        REQUIRE(later.follow(*f.store, scrutiny));
        CHECK(later.seen()->root == f.head().root);
    }
}

TEST_CASE("only new leaves are read, in bounded batches", "[telemetry]") {
    for (const auto scrutiny : both) {
        AuditFixture f;
        f.fill(5'000);
        auto memory = memory_of(f);
        REQUIRE(memory.verify_all(*f.store));
        REQUIRE(memory.keep());
        f.fill(10);
        CountingStore counted(*f.store);
        REQUIRE(memory.follow(counted, scrutiny));
        CHECK(counted.rows < 20);
        auto later = memory_of(f);
        counted.rows = 0;
        REQUIRE(later.follow(counted, scrutiny));
        CHECK(counted.rows < 20);
        CHECK(later.seen()->size == 5'010);
        CHECK(counted.largest <= base::limits::audit_walk_rows);
    }
}

TEST_CASE("a log that does not continue what was seen is corrupt", "[telemetry]") {
    for (const auto scrutiny : both) {
        for (const bool restarted : {false, true}) {
            AuditFixture f;
            f.fill(20);
            auto memory = memory_of(f);
            REQUIRE(memory.verify_all(*f.store));
            REQUIRE(memory.keep());
            auto judge = restarted ? memory_of(f) : std::move(memory);
            const auto old_frontier = "update audit_state set frontier = '" + [&] {
                AuditFixture other; // what the log had at ten leaves: the payloads are the same
                other.fill(10);
                std::string text;
                other.require([&](db::StoreTransaction& transaction) -> base::Status {
                    INTERLOCK_TRY(
                        const auto t, transaction.run("select frontier from audit_state")
                    );
                    text = t.text(0, "frontier");
                    return base::done;
                });
                return text;
            }() + "'";
            const std::vector<std::vector<std::string>> tamperings{
                {"delete from audit_log where leaf_index >= 10",
                 "delete from audit_payload where leaf_index >= 10",
                 old_frontier},
                {"update audit_state set origin = 'interlock/log_other'"},
                {"delete from audit_state"},
                {"update audit_state set frontier = 'x'"},
            };
            for (const auto& tampering : tamperings) {
                CAPTURE(restarted, tampering.front());
                auto copy = judge;
                f.store.reset();
                std::filesystem::copy_file(
                    f.path, f.path + ".whole", std::filesystem::copy_options::overwrite_existing
                );
                f.store = test::open_store(f.path, f.clock, db::StoreMode::existing);
                f.tamper(tampering);
                const auto followed = copy.follow(*f.store, scrutiny);
                REQUIRE_FALSE(followed);
                CHECK(followed.error().code == Errc::corrupt);
                f.store.reset();
                std::filesystem::copy_file(
                    f.path + ".whole", f.path, std::filesystem::copy_options::overwrite_existing
                );
                f.store = test::open_store(f.path, f.clock, db::StoreMode::existing);
                CHECK(judge.follow(*f.store, scrutiny)); // restored
            }
        }
    }
}

TEST_CASE("new leaves that do not lead to the claimed root are corrupt", "[telemetry]") {
    for (const auto scrutiny : both) {
        AuditFixture f;
        f.fill(5);
        auto memory = memory_of(f);
        REQUIRE(memory.follow(*f.store, scrutiny));
        f.fill(5);
        f.tamper({"update audit_log set leaf_hash = (select leaf_hash from audit_log "
                  "where leaf_index = 6) where leaf_index = 8"});
        CHECK(memory.follow(*f.store, scrutiny).error().code == Errc::corrupt);
        CHECK(memory.follow(*f.store, scrutiny).error().code == Errc::corrupt); // and stays so
        f.tamper({"delete from audit_log where leaf_index = 7"});
        CHECK(memory.follow(*f.store, scrutiny).error().code == Errc::corrupt);
    }
}

TEST_CASE("records are looked at more closely than hashes", "[telemetry]") {
    AuditFixture f;
    f.fill(5);
    f.tamper({"update audit_payload set payload = '{}' where leaf_index = 3"});
    auto hashes = memory_of(f);
    CHECK(hashes.follow(*f.store, Scrutiny::hashes));
    auto records = memory_of(f);
    CHECK(records.follow(*f.store, Scrutiny::records).error().code == Errc::corrupt);
    CHECK(records.verify_all(*f.store).error().code == Errc::corrupt);
}

TEST_CASE("a lost or older frontier is made again from the leaf hashes", "[telemetry]") {
    AuditFixture f;
    f.fill(9);
    auto memory = memory_of(f);
    REQUIRE(memory.follow(*f.store, Scrutiny::hashes));
    REQUIRE(memory.keep());
    const auto frontier = f.directory.file("program.frontier");
    f.fill(4);
    SECTION("lost") {
        std::filesystem::remove(frontier);
    }
    SECTION("garbage") {
        REQUIRE(base::write_file_atomically(frontier, "garbage", 0644));
    }
    SECTION("of another tree") {
        Frontier other;
        for (int i = 0; i < 9; ++i)
            other.append(leaf_hash("other"));
        REQUIRE(base::write_file_atomically(frontier, other.to_text(), 0644));
    }
    auto later = memory_of(f);
    REQUIRE(later.follow(*f.store, Scrutiny::hashes));
    CHECK(later.seen()->size == 13);
    f.tamper({"update audit_log set leaf_hash = (select leaf_hash from audit_log where "
              "leaf_index = 0) where leaf_index = 1"});
    auto deceived = memory_of(f);
    CHECK(deceived.follow(*f.store, Scrutiny::hashes).error().code == Errc::corrupt);
}

TEST_CASE("a note that is not one's own is no memory", "[telemetry]") {
    AuditFixture f;
    f.fill(2);
    auto stranger = memory_of(f, 'x');
    REQUIRE(stranger.follow(*f.store, Scrutiny::hashes));
    REQUIRE(stranger.keep());
    CHECK(memory_of(f).follow(*f.store, Scrutiny::hashes).error().code == Errc::corrupt);
    CHECK(memory_of(f).verify_all(*f.store).error().code == Errc::corrupt);
    REQUIRE(base::write_file_atomically(f.directory.file("program.note"), "garbage", 0644));
    CHECK(memory_of(f).follow(*f.store, Scrutiny::hashes).error().code == Errc::corrupt);
}

TEST_CASE(
    "an old record of a plan that was edited is noticed before the plan is run", "[telemetry]"
) {
    AuditFixture f;
    f.fill(3);
    append_for_plan(f, "plan.submitted", "aa");
    append_for_plan(f, "plan.submitted", "bb");
    append_for_plan(f, "plan.rejected", "aa");
    auto memory = memory_of(f);
    REQUIRE(memory.verify_all(*f.store));
    CHECK(memory.still_says(*f.store, "aa"));
    CHECK(memory.still_says(*f.store, "bb"));
    CHECK(memory.still_says(*f.store, "unknown"));
    append_for_plan(f, "plan.approved", "bb");
    REQUIRE(memory.follow(*f.store, Scrutiny::records));
    CHECK(memory.still_says(*f.store, "bb"));
    SECTION("its type") {
        f.tamper({"update audit_log set header = replace(header, 'plan.rejected', 'plan.approved')"
                  " where leaf_index = 5"});
    }
    SECTION("its plan") {
        f.tamper({"update audit_log set plan_digest = 'cc' where leaf_index = 5"});
        CHECK(memory.still_says(*f.store, "cc").error().code == Errc::corrupt);
    }
    SECTION("its existence") {
        f.tamper({"delete from audit_log where leaf_index = 5"});
    }
    CHECK(memory.follow(*f.store, Scrutiny::records)); // the new part alone does not tell
    CHECK(memory.still_says(*f.store, "aa").error().code == Errc::corrupt);
    CHECK(memory.still_says(*f.store, "bb"));
}

TEST_CASE("a log that cannot be read now is not called corrupt", "[telemetry]") {
    AuditFixture f;
    f.fill(2);
    auto memory = memory_of(f);
    REQUIRE(memory.verify_all(*f.store));
    f.tamper({"alter table audit_state rename to elsewhere"});
    for (const auto scrutiny : both)
        CHECK(memory.follow(*f.store, scrutiny).error().code == Errc::internal);
    f.tamper({"alter table elsewhere rename to audit_state"});
    CHECK(memory.follow(*f.store, Scrutiny::records));
}

TEST_CASE("nothing is signed that was not seen", "[telemetry]") {
    AuditFixture f;
    auto memory = memory_of(f);
    CHECK_FALSE(memory.keep());
    CHECK_FALSE(std::filesystem::exists(f.directory.file("program.note")));
}

} // namespace
} // namespace interlock::telemetry

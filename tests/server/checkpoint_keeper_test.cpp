#include "base/file.hpp"
#include "base/text.hpp"
#include "server/checkpoint_keeper.hpp"
#include "telemetry/audit_log.hpp"
#include "telemetry/checkpoint.hpp"
#include "telemetry/log_memory.hpp"
#include "tests/support/fakes.hpp"

#include <catch2/catch.hpp>

namespace {

namespace base = interlock::base;
namespace db = interlock::db;
namespace telemetry = interlock::telemetry;
using interlock::server::CheckpointKeeper;

/// A state directory with a log of one record.
struct Log {
    const interlock::test::TemporaryDirectory directory;
    interlock::test::ManualClock clock;
    interlock::test::CountingRandom random;
    const base::StateDirectory state{directory.path()};
    std::unique_ptr<db::Store> store;

    Log() {
        auto opened = db::open_sqlite_store(state.queue(), db::StoreMode::create, clock);
        REQUIRE(opened.ok());
        store = std::move(opened).value();
        REQUIRE(store
                    ->transact([&](db::StoreTransaction& transaction) {
                        return telemetry::create_audit_tables(transaction, random);
                    })
                    .ok());
        append();
    }
    void append() {
        REQUIRE(store
                    ->transact([&](db::StoreTransaction& transaction) -> base::Status {
                        INTERLOCK_TRY(
                            const auto index,
                            telemetry::append_audit(transaction, random, {"test", "me", "", "{}"})
                        );
                        (void)index;
                        return base::done;
                    })
                    .ok());
    }
    void sql(const std::string& statement) {
        REQUIRE(store
                    ->transact([&](db::StoreTransaction& transaction) -> base::Status {
                        INTERLOCK_CHECK(transaction.run(statement));
                        return base::done;
                    })
                    .ok());
    }
    std::unique_ptr<CheckpointKeeper> keeper() {
        auto opened = CheckpointKeeper::open(state, random);
        REQUIRE(opened.ok());
        return std::move(opened).value();
    }
    std::string file(const char* name) const {
        const auto content = base::read_file(state.checkpoints() + "/" + name, 4096);
        REQUIRE(content.ok());
        return content.value();
    }
};

} // namespace

TEST_CASE("the kept checkpoint says what the log held, signed by the program's key", "[server]") {
    Log log;
    REQUIRE(log.keeper()->keep(*log.store).ok());
    const auto line = log.file("interlock-server.vkey");
    const auto key = telemetry::parse_verifier_key(base::trim(line));
    REQUIRE(key.ok());
    const auto checkpoint = telemetry::verify_checkpoint(
        log.file("interlock-server.note"), key.value().name, key.value().public_key
    );
    REQUIRE(checkpoint.ok());
    CHECK(checkpoint.value().size == 1);
    // The key is kept: a second start signs with the same one.
    log.keeper();
    CHECK(log.file("interlock-server.vkey") == line);
}

TEST_CASE("a log that was never compared is unsound, and says so in its own words", "[server]") {
    Log log;
    const auto keeper = log.keeper();
    CHECK_FALSE(keeper->unsound());
    log.sql("alter table audit_log rename to elsewhere");
    const auto followed = keeper->follow(*log.store);
    REQUIRE_FALSE(followed.ok());
    REQUIRE(followed.error().code != base::Errc::corrupt);
    REQUIRE(keeper->unsound());
    CHECK(keeper->unsound()->what == followed.error().what);
    CHECK_FALSE(keeper->broken()); // nothing is known against it
    log.sql("alter table elsewhere rename to audit_log");
    REQUIRE(keeper->follow(*log.store).ok());
    CHECK_FALSE(keeper->unsound());
    log.sql("alter table audit_log rename to elsewhere");
    CHECK_FALSE(keeper->follow(*log.store).ok());
    CHECK_FALSE(keeper->unsound()); // it was, once: the next look tells
}

TEST_CASE("a head that does not continue another program's checkpoint is not signed", "[server]") {
    Log log;
    log.append();
    telemetry::LogMemory desk(
        log.state.checkpoints() + "/interlock-desk.note",
        "interlock-desk",
        base::signing_key_from_seed(std::string(32, 'd'))
    );
    REQUIRE(log.keeper()->keep(*log.store).ok());
    const auto note = log.file("interlock-server.note");
    const auto seen = std::string(base::trim(log.file("interlock-server.frontier")));
    log.append();
    log.append();
    REQUIRE(desk.follow(*log.store, telemetry::Scrutiny::hashes).ok());
    REQUIRE(desk.keep().ok());
    // Cut to what the server itself saw last, with everything stored in agreement.
    log.sql("delete from audit_log where leaf_index >= 2");
    log.sql("delete from audit_payload where leaf_index >= 2");
    log.sql("update audit_state set frontier = '" + seen + "'");
    const auto kept = log.keeper()->keep(*log.store);
    REQUIRE_FALSE(kept.ok());
    CHECK(kept.error().code == base::Errc::corrupt);
    CHECK(log.file("interlock-server.note") == note);
}

TEST_CASE("a head that does not continue the last checkpoint is not signed", "[server]") {
    Log log;
    log.append();
    REQUIRE(log.keeper()->keep(*log.store).ok());
    const auto note = log.file("interlock-server.note");
    auto keeper = log.keeper(); // started again
    SECTION("because the log was cut") {
        log.sql("delete from audit_log");
        log.sql("delete from audit_payload");
        log.sql("update audit_state set frontier = '0'");
    }
    SECTION("because it is another log") {
        log.sql("update audit_state set origin = 'interlock/log_other'");
    }
    SECTION("because new leaves do not lead to its root") {
        log.append();
        log.sql("update audit_log set leaf_hash = (select leaf_hash from audit_log "
                "where leaf_index = 0) where leaf_index = 2");
    }
    const auto kept = keeper->keep(*log.store);
    REQUIRE_FALSE(kept.ok());
    CHECK(kept.error().code == base::Errc::corrupt);
    CHECK(log.file("interlock-server.note") == note);
    REQUIRE(keeper->broken());
    CHECK_FALSE(keeper->follow(*log.store).ok()); // known, without a look
}

TEST_CASE("nothing is recorded in a log that does not continue what was seen", "[server]") {
    Log log;
    auto keeper = log.keeper();
    REQUIRE(keeper->keep(*log.store).ok());
    auto writer = interlock::server::recording_in_a_sound_log(
        telemetry::AuditWriter::start(*log.store, log.random), *keeper
    );
    CHECK(writer->append({"test", "me", "", "{}"}).ok());
    log.sql("update audit_state set origin = 'interlock/log_other'");
    CHECK_FALSE(keeper->keep(*log.store).ok());
    const auto refused = writer->enqueue({"test", "me", "", "{}"});
    REQUIRE_FALSE(refused.ok());
    CHECK(refused.error().code == base::Errc::corrupt);
}

TEST_CASE("a log that cannot be read now is not called broken", "[server]") {
    Log log;
    auto keeper = log.keeper();
    log.sql("alter table audit_state rename to elsewhere");
    CHECK_FALSE(keeper->keep(*log.store).ok());
    CHECK_FALSE(keeper->broken());
    log.sql("alter table elsewhere rename to audit_state");
    CHECK(keeper->keep(*log.store).ok());
}

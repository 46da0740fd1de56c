#include "base/file.hpp"
#include "base/text.hpp"
#include "server/checkpoint_keeper.hpp"
#include "telemetry/audit_log.hpp"
#include "telemetry/checkpoint.hpp"
#include "tests/support/fakes.hpp"

#include <catch2/catch.hpp>

TEST_CASE("the kept checkpoint says what the log held, signed by the program's key", "[server]") {
    namespace base = interlock::base;
    namespace db = interlock::db;
    namespace telemetry = interlock::telemetry;
    const interlock::test::TemporaryDirectory directory;
    interlock::test::ManualClock clock;
    interlock::test::CountingRandom random;
    const base::StateDirectory state{directory.path()};
    auto store = db::open_sqlite_store(state.queue(), db::StoreMode::create, clock);
    REQUIRE(store.ok());
    REQUIRE(store.value()
                ->transact([&](db::StoreTransaction& transaction) -> base::Status {
                    INTERLOCK_CHECK(telemetry::create_audit_tables(transaction, random));
                    INTERLOCK_TRY(
                        const auto index,
                        telemetry::append_audit(transaction, random, {"test", "me", "", "{}"})
                    );
                    (void)index;
                    return base::done;
                })
                .ok());
    auto keeper = interlock::server::CheckpointKeeper::open(state, random);
    REQUIRE(keeper.ok());
    REQUIRE(keeper.value().keep(*store.value()).ok());

    const auto note = base::read_file(state.checkpoints() + "/interlock-server.note", 4096);
    const auto line = base::read_file(state.checkpoints() + "/interlock-server.vkey", 4096);
    REQUIRE(note.ok());
    REQUIRE(line.ok());
    const auto key = telemetry::parse_verifier_key(base::trim(line.value()));
    REQUIRE(key.ok());
    const auto checkpoint =
        telemetry::verify_checkpoint(note.value(), key.value().name, key.value().public_key);
    REQUIRE(checkpoint.ok());
    CHECK(checkpoint.value().size == 1);

    // The key is kept: a second start signs with the same one.
    REQUIRE(interlock::server::CheckpointKeeper::open(state, random).ok());
    CHECK(
        base::read_file(state.checkpoints() + "/interlock-server.vkey", 4096).value() ==
        line.value()
    );
}

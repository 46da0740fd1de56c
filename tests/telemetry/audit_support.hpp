// A log in a store file of its own, for the tests of the audit log.
#pragma once

#include "telemetry/audit_log.hpp"
#include "tests/support/fakes.hpp"

#include <algorithm>

#include <catch2/catch.hpp>

namespace interlock::test {

inline std::unique_ptr<db::Store> open_store(
    const std::string& path, base::Clock& clock, db::StoreMode mode = db::StoreMode::create
) {
    auto store = db::open_sqlite_store(path, mode, clock);
    if (!store)
        FAIL(base::to_text(store.error()));
    return std::move(store).value();
}

struct AuditFixture {
    TemporaryDirectory directory;
    ManualClock clock;
    CountingRandom random;
    std::string path = directory.file("audit.db");
    std::unique_ptr<db::Store> store = open_store(path, clock);

    AuditFixture() {
        require([&](db::StoreTransaction& t) { return telemetry::create_audit_tables(t, random); });
    }

    /// Runs `body` in a transaction that must commit.
    void require(const std::function<base::Status(db::StoreTransaction&)>& body) {
        const auto status = store->transact(body);
        if (!status)
            FAIL(base::to_text(status.error()));
    }

    /// Statements as somebody with access to the file would run them.
    void tamper(const std::vector<std::string>& statements) {
        require([&](db::StoreTransaction& transaction) -> base::Status {
            for (const auto& sql : statements)
                INTERLOCK_CHECK(transaction.run(sql));
            return base::done;
        });
    }

    /// Appends `count` leaves; leaf i has the payload {"call":i}.
    void fill(std::uint64_t count) {
        require([&](db::StoreTransaction& transaction) -> base::Status {
            INTERLOCK_TRY(const auto before, telemetry::audit_head(transaction));
            for (auto i = before.size; i < before.size + count; ++i)
                INTERLOCK_CHECK(telemetry::append_audit(
                    transaction,
                    random,
                    {"tool.end", "os:alice", "", "{\"call\":" + std::to_string(i) + "}"}
                ));
            return base::done;
        });
    }

    telemetry::Checkpoint head() {
        telemetry::Checkpoint found;
        const auto status = store->read([&](db::StoreTransaction& transaction) -> base::Status {
            INTERLOCK_TRY(found, telemetry::audit_head(transaction));
            return base::done;
        });
        if (!status)
            FAIL(base::to_text(status.error()));
        return found;
    }

    telemetry::AuditVerification
    verify(const std::vector<telemetry::Checkpoint>& checkpoints = {}) {
        auto found = telemetry::verify_audit(*store, checkpoints);
        if (!found)
            FAIL(base::to_text(found.error()));
        return std::move(found).value();
    }
};

/// Whether one of the problems contains `text`.
inline bool names(const telemetry::AuditVerification& found, const std::string& text) {
    return std::any_of(found.problems.begin(), found.problems.end(), [&](const auto& problem) {
        return problem.find(text) != std::string::npos;
    });
}

} // namespace interlock::test

#include "approval/queue.hpp"
#include "base/clock.hpp"
#include "base/db/store.hpp"
#include "base/digest.hpp"
#include "base/state_directory.hpp"
#include "cli/audit.hpp"
#include "telemetry/audit_log.hpp"
#include "tests/support/fakes.hpp"

#include <fstream>

#include <catch2/catch.hpp>

namespace interlock::cli {

namespace {

/// A state directory whose log holds `entries` records, and a signed checkpoint of it.
class Log {
public:
    explicit Log(int entries) {
        auto opened = db::open_sqlite_store(
            base::StateDirectory{directory_.path()}.queue(), db::StoreMode::create, clock_
        );
        REQUIRE(opened.ok());
        store_ = std::move(opened).value();
        approval::Queue queue(*store_, random_);
        REQUIRE(queue.create_tables().ok());
        for (int i = 0; i < entries; ++i) {
            append();
        }
    }

    void append() {
        REQUIRE(store_->transact([&](db::StoreTransaction& transaction) -> base::Status {
            const telemetry::AuditEntry entry{"tool.begin", "os:agent", "", "{}"};
            INTERLOCK_TRY(const auto index, telemetry::append_audit(transaction, random_, entry));
            (void)index;
            return base::done;
        }));
    }

    void run(const std::string& sql) {
        REQUIRE(store_->transact([&](db::StoreTransaction& transaction) -> base::Status {
            INTERLOCK_TRY(const auto table, transaction.run(sql));
            (void)table;
            return base::done;
        }));
    }

    /// Signs the log as it is, into files beside it; the key is that of `name`.
    void checkpoint(const std::string& name) {
        const auto key = base::signing_key_from_seed(base::sha256(name).view());
        REQUIRE(store_->read([&](db::StoreTransaction& transaction) -> base::Status {
            INTERLOCK_TRY(const auto head, telemetry::audit_head(transaction));
            std::ofstream(directory_.file(name + ".note"))
                << telemetry::sign_checkpoint(head, name, key);
            return base::done;
        }));
        keys_.push_back(telemetry::verifier_key(name, key.public_key));
        notes_.push_back(directory_.file(name + ".note"));
    }

    AuditOptions options() const {
        AuditOptions options;
        options.state_directory = directory_.path();
        options.json = true;
        options.checkpoints = notes_;
        options.verifier_keys = keys_;
        return options;
    }

private:
    test::TemporaryDirectory directory_;
    base::SystemClock clock_;
    base::SystemRandom random_;
    std::unique_ptr<db::Store> store_;
    std::vector<std::string> notes_;
    std::vector<std::string> keys_;
};

} // namespace

TEST_CASE("a whole log verifies, also against an earlier checkpoint", "[cli]") {
    Log log(3);
    CHECK(verify_audit_log(log.options()) == Exit::ok);
    log.checkpoint("executor");
    log.append();
    CHECK(verify_audit_log(log.options()) == Exit::ok);
}

TEST_CASE("a log without a checkpoint key does not pass for checked", "[cli]") {
    Log log(1);
    AuditOptions options = log.options();
    options.checkpoints = {"nowhere.note"};
    CHECK(verify_audit_log(options) == Exit::usage);
    options.verifier_keys = {"not a key"};
    CHECK(verify_audit_log(options) == Exit::check_failed);
}

TEST_CASE("a checkpoint signed by another key is a problem", "[cli]") {
    Log log(2);
    log.checkpoint("executor");
    log.checkpoint("impostor");
    AuditOptions options = log.options();
    std::swap(options.verifier_keys[0], options.verifier_keys[1]);
    CHECK(verify_audit_log(options) == Exit::check_failed);
}

TEST_CASE("a log that does not exist is told apart from a broken one", "[cli]") {
    Log log(1);
    AuditOptions options = log.options();
    options.state_directory += "/nowhere";
    CHECK(verify_audit_log(options) == Exit::not_found);
    CHECK(show_audit_log(options) == Exit::not_found);
}

TEST_CASE("an edited record is found", "[cli]") {
    Log log(4);
    log.checkpoint("executor");
    log.run("update audit_log set header = replace(header, 'os:agent', 'os:nobody') where "
            "leaf_index = 1");
    CHECK(verify_audit_log(log.options()) == Exit::check_failed);
    CHECK(show_audit_log(log.options()) == Exit::ok); // what is there can still be read
}

} // namespace interlock::cli

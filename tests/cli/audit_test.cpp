#include "approval/queue.hpp"
#include "base/clock.hpp"
#include "base/db/store.hpp"
#include "base/digest.hpp"
#include "base/state_directory.hpp"
#include "cli/audit.hpp"
#include "telemetry/audit_log.hpp"
#include "telemetry/merkle.hpp"
#include "tests/cli/audit_story.hpp"
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
    CHECK(verify_audit_log(options) == Exit::usage);
    log.checkpoint("executor");
    options.verifier_keys = log.options().verifier_keys;
    CHECK(verify_audit_log(options) == Exit::check_failed); // no such file
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

TEST_CASE("a log without any checkpoint is not called whole", "[cli]") {
    Log log(3);
    auto options = log.options();
    options.json = false;
    const auto [exit, text] = test::printed([&] { return verify_audit_log(options); });
    CHECK(exit == Exit::check_failed);
    CHECK(text.find("cut off the log's end") != std::string::npos);
    CHECK(text.find("NOT PROVEN") != std::string::npos);
}

TEST_CASE("flags that hold nothing are refused", "[cli]") {
    test::Story story;
    story.run_a_plan();
    story.executor_signs();
    const auto exit = [&](void (*set)(AuditOptions&)) {
        AuditOptions options;
        options.state_directory = story.state;
        set(options);
        return test::printed([&] { return verify_audit_log(options); }).first;
    };
    CHECK(exit([](auto&) {}) == Exit::ok);
    CHECK(exit([](auto& o) { o.verifier_keys = {"abc"}; }) == Exit::usage);
    CHECK(exit([](auto& o) { o.executor_keys = {"abc"}; }) == Exit::usage);
    CHECK(exit([](auto& o) { o.allowed_signers = "/nope"; }) == Exit::usage);
}

TEST_CASE("notes and keys that were replaced do not pass before the true key", "[cli]") {
    test::Story story;
    const auto id = story.run_a_plan();
    story.call("get_blocking", "os:agent", "ok");
    story.server_signs();
    story.executor_signs();
    AuditOptions options;
    options.state_directory = story.state;
    options.verifier_keys = {story.key_of("interlock-executor")};
    const auto verified = [&] { return test::printed([&] { return verify_audit_log(options); }); };
    const auto [whole, text] = verified();
    INFO(text);
    CHECK(whole == Exit::ok);
    CHECK(text.find("2 of 2 signed checkpoints agree") != std::string::npos);
    CHECK(text.find(options.verifier_keys[0] + "  (executor, over") != std::string::npos);
    CHECK(text.find("the key you gave") != std::string::npos);
    // The tail is cut, and everything beside it made to agree, by another key of the same name.
    const auto last = std::to_string(story.leaves() - 2);
    story.tamper("delete from audit_payload where leaf_index >= " + last);
    story.tamper("delete from audit_log where leaf_index >= " + last);
    telemetry::Frontier tree;
    for (const auto& record : story.records())
        tree.append(telemetry::leaf_hash(record.header));
    story.tamper("update audit_state set frontier = '" + tree.to_text() + "'");
    const auto kept = base::StateDirectory{story.state}.checkpoints();
    test::must(base::remove_recursively(kept));
    test::must(base::make_private_directory(kept));
    const auto impostor = base::signing_key_from_seed(std::string(32, 'i'));
    story.sign("executor", "interlock-executor", impostor);
    options.executor_keys = {story.key_of("interlock-executor")};
    const auto [exit, told] = verified();
    CHECK(exit == Exit::check_failed);
    CHECK(told.find("No checkpoint kept here is signed by the key you gave") != std::string::npos);
    options.verifier_keys = {telemetry::verifier_key("interlock-executor", impostor.public_key)};
    CHECK(verified().first == Exit::ok); // which is why the key must be the reader's own
}

TEST_CASE("of several checkpoints, each that disagrees is named once", "[cli]") {
    test::Story story;
    story.server_signs();
    story.executor_signs();
    story.tamper("update audit_log set header = replace(header, 'os:agent', 'os:other') "
                 "where leaf_index = 0");
    AuditOptions options;
    options.state_directory = story.state;
    const auto [exit, text] = test::printed([&] { return verify_audit_log(options); });
    CHECK(exit == Exit::check_failed);
    CHECK(text.find("The checkpoint of executor over 2 records") != std::string::npos);
    CHECK(text.find("The checkpoint of interlock-server over 2 records") != std::string::npos);
    CHECK(text.find("0 of 2 signed checkpoints agree") != std::string::npos);
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

#include "base/json.hpp"
#include "telemetry/audit_log.hpp"
#include "telemetry/merkle.hpp"
#include "tests/telemetry/audit_support.hpp"

#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

namespace interlock::telemetry {
namespace {

using test::AuditFixture;

std::vector<AuditRecord> read_all(AuditFixture& f, const std::string& plan_digest = {}) {
    auto records = read_audit(*f.store, 0, 1'000, plan_digest);
    REQUIRE(records);
    return std::move(records).value();
}

TEST_CASE("a new log is empty and has a name of its own", "[telemetry]") {
    AuditFixture f;
    const auto head = f.head();
    CHECK(head.size == 0);
    CHECK(head.root == merkle_root({}));
    CHECK(head.origin.starts_with("interlock/log_"));
    f.require([&](db::StoreTransaction& t) { return create_audit_tables(t, f.random); });
    CHECK(f.head().origin == head.origin);
}

TEST_CASE("a leaf says who did what when, and keeps the payload apart", "[telemetry]") {
    AuditFixture f;
    const std::string digest(64, 'd');
    f.require([&](db::StoreTransaction& transaction) -> base::Status {
        const AuditEntry entry{"plan.approved", "ssh:bob \"\n", digest, "{\"reason\":\"ok\"}"};
        INTERLOCK_TRY(const auto index, append_audit(transaction, f.random, entry));
        CHECK(index == 0);
        return base::done;
    });
    const auto records = read_all(f);
    REQUIRE(records.size() == 1);
    CHECK(records[0].index == 0);
    CHECK(records[0].payload == "{\"reason\":\"ok\"}");
    const auto header = base::parse_json(records[0].header);
    REQUIRE(header);
    CHECK((*header)["seq"] == 0);
    CHECK((*header)["time"] == base::format_time(f.clock.now()));
    CHECK((*header)["type"] == "plan.approved");
    CHECK((*header)["actor"] == "ssh:bob \"\n");
    CHECK((*header)["plan_digest"] == digest);
    CHECK((*header)["payload_hash"].get<std::string>().size() == 64);
    CHECK(header->size() == 6);
    CHECK(records[0].header.find("reason") == std::string::npos);
    CHECK(f.head().root == leaf_hash(records[0].header));
}

TEST_CASE("equal payloads have different hashes", "[telemetry]") {
    AuditFixture f;
    f.require([&](db::StoreTransaction& transaction) -> base::Status {
        for (int i = 0; i < 2; ++i)
            INTERLOCK_CHECK(append_audit(transaction, f.random, {"t", "a", "", "{}"}));
        return base::done;
    });
    const auto records = read_all(f);
    const auto hash = [&](std::size_t i) {
        return base::string_member(base::parse_json(records[i].header).value(), "payload_hash");
    };
    CHECK(hash(0) != hash(1));
}

TEST_CASE("the head is the root over all headers", "[telemetry]") {
    AuditFixture f;
    f.fill(37);
    std::vector<base::Digest> leaves;
    for (const auto& record : read_all(f))
        leaves.push_back(leaf_hash(record.header));
    CHECK(f.head().size == 37);
    CHECK(f.head().root == merkle_root(leaves));
}

TEST_CASE("a log whose leaves have an index of their own goes on", "[telemetry]") {
    AuditFixture f;
    f.tamper(
        {"drop table audit_log",
         "drop table audit_payload",
         "create table audit_log (leaf_index bigint primary key, leaf_hash text not null, "
         "plan_digest text not null, header text not null)",
         "create table audit_payload (leaf_index bigint primary key, salt text not null, "
         "payload text not null)"}
    );
    f.fill(3);
    f.require([&](db::StoreTransaction& t) { return create_audit_tables(t, f.random); });
    f.fill(3);
    const auto found = f.verify();
    CHECK(found.size == 6);
    CHECK(found.problems.empty());
    CHECK(read_all(f).back().index == 5);
}

TEST_CASE(
    "who appends again and again sees what others appended, and what was lost", "[telemetry]"
) {
    AuditFixture f;
    AuditTail tail;
    AuditTail others;
    const std::vector<AuditEntry> two(2, {"t", "a", "", "{}"});
    std::uint64_t first = 0;
    const auto append = [&](AuditTail& known, bool keep = true) {
        return f.store->transact([&](db::StoreTransaction& transaction) -> base::Status {
            INTERLOCK_TRY(first, append_audit(transaction, f.random, two, known));
            return keep ? base::Status(base::done)
                        : base::Status(base::Error{base::Errc::conflict, "no", ""});
        });
    };
    for (std::uint64_t size = 0; size < 60; size += 6) {
        REQUIRE(append(tail));
        CHECK(first == size);
        REQUIRE(append(tail));
        CHECK_FALSE(append(tail, /*keep=*/false));
        CHECK(first == size + 4);
        REQUIRE(append(others));
        CHECK(first == size + 4);
    }
    const auto found = f.verify();
    CHECK(found.size == 60);
    CHECK(found.problems.empty());
}

TEST_CASE("a transaction that rolls back leaves no leaf", "[telemetry]") {
    AuditFixture f;
    f.fill(3);
    const auto before = f.head();
    const auto status = f.store->transact([&](db::StoreTransaction& transaction) -> base::Status {
        INTERLOCK_CHECK(append_audit(transaction, f.random, {"t", "a", "", "{}"}));
        return base::Error{base::Errc::conflict, "The state change lost its race.", ""};
    });
    REQUIRE_FALSE(status);
    CHECK(status.error().code == base::Errc::conflict);
    CHECK(f.head().size == before.size);
    CHECK(f.head().root == before.root);
    CHECK(read_all(f).size() == 3);
    f.fill(1);
    CHECK(f.verify({before}).problems.empty());
}

TEST_CASE("records are read from an index, of one plan, and not without bound", "[telemetry]") {
    AuditFixture f;
    f.fill(5);
    f.require([&](db::StoreTransaction& transaction) -> base::Status {
        INTERLOCK_CHECK(append_audit(transaction, f.random, {"plan.submitted", "a", "aa", "{}"}));
        INTERLOCK_CHECK(append_audit(transaction, f.random, {"plan.submitted", "a", "bb", "{}"}));
        INTERLOCK_CHECK(append_audit(transaction, f.random, {"plan.approved", "b", "aa", "{}"}));
        return base::done;
    });
    const auto page = read_audit(*f.store, 2, 3);
    REQUIRE(page);
    REQUIRE(page->size() == 3);
    CHECK((*page)[0].index == 2);
    CHECK((*page)[2].index == 4);
    const auto of_plan = read_all(f, "aa");
    REQUIRE(of_plan.size() == 2);
    CHECK(of_plan[0].index == 5);
    CHECK(of_plan[1].index == 7);
    CHECK(read_audit(*f.store, 100, 10)->empty());
    CHECK(read_all(f, "' or 1=1 --").empty());
    f.fill(base::limits::audit_read_max);
    CHECK(read_audit(*f.store, 0, 1'000'000)->size() == base::limits::audit_read_max);
}

TEST_CASE("an erased payload is read as absent", "[telemetry]") {
    AuditFixture f;
    f.fill(2);
    f.tamper({"delete from audit_payload where leaf_index = 1"});
    const auto records = read_all(f);
    CHECK(records[0].payload);
    CHECK_FALSE(records[1].payload);
}

TEST_CASE("a payload past its limit or not text is refused", "[telemetry]") {
    AuditFixture f;
    const auto refused = [&](AuditEntry entry) {
        const auto status = f.store->transact([&](db::StoreTransaction& t) -> base::Status {
            INTERLOCK_CHECK(append_audit(t, f.random, entry));
            return base::done;
        });
        return status ? std::string("recorded") : std::string(base::name(status.error().code));
    };
    const std::string huge(base::limits::audit_payload_bytes_max + 1, ' ');
    CHECK(refused({"t", "a", "", huge}) == "limit_exceeded");
    CHECK(refused({"t", "a", "", "\xff"}) == "internal");
    CHECK(refused({"t", "a", "", std::string("a\0b", 3)}) == "internal");
    CHECK(refused({"", "a", "", "{}"}) == "internal");
    CHECK(refused({"t", "\xff hostile actor", "", "{}"}) == "recorded");
    CHECK(f.verify().problems.empty());
}

TEST_CASE("a log whose state is gone takes no leaf", "[telemetry]") {
    AuditFixture f;
    f.fill(1);
    const auto append = [&] {
        return f.store->transact([&](db::StoreTransaction& transaction) -> base::Status {
            INTERLOCK_CHECK(append_audit(transaction, f.random, {"t", "a", "", "{}"}));
            return base::done;
        });
    };
    f.tamper({"update audit_state set frontier = '7'"});
    CHECK(append().error().code == base::Errc::corrupt);
    f.tamper({"delete from audit_state"});
    CHECK(append().error().code == base::Errc::corrupt);
    CHECK(read_all(f).size() == 1);
}

TEST_CASE("two processes append to one log", "[telemetry]") {
    AuditFixture f;
    constexpr int each = 60;
    const auto append_many = [&](const std::string& actor) {
        test::ManualClock clock;
        base::SystemRandom random;
        auto store = db::open_sqlite_store(f.path, db::StoreMode::existing, clock);
        if (!store)
            return false;
        for (int i = 0; i < each; ++i) {
            const auto status = (*store)->transact([&](db::StoreTransaction& t) -> base::Status {
                INTERLOCK_CHECK(append_audit(t, random, {"t", actor, "", "{}"}));
                return base::done;
            });
            if (!status)
                return false;
        }
        return true;
    };
    f.store.reset(); // SQLite connections must not be carried over a fork
    const auto child = ::fork();
    REQUIRE(child >= 0);
    if (child == 0)
        ::_exit(append_many("child") ? 0 : 1);
    const bool parent_done = append_many("parent");
    int status = -1;
    REQUIRE(::waitpid(child, &status, 0) == child);
    CHECK(parent_done);
    CHECK(status == 0);
    f.store = test::open_store(f.path, f.clock, db::StoreMode::existing);
    const auto found = f.verify();
    CHECK(found.size == 2 * each);
    CHECK(found.problems.empty());
}

} // namespace
} // namespace interlock::telemetry

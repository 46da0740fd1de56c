#include "telemetry/audit_erase.hpp"
#include "tests/telemetry/audit_support.hpp"

#include <fstream>
#include <iterator>

#include <catch2/catch.hpp>

namespace interlock::telemetry {
namespace {

using test::AuditFixture;
using test::names;

void append(AuditFixture& f, const AuditEntry& entry) {
    f.require([&](db::StoreTransaction& transaction) -> base::Status {
        INTERLOCK_CHECK(append_audit(transaction, f.random, entry));
        return base::done;
    });
}

IndexRanges selected(
    AuditFixture& f, const ErasureSelection& what, const std::set<std::string>& under_way = {}
) {
    const auto found = select_payloads(*f.store, what, under_way);
    REQUIRE(found);
    return *found;
}

Erasure erase(AuditFixture& f, const IndexRanges& payloads) {
    const auto done = erase_payloads(*f.store, f.random, payloads, "os:eve", "Asked by the person");
    REQUIRE(done);
    return *done;
}

std::string bytes_of(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
}

TEST_CASE("an erased payload is recorded, and the log stays whole", "[telemetry]") {
    AuditFixture f;
    f.fill(20);
    const auto before = f.head();
    ErasureSelection some;
    some.indexes = IndexRange{5, 7};
    const auto done = erase(f, selected(f, some));
    CHECK(done.payloads == 3);
    CHECK(done.records == std::vector<std::uint64_t>{20});
    const auto found = f.verify({before});
    CHECK(found.problems.empty());
    CHECK(found.erased_payloads == 3);
    CHECK(found.unrecorded_erasures == 0);
    CHECK(found.erasure_records == 1);
    const auto records = read_audit(*f.store, 20, 1);
    REQUIRE(records);
    REQUIRE(records->size() == 1);
    CHECK(records->front().header.find("audit.erased") != std::string::npos);
    CHECK(records->front().header.find("os:eve") != std::string::npos);
    CHECK(
        records->front().payload ==
        R"({"count":3,"payloads":[[5,7]],"reason":"Asked by the person"})"
    );
    CHECK(selected(f, some).empty()); // what is gone is not selected again
}

TEST_CASE("payloads are selected by index, plan, actor and time", "[telemetry]") {
    AuditFixture f;
    f.fill(3);                                           // 0 to 2: alice
    append(f, {"plan.submitted", "os:bob", "aa", "{}"}); // 3
    f.clock.advance(std::chrono::hours(1));
    const auto later = f.clock.now();
    append(f, {"plan.approved", "ssh:carol", "aa", "{}"}); // 4
    append(f, {"tool.begin", "os:bob", "", "{}"});         // 5
    using Ranges = std::vector<IndexRange>;
    CHECK(selected(f, {}).ranges() == Ranges{{0, 5}});
    CHECK(selected(f, {.plan_digest = "aa"}).ranges() == Ranges{{3, 4}});
    CHECK(selected(f, {.actor = "os:bob"}).ranges() == Ranges{{3, 3}, {5, 5}});
    CHECK(selected(f, {.actor = "os:bob", .before = later}).ranges() == Ranges{{3, 3}});
    CHECK(selected(f, {.before = later}).ranges() == Ranges{{0, 3}});
    CHECK(
        selected(f, {.indexes = IndexRange{2, 4}, .actor = "os:alice"}).ranges() == Ranges{{2, 2}}
    );
    CHECK(selected(f, {.plan_digest = "' or 1=1 --"}).empty());
    CHECK(selected(f, {.actor = "nobody"}).empty());
}

TEST_CASE("payloads of a plan under way are not erased", "[telemetry]") {
    AuditFixture f;
    f.fill(2);
    append(f, {"plan.submitted", "os:bob", "aa", "{}"});
    const auto refused = select_payloads(*f.store, {}, {"aa"});
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code == base::Errc::refused);
    CHECK(refused.error().what.find("leaf 2") != std::string::npos);
    CHECK(selected(f, {.indexes = IndexRange{0, 1}}, {"aa"}).count() == 2);
    CHECK(f.verify().erased_payloads == 0);
}

TEST_CASE("a record of an erasure is never erased itself", "[telemetry]") {
    AuditFixture f;
    f.fill(2);
    erase(f, selected(f, {}));
    CHECK(selected(f, {}).empty());
    CHECK(f.verify().problems.empty());
}

TEST_CASE("a payload that is missing without a record is a problem", "[telemetry]") {
    AuditFixture f;
    f.fill(20);
    erase(f, selected(f, {.indexes = IndexRange{3, 4}}));
    f.tamper({"delete from audit_payload where leaf_index in (2, 10, 11, 12)"});
    const auto found = f.verify();
    CHECK(found.erased_payloads == 6);
    CHECK(found.unrecorded_erasures == 4);
    CHECK(names(found, "Leaf 2: its payload is missing, and no record tells"));
    CHECK(names(found, "Leaves 10 to 12: their payloads are missing, and no record tells"));
    CHECK(found.problems.size() == 2);
}

TEST_CASE("a recorded erasure that was undone or hidden is a problem", "[telemetry]") {
    AuditFixture f;
    f.fill(5);
    const auto salt = [&] {
        std::string found;
        f.require([&](db::StoreTransaction& transaction) -> base::Status {
            INTERLOCK_TRY(
                const auto table,
                transaction.run("select salt from audit_payload where leaf_index = 3")
            );
            found = table.text(0, "salt");
            return base::done;
        });
        return found;
    }();
    erase(f, selected(f, {.indexes = IndexRange{3, 3}}));
    SECTION("the payload was put back") {
        f.tamper({"insert into audit_payload values (3, '" + salt + "', '{\"call\":3}')"});
        CHECK(names(f.verify(), "Leaf 3: its payload is recorded as erased and is still there"));
    }
    SECTION("the record's own payload was removed") {
        f.tamper({"delete from audit_payload where leaf_index = 5"});
        const auto found = f.verify();
        CHECK(found.unrecorded_erasures == 2);
        CHECK(names(found, "Leaf 3: its payload is missing"));
        CHECK(names(found, "Leaf 5: its payload is missing"));
    }
}

TEST_CASE("a record that tells of later payloads accounts for none", "[telemetry]") {
    AuditFixture f;
    append(f, {"audit.erased", "os:eve", "", R"({"payloads":[[0,9]],"reason":"for the future"})"});
    append(f, {"audit.erased", "os:eve", "", R"({"payloads":"all"})"});
    f.fill(3);
    f.tamper({"delete from audit_payload where leaf_index = 3"});
    const auto found = f.verify();
    CHECK(names(found, "Leaf 0: it does not say which payloads before it were erased"));
    CHECK(names(found, "Leaf 1: it does not say"));
    CHECK(names(found, "Leaf 3: its payload is missing"));
}

TEST_CASE("an erasure without a reason is not made", "[telemetry]") {
    AuditFixture f;
    f.fill(1);
    for (const std::string& why : {std::string(), std::string("  "), std::string(2'001, 'x')}) {
        const auto done = erase_payloads(*f.store, f.random, selected(f, {}), "os:eve", why);
        REQUIRE_FALSE(done);
        CHECK(done.error().code == base::Errc::invalid_arguments);
    }
    CHECK(f.head().size == 1);
}

TEST_CASE("what somebody else erased meanwhile is not recorded twice", "[telemetry]") {
    AuditFixture f;
    f.fill(3);
    const auto chosen = selected(f, {});
    f.tamper({"delete from audit_payload where leaf_index = 1"});
    const auto done = erase_payloads(*f.store, f.random, chosen, "os:eve", "why");
    REQUIRE_FALSE(done);
    CHECK(done.error().code == base::Errc::conflict);
    CHECK(f.head().size == 3);
    CHECK(f.verify().erased_payloads == 1); // the other two are still there
}

TEST_CASE("many payloads are erased in several transactions, each recorded", "[telemetry]") {
    AuditFixture f;
    f.fill(base::limits::audit_erase_batch + 5);
    const auto done = erase(f, selected(f, {}));
    CHECK(done.payloads == base::limits::audit_erase_batch + 5);
    CHECK(done.records.size() == 2);
    const auto found = f.verify();
    CHECK(found.problems.empty());
    CHECK(found.unrecorded_erasures == 0);
}

TEST_CASE("the bytes of an erased payload are gone from the store's file", "[telemetry]") {
    AuditFixture f;
    const std::string secret = "erase-me-0123456789";
    append(f, {"tool.begin", "os:bob", "", "{\"said\":\"" + secret + "\"}"});
    f.fill(50);
    f.store.reset(); // the last to close it moves the write-ahead log into the file
    REQUIRE(bytes_of(f.path).find(secret) != std::string::npos);
    f.store = test::open_store(f.path, f.clock, db::StoreMode::existing);
    erase(f, selected(f, {.indexes = IndexRange{0, 0}}));
    f.store.reset();
    CHECK(bytes_of(f.path).find(secret) == std::string::npos);
    CHECK(bytes_of(f.path + "-wal").find(secret) == std::string::npos);
}

} // namespace
} // namespace interlock::telemetry

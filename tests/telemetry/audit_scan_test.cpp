#include "telemetry/audit_scan.hpp"
#include "tests/telemetry/audit_support.hpp"

#include <catch2/catch.hpp>

namespace interlock::telemetry {
namespace {

using test::AuditFixture;

void append(AuditFixture& f, const AuditEntry& entry) {
    f.require([&](db::StoreTransaction& transaction) -> base::Status {
        INTERLOCK_CHECK(append_audit(transaction, f.random, entry));
        return base::done;
    });
}

std::vector<ScannedRecord> scanned(AuditFixture& f, const AuditScan& what) {
    std::vector<ScannedRecord> all;
    const auto status = scan_audit(*f.store, what, [&](ScannedRecord& record) {
        all.push_back(record);
        return base::Result<Scan>(Scan::go_on);
    });
    REQUIRE(status);
    return all;
}

TEST_CASE("a log of any length is read in order, in batches", "[telemetry]") {
    AuditFixture f;
    f.fill(base::limits::audit_walk_rows * 2 + 1);
    for (const bool payloads : {false, true}) {
        AuditScan what;
        what.payloads = payloads;
        const auto all = scanned(f, what);
        REQUIRE(all.size() == base::limits::audit_walk_rows * 2 + 1);
        for (std::size_t i = 0; i < all.size(); ++i) {
            REQUIRE(all[i].index == i);
            REQUIRE(all[i].payload.has_value() == payloads);
            REQUIRE(all[i].leaf_hash == base::hex(leaf_hash(all[i].header)));
        }
    }
}

TEST_CASE("a part of the log is read, by index, plan and type", "[telemetry]") {
    AuditFixture f;
    f.fill(3);
    append(f, {"plan.submitted", "a", "aa", "{}"});
    append(f, {"audit.erased", "a", "", "{}"});
    append(f, {"plan.approved", "type\":\"audit.erased\"}", "aa", "{}"});
    AuditScan part;
    part.first = 1;
    part.end = 4;
    CHECK(scanned(f, part).size() == 3);
    AuditScan of_plan;
    of_plan.plan_digest = "aa";
    CHECK(scanned(f, of_plan).size() == 2);
    AuditScan of_type;
    of_type.type = "audit.erased";
    const auto erased = scanned(f, of_type);
    REQUIRE(erased.size() == 1);
    CHECK(erased[0].index == 4);
    AuditScan nothing;
    nothing.first = 100;
    CHECK(scanned(f, nothing).empty());
}

TEST_CASE("reading ends when enough was seen, and with the first error", "[telemetry]") {
    AuditFixture f;
    f.fill(10);
    int seen = 0;
    CHECK(scan_audit(*f.store, {}, [&](ScannedRecord&) {
        return base::Result<Scan>(++seen == 4 ? Scan::enough : Scan::go_on);
    }));
    CHECK(seen == 4);
    const auto failed = scan_audit(*f.store, {}, [](ScannedRecord&) -> base::Result<Scan> {
        return base::Error{base::Errc::cancelled, "No.", ""};
    });
    CHECK(failed.error().code == base::Errc::cancelled);
}

TEST_CASE("an erased payload is absent", "[telemetry]") {
    AuditFixture f;
    f.fill(2);
    f.tamper({"delete from audit_payload where leaf_index = 1"});
    AuditScan what;
    what.payloads = true;
    const auto all = scanned(f, what);
    CHECK(all[0].payload == "{\"call\":0}");
    CHECK(all[0].salt->size() == 32);
    CHECK_FALSE(all[1].payload);
    CHECK_FALSE(all[1].salt);
}

TEST_CASE("a header says who did what when, or is none", "[telemetry]") {
    AuditFixture f;
    append(f, {"plan.submitted", "os:\"bob", "aa", "{}"});
    const auto header = read_leaf_header(scanned(f, {})[0].header);
    REQUIRE(header);
    CHECK(header->seq == 0);
    CHECK(header->type == "plan.submitted");
    CHECK(header->actor == "os:\"bob");
    CHECK(header->plan_digest == "aa");
    CHECK(header->time == base::format_time(f.clock.now()));
    CHECK(header->payload_hash.size() == 64);
    for (const char* none : {"", "{}", "x", "[]", R"({"seq":-1})", R"({"seq":1,"time":"x"})"})
        CHECK_FALSE(read_leaf_header(none));
}

} // namespace
} // namespace interlock::telemetry

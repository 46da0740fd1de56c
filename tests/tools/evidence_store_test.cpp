#include "base/db/store.hpp"
#include "base/file.hpp"
#include "base/limits.hpp"
#include "tests/support/fakes.hpp"
#include "tools/evidence_store.hpp"

#include <filesystem>
#include <map>

#include <catch2/catch.hpp>

namespace tools = interlock::tools;
namespace base = interlock::base;
namespace limits = interlock::base::limits;
using interlock::test::ManualClock;
using interlock::test::TemporaryDirectory;

namespace {

struct StoreBench {
    TemporaryDirectory directory;
    ManualClock clock;
    std::unique_ptr<tools::EvidenceStore> store = open();

    std::unique_ptr<tools::EvidenceStore> open() {
        auto opened = tools::open_evidence_directory(directory.path() + "/evidence", clock);
        REQUIRE(opened.ok());
        return std::move(opened).value();
    }
    base::Status put(int number, std::string body, const std::string& subject = "os:ann") {
        tools::StoredEvidence record{
            .id = {},
            .subject = subject,
            .tool = "get_activity",
            .target = "main " + std::to_string(number),
            .created = base::format_time(clock.now()),
            .body = std::move(body)};
        record.id = ids[number] = tools::evidence_id(record);
        return store->put(record);
    }
    /// Of what was put under this number, or of nothing.
    std::string id_of(int number) const {
        const auto found = ids.find(number);
        return found == ids.end() ? "ev_" + std::string(26, 'a') : found->second;
    }
    std::map<int, std::string> ids;
    std::string file() const { return directory.path() + "/evidence/evidence.db"; }
    /// How many records there are, as another program sees them.
    long long count() {
        auto raw =
            interlock::db::open_sqlite_store(file(), interlock::db::StoreMode::existing, clock);
        REQUIRE(raw.ok());
        long long found = -1;
        const auto read = [&](interlock::db::StoreTransaction& transaction) -> base::Status {
            INTERLOCK_TRY(
                const auto table,
                transaction.run("select count(*) as records from evidence e "
                                "full join evidence_body b on b.id = e.id")
            );
            found = table.integer(0, "records").value_or(-1);
            return base::done;
        };
        REQUIRE((*raw)->read(read).ok());
        return found;
    }
};

} // namespace

TEST_CASE("stored evidence comes back byte for byte, also after a restart", "[tools]") {
    StoreBench bench;
    const std::string body = std::string{"{\"a\":\"line\\n\"}\n\0tail", 18};
    REQUIRE(bench.put(1, body).ok());
    bench.store = bench.open();
    const auto got = bench.store->get(bench.id_of(1), "os:ann");
    REQUIRE(got.ok());
    CHECK(got->body == body);
    CHECK(got->tool == "get_activity");
    CHECK(got->target == "main 1");
    CHECK(bench.store->owns(bench.id_of(1), "os:ann"));
}

TEST_CASE("unknown, foreign and expired evidence answer alike", "[tools]") {
    StoreBench bench;
    REQUIRE(bench.put(1, "{}").ok());
    const auto unknown = bench.store->get(bench.id_of(2), "os:ann");
    const auto foreign = bench.store->get(bench.id_of(1), "os:bob");
    bench.clock.advance(limits::evidence_lifetime + std::chrono::seconds{1});
    const auto expired = bench.store->get(bench.id_of(1), "os:ann");
    for (const auto* result : {&unknown, &foreign, &expired}) {
        REQUIRE_FALSE(result->ok());
        CHECK(result->error().code == base::Errc::not_found);
        CHECK(result->error().remedy == unknown.error().remedy);
    }
    CHECK_FALSE(bench.store->owns(bench.id_of(1), "os:bob"));
}

TEST_CASE("an id that is not one is never looked up", "[tools]") {
    StoreBench bench;
    REQUIRE(base::write_file_atomically(bench.directory.path() + "/secret.json", "{}\nx").ok());
    for (const std::string id :
         {"../secret",
          "ev_../../secret",
          "",
          "ev_",
          "/etc/passwd",
          "ev_AAAAAAAAAAAAAAAAAAAAAAAAAA",
          "ev_aaaaaaaaaaaaaaaaaaaaaaaaa1",
          "ev_aaaaaaaaaaaaaaaaaaaaaaaaaaa",
          "ev_aaaaaaaaaaaaaaaaaaaaaaaa/a"}) {
        INFO(id);
        const auto got = bench.store->get(id, "os:ann");
        REQUIRE_FALSE(got.ok());
        CHECK(got.error().code == base::Errc::not_found);
        CHECK_FALSE(bench.store
                        ->put(
                            {.id = id,
                             .subject = "os:ann",
                             .tool = "t",
                             .target = "m",
                             .created = base::format_time(bench.clock.now()),
                             .body = "{}"}
                        )
                        .ok());
    }
}

TEST_CASE("a result larger than one may be is refused and says so", "[tools]") {
    StoreBench bench;
    const auto put = bench.put(1, std::string(limits::evidence_bytes_max + 1, 'x'));
    REQUIRE_FALSE(put.ok());
    CHECK(put.error().code == base::Errc::limit_exceeded);
    CHECK(bench.count() == 0);
}

TEST_CASE("the least recently used goes first when the budget is used up", "[tools]") {
    StoreBench bench;
    const std::string body(limits::evidence_bytes_max - 1024, 'x');
    const int fit = static_cast<int>(limits::evidence_store_bytes_max / limits::evidence_bytes_max);
    for (int i = 1; i <= fit; ++i) {
        bench.clock.advance(std::chrono::seconds{1});
        REQUIRE(bench.put(i, body).ok());
    }
    bench.clock.advance(std::chrono::seconds{1});
    REQUIRE(bench.store->get(bench.id_of(1), "os:ann").ok()); // used again: not the oldest any more
    bench.clock.advance(std::chrono::seconds{1});
    REQUIRE(bench.put(fit + 1, body).ok());
    CHECK(bench.store->owns(bench.id_of(1), "os:ann"));
    CHECK_FALSE(bench.store->owns(bench.id_of(2), "os:ann"));
    CHECK(bench.store->owns(bench.id_of(fit + 1), "os:ann"));
    // What was evicted left its pages to what came after.
    CHECK(
        std::filesystem::file_size(bench.file()) <=
        limits::evidence_store_bytes_max + limits::evidence_bytes_max
    );
}

TEST_CASE("who keeps most makes room first, whoever came earlier", "[tools]") {
    StoreBench bench;
    REQUIRE(bench.put(1, "{}", "os:ann").ok());
    const std::string body(limits::evidence_bytes_max - 1024, 'x');
    const int fit = static_cast<int>(limits::evidence_store_bytes_max / limits::evidence_bytes_max);
    for (int i = 2; i <= fit + 4; ++i) {
        bench.clock.advance(std::chrono::seconds{1});
        REQUIRE(bench.put(i, body, "os:bob").ok());
    }
    CHECK(bench.store->owns(bench.id_of(1), "os:ann"));
    CHECK_FALSE(bench.store->owns(bench.id_of(2), "os:bob"));
}

TEST_CASE("what is past its lifetime is removed", "[tools]") {
    StoreBench bench;
    REQUIRE(bench.put(1, "{}").ok());
    CHECK(bench.count() == 1);
    bench.clock.advance(limits::evidence_lifetime + std::chrono::hours{1});
    bench.store = bench.open();
    CHECK(bench.count() == 0);
}

TEST_CASE("evidence that is not a store is told, not overwritten", "[tools]") {
    StoreBench bench;
    bench.store.reset();
    const std::string other(8192, 'x');
    REQUIRE(base::write_file_atomically(bench.file(), other).ok());
    const auto opened =
        tools::open_evidence_directory(bench.directory.path() + "/evidence", bench.clock);
    REQUIRE_FALSE(opened.ok());
    CHECK(opened.error().code == base::Errc::corrupt);
    CHECK(base::read_file(bench.file(), 10'000).value() == other);
}

TEST_CASE("more results than may be kept push out the oldest", "[tools]") {
    StoreBench bench;
    const int kept = static_cast<int>(limits::evidence_kept_max);
    for (int i = 1; i <= kept + 1; ++i) {
        bench.clock.advance(std::chrono::milliseconds{1});
        REQUIRE(bench.put(i, "{}").ok());
    }
    CHECK_FALSE(bench.store->owns(bench.id_of(1), "os:ann"));
    CHECK(bench.store->owns(bench.id_of(kept + 1), "os:ann"));
    CHECK(bench.count() <= kept);
}

TEST_CASE("two processes may share a directory", "[tools]") {
    StoreBench bench;
    const auto second = bench.open();
    REQUIRE(bench.put(1, "{}").ok());
    CHECK(second->owns(bench.id_of(1), "os:ann"));
}

TEST_CASE("recent evidence is suggested to who asked for it, newest first", "[tools]") {
    StoreBench bench;
    for (int i = 1; i <= 3; ++i) {
        REQUIRE(bench.put(i, "{}").ok());
    }
    REQUIRE(bench.put(4, "{}", "os:bob").ok());
    CHECK(
        bench.store->recent("os:ann", "ev_", 10) ==
        std::vector<std::string>{bench.id_of(3), bench.id_of(2), bench.id_of(1)}
    );
    CHECK(bench.store->recent("os:ann", "", 1) == std::vector<std::string>{bench.id_of(3)});
    CHECK(
        bench.store->recent("os:ann", bench.id_of(2), 10) ==
        std::vector<std::string>{bench.id_of(2)}
    );
    CHECK(bench.store->recent("os:ann", "ev_z", 10).empty());
    CHECK(bench.store->recent("os:eve", "", 10).empty());
    bench.clock.advance(limits::evidence_lifetime + std::chrono::seconds{1});
    CHECK(bench.store->recent("os:ann", "", 10).empty());
}

TEST_CASE("an id stands for one record, whatever the record calls itself", "[tools]") {
    const std::string before = "ev_bbbbbbbbbbbbbbbbbbbbbbbbbb";
    tools::StoredEvidence record{
        before, "os:ann", "t", "m", "2026-11-21T03:00:00Z", R"({"id":")" + before + R"("})"};
    const auto id = tools::evidence_id(record);
    record.id = id;
    record.body = R"({"id":")" + id + R"("})";
    CHECK(tools::evidence_id(record) == id);
    auto other = record;
    other.body = R"({"id":"ev_"})";
    CHECK(tools::evidence_id(other) != id);
    for (auto* part : {&other.subject, &other.tool, &other.target, &other.created}) {
        other = record;
        *part += "x";
        CHECK(tools::evidence_id(other) != id);
    }
    other = record;
    std::swap(other.subject, other.tool);
    CHECK(tools::evidence_id(other) != id);
}

TEST_CASE("evidence that somebody rewrote is refused, and says so", "[tools]") {
    for (const std::string change :
         {"update evidence_body set body = '{\"verdict\":\"healthy\"}'",
          "update evidence set target = 'another'",
          "update evidence set tool = 'diagnose'",
          "update evidence set created = '2999-01-01T00:00:00.000000Z'"}) {
        INFO(change);
        StoreBench bench;
        REQUIRE(bench.put(1, R"({"verdict":"incident"})").ok());
        {
            auto raw = interlock::db::open_sqlite_store(
                bench.file(), interlock::db::StoreMode::existing, bench.clock
            );
            REQUIRE(raw.ok());
            const auto write = [&](interlock::db::StoreTransaction& transaction) -> base::Status {
                INTERLOCK_CHECK(transaction.run(change));
                return base::done;
            };
            REQUIRE((*raw)->transact(write).ok());
        }
        const auto got = bench.store->get(bench.id_of(1), "os:ann");
        REQUIRE_FALSE(got.ok());
        CHECK(got.error().code == base::Errc::corrupt);
        CHECK(got.error().what.find(bench.id_of(1)) != std::string::npos);
    }
}

#include "base/file.hpp"
#include "base/limits.hpp"
#include "tests/lab/shared_store.hpp"
#include "tests/support/fakes.hpp"
#include "tools/open_evidence.hpp"

#include <filesystem>
#include <map>

#include <catch2/catch.hpp>

namespace tools = interlock::tools;
namespace base = interlock::base;
namespace limits = interlock::base::limits;
using interlock::test::ManualClock;
using interlock::test::TemporaryDirectory;

namespace {

/// Two servers on one PostgreSQL.
struct SharedBench {
    interlock::lab::SharedStore shared;
    ManualClock wrong_clock; // of the servers: the store's decides
    base::SystemClock clock;
    std::unique_ptr<tools::EvidenceStore> one = open();
    std::unique_ptr<tools::EvidenceStore> other = open();
    std::unique_ptr<interlock::db::Store> raw = open_raw();

    std::unique_ptr<interlock::db::Store> open_raw() const {
        return shared.open(interlock::db::StoreMode::create, interlock::db::StorePart::evidence);
    }
    std::unique_ptr<tools::EvidenceStore> open() {
        auto opened = tools::open_evidence_store(open_raw(), wrong_clock);
        if (!opened) {
            FAIL(base::to_text(opened.error()));
        }
        return std::move(*opened);
    }
    base::Status put(tools::EvidenceStore& server, int number, std::string body) const {
        tools::StoredEvidence record{
            .id = {},
            .subject = "os:ann",
            .tool = "get_activity",
            .target = "main " + std::to_string(number),
            .created = base::format_time(clock.now()),
            .body = std::move(body)};
        record.id = ids[number] = tools::evidence_id(record);
        return server.put(record);
    }
    /// Of what was put last under this number, or of nothing.
    std::string id_of(int number) const {
        const auto found = ids.find(number);
        return found == ids.end() ? "ev_" + std::string(26, 'a') : found->second;
    }
    mutable std::map<int, std::string> ids;
    void sql(const std::string& text) const {
        const auto ran = raw->transact([&](interlock::db::StoreTransaction& at) -> base::Status {
            INTERLOCK_CHECK(at.run(text));
            return base::done;
        });
        REQUIRE(ran.ok());
    }
};

} // namespace

TEST_CASE("what one server stored another reads, byte for byte", "[tools][live]") {
    SharedBench bench;
    std::string large(limits::evidence_bytes_max, 'x');
    large.replace(0, 9, "{\"a\":\"\xc3\xa9\"");
    REQUIRE(bench.put(*bench.one, 1, large).ok());
    const auto got = bench.other->get(bench.id_of(1), "os:ann");
    REQUIRE(got.ok());
    CHECK(got->body == large);
    CHECK(got->tool == "get_activity");
    CHECK(got->target == "main 1");
    CHECK(bench.other->owns(bench.id_of(1), "os:ann"));
    CHECK_FALSE(bench.put(*bench.one, 2, std::string(limits::evidence_bytes_max + 1, 'x')).ok());
}

TEST_CASE("evidence of another identity is not found on any server", "[tools][live]") {
    SharedBench bench;
    REQUIRE(bench.put(*bench.one, 1, "{}").ok());
    for (auto* server : {bench.one.get(), bench.other.get()}) {
        const auto foreign = server->get(bench.id_of(1), "os:eve");
        const auto unknown = server->get(bench.id_of(2), "os:eve");
        REQUIRE_FALSE(foreign.ok());
        CHECK(foreign.error().code == base::Errc::not_found);
        CHECK(unknown.error().code == base::Errc::not_found);
        CHECK_FALSE(server->owns(bench.id_of(1), "os:eve"));
    }
}

TEST_CASE("shared evidence expires by the store's clock, and then goes", "[tools][live]") {
    SharedBench bench;
    REQUIRE(bench.put(*bench.one, 1, "{}").ok());
    REQUIRE(bench.put(*bench.one, 2, "{}").ok());
    const auto old =
        base::format_time(bench.clock.now() - limits::evidence_lifetime - std::chrono::seconds{1});
    bench.sql(
        "update evidence set created = '" + old + "', used = '" + old + "' where id = '" +
        bench.id_of(1) + "'"
    );
    CHECK(bench.other->get(bench.id_of(1), "os:ann").error().code == base::Errc::not_found);
    CHECK_FALSE(bench.other->owns(bench.id_of(1), "os:ann"));
    CHECK(bench.other->get(bench.id_of(2), "os:ann").ok());
    bench.other = bench.open();                   // a start makes room
    CHECK(bench.put(*bench.other, 1, "{}").ok()); // its id is free
}

TEST_CASE("the budget is that of all servers together", "[tools][live]") {
    SharedBench bench;
    REQUIRE(bench.put(*bench.one, 1, "{}").ok());
    REQUIRE(bench.put(*bench.other, 2, "{}").ok());
    bench.sql(
        "update evidence set bytes = " + std::to_string(limits::evidence_store_bytes_max) +
        " where id = '" + bench.id_of(1) + "'"
    );
    bench.one = bench.open(); // counts what there is
    REQUIRE(bench.put(*bench.one, 3, "{}").ok());
    CHECK_FALSE(bench.other->owns(bench.id_of(1), "os:ann")); // the least recently used
    CHECK(bench.other->owns(bench.id_of(3), "os:ann"));
}

TEST_CASE("evidence that cannot be kept says so, and works again later", "[tools][live]") {
    SharedBench bench;
    bench.sql("alter table evidence rename to hidden");
    CHECK_FALSE(bench.put(*bench.one, 1, "{}").ok());
    CHECK(bench.one->get(bench.id_of(1), "os:ann").error().code == base::Errc::internal);
    CHECK_FALSE(bench.one->owns(bench.id_of(1), "os:ann"));
    bench.sql("alter table hidden rename to evidence");
    CHECK(bench.put(*bench.one, 1, "{}").ok());
    CHECK(bench.other->owns(bench.id_of(1), "os:ann"));
    CHECK(
        bench.put(*bench.one, 2, std::string{"{\0}", 3}).error().code == base::Errc::invalid_input
    ); // no JSON holds one
}

TEST_CASE("the evidence of a state directory is where its store is", "[tools][live]") {
    const interlock::lab::SharedStore shared;
    const TemporaryDirectory directory;
    ManualClock clock;
    const base::StateDirectory state{directory.path()};
    REQUIRE(tools::open_evidence(state, clock).ok());
    CHECK(std::filesystem::exists(state.evidence()));
    const TemporaryDirectory elsewhere;
    const base::StateDirectory other{elsewhere.path()};
    REQUIRE(base::write_file_atomically(
                other.store(), "conninfo: \"" + shared.database.conninfo() + "\"\n"
    )
                .ok());
    REQUIRE(tools::open_evidence(other, clock).ok());
    CHECK_FALSE(std::filesystem::exists(other.evidence()));
    CHECK(shared.database.scalar("select count(*) from interlock_evidence.evidence") == "0");
}

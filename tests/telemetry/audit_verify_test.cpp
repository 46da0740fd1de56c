#include "base/json.hpp"
#include "telemetry/merkle.hpp"
#include "tests/telemetry/audit_support.hpp"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

namespace interlock::telemetry {
namespace {

using test::AuditFixture;
using test::names;

constexpr std::uint64_t size = 100;

/// What somebody with the file and our source would do after an edit: make every hash that stands
/// in the store agree again.
void forge_hashes(AuditFixture& f) {
    f.require([&](db::StoreTransaction& transaction) -> base::Status {
        INTERLOCK_TRY(
            const auto table,
            transaction.run("select leaf_index, header from audit_log order by leaf_index")
        );
        Frontier frontier;
        for (std::size_t row = 0; row < table.rows.size(); ++row) {
            // Numbers are made to fit, too.
            const auto parsed = base::parse_json(table.text(row, "header"));
            auto header = parsed.value();
            header["seq"] = row;
            const auto text = base::render_json(header);
            frontier.append(leaf_hash(text));
            INTERLOCK_CHECK(transaction.run(
                "update audit_log set header = $1, leaf_hash = $2 where leaf_index = $3",
                {text, base::hex(leaf_hash(text)), table.text(row, "leaf_index")}
            ));
        }
        INTERLOCK_CHECK(
            transaction.run("update audit_state set frontier = $1", {frontier.to_text()})
        );
        return base::done;
    });
}

TEST_CASE("an untouched log verifies against every checkpoint it ever had", "[telemetry]") {
    AuditFixture f;
    std::vector<Checkpoint> checkpoints{f.head()};
    for (int i = 0; i < 20; ++i) {
        f.fill(5);
        checkpoints.push_back(f.head());
    }
    std::reverse(checkpoints.begin(), checkpoints.end());
    const auto found = f.verify(checkpoints);
    CHECK(found.problems.empty());
    CHECK(found.size == size);
    CHECK(found.root == f.head().root);
    CHECK(found.erased_payloads == 0);
    CHECK(found.checkpoints_checked == 21);
}

TEST_CASE("an empty log verifies", "[telemetry]") {
    AuditFixture f;
    const auto found = f.verify({f.head()});
    CHECK(found.problems.empty());
    CHECK(found.size == 0);
    CHECK(found.checkpoints_checked == 1);
}

TEST_CASE("a log is verified on from where it was verified before", "[telemetry]") {
    AuditFixture f;
    f.fill(50);
    AuditScope on;
    on.from = f.verify().tree;
    const auto middle = f.head();
    f.fill(50);
    std::uint64_t told = 0;
    on.on_leaf = [&](std::uint64_t index, const std::string& plan, const base::Digest&) {
        CHECK(index == 50 + told++);
        CHECK(plan.empty());
    };
    const auto verify = [&](const std::vector<Checkpoint>& checkpoints) {
        auto found = verify_audit(*f.store, checkpoints, on);
        REQUIRE(found);
        return *found;
    };
    const auto found = verify({middle, f.head()});
    CHECK(found.problems.empty());
    CHECK(found.size == size);
    CHECK(found.root == f.head().root);
    CHECK(found.checkpoints_checked == 2);
    CHECK(told == 50);
    on.on_leaf = nullptr;
    SECTION("a record in the new part is edited") {
        f.tamper({"update audit_log set header = replace(header, 'alice', 'mallo') "
                  "where leaf_index = 77"});
        CHECK(names(verify({}), "Leaf 77"));
    }
    SECTION("the log ends before that place") {
        f.tamper(
            {"delete from audit_log where leaf_index >= 30",
             "delete from audit_payload where leaf_index >= 30"}
        );
        CHECK_FALSE(verify({}).problems.empty());
    }
    SECTION("one problem is enough") {
        f.tamper({"update audit_log set leaf_hash = 'x'"});
        on.problems_max = 1;
        CHECK(verify({}).problems.size() == 1);
    }
}

TEST_CASE("a flipped byte is told with its leaf", "[telemetry]") {
    AuditFixture f;
    f.fill(size);
    const auto head = f.head();
    SECTION("in the payload") {
        f.tamper({"update audit_payload set payload = '{\"call\":71}' where leaf_index = 17"});
        CHECK(names(f.verify({head}), "Leaf 17: its payload"));
    }
    SECTION("in the salt") {
        f.tamper({"update audit_payload set salt = '00' where leaf_index = 17"});
        CHECK(names(f.verify({head}), "Leaf 17: the salt"));
    }
    SECTION("in the header") {
        f.tamper({"update audit_log set header = replace(header, 'alice', 'mallo') "
                  "where leaf_index = 17"});
        const auto found = f.verify({head});
        CHECK(names(found, "Leaf 17: its header does not hash"));
        CHECK(names(found, "checkpoint of size 100"));
    }
    SECTION("in the header, with every hash forged") {
        f.tamper({"update audit_log set header = replace(header, 'alice', 'mallo') "
                  "where leaf_index = 17"});
        forge_hashes(f);
        CHECK(f.verify().problems.empty()); // nothing in the store can tell any more
        CHECK(names(f.verify({head}), "checkpoint of size 100"));
    }
    SECTION("so that the header is no JSON") {
        f.tamper({"update audit_log set header = 'x' where leaf_index = 17"});
        CHECK(names(f.verify(), "Leaf 17: its header is not a JSON object"));
    }
    SECTION("in the leaf hash") {
        f.tamper({"update audit_log set leaf_hash = 'x' where leaf_index = 17"});
        CHECK(names(f.verify(), "Leaf 17: its header does not hash"));
    }
    SECTION("in the plan column") {
        f.tamper({"update audit_log set plan_digest = 'aa' where leaf_index = 17"});
        CHECK(names(f.verify(), "Leaf 17: its plan column"));
    }
    SECTION("in the stored frontier") {
        auto other = Frontier{};
        for (std::uint64_t i = 0; i < size; ++i)
            other.append(leaf_hash("x"));
        f.tamper({"update audit_state set frontier = '" + other.to_text() + "'"});
        CHECK(names(f.verify(), "root over all 100 leaves"));
    }
}

TEST_CASE("a removed record is told with its leaf", "[telemetry]") {
    AuditFixture f;
    f.fill(size);
    const auto head = f.head();
    SECTION("one") {
        f.tamper({"delete from audit_log where leaf_index = 17"});
        const auto found = f.verify({head});
        CHECK(names(found, "Leaf 17: it is missing"));
        CHECK(names(found, "Leaf 17: it has a payload and no record"));
    }
    SECTION("several") {
        f.tamper({"delete from audit_log where leaf_index between 17 and 20"});
        CHECK(names(f.verify({head}), "Leaf 17: it and all before leaf 21"));
    }
    SECTION("and the gap closed, with every hash forged") {
        f.tamper(
            {"delete from audit_log where leaf_index = 17",
             "delete from audit_payload where leaf_index = 17",
             "update audit_log set leaf_index = -leaf_index where leaf_index > 17",
             "update audit_log set leaf_index = -leaf_index - 1 where leaf_index < 0",
             "update audit_payload set leaf_index = -leaf_index where leaf_index > 17",
             "update audit_payload set leaf_index = -leaf_index - 1 where leaf_index < 0"}
        );
        forge_hashes(f);
        CHECK(f.verify().problems.empty());
        CHECK(names(f.verify({head}), "it is missing with all that followed"));
    }
}

TEST_CASE("an added record is told", "[telemetry]") {
    AuditFixture f;
    f.fill(size);
    const auto head = f.head();
    SECTION("behind the state's size") {
        f.tamper({"insert into audit_log select 100, leaf_hash, plan_digest, header "
                  "from audit_log where leaf_index = 17"});
        const auto found = f.verify({head});
        CHECK(names(found, "Leaf 100: its header carries the sequence number 17"));
        CHECK(names(found, "leaf 100 is the first that only one of them knows"));
    }
    SECTION("at an index that no leaf has") {
        f.tamper({"insert into audit_log select -5, leaf_hash, plan_digest, header "
                  "from audit_log where leaf_index = 17"});
        CHECK(names(f.verify({head}), "has 101 records, of which 100"));
    }
    SECTION("before the end, with every hash forged") {
        f.tamper(
            {"update audit_log set leaf_index = -leaf_index where leaf_index >= 17",
             "update audit_log set leaf_index = -leaf_index + 1 where leaf_index < 0",
             "update audit_payload set leaf_index = -leaf_index where leaf_index >= 17",
             "update audit_payload set leaf_index = -leaf_index + 1 where leaf_index < 0",
             "insert into audit_log select 17, leaf_hash, plan_digest, header "
             "from audit_log where leaf_index = 3"}
        );
        forge_hashes(f);
        CHECK(names(f.verify({head}), "checkpoint of size 100"));
    }
}

TEST_CASE("exchanged records are told with their leaves", "[telemetry]") {
    AuditFixture f;
    f.fill(size);
    const auto head = f.head();
    f.tamper(
        {"update audit_log set leaf_index = -17 where leaf_index = 17",
         "update audit_log set leaf_index = 17 where leaf_index = 30",
         "update audit_log set leaf_index = 30 where leaf_index = -17"}
    );
    const auto found = f.verify({head});
    CHECK(names(found, "Leaf 17: its header carries the sequence number 30"));
    CHECK(names(found, "Leaf 30: its header carries the sequence number 17"));
    forge_hashes(f);
    CHECK(names(f.verify({head}), "checkpoint of size 100"));
}

TEST_CASE("a log cut or restored from an older copy is told by a checkpoint", "[telemetry]") {
    AuditFixture f;
    f.fill(60);
    const auto middle = f.head();
    f.fill(40);
    const auto head = f.head();
    f.tamper(
        {"delete from audit_log where leaf_index >= 60",
         "delete from audit_payload where leaf_index >= 60"}
    );
    forge_hashes(f);
    CHECK(f.verify({middle}).problems.empty());
    const auto found = f.verify({middle, head});
    CHECK(names(found, "Leaf 60: it is missing with all that followed"));
    CHECK(found.checkpoints_checked == 2);
    f.fill(40); // grown again over the cut
    CHECK(names(f.verify({head}), "checkpoint of size 100"));
}

TEST_CASE("a checkpoint of another log is told", "[telemetry]") {
    AuditFixture f;
    f.fill(3);
    auto head = f.head();
    head.origin = "interlock/log_other";
    CHECK(names(f.verify({head}), "belongs to the log interlock/log_other"));
}

TEST_CASE("a log without state is told, not refused", "[telemetry]") {
    AuditFixture f;
    f.fill(3);
    const auto head = f.head();
    f.tamper({"update audit_state set frontier = 'x'"});
    CHECK(names(f.verify(), "frontier"));
    f.tamper({"delete from audit_state"});
    const auto found = f.verify();
    CHECK(names(found, "0 state rows"));
    CHECK(found.size == 3);
    CHECK(found.root == head.root);
}

TEST_CASE("a store without a log is an error", "[telemetry]") {
    const test::TemporaryDirectory directory;
    test::ManualClock clock;
    const auto store = test::open_store(directory.file("empty.db"), clock);
    CHECK_FALSE(verify_audit(*store, {}));
}

TEST_CASE("problems are told one by one up to a limit, and then counted", "[telemetry]") {
    AuditFixture f;
    f.fill(base::limits::audit_problems_max + 50);
    f.tamper({"update audit_payload set payload = 'x'"});
    const auto found = f.verify();
    CHECK(found.problems.size() == base::limits::audit_problems_max + 1);
    CHECK(found.problems.back() == "50 more problems are not listed.");
}

} // namespace
} // namespace interlock::telemetry

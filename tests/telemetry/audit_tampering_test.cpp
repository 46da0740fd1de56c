// The promise that an audit rests on: of ten thousand records, no single one can be flipped,
// removed, added, put elsewhere or cut off without being noticed by who kept an earlier checkpoint.
// Seeded, so that a failure can be repeated. Every try is made in a transaction that is rolled
// back. Half of the tries are clumsy; half are made by somebody who knows our source and makes
// every stored hash, number and the state row agree again, so that only the checkpoint can tell.
//
// Records before the place were verified when the log was built, so a try is verified on from the
// last of the earlier checkpoints before it, and up to the first problem. To verify the whole log
// in every try, as `interlock audit verify` does, takes minutes and is asked for:
//   INTERLOCK_MARKS=1 telemetry_test "[whole-log]"
#include "base/json.hpp"
#include "telemetry/audit_format.hpp"
#include "tests/telemetry/audit_support.hpp"

#include <cstdlib>
#include <random>

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

namespace interlock::telemetry {
namespace {

constexpr std::uint64_t records = 10'000;
constexpr std::uint64_t checkpoint_every = 100;
constexpr int tries = 100;

struct Row {
    std::string plan_digest;
    std::string header;
    std::string salt;
    std::string payload;
};

/// Lets a log be verified within the transaction that tampers with it.
class WithinTransaction final : public db::Store {
public:
    explicit WithinTransaction(db::StoreTransaction& transaction) : transaction_(transaction) {}
    base::Status transact(const std::function<base::Status(db::StoreTransaction&)>&) override {
        return base::Error{base::Errc::internal, "a transaction within another", ""};
    }
    base::Status read(const std::function<base::Status(db::StoreTransaction&)>& body) override {
        return body(transaction_);
    }
    std::string describe() const override { return "a transaction"; }

private:
    db::StoreTransaction& transaction_;
};

/// Each kind returns the first index that it touched.
class Tampering {
public:
    Tampering(
        db::StoreTransaction& transaction,
        const std::vector<Frontier>& frontiers,
        std::mt19937& random
    )
        : transaction_(transaction), frontiers_(frontiers), random_(random) {}

    std::uint64_t any(std::uint64_t below) {
        return std::uniform_int_distribution<std::uint64_t>(0, below - 1)(random_);
    }

    /// One bit of one byte that stands for one record: header, payload, salt or stored leaf hash.
    std::uint64_t flip(std::uint64_t at, bool forged) {
        auto row = read(at);
        if (forged) { // what is said stays JSON, or everybody would see it
            row.header[row.header.find("os:alice") + 3 + any(5)] ^= 0x01;
            write(at, row);
            return at;
        }
        const char* const places[] = {
            "update audit_log set header = $1 where leaf_index = $2",
            "update audit_log set leaf_hash = $1 where leaf_index = $2",
            "update audit_payload set payload = $1 where leaf_index = $2",
            "update audit_payload set salt = $1 where leaf_index = $2"};
        const std::string values[] = {
            row.header, base::hex(leaf_hash(row.header)), row.payload, row.salt};
        const auto place = any(std::size(places));
        auto value = values[place];
        // Neither the case of a hex digit nor the high bit, which makes text no UTF-8.
        value[any(value.size())] ^= static_cast<char>(1U << any(5));
        run(places[place], {value}, at);
        return at;
    }

    std::uint64_t remove(std::uint64_t at, bool forged) {
        if (!forged) {
            run("delete from audit_log where leaf_index = $1", {}, at);
            if (any(2) == 0)
                run("delete from audit_payload where leaf_index = $1", {}, at);
            return at;
        }
        // All that follow, up to where the next checkpoint was signed, move down by one.
        const auto end = std::min(segment_end(at), records - 1);
        for (auto to = at; to < end; ++to)
            write(to, read(to + 1));
        if (end == records - 1)
            truncate(end, /*forged=*/true);
        return at;
    }

    std::uint64_t add(std::uint64_t at, bool forged) {
        auto extra = read(at);
        extra.header.replace(extra.header.find("os:alice"), 8, "os:mallo");
        if (!forged) { // beside the others, at an index that is none of theirs
            insert(records + any(1'000), extra);
            return records;
        }
        for (auto to = at; to < segment_end(at); ++to)
            extra = write(to, extra);
        return at;
    }

    std::uint64_t reorder(std::uint64_t at, bool forged) {
        const auto first = segment_end(at) - checkpoint_every;
        auto other = first + any(checkpoint_every);
        if (other == at)
            other = at == first ? at + 1 : at - 1;
        const auto left = read(at);
        const auto right = read(other);
        if (forged) {
            write(at, right);
            write(other, left);
        } else {
            put(at, right);
            put(other, left);
        }
        return std::min(at, other);
    }

    std::uint64_t truncate(std::uint64_t at, bool forged) {
        run("delete from audit_log where leaf_index >= $1", {}, at);
        run("delete from audit_payload where leaf_index >= $1", {}, at);
        if (!forged)
            return at;
        auto frontier = frontiers_[at / checkpoint_every];
        const auto table = transaction_.run(
            "select header from audit_log where leaf_index >= $1 order by leaf_index",
            {std::to_string(frontier.size())}
        );
        REQUIRE(table);
        for (std::size_t row = 0; row < table->rows.size(); ++row)
            frontier.append(leaf_hash(table->text(row, "header")));
        REQUIRE(transaction_.run("update audit_state set frontier = $1", {frontier.to_text()}));
        return at;
    }

private:
    static std::uint64_t segment_end(std::uint64_t at) {
        return at - at % checkpoint_every + checkpoint_every;
    }
    void run(const char* sql, std::vector<db::Cell> parameters, std::uint64_t at) {
        parameters.emplace_back(std::to_string(at));
        REQUIRE(transaction_.run(sql, parameters));
    }
    Row read(std::uint64_t at) {
        const auto table = transaction_.run(
            "select plan_digest, header, salt, payload from audit_log l join audit_payload p on "
            "p.leaf_index = l.leaf_index where l.leaf_index = $1",
            {std::to_string(at)}
        );
        REQUIRE(table);
        REQUIRE(table->rows.size() == 1);
        return {
            table->text(0, "plan_digest"),
            table->text(0, "header"),
            table->text(0, "salt"),
            table->text(0, "payload")};
    }
    /// As it is, at another index.
    void put(std::uint64_t at, const Row& row) {
        run("update audit_log set header = $1, leaf_hash = $2 where leaf_index = $3",
            {row.header, base::hex(leaf_hash(row.header))},
            at);
        run("update audit_payload set salt = $1, payload = $2 where leaf_index = $3",
            {row.salt, row.payload},
            at);
    }
    /// The same with its number made to fit; returns what stood there.
    Row write(std::uint64_t at, Row row) {
        const auto before = read(at);
        auto header = base::parse_json(row.header).value();
        header["seq"] = at;
        row.header = base::render_json(header);
        put(at, row);
        return before;
    }
    void insert(std::uint64_t at, const Row& row) {
        run("insert into audit_log (header, leaf_hash, plan_digest, leaf_index) "
            "values ($1, $2, $3, $4)",
            {row.header, base::hex(leaf_hash(row.header)), row.plan_digest},
            at);
        run("insert into audit_payload (salt, payload, leaf_index) values ($1, $2, $3)",
            {row.salt, row.payload},
            at);
    }

    db::StoreTransaction& transaction_;
    const std::vector<Frontier>& frontiers_;
    std::mt19937& random_;
};

/// The log, and what somebody kept of it while it grew.
struct BuiltLog {
    test::AuditFixture fixture;
    std::vector<Checkpoint> checkpoints;
    std::vector<Frontier> frontiers; // of the same sizes

    BuiltLog() {
        Frontier tree;
        while (checkpoints.size() <= records / checkpoint_every) {
            checkpoints.push_back(fixture.head());
            AuditScope scope;
            scope.from = tree;
            const auto found = verify_audit(*fixture.store, {}, scope);
            REQUIRE(found);
            REQUIRE(found->problems.empty());
            tree = found->tree;
            frontiers.push_back(tree);
            if (tree.size() < records)
                fixture.fill(checkpoint_every);
            else
                break;
        }
        REQUIRE(tree.size() == records);
    }
};

using Kind = std::uint64_t (Tampering::*)(std::uint64_t, bool);
const std::vector<std::pair<std::string, Kind>> kinds{
    {"flipped", &Tampering::flip},
    {"removed", &Tampering::remove},
    {"added", &Tampering::add},
    {"reordered", &Tampering::reorder},
    {"truncated", &Tampering::truncate},
};

/// How many of the tries were noticed.
int noticed(BuiltLog& log, Kind kind, bool whole, std::mt19937& random) {
    int count = 0;
    for (int i = 0; i < tries; ++i) {
        const auto at = std::uniform_int_distribution<std::uint64_t>(0, records - 1)(random);
        const bool forged = i % 2 == 1;
        bool found_it = false;
        const auto rolled_back =
            log.fixture.store->transact([&](db::StoreTransaction& transaction) -> base::Status {
                Tampering tampering(transaction, log.frontiers, random);
                const auto touched = (tampering.*kind)(at, forged);
                AuditScope scope;
                if (!whole) {
                    scope.problems_max = 1;
                    scope.from = log.frontiers[touched / checkpoint_every];
                }
                WithinTransaction store(transaction);
                const auto found = verify_audit(store, log.checkpoints, scope);
                found_it = found.ok() && !found->problems.empty();
                return base::Error{base::Errc::cancelled, "never mind", ""};
            });
        REQUIRE(rolled_back.error().code == base::Errc::cancelled);
        INFO("try " << i << " at leaf " << at << (forged ? ", forged" : ", clumsy"));
        CHECK(found_it);
        count += found_it ? 1 : 0;
    }
    return count;
}

void try_all(bool whole) {
    BuiltLog log;
    std::mt19937 random(20'261'121);
    std::string figures;
    for (const auto& [name, kind] : kinds) {
        const int count = noticed(log, kind, whole, random);
        figures += name + " " + std::to_string(count) + "/" + std::to_string(tries) + "  ";
        CHECK(count == tries);
    }
    CHECK(log.fixture.verify(log.checkpoints).problems.empty()); // all was rolled back
    WARN("tampering noticed among 10,000 records: " << figures);
}

TEST_CASE("every single tampered record among ten thousand is noticed", "[telemetry]") {
    try_all(/*whole=*/false);
}

TEST_CASE("the same, verifying the whole log each time", "[telemetry][whole-log]") {
    if (std::getenv("INTERLOCK_MARKS") != nullptr)
        try_all(/*whole=*/true);
}

} // namespace
} // namespace interlock::telemetry

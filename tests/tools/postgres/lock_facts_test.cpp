#include "tools/postgres/lock_facts.hpp"

#include <catch2/catch.hpp>

namespace tools = interlock::tools;
namespace db = interlock::db;
namespace base = interlock::base;

namespace {

tools::LockWait wait(long long waiter, std::vector<long long> blockers, double seconds) {
    tools::LockWait out;
    out.waiter = waiter;
    for (const long long pid : blockers) {
        out.blockers.push_back({.pid = pid, .gid = {}});
    }
    out.wait_seconds = seconds;
    return out;
}

tools::LockChains chains_of(std::vector<tools::LockWait> waits) {
    tools::LockFacts facts;
    facts.waits = std::move(waits);
    return tools::find_chains(facts);
}

base::Result<db::Rows>
rows(std::vector<std::string> columns, std::vector<std::vector<db::Cell>> cells) {
    db::Rows out;
    out.table.columns = std::move(columns);
    out.table.rows = std::move(cells);
    return out;
}

const std::vector<std::string> session_columns{
    "pid",
    "datname",
    "usename",
    "application_name",
    "client",
    "backend_type",
    "state",
    "wait_event",
    "backend_start",
    "xact_start",
    "query_start",
    "xact_seconds",
    "query_seconds",
    "state_seconds",
    "query",
    "superuser",
    "ours"};

/// One waiter (20) behind one session (10) and one prepared transaction.
db::ReadResults sample_results(const char* sees_all = "t") {
    db::ReadResults out;
    out.push_back(rows(
        {"waiter", "blockers", "lock_type", "mode", "wait_seconds", "relation"},
        {{"20", "10,10,0", "transactionid", "ShareLock", "12.5", "app.orders"}}
    ));
    out.push_back(rows(
        {"waiter", "wanted", "held", "gid"},
        {{"20", "ShareLock", "ExclusiveLock", "orphan"},
         {"20", "AccessShareLock", "RowExclusiveLock", "innocent"}}
    ));
    out.push_back(rows(
        {"gid", "owner", "database", "prepared", "age_seconds"},
        {{"orphan", "app", "shop", "2026-11-21T03:00:00.000000Z", "900"}}
    ));
    out.push_back(rows(
        session_columns,
        {{"10",
          "shop",
          "app",
          "web\x1b[2J",
          std::nullopt,
          "client backend",
          "idle in transaction",
          "Client: ClientRead",
          "2026-11-21T02:00:00.000000Z",
          "2026-11-21T02:59:00.000000Z",
          "2026-11-21T02:59:01.000000Z",
          "60",
          "59",
          "58",
          "update t set x = 'secret'",
          "f",
          "f"},
         {"30",
          std::nullopt,
          "app",
          "hidden",
          std::nullopt,
          std::nullopt,
          std::nullopt,
          std::nullopt,
          std::nullopt,
          std::nullopt,
          std::nullopt,
          std::nullopt,
          std::nullopt,
          std::nullopt,
          "<insufficient privilege>",
          "f",
          "f"}}
    ));
    out.push_back(rows({"clients", "untracked", "sees_all_sessions"}, {{"7", "0", sees_all}}));
    return out;
}

} // namespace

TEST_CASE("the head of a chain is who waits for nobody", "[tools]") {
    const auto found = chains_of({wait(3, {2}, 5), wait(2, {1}, 9)});
    REQUIRE(found.chains.size() == 1);
    CHECK(found.chains[0].root.pid == 1);
    CHECK(found.chains[0].victims == std::set<long long>{2, 3});
    CHECK(found.chains[0].depth == 2);
    CHECK(found.chains[0].longest_wait_seconds == 9);
    CHECK(found.rootless.empty());
}

TEST_CASE("chains stand apart, longest wait first", "[tools]") {
    const auto found = chains_of({wait(2, {1}, 5), wait(4, {3}, 50), wait(5, {1, 3}, 1)});
    REQUIRE(found.chains.size() == 2);
    CHECK(found.chains[0].root.pid == 3);
    CHECK(found.chains[1].victims == std::set<long long>{2, 5});
}

TEST_CASE("a cycle has no head and what hangs on it is told", "[tools]") {
    const auto found = chains_of({wait(1, {2}, 3), wait(2, {1}, 3), wait(3, {2}, 1)});
    CHECK(found.chains.empty());
    CHECK(found.rootless == std::set<long long>{1, 2, 3});
}

TEST_CASE("a queue of many waiters on one row is one chain", "[tools]") {
    std::vector<tools::LockWait> waits;
    std::vector<long long> ahead{1};
    for (long long pid = 2; pid <= 200; ++pid) {
        waits.push_back(wait(pid, ahead, 1));
        ahead.push_back(pid);
    }
    const auto found = chains_of(std::move(waits));
    REQUIRE(found.chains.size() == 1);
    CHECK(found.chains[0].victims.size() == 199);
}

TEST_CASE("facts are decoded, cleaned and masked", "[tools]") {
    const auto facts = tools::decode_lock_facts(sample_results());
    REQUIRE(facts.waits.size() == 1);
    CHECK(facts.complete);
    CHECK(facts.clients == 7);
    CHECK(facts.waits[0].wait_seconds == 12.5);
    const auto& session = facts.sessions.at(10);
    CHECK(session.visible);
    CHECK(session.application_name.find('\x1b') == std::string::npos);
    CHECK(session.query.find("secret") == std::string::npos);
    CHECK(session.xact_seconds == 60);
}

TEST_CASE("pid 0 gets the name of the prepared transaction whose lock conflicts", "[tools]") {
    const auto facts = tools::decode_lock_facts(sample_results());
    const std::vector<tools::LockNode> expected{
        {.pid = 10, .gid = {}}, {.pid = 0, .gid = "orphan"}};
    CHECK(facts.waits[0].blockers == expected);
}

TEST_CASE("names of prepared transactions that do not show are written out", "[tools]") {
    for (const auto& [gid, told] : std::vector<std::pair<std::string, std::string>>{
             {"\x1b]0;t\x07", "\\u{1b}]0;t\\u{7}"}, {"a\n\tb", "a\\u{a}\\u{9}b"}, {"", "''"}}) {
        auto results = sample_results();
        results[1] =
            rows({"waiter", "wanted", "held", "gid"}, {{"20", "ShareLock", "ExclusiveLock", gid}});
        const auto facts = tools::decode_lock_facts(results);
        CHECK(facts.waits[0].blockers.back() == tools::LockNode{.pid = 0, .gid = told});
    }
}

TEST_CASE("a session that may not be seen is marked so", "[tools]") {
    const auto facts = tools::decode_lock_facts(sample_results("f"));
    CHECK_FALSE(facts.sees_all_sessions);
    CHECK(facts.sessions.at(10).visible); // of our own role: PostgreSQL shows it
    CHECK_FALSE(facts.sessions.at(30).visible);
    CHECK(facts.sessions.at(30).query.empty());
}

TEST_CASE("a statement that fails leaves a gap and the rest", "[tools]") {
    auto results = sample_results();
    results[2] = base::Error{base::Errc::timeout, "Too slow.", ""};
    auto facts = tools::decode_lock_facts(results);
    CHECK(facts.complete);
    REQUIRE(facts.gaps.size() == 1);
    CHECK(facts.gaps[0].what == "prepared transactions");
    CHECK_THAT(facts.gaps[0].why, Catch::Contains("timeout: Too slow."));

    results[0] = base::Error{base::Errc::permission_denied, "No.", ""};
    facts = tools::decode_lock_facts(results);
    CHECK_FALSE(facts.complete);
    CHECK(facts.waits.empty());
}

TEST_CASE("more waits than one look reads are told", "[tools]") {
    auto results = sample_results();
    results[0]->cut = true;
    const auto facts = tools::decode_lock_facts(results);
    REQUIRE(facts.gaps.size() == 1);
    CHECK_THAT(facts.gaps[0].what, Catch::Contains("beyond the first"));
}

TEST_CASE("lock modes conflict as PostgreSQL documents it", "[tools]") {
    const std::vector<std::string> modes{
        "AccessShareLock",
        "RowShareLock",
        "RowExclusiveLock",
        "ShareUpdateExclusiveLock",
        "ShareLock",
        "ShareRowExclusiveLock",
        "ExclusiveLock",
        "AccessExclusiveLock"};
    const std::vector<std::string> conflicts{
        "       #",
        "      ##",
        "    ####",
        "   #####",
        "  ## ###",
        "  ######",
        " #######",
        "########"};
    for (std::size_t i = 0; i < modes.size(); ++i) {
        for (std::size_t j = 0; j < modes.size(); ++j) {
            INFO(modes[i] << " " << modes[j]);
            CHECK(tools::lock_modes_conflict(modes[i], modes[j]) == (conflicts[i][j] == '#'));
        }
    }
    CHECK(tools::lock_modes_conflict("NewLock", "AccessShareLock"));
}

TEST_CASE("a session that is not tracked is no session that may not be seen", "[tools]") {
    auto results = sample_results();
    results[3]->table.rows[0][6] = "disabled";
    results[4] = rows({"clients", "untracked", "sees_all_sessions"}, {{"7", "1", "t"}});
    const auto facts = tools::decode_lock_facts(results);
    CHECK(facts.untracked == 1);
    CHECK(facts.sessions.at(10).untracked);
    CHECK_FALSE(facts.sessions.at(10).visible);
    CHECK_THAT(
        tools::unseen_state_text(facts.sessions.at(10)), Catch::Contains("track_activities is off")
    );
    CHECK_THAT(tools::unseen_state_text(facts.sessions.at(30)), Catch::Contains("hidden"));
}

#include "base/limits.hpp"
#include "runbooks/policy.hpp"
#include "tests/runbooks/release_plan.hpp"

#include <catch2/catch.hpp>

namespace interlock {
namespace {

using runbooks::admit;
using runbooks::judge;
using runbooks::Plan;
using test::release_contract;
using test::release_plan;

std::string reasons(const runbooks::Verdict& verdict) {
    std::string out;
    for (const auto& reason : verdict.reasons) {
        out += reason + "\n";
    }
    return out;
}

bool holds(const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
}

/// The plan with `sql`, which takes no parameters, as its step.
Plan with_step(const std::string& sql) {
    auto plan = release_plan();
    plan.steps[0].statement = {sql, {}};
    return plan;
}

/// The plan with `sql` as its first precondition.
Plan with_check(const std::string& sql) {
    auto plan = release_plan();
    plan.preconditions[0].statement = {sql, {}};
    return plan;
}

struct Case {
    std::string sql;
    std::string because; // part of a reason; "" = admitted
};

void check_cases(const std::vector<Case>& cases, Plan (*place)(const std::string&)) {
    for (const auto& [sql, because] : cases) {
        INFO(sql);
        const auto verdict = judge(place(sql), release_contract());
        INFO(reasons(verdict));
        CHECK(verdict.allowed == because.empty());
        CHECK(holds(reasons(verdict), because));
    }
}

} // namespace

TEST_CASE("statements that only look are admitted in every shape", "[runbooks]") {
    const std::vector<Case> cases{
        {"select 1", ""},
        {"select pg_catalog.count(*) from pg_catalog.pg_locks where not granted", ""},
        {"with w as (select pid from pg_catalog.pg_locks) select pg_catalog.count(*) from w", ""},
        {"select exists (select from pg_catalog.pg_roles r where r.rolname like 'a%')", ""},
        {"select coalesce(null, 1) + greatest(2, 3)", ""},
        {"select case when 1 = 1 then 'a' else 'b' end", ""},
        {"select pg_catalog.clock_timestamp() - interval '2 seconds' > '2026-01-01'::timestamptz",
         ""},
        {"select pg_catalog.count(distinct l.pid) filter (where not l.granted) "
         "from pg_catalog.pg_locks as l join pg_catalog.pg_stat_activity as a on a.pid = l.pid",
         ""},
        {"values (1)", ""},
    };
    check_cases(cases, with_check);
    check_cases(cases, with_step);
}

TEST_CASE("whatever destroys, hides or leaves the transaction is denied everywhere", "[runbooks]") {
    const std::vector<Case> cases{
        {"drop table app.orders", "DropStmt"},
        {"drop schema app cascade", "DropStmt"},
        {"drop index app.i", "DropStmt"},
        {"drop database app", "DropdbStmt"},
        {"drop role bob", "DropRoleStmt"},
        {"truncate app.orders", "TruncateStmt"},
        {"delete from app.orders", "DeleteStmt"},
        {"delete from app.orders where id = 1", "writes rows"},
        {"update app.orders set a = 1", "UpdateStmt"},
        {"update app.orders set a = 1 where id = 1", "writes rows"},
        {"insert into app.orders values (1)", "InsertStmt"},
        {"with d as (delete from app.orders returning 1) select 1 from d", "writes rows"},
        {"select 1 into app.copy", "writes rows"},
        {"select 1 from pg_catalog.pg_locks for update", "locks rows"},
        {"do 'begin end'", "DoStmt"},
        {"call app.p()", "CallStmt"},
        {"copy app.orders to program 'sh'", "CopyStmt"},
        {"copy app.orders from stdin", "CopyStmt"},
        {"set statement_timeout = 0", "VariableSetStmt"},
        {"set local role postgres", "VariableSetStmt"},
        {"reset all", "VariableSetStmt"},
        {"begin", "TransactionStmt"},
        {"commit", "TransactionStmt"},
        {"rollback", "TransactionStmt"},
        {"lock table app.orders", "LockStmt"},
        {"alter system set work_mem = '1GB'", "AlterSystemStmt"},
        {"alter table app.orders add x int", "AlterTableStmt"},
        {"create table app.x (a int)", "CreateStmt"},
        {"create function app.f() returns int language sql as 'select 1'", "CreateFunctionStmt"},
        {"grant all on app.orders to bob", "GrantStmt"},
        {"prepare p as select 1", "PrepareStmt"},
        {"execute p", "ExecuteStmt"},
        {"notify c", "NotifyStmt"},
        {"listen c", "ListenStmt"},
        {"vacuum full app.orders", "VacuumStmt"},
        {"reindex table app.orders", "ReindexStmt"},
        {"explain analyze select 1", "ExplainStmt"},
        {"show all", "VariableShowStmt"},
        {"checkpoint", "CheckPointStmt"},
        {"select 1; drop table app.orders", "2 statements"},
        {"select 1; select 2", "2 statements"},
        {"", "0 statements"},
        {"select (", "cannot be read as SQL"},
    };
    check_cases(cases, with_step);
    check_cases(cases, with_check);
}

TEST_CASE("one forbidden function is found at every place and in every spelling", "[runbooks]") {
    const std::string call = "pg_catalog.pg_sleep(9)";
    const std::vector<std::string> placements{
        "select " + call,
        "select 1 where " + call + " is null",
        "select 1 from " + call,
        "select 1 from rows from (" + call + ") as f",
        "select 1 from lateral " + call + " as f",
        "select (select " + call + ")",
        "select exists (select " + call + ")",
        "select array[" + call + "]",
        "select row(" + call + ")",
        "select array(select " + call + ")",
        "with w as (select " + call + ") select 1 from w",
        "with recursive w as (select 1 union select " + call +
            "::text::int from w) select 1 from w",
        "select 1 group by " + call,
        "select 1 having " + call + " is null",
        "select 1 order by " + call,
        "select 1 limit (select " + call + " is null)::int",
        "select 1 offset (select " + call + " is null)::int",
        "select distinct on (" + call + ") 1",
        "select pg_catalog.count(*) filter (where " + call + " is null)",
        "select pg_catalog.count(" + call + ")",
        "select pg_catalog.count(*) over (order by " + call + ")",
        "select pg_catalog.count(*) over w window w as (partition by " + call + ")",
        "select case when " + call + " is null then 1 end",
        "select coalesce(" + call + "::text, 'a')",
        "select nullif(1, (" + call + " is null)::int)",
        "select greatest(1, (" + call + " is null)::int)",
        "select 1 union all select 2 from " + call,
        "values ((" + call + " is null)::text)",
        "select 1 from pg_catalog.pg_locks a join pg_catalog.pg_locks b on " + call + " is null",
        "select (" + call + ")::text",
        "select (array[1])[(" + call + " is null)::int]",
        "select " + call + " is null and true",
        "select not (" + call + " is null)",
        "select 1 = any (array[(" + call + " is null)::int])",
        "select 1 in (select (" + call + " is null)::int)",
        "select 1 between 0 and (" + call + " is null)::int",
        "select 1 from pg_catalog.pg_locks tablesample bernoulli ((" + call + " is null)::int)",
        "select (" + call + " is null) is true",
    };
    const std::vector<std::string> spellings{
        "select PG_CATALOG.PG_SLEEP(9)",
        "select \"pg_catalog\".\"pg_sleep\"(9)",
        "select pg_catalog . pg_sleep (9)",
        "select pg_catalog.pg_sleep(VARIADIC array[9])",
        "select pg_sleep(9)",
        "select app.pg_sleep(9)",
        "select \"pg_catalog.count\"()",
        "select U&\"\\0070g_sleep\"(9)",
        "select pg_catalog.pg_sleep_for('1 s')",
        "select pg_catalog.set_config('statement_timeout', '0', false)",
        "select pg_catalog.pg_read_file('/etc/passwd')",
        "select pg_catalog.query_to_xml('drop table t', true, true, '')",
        "select pg_catalog.pg_reload_conf()",
        "select pg_catalog.pg_advisory_lock(1)",
        "select pg_catalog.lo_unlink(1)",
        "select pg_catalog.nextval('app.s')",
        "select 1 operator(app.###) 2",
        "select 'x'::app.evil",
    };
    for (const auto* list : {&placements, &spellings}) {
        for (const auto& sql : *list) {
            INFO(sql);
            CHECK_FALSE(judge(with_check(sql), release_contract()).allowed);
            CHECK_FALSE(judge(with_step(sql), release_contract()).allowed);
        }
    }
}

TEST_CASE("relations are read only with their schema and only those of the runbook", "[runbooks]") {
    check_cases(
        {
            {"select 1 from pg_locks", "without its schema"},
            {"select 1 from app.orders", "which the runbook does not allow"},
            {"select 1 from pg_catalog.pg_class", "which the runbook does not allow"},
            {"select 1 from other.pg_catalog.pg_locks", "which the runbook does not allow"},
            {"select 1 from pg_catalog.\"pg_Locks\"", "which the runbook does not allow"},
            {"select 1 from pg_catalog.pg_authid", "secrets"},
            {"table pg_catalog.pg_authid", "secrets"},
            {"select (select 1 from pg_catalog.pg_shadow limit 1)", "secrets"},
            {"with pg_locks as (select 1) select 1 from pg_catalog.pg_stats", "secrets"},
        },
        with_check
    );
}

TEST_CASE("a contract cannot allow what no plan may do", "[runbooks]") {
    auto contract = release_contract();
    contract.allowed_functions.push_back("pg_catalog.pg_read_file");
    contract.allowed_relations.push_back("pg_catalog.pg_authid");
    auto plan = with_check("select pg_catalog.pg_read_file('x') from pg_catalog.pg_authid");
    const auto verdict = judge(plan, contract);
    CHECK_FALSE(verdict.allowed);
    CHECK(holds(reasons(verdict), "pg_catalog.pg_read_file, which no plan may call"));
    CHECK(holds(reasons(verdict), "pg_catalog.pg_authid, which holds secrets"));
}

TEST_CASE("signals are sent by readback steps and by nothing else", "[runbooks]") {
    const std::string signal = "select pg_catalog.pg_terminate_backend(1)";
    CHECK(judge(with_step(signal), release_contract()).allowed);
    auto transactional = with_step(signal);
    transactional.steps[0].step_class = runbooks::StepClass::transactional;
    CHECK(holds(reasons(judge(transactional, release_contract())), "is not a readback step"));

    const std::vector<std::pair<std::string, void (*)(Plan&)>> places{
        {"precondition",
         [](Plan& p) {
             p.preconditions[0].statement = {"", {}};
         }},
        {"probe",
         [](Plan& p) {
             p.steps[0].probe->statement = {"", {}};
         }},
        {"recovery check",
         [](Plan& p) {
             p.verification.recovery[0].statement = {"", {}};
         }},
        {"guardrail",
         [](Plan& p) {
             p.verification.guardrails[0].statement = {"", {}};
         }},
    };
    for (const auto& [where, clear] : places) {
        auto plan = release_plan();
        clear(plan);
        for (auto* checks :
             {&plan.preconditions, &plan.verification.recovery, &plan.verification.guardrails}) {
            for (auto& check : *checks) {
                check.statement.sql = check.statement.sql.empty() ? signal : check.statement.sql;
            }
        }
        auto& probe = plan.steps[0].probe->statement.sql;
        probe = probe.empty() ? signal : probe;
        const auto text = reasons(judge(plan, release_contract()));
        INFO(where << ": " << text);
        CHECK(holds(text, where));
        CHECK(holds(text, "it is only meant to look"));
    }
}

TEST_CASE("an inverse is judged like the step it undoes", "[runbooks]") {
    auto plan = release_plan();
    plan.steps[0].inverse = {true, runbooks::BoundStatement{"drop table app.x", {}}, "", false};
    CHECK(holds(
        reasons(judge(plan, release_contract())), "inverse of terminate-session is a DropStmt"
    ));
}

TEST_CASE("placeholders are exactly the parameters a person is shown", "[runbooks]") {
    const runbooks::BoundParameter pid{"pid", "int4", "1"};
    const std::vector<std::pair<runbooks::BoundStatement, bool>> cases{
        {{"select $1::int4", {pid}}, true},
        {{"select $1::int4, $1::int4", {pid}}, true},
        {{"select 1", {pid}}, false},
        {{"select $2::int4", {pid}}, false},
        {{"select $1::int4, $2::int4", {pid}}, false},
        {{"select $0::int4", {pid}}, false},
        {{"select $1::int4", {}}, false},
        {{"select $99999999999::int4", {pid}}, false},
        {{"select $1::regclass", {{"pid", "regclass", "1"}}}, false},
    };
    for (const auto& [statement, allowed] : cases) {
        INFO(statement.sql);
        auto plan = release_plan();
        plan.preconditions[0].statement = statement;
        CHECK(judge(plan, release_contract()).allowed == allowed);
    }
}

TEST_CASE("text that does not look like what it is does not reach people", "[runbooks]") {
    for (const std::string sql :
         {"select '\u202e'",
          "select '\u0430'",
          "select 1\t",
          "select 1\r",
          "select '\x1b[8m'",
          "select E'\\u0041'",
          "select '\xff'"}) {
        CHECK_FALSE(judge(with_check(sql), release_contract()).allowed);
    }
}

TEST_CASE("the whole plan must fit its contract, its target and its limits", "[runbooks]") {
    const std::vector<std::pair<void (*)(Plan&), std::string>> changes{
        {[](Plan& p) { p.runbook = "other"; }, "not made from this version"},
        {[](Plan& p) { ++p.runbook_version; }, "not made from this version"},
        {[](Plan& p) { p.runbook_digest = "0"; }, "not made from this version"},
        {[](Plan& p) { p.target.in_recovery = true; }, "standby"},
        {[](Plan& p) { p.lease_key = "x"; }, "lease"},
        {[](Plan& p) { p.steps.clear(); }, "between 1 and 16 steps"},
        {[](Plan& p) { p.steps.assign(17, p.steps[0]); }, "between 1 and 16 steps"},
        {[](Plan& p) { p.preconditions.clear(); }, "has no precondition"},
        {[](Plan& p) { p.preconditions.assign(33, p.preconditions[0]); }, "more than 32"},
        {[](Plan& p) { p.verification.recovery.clear(); }, "has no recovery check"},
        {[](Plan& p) { p.verification.guardrails.clear(); }, "has no guardrail"},
        {[](Plan& p) { p.verification.interval_ms = 0; }, "interval"},
        {[](Plan& p) { p.verification.hold_ms = 60'000; }, "longer than its deadline"},
        {[](Plan& p) { p.verification.deadline_ms = 1LL << 40; }, "deadline"},
        {[](Plan& p) { p.steps[0].lock_timeout_ms = 0; }, "lock time-out"},
        {[](Plan& p) { p.steps[0].lock_timeout_ms = 3'600'000; }, "lock time-out"},
        {[](Plan& p) { p.steps[0].statement_timeout_ms = -1; }, "statement time-out"},
        {[](Plan& p) { p.steps[0].probe.reset(); }, "without a probe"},
        {[](Plan& p) { p.steps[0].inverse.absence_reason.clear(); }, "does not say why"},
        {[](Plan& p) { p.reversibility = runbooks::Reversibility::exact; }, "claims to be exact"},
        {[](Plan& p) { p.steps[0].about.assign(base::limits::plan_bytes_max, 'x'); },
         "longer than a person can read"},
    };
    for (const auto& [change, because] : changes) {
        auto plan = release_plan();
        change(plan);
        const auto text = reasons(judge(plan, release_contract()));
        INFO(because << " in: " << text);
        CHECK(holds(text, because));
    }
}

TEST_CASE("every reason of a denial is told", "[runbooks]") {
    auto plan = with_step("delete from orders; select pg_sleep(1) from pg_authid");
    plan.preconditions[0].statement = {"drop table app.orders", {}};
    plan.steps[0].lock_timeout_ms = 0;
    const auto refused = admit(plan, release_contract());
    REQUIRE_FALSE(refused.ok());
    CHECK(refused.error().code == base::Errc::refused);
    for (const std::string part :
         {"precondition primary is a DropStmt",
          "step terminate-session holds 2 statements",
          "is a DeleteStmt",
          "writes rows",
          "lock time-out"}) {
        INFO(part);
        CHECK(holds(refused.error().what, part));
    }
}

TEST_CASE("what cannot be undone asks for more people and stronger keys", "[runbooks]") {
    using runbooks::Assurance;
    const auto needs_after = [](void (*change)(Plan&)) {
        auto plan = release_plan();
        change(plan);
        return judge(plan, release_contract()).needs;
    };
    auto needs = needs_after([](Plan&) {});
    CHECK(needs.approvals == 1);
    CHECK(needs.assurance == Assurance::ssh_key);
    needs = needs_after([](Plan& p) { p.steps[0].inverse.bounded = false; });
    CHECK(needs.approvals == 2);
    CHECK(needs.assurance == Assurance::hardware_key);
    needs = needs_after([](Plan& p) { p.reversibility = runbooks::Reversibility::irreversible; });
    CHECK(needs.approvals == 2);
    CHECK(needs.assurance == Assurance::hardware_key);
    needs = needs_after([](Plan& p) { p.needs = {1, Assurance::chat}; });
    CHECK(needs.approvals == 1);
    CHECK(needs.assurance == Assurance::ssh_key);
    needs = needs_after([](Plan& p) { p.needs = {3, Assurance::hardware_key}; });
    CHECK(needs.approvals == 3);
    CHECK(needs.assurance == Assurance::hardware_key);

    auto contract = release_contract();
    contract.needs = {1, Assurance::chat};
    auto plan = release_plan();
    plan.needs = contract.needs;
    CHECK(judge(plan, contract).needs.assurance == Assurance::ssh_key);
}

TEST_CASE(
    "an admitted plan carries the policy, the needs and the lifetime they give", "[runbooks]"
) {
    const auto plan = admit(release_plan(), release_contract());
    REQUIRE(plan.ok());
    CHECK(plan->policy_verdict == "require_approval");
    CHECK(plan->policy_digest == runbooks::policy_digest(release_contract()));
    CHECK(plan->approval_lifetime_s == base::limits::approval_lifetime_strong.count());
    CHECK(plan->needs.approvals == 1);
    // Admitting again changes nothing: the executor judges the stored plan as it stands.
    CHECK(plan_bytes(*admit(*plan, release_contract())) == plan_bytes(*plan));
}

TEST_CASE("the policy digest moves with the contract and its allow-lists", "[runbooks]") {
    const auto digest = runbooks::policy_digest(release_contract());
    CHECK(digest.size() == 64);
    auto contract = release_contract();
    contract.allowed_functions.push_back("pg_catalog.now");
    CHECK(runbooks::policy_digest(contract) != digest);
    contract = release_contract();
    contract.allowed_relations.pop_back();
    CHECK(runbooks::policy_digest(contract) != digest);
    contract = release_contract();
    contract.digest = "0";
    CHECK(runbooks::policy_digest(contract) != digest);
}

} // namespace interlock

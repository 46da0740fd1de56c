#include "tests/tools/shop.hpp"
#include "tools/postgres/plan_reader.hpp"
#include "tools/postgres/plan_text.hpp"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

namespace base = interlock::base;
namespace lab = interlock::lab;
namespace tools = interlock::tools;
using base::Errc;
using nlohmann::json;
using tools::Plan;

namespace {

Plan plan_of(const std::string& text) {
    INFO(text);
    auto plan = tools::read_plan(text);
    INFO((plan ? "" : base::to_text(plan.error())));
    REQUIRE(plan.ok());
    return std::move(plan).value();
}

bool says(const Plan& plan, const std::string& object, const std::string& value) {
    for (const tools::Finding& finding : tools::judge_plan(plan)) {
        if (finding.object == object && finding.value.find(value) != std::string::npos) {
            return true;
        }
    }
    return false;
}

/// What psql shows.
std::string psql(const std::string& plan, const std::string& prefix = " ") {
    std::string out = "                 QUERY PLAN\n" + std::string(60, '-') + "\n";
    std::size_t rows = 0;
    for (std::size_t at = 0; at < plan.size(); ++rows) {
        const auto end = std::min(plan.find('\n', at), plan.size());
        out += prefix + plan.substr(at, end - at) + "\n";
        at = end + 1;
    }
    return out + "(" + std::to_string(rows) + " rows)\n\n";
}

const std::string report =
    "Sort  (cost=100.50..200.75 rows=10 width=44) (actual time=380.000..400.000 "
    "rows=1000 loops=1)\n"
    "  Sort Key: o.state, (upper(\"Odd: name\".x)) DESC\n"
    "  Sort Method: external merge  Disk: 4096kB\n"
    "  Buffers: shared hit=10 read=20010, temp read=512 written=513\n"
    "  CTE sums\n"
    "    ->  HashAggregate  (cost=1.00..2.00 rows=5 width=8) (actual time=1.000..2.000 "
    "rows=5 loops=1)\n"
    "          Group Key: a.b\n"
    "          Batches: 5  Memory Usage: 4145kB  Disk Usage: 12000kB\n"
    "          ->  Function Scan on pg_catalog.generate_series a  (cost=0.00..1.00 "
    "rows=5 width=4) (actual time=0.500..0.600 rows=5 loops=1)\n"
    "  ->  Hash Left Join  (cost=50.00..90.00 rows=900 width=44) (actual "
    "time=20.000..300.000 rows=1000 loops=1)\n"
    "        Hash Cond: (o.id = \"odd \"\"table\"\".x\".order_id)\n"
    "        ->  Seq Scan on app.orders o  (cost=0.00..40.00 rows=900 width=40) "
    "(actual time=0.010..200.000 rows=1000 loops=1)\n"
    "              Filter: (state = 'a: b -> c  (cost=1.00..2.00 rows=3 "
    "width=4)'::text)\n"
    "              Rows Removed by Filter: 99000\n"
    "        ->  Hash  (cost=20.00..20.00 rows=500 width=4) (actual time=9.000..9.000 "
    "rows=500 loops=1)\n"
    "              Buckets: 1024  Batches: 4 (originally 1)  Memory Usage: 30kB\n"
    "              ->  Index Only Scan Backward using \"odd Index\" on \"Odd "
    "Schema\".\"odd \"\"table\"\"\" x  (cost=0.29..20.00 rows=500 width=4) (actual "
    "time=0.020..8.000 rows=2000 loops=1)\n"
    "                    Index Cond: (order_id > $1)\n"
    "                    Heap Fetches: 1900\n"
    "                    SubPlan 2\n"
    "                      ->  Limit  (cost=0.00..0.05 rows=1 width=4) (never executed)\n"
    "                            ->  CTE Scan on sums  (cost=0.00..0.10 rows=5 "
    "width=8) (never executed)\n"
    "Planning:\n"
    "  Buffers: shared hit=99\n"
    "Planning Time: 2.500 ms\n"
    "JIT:\n"
    "  Functions: 3\n"
    "  Timing: Generation 0.300 ms (Deform 0.100 ms), Inlining 0.0 ms, Optimization "
    "1.0 ms, Emission 2.0 ms, Total 150.300 ms\n"
    "Trigger for constraint orders_fkey: time=120.000 calls=10\n"
    "Execution Time: 500.125 ms";

} // namespace

TEST_CASE("a plan is read as psql shows it", "[plan]") {
    for (const std::string& pasted :
         {report,
          psql(report),
          psql(report, ""),
          "LOG:  duration: 500.1 ms  plan:\n\tQuery Text: select 1\n\t  from t\n\t" + [] {
              std::string indented;
              for (const char c : report) {
                  indented += c == '\n' ? "\n\t" : std::string(1, c);
              }
              return indented;
          }()}) {
        const Plan plan = plan_of(pasted);
        REQUIRE(plan.nodes.size() == 9);
        CHECK((plan.executed && plan.timed));
        CHECK(plan.execution_ms == Approx(500.125));
        CHECK(plan.planning_ms == Approx(2.5));
        CHECK(plan.jit_ms == Approx(150.3));
        CHECK(plan.trigger_ms == Approx(120));
        CHECK(says(plan, "Sort", "4096 kB on disk"));
        CHECK(says(plan, "Aggregate (Hashed)", "12000 kB on disk"));
        CHECK(says(plan, "Hash", "4 batches"));
        CHECK(says(plan, "Seq Scan on app.orders", "99000 rows read in vain for 1000 kept"));
        CHECK(says(
            plan,
            "Index Only Scan Backward using odd Index on Odd Schema.odd \"table\"",
            "1900 heap fetches for 2000 rows"
        ));
        CHECK(plan.nodes[1].relationship == "InitPlan");
        CHECK(plan.nodes[1].subplan == "CTE sums");
        CHECK(plan.nodes[3].type == "Hash Join (Left)");
        CHECK(plan.nodes[4].relationship == "Outer");
        CHECK(plan.nodes[4].has_filter);
        CHECK(plan.nodes[5].relationship == "Inner");
        CHECK(plan.nodes[7].relationship == "SubPlan");
        CHECK_FALSE(plan.nodes[8].executed());
        CHECK(plan.nodes[8].depth == plan.nodes[7].depth + 1);
    }
}

TEST_CASE("workers' lines are theirs, beside the leader's or alone", "[plan]") {
    const std::string head =
        "Gather Merge  (cost=1.00..9.00 rows=10 width=4) (actual time=1.0..9.0 rows=10 loops=1)\n"
        "  Workers Planned: 2\n"
        "  Workers Launched: 2\n"
        "  ->  Sort  (cost=1.00..8.00 rows=4 width=4) (actual time=1.0..8.0 rows=3 loops=3)\n"
        "        Sort Method: quicksort  Memory: 25kB\n"
        "        Buffers: shared hit=7\n";
    const std::string tail = "        ->  Parallel Seq Scan on t  (cost=0.00..7.00 rows=4 width=4) "
                             "(actual time=0.1..7.0 rows=3 loops=3)\n";
    const Plan plain = plan_of(
        head +
        "        Worker 0:  Sort Method: external merge  Disk: 100kB\n"
        "        Worker 1:  Sort Method: external merge  Disk: 200kB\n" +
        tail
    );
    const Plan verbose = plan_of(
        head +
        "        Worker 0:  actual time=1.0..8.0 rows=3 loops=1\n"
        "          Sort Method: external merge  Disk: 100kB\n"
        "          Buffers: shared hit=3\n"
        "        Worker 1:  actual time=1.0..8.0 rows=3 loops=1\n"
        "          Sort Method: external merge  Disk: 200kB\n" +
        tail
    );
    for (const Plan& plan : {plain, verbose}) {
        CHECK(plan.nodes[1].spilled_kb == Approx(300));
        CHECK(plan.nodes[1].hit_blocks == Approx(7));
        CHECK(plan.nodes[2].processes_planned == Approx(2.4));
        CHECK(plan.nodes[2].processes == Approx(3));
    }
}

TEST_CASE("a text that is no plan is refused, with what is wrong with it", "[plan]") {
    const std::string root = "Limit  (cost=0.00..1.00 rows=1 width=4)\n";
    const std::string child = "  ->  Seq Scan on t  (cost=0.00..9.00 rows=9 width=4)\n";
    std::string deep = root;
    for (std::size_t depth = 1; depth < 300; ++depth) {
        deep += std::string(2 + 6 * (depth - 1), ' ') + "->  " + root;
    }
    std::string wide = "Append  (cost=0.00..1.00 rows=1 width=4)\n";
    while (wide.size() < 900'000) {
        wide += child;
    }
    for (const auto& [text, why] : std::vector<std::pair<std::string, std::string>>{
             {"", "no plan"},
             {"Seq Scan on t", "no plan"}, // neither costs nor measurements: nothing to read
             {"select 1", "no plan"},
             {"Seq Scan on t  (cost=nan..inf rows=nan width=4)", "no plan"},
             {root + child + root, "more than one plan"},
             {child, "does not begin with its root"},
             {root + "->  Seq Scan on t  (cost=0.00..9.00 rows=9 width=4)\n", "indentation"},
             {deep, "deeper"},
             {wide, "more than 5000 nodes"},
             {"<explain xmlns=\"x\">", "XML"},
             {"- Plan:\n    Node Type: \"Result\"", "YAML"}}) {
        INFO(text.substr(0, 200));
        const auto plan = tools::read_plan(text);
        REQUIRE_FALSE(plan.ok());
        CHECK_THAT(plan.error().what, Catch::Contains(why));
        CHECK_FALSE(plan.error().remedy.empty());
    }
}

TEST_CASE("SQL is no plan, and a plan no SQL", "[plan]") {
    for (const char* sql :
         {"select 1",
          "explain select '(cost=0.00..1.00 rows=1 width=4)'",
          "select a -> 'b' from t -- (cost=1)",
          "with x as (select 1) select * from x where (actual is null)"}) {
        INFO(sql);
        CHECK_FALSE(tools::is_plan(sql));
    }
    CHECK(tools::is_plan(psql(report)));
    CHECK(tools::is_plan(R"([{"Plan": {}}])"));
    CHECK(tools::is_plan("Result  (actual rows=1 loops=1)"));
}

TEST_CASE("JSON is read with what psql and logs put around it", "[plan]") {
    const std::string framed = "          QUERY PLAN           \n"
                               "-------------------------------\n"
                               " [                            +\n"
                               "   {                          +\n"
                               "     \"Plan\": {                +\n"
                               "       \"Node Type\": \"Result\", +\n"
                               "       \"Total Cost\": 0.01     +\n"
                               "     }                        +\n"
                               "   }                          +\n"
                               " ]\n"
                               "(1 row)\n";
    const std::string boxed = "+------------+\n| QUERY PLAN |\n+------------+\n"
                              "| Result  (cost=0.00..0.01 rows=1 width=4) |\n+------------+\n";
    const std::string csv = "\"QUERY PLAN\"\n"
                            "\"Seq Scan on \"\"Odd\"\"  (cost=0.00..0.01 rows=1 width=4)\"\n";
    const std::string logged = "LOG:  duration: 1.2 ms  plan:\n{\"Query Text\": \"x\", "
                               "\"Plan\": {\"Node Type\": \"Result\", \"Total Cost\": 0.01}}";
    CHECK(plan_of(framed).fingerprint == plan_of(boxed).fingerprint);
    CHECK(plan_of(framed).fingerprint == plan_of(logged).fingerprint);
    CHECK(tools::describe(plan_of(csv).nodes[0]) == "Seq Scan on Odd");
}

TEST_CASE("a plan reads the same as text and as JSON, on every major", "[plan][live]") {
    const std::vector<std::string> statements{
        "select * from big where state = 'x' order by id desc limit 5",
        "with c as materialized (select * from big where id < 20000) "
        "select a.state, count(*) from c a join c b using (id) group by a.state order by 2",
        "select b.* from big b left join small s on s.id = b.id "
        "where b.id = (select max(id) from small) and exists (select from small t where t.id = "
        "b.id)",
        "select count(*) from parts where id in (select id from small) "
        "union all select id from small except select 1 from big",
        "select * from generate_series(1, 3) g(id) cross join lateral "
        "(select * from big where big.id = g.id) l where false or g.id > 7",
        "update small set id = id where id = 3",
    };
    for (const int major : lab::majors()) {
        const lab::Database database{lab::primary(major)};
        database.sql("create table big (id int primary key, state text);"
                     "insert into big select i, 'state ' || i % 7 from generate_series(1, 30000) i;"
                     "create table small (id int); insert into small select generate_series(1, 9);"
                     "create table parts (id int) partition by range (id);"
                     "create table parts_1 partition of parts for values from (0) to (10);"
                     "create table parts_2 partition of parts for values from (10) to (20);"
                     "analyze");
        for (const std::string& statement : statements) {
            for (const char* settings :
                 {"",
                  "set work_mem = '64kB'; set parallel_setup_cost = 0; set "
                  "parallel_tuple_cost = 0; set min_parallel_table_scan_size = 0;"}) {
                INFO("PostgreSQL " << major << ": " << settings << statement);
                // Costs and shape are the same however often it is planned; times are not.
                const auto explained = [&](const std::string& options) {
                    const auto table = database.sql(
                        settings + std::string{"begin; explain (analyze, buffers, timing off, "} +
                        options + ") " + statement
                    );
                    std::string text;
                    for (const auto& row : table.rows) {
                        text += row.at(0).value_or("") + "\n";
                    }
                    return text;
                };
                const Plan text = plan_of(explained("format text"));
                const Plan other = plan_of(explained("format json"));
                REQUIRE(text.nodes.size() == other.nodes.size());
                CHECK(text.fingerprint == other.fingerprint);
                CHECK(
                    plan_of(psql(explained("verbose, format text"))).fingerprint ==
                    other.fingerprint
                );
                for (std::size_t i = 0; i < text.nodes.size(); ++i) {
                    INFO(tools::describe(other.nodes[i]));
                    CHECK(tools::describe(text.nodes[i]) == tools::describe(other.nodes[i]));
                    CHECK(text.nodes[i].parent == other.nodes[i].parent);
                    CHECK(text.nodes[i].relationship == other.nodes[i].relationship);
                    CHECK(
                        text.nodes[i].total_cost == Approx(other.nodes[i].total_cost).margin(0.02)
                    );
                    CHECK(text.nodes[i].rows == other.nodes[i].rows);
                    CHECK(text.nodes[i].condition == other.nodes[i].condition);
                    CHECK((text.nodes[i].batches > 1) == (other.nodes[i].batches > 1));
                    CHECK((text.nodes[i].spilled_kb > 0) == (other.nodes[i].spilled_kb > 0));
                    CHECK((text.nodes[i].temp_blocks > 0) == (other.nodes[i].temp_blocks > 0));
                    CHECK(text.nodes[i].workers_planned == other.nodes[i].workers_planned);
                    CHECK(text.nodes[i].processes_planned == other.nodes[i].processes_planned);
                    CHECK(text.nodes[i].executed() == other.nodes[i].executed());
                }
            }
        }
    }
}

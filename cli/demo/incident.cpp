#include "cli/demo/incident.hpp"

#include "base/file.hpp"
#include "tools/lane_check.hpp"

#include <charconv>
#include <chrono>
#include <string_view>

namespace interlock::cli {

using base::Errc;
using base::Error;
using base::Result;
using base::Status;

namespace {

constexpr std::chrono::seconds sql_deadline{30};

constexpr std::string_view roles_sql =
    "create role shop_app login;\ncreate database shop owner shop_app;\n";

constexpr std::string_view data_sql = R"sql(
create schema app;
create table app.orders (
    id integer primary key,
    customer integer not null,
    status text not null,
    changed timestamptz not null default now()
);
insert into app.orders (id, customer, status)
select n, n % 97, 'open' from generate_series(1, 1000) as n;
analyze app.orders;
)sql";

// Each client soon meets one of the first hundred orders: the ones the blocker holds.
constexpr std::string_view workload_script =
    "\\set id random(1, 1000)\n"
    "update app.orders set status = 'paid', changed = now() where id = :id;\n"
    "\\sleep 10 ms\n";

constexpr std::string_view blocker_sql =
    "\\pset tuples_only on\n"
    "\\pset format unaligned\n"
    "begin;\n"
    "update app.orders set status = 'checking' where id <= 100;\n"
    "select 'holding ' || pg_backend_pid();\n";

Status run_sql(
    const Cluster& cluster,
    const std::string& user,
    const std::string& database,
    std::string_view sql
) {
    const base::Command command{
        .arguments =
            {cluster.program("psql"),
             "--no-psqlrc",
             "--quiet",
             "--set=ON_ERROR_STOP=1",
             "--dbname=" + cluster.conninfo(user, database)},
        .environment = {},
        .directory = "",
        .user = "",
        .stdout_path = "",
        .stderr_path = "",
    };
    INTERLOCK_TRY(const auto output, base::run(command, sql, sql_deadline));
    if (output.exit_code != 0) {
        return Error{Errc::io, "psql could not prepare the demo database: " + output.err, ""};
    }
    return base::done;
}

} // namespace

Status prepare_shop(const Cluster& cluster) {
    INTERLOCK_CHECK(run_sql(cluster, "postgres", "postgres", roles_sql));
    INTERLOCK_CHECK(run_sql(cluster, "shop_app", demo_database, data_sql));
    tools::InitOptions init;
    init.database = demo_database;
    return run_sql(cluster, "postgres", demo_database, tools::init_sql(init));
}

Workload::Workload(base::Child child, std::string progress_path)
    : child_(std::move(child)), throughput_(std::move(progress_path)) {}

Result<std::unique_ptr<Workload>>
Workload::start(const Cluster& cluster, const std::string& directory) {
    const std::string script = directory + "/workload.sql";
    const std::string progress = directory + "/workload.progress";
    INTERLOCK_CHECK(base::write_file_atomically(script, workload_script));
    const base::Command command{
        .arguments =
            {cluster.program("pgbench"),
             "--no-vacuum",
             "--client=" + std::to_string(demo_clients),
             "--jobs=1",
             "--time=3600",
             "--progress=1",
             "--file=" + script,
             cluster.conninfo("shop_app", demo_database)},
        .environment = {{"PGAPPNAME", "shop-checkout"}},
        .directory = "",
        .user = "",
        .stdout_path = "/dev/null",
        .stderr_path = progress,
    };
    INTERLOCK_TRY(auto child, base::Child::start(command));
    return std::unique_ptr<Workload>(new Workload(std::move(child), progress));
}

Blocker::Blocker(base::Child child, int backend_pid)
    : child_(std::move(child)), backend_pid_(backend_pid) {}

Result<std::unique_ptr<Blocker>> Blocker::start(const Cluster& cluster) {
    const base::Command command{
        .arguments =
            {cluster.program("psql"),
             "--no-psqlrc",
             "--quiet",
             "--dbname=" + cluster.conninfo("shop_app", demo_database)},
        .environment = {{"PGAPPNAME", "order-review"}},
        .directory = "",
        .user = "",
        .stdout_path = "",
        .stderr_path = "/dev/null",
    };
    INTERLOCK_TRY(auto child, base::Child::start(command));
    INTERLOCK_CHECK(child.write(blocker_sql));
    constexpr std::string_view word = "holding ";
    for (int lines = 0; lines < 10; ++lines) {
        const auto line = child.read_line(sql_deadline);
        if (!line) {
            break;
        }
        if (line->starts_with(word)) {
            int pid = 0;
            std::from_chars(line->data() + word.size(), line->data() + line->size(), pid);
            return std::unique_ptr<Blocker>(new Blocker(std::move(child), pid));
        }
    }
    return Error{Errc::io, "The demo's blocking session did not get its locks.", ""};
}

} // namespace interlock::cli

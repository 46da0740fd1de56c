#include "tests/lab/topology.hpp"

#include "base/file.hpp"

#include <atomic>
#include <pwd.h>
#include <stdexcept>
#include <unistd.h>

namespace interlock::lab {
namespace {

template <class T>
T take(base::Result<T> result) {
    if (!result) {
        throw std::runtime_error(base::to_text(result.error()));
    }
    return std::move(result).value();
}

/// A directory that the cluster's operating-system user can write.
std::string make_directory(const cli::Cluster& cluster) {
    auto directory = take(base::make_temporary_directory("interlock-lab"));
    if (!cluster.user().empty()) {
        const auto* account = ::getpwnam(cluster.user().c_str());
        if (account == nullptr ||
            ::chown(directory.c_str(), account->pw_uid, account->pw_gid) != 0) {
            throw std::runtime_error("cannot give " + directory + " to " + cluster.user());
        }
    }
    return directory;
}

int next_number() {
    static std::atomic<int> count{0};
    return ++count;
}

} // namespace

Replica::Replica(cli::Cluster& upstream)
    : upstream_(upstream), slot_("lab_replica_" + std::to_string(next_number())) {
    constexpr std::chrono::seconds backup_deadline{60};
    cli::ClusterOptions options;
    options.directory = make_directory(upstream);
    options.existing_data = true;
    options.settings = {{"hot_standby", "on"}};
    base::Command command;
    command.arguments = {
        upstream.program("pg_basebackup"),
        "--pgdata=" + options.directory + "/data",
        "--dbname=" + upstream.conninfo("postgres", "postgres"),
        "--write-recovery-conf",
        "--create-slot",
        "--slot=" + slot_,
        "--checkpoint=fast",
        "--wal-method=stream",
        "--no-sync"};
    command.directory = options.directory;
    command.user = upstream.user();
    const auto output = take(base::run(command, {}, backup_deadline));
    if (output.exit_code != 0) {
        throw std::runtime_error("pg_basebackup failed: " + output.err);
    }
    cluster_ = take(cli::Cluster::start(options));
}

Replica::~Replica() {
    cluster_.reset();
    try {
        wait_until([this] {
            return run_sql(
                       upstream_,
                       "postgres",
                       "select 1 from pg_replication_slots where slot_name = '" + slot_ +
                           "' and active"
            )
                .empty();
        });
        run_sql(upstream_, "postgres", "select pg_drop_replication_slot('" + slot_ + "')");
    } catch (const std::exception&) {
        // The upstream may be stopped already.
    }
}

bool Replica::catch_up() {
    const auto target =
        run_sql(upstream_, "postgres", "select pg_current_wal_lsn()::text as lsn").text(0, "lsn");
    return wait_until([&] {
        const auto replayed = run_sql(
            *cluster_,
            "postgres",
            "select coalesce(pg_last_wal_replay_lsn() >= '" + target + "'::pg_lsn, false) as done"
        );
        return replayed.boolean(0, "done").value_or(false);
    });
}

Subscriber::Subscriber(const Database& publisher, const std::string& table)
    : publisher_(publisher), cluster_(take(cli::Cluster::start({}))) {
    const auto definition = "create table " + table + " (id int primary key, note text)";
    publisher_.sql(definition + "; create publication lab_publication for table " + table);
    run_sql(*cluster_, "postgres", definition);
    run_sql(
        *cluster_,
        "postgres",
        "create subscription lab_subscription connection '" + publisher_.conninfo() +
            "' publication lab_publication"
    );
}

Subscriber::~Subscriber() {
    try {
        // Drops the publisher's slot too, without which its database could not be dropped.
        run_sql(*cluster_, "postgres", "drop subscription lab_subscription");
    } catch (const std::exception&) {
        // The test may have stopped either side.
    }
}

db::Table Subscriber::sql(const std::string& text) const {
    return run_sql(*cluster_, "postgres", text);
}

Workload::Workload(
    const Database& database, const std::string& script, int clients, const std::string& user
)
    : directory_(take(base::make_temporary_directory("interlock-load"))) {
    const auto path = directory_ + "/script.sql";
    const auto written = base::write_file_atomically(path, script);
    if (!written) {
        throw std::runtime_error(base::to_text(written.error()));
    }
    base::Command command;
    command.arguments = {
        programs_of(system_major) + "/pgbench",
        "--no-vacuum",
        "--client=" + std::to_string(clients),
        "--time=600",
        "--file=" + path,
        database.conninfo(user)};
    command.stdout_path = directory_ + "/out";
    command.stderr_path = directory_ + "/out";
    pgbench_.emplace(take(base::Child::start(command)));
}

Workload::~Workload() {
    pgbench_.reset();
    (void)base::remove_recursively(directory_);
}

} // namespace interlock::lab

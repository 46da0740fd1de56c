#include "tests/lab/topology.hpp"

#include "base/file.hpp"
#include "tests/lab/owner.hpp"
#include "tests/lab/session.hpp"
#include "tests/lab/take.hpp"

#include <array>
#include <atomic>
#include <filesystem>
#include <stdexcept>

namespace interlock::lab {
namespace {

namespace fs = std::filesystem;

/// A directory that the cluster's operating-system user can write.
std::string make_directory(const cli::Cluster& cluster) {
    auto directory = take(base::make_temporary_directory("interlock-lab"));
    give_to(cluster.user(), directory);
    return directory;
}

/// What a backup leaves out: the running server's, and WAL, which the standby streams.
bool left_out(const fs::path& path) {
    const std::string parent = path.parent_path().filename();
    return path.filename() == "postmaster.pid" || path.filename() == "postmaster.opts" ||
           parent == "pg_wal" || parent == "pg_replslot" || parent == "pg_stat_tmp";
}

/// Files may go while they are copied: replay takes care of that.
void copy_data(const cli::Cluster& upstream, const fs::path& to) {
    const fs::path from = upstream.data_directory();
    fs::create_directory(to);
    fs::permissions(to, fs::perms::owner_all);
    give_to(upstream.user(), to);
    for (auto entry = fs::recursive_directory_iterator{from}; entry != fs::end(entry); ++entry) {
        const auto target = to / fs::relative(entry->path(), from);
        std::error_code gone;
        if (left_out(entry->path())) {
            entry.disable_recursion_pending();
            continue;
        }
        if (entry->is_directory()) {
            fs::create_directory(target, entry->path(), gone); // with the same permissions
        } else {
            fs::copy_file(entry->path(), target, gone);
        }
        if (!gone) {
            give_to(upstream.user(), target);
        } else if (gone != std::errc::no_such_file_or_directory) {
            throw std::runtime_error(
                "cannot copy " + entry->path().string() + ": " + gone.message()
            );
        }
    }
}

/// A base backup that becomes a standby. By hand, because pg_basebackup takes none of a server that
/// is newer than itself, and the only one here is Debian's.
void back_up(const cli::Cluster& upstream, const std::string& to) {
    Session session{upstream.conninfo("postgres", "postgres")};
    const bool old = session.run("select current_setting('server_version_num')::int < 150000 as o")
                         .boolean(0, "o")
                         .value_or(false);
    session.run(
        old ? "select pg_start_backup('lab', true, false)" : "select pg_backup_start('lab', true)"
    );
    copy_data(upstream, to);
    const auto stopped = session.run(
        old ? "select labelfile from pg_stop_backup(false, false)"
            : "select labelfile from pg_backup_stop(false)"
    );
    for (const auto& [name, text] : std::array<std::pair<std::string, std::string>, 2>{
             {{"backup_label", stopped.text(0, "labelfile")}, {"standby.signal", ""}}}) {
        const auto path = to + "/" + name;
        take(base::write_file_atomically(path, text));
        give_to(upstream.user(), path);
    }
}

int next_number() {
    static std::atomic<int> count{0};
    return ++count;
}

} // namespace

Replica::Replica(cli::Cluster& upstream)
    : upstream_(upstream), slot_("lab_replica_" + std::to_string(next_number())) {
    cli::ClusterOptions options;
    options.programs = fs::path{upstream.program("postgres")}.parent_path();
    options.directory = make_directory(upstream);
    options.existing_data = true;
    options.settings = {
        {"hot_standby", "on"},
        {"primary_conninfo", upstream.conninfo("postgres", "postgres")},
        {"primary_slot_name", slot_}};
    // The slot keeps the WAL that the backup needs until the standby has streamed it.
    run_sql(
        upstream_, "postgres", "select pg_create_physical_replication_slot('" + slot_ + "', true)"
    );
    back_up(upstream_, options.directory + "/data");
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

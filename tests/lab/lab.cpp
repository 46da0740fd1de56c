#include "tests/lab/lab.hpp"

#include "base/clock.hpp"
#include "tests/lab/majors.hpp"
#include "tests/lab/session.hpp"
#include "tools/lane_check.hpp"

#include <atomic>
#include <map>
#include <memory>
#include <stdexcept>
#include <unistd.h>

namespace interlock::lab {
namespace {

std::unique_ptr<cli::Cluster> start_primary(int major, const std::string& programs) {
    cli::ClusterOptions options;
    options.programs = programs;
    options.settings = {
        {"wal_level", "logical"},
        {"max_prepared_transactions", "5"},
        {"log_lock_waits", "on"},
        {"deadlock_timeout", "200ms"},
        {"track_io_timing", "on"},
        {"autovacuum_naptime", "5s"}};
    if (has_library("pg_stat_statements", major)) {
        options.settings.emplace_back("shared_preload_libraries", "pg_stat_statements");
    }
    auto cluster = cli::Cluster::start(options);
    if (!cluster) {
        throw std::runtime_error(base::to_text(cluster.error()));
    }
    return std::move(*cluster);
}

} // namespace

std::string answer_in_time(const std::function<std::string()>& ask) {
    constexpr int tries = 4; // one less than makes a loop in the supervisor's eyes
    std::string answer = ask();
    for (int i = 1; i < tries && answer.find(" ms was used up") != std::string::npos; ++i) {
        answer = ask();
    }
    return answer;
}

bool wait_until(const std::function<bool()>& condition, std::chrono::milliseconds deadline) {
    constexpr std::chrono::milliseconds interval{10};
    base::SystemClock clock;
    const auto end = clock.ticks() + deadline;
    for (;;) {
        if (condition()) {
            return true;
        }
        if (clock.ticks() >= end) {
            return false;
        }
        clock.sleep_for(interval);
    }
}

bool has_library(const std::string& name, int major) {
    const auto programs = programs_of(major);
    // Debian keeps the libraries beside bin; others below lib/postgresql.
    for (const auto* place : {"/../lib/", "/../lib/postgresql/"}) {
        if (::access((programs + place + name + ".so").c_str(), R_OK) == 0) {
            return true;
        }
    }
    return false;
}

cli::Cluster& primary(int major) {
    const auto programs = programs_of(major); // made first, so that they outlive the server
    static std::map<int, std::unique_ptr<cli::Cluster>> clusters;
    auto& cluster = clusters[major];
    if (!cluster) {
        cluster = start_primary(major, programs);
    }
    return *cluster;
}

db::Table run_sql(
    const cli::Cluster& cluster,
    const std::string& database,
    const std::string& sql,
    const std::string& user
) {
    Session session{cluster.conninfo(user, database)};
    return session.run(sql);
}

Database::Database(cli::Cluster& cluster) : cluster_(cluster) {
    static std::atomic<int> count{0};
    name_ = "lab_" + std::to_string(++count);
    run_sql(cluster_, "postgres", "create database " + name_);
}

Database::~Database() {
    try {
        run_sql(cluster_, "postgres", "drop database if exists " + name_ + " with (force)");
    } catch (const std::exception&) {
        // The cluster goes with everything in it anyway; a prepared transaction may hold the
        // database.
    }
}

std::string Database::conninfo(const std::string& user) const {
    return cluster_.conninfo(user, name_);
}

db::TargetAddress Database::address(const std::string& user, const std::string& target) const {
    return {target, conninfo(user), {}};
}

db::Table Database::sql(const std::string& text, const std::string& user) const {
    return run_sql(cluster_, name_, text, user);
}

std::string Database::scalar(const std::string& text, const std::string& user) const {
    const auto table = sql(text, user);
    if (table.rows.empty() || table.rows[0].empty()) {
        return "";
    }
    return table.rows[0][0].value_or("");
}

void apply_lane(const Database& database) {
    tools::InitOptions options;
    options.database = database.name();
    options.connection_limit = 50; // one test may open more connections than one server would
    database.sql(tools::init_sql(options));
}

} // namespace interlock::lab

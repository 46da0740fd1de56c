// A small shop on a real server: an application role, tables to fight over, the narrow lane, and a
// bench of tools that looks at it.
#pragma once

#include "tests/lab/lab.hpp"
#include "tests/lab/session.hpp"
#include "tests/tools/bench.hpp"

#include <memory>
#include <string>
#include <vector>

namespace interlock::test {

class Shop {
public:
    explicit Shop(const std::string& reader = "interlock_diag") {
        lab::apply_lane(database_);
        database_.sql(
            "do $$ begin if not exists (select from pg_roles where rolname = 'shop_app') then "
            "create role shop_app login; end if; "
            "if not exists (select from pg_roles where rolname = 'plain_reader') then "
            "create role plain_reader login; end if; end $$;"
            "create schema app authorization shop_app; create extension pg_stat_statements;"
            "revoke create on schema public from public"
        );
        database_.sql(
            "create table app.orders (id int primary key, note text);"
            "insert into app.orders select i, 'n' from generate_series(1, 100) i",
            "shop_app"
        );
        bench_ = std::make_unique<ToolBench>(std::vector<db::TargetAddress>{
            database_.address(reader, "shop")});
    }

    lab::Database& database() { return database_; }
    ToolBench& bench() { return *bench_; }
    std::string app() const { return database_.conninfo("shop_app"); }

    /// How many sessions of this database wait for a lock.
    bool waiting(int sessions) {
        return lab::wait_until([&] {
            return database_.scalar(
                       "select count(*) from pg_locks l join pg_stat_activity a using (pid) "
                       "where not l.granted and a.datname = current_database()"
                   ) == std::to_string(sessions);
        });
    }

    /// Waits until the oldest lock wait of this database is older than `seconds`.
    bool waited(double seconds) {
        return lab::wait_until([&] {
            return database_.scalar(
                       "select coalesce(max(extract(epoch from clock_timestamp() - l.waitstart)) "
                       "> " +
                       std::to_string(seconds) +
                       ", false) from pg_locks l join pg_stat_activity a using (pid) "
                       "where not l.granted and a.datname = current_database()"
                   ) == "t";
        });
    }

private:
    lab::Database database_;
    std::unique_ptr<ToolBench> bench_;
};

} // namespace interlock::test

#include "tools/lane.hpp"

#include "base/text.hpp"

namespace interlock::tools {
namespace {

constexpr db::Sql freshness{"freshness", R"sql(
    select pg_catalog.pg_is_in_recovery() as in_recovery,
           case when not pg_catalog.pg_is_in_recovery() then null
                when pg_catalog.pg_last_wal_receive_lsn() = pg_catalog.pg_last_wal_replay_lsn()
                then 0
                else extract(epoch from
                         pg_catalog.clock_timestamp() - pg_catalog.pg_last_xact_replay_timestamp())
           end as replay_lag_seconds,
           current_user as database_role)sql"};

db::LaneSettings settings_for(const Call& call, const LaneRequest& request) {
    db::LaneSettings settings;
    settings.role = call.identity.database_role;
    settings.application_name =
        "interlock:" + std::string{request.tool} + ":" + call.identity.subject;
    settings.statement_timeout = request.statement_timeout;
    return settings;
}

/// Facts of the connection, and what the freshness query (the last result) says.
Source source_of(
    const LaneRequest& request,
    const db::ServerFacts& facts,
    const base::Result<db::Rows>& fresh,
    base::Clock& clock
) {
    Source source;
    source.target = request.target;
    source.server_version = short_version(facts.version);
    source.in_recovery = facts.in_recovery;
    source.database_role = facts.login_role;
    source.at = base::format_time(clock.now());
    if (fresh && !fresh->table.empty()) {
        source.in_recovery = fresh->table.boolean(0, "in_recovery").value_or(facts.in_recovery);
        source.replay_lag_seconds = fresh->table.real(0, "replay_lag_seconds");
        source.database_role = fresh->table.text(0, "database_role", facts.login_role);
    }
    return source;
}

base::Result<LaneRead> finish(
    base::Clock& clock,
    const LaneRequest& request,
    const db::ServerFacts& facts,
    db::ReadResults results
) {
    LaneRead out;
    out.facts = facts;
    out.source = source_of(request, facts, results.back(), clock);
    results.pop_back();
    out.results = std::move(results);
    return out;
}

/// A connection may have died while it lay idle (a restarted server): such a read is safe to do
/// again, once, on a new one.
base::Result<LaneRead> read_replacing_dead(
    Context& context,
    const Call& call,
    const LaneRequest& request,
    const std::vector<db::Query>& queries
) {
    for (bool again = false;; again = true) {
        INTERLOCK_TRY(
            const auto loan, context.targets.borrow(request.target, request.lane, call.stop)
        );
        db::ReaderConnection& connection = loan->connection();
        auto results = connection.read(settings_for(call, request), queries, call.stop);
        if (results) {
            return finish(context.clock, request, connection.facts(), std::move(results).value());
        }
        if (again || !connection.broken() ||
            results.error().code != base::Errc::target_unreachable) {
            return std::move(results).error();
        }
    }
}

} // namespace

std::string short_version(const std::string& version) {
    return version.substr(0, version.find(' '));
}

base::Result<LaneRead> read_lane(
    Context& context, const Call& call, const LaneRequest& request, std::vector<db::Query> queries
) {
    auto span = context.tracer.start(
        std::string{queries.empty() ? freshness.name : queries.front().sql.name},
        telemetry::SpanKind::client,
        call.span.context()
    );
    span.set("db.system.name", std::string{"postgresql"});
    span.set("interlock.target", request.target);
    queries.push_back({.sql = freshness, .parameters = {}, .rows_max = 1});
    span.set("db.operation.batch.size", static_cast<std::int64_t>(queries.size()));
    auto result = read_replacing_dead(context, call, request, queries);
    if (!result) {
        span.fail(base::name(result.error().code), result.error().what);
    }
    return result;
}

NotExamined failed_check(std::string what, const base::Error& error, std::string would_tell) {
    return {
        .what = std::move(what),
        .why = std::string{base::name(error.code)} + ": " + error.what,
        .would_tell = std::move(would_tell)};
}

} // namespace interlock::tools

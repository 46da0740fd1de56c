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
           end as replay_lag_seconds)sql"};

db::LaneSettings settings_for(const Call& call, const LaneRequest& request) {
    db::LaneSettings settings;
    settings.role = call.identity.database_role;
    settings.application_name =
        "interlock:" + std::string{request.tool} + ":" + call.identity.subject;
    settings.statement_timeout = request.statement_timeout;
    return settings;
}

/// Facts of the connection, and what the freshness query says, where there is one.
Source source_of(
    const LaneRequest& request,
    const std::string& role,
    const db::ServerFacts& facts,
    const base::Result<db::Rows>* fresh,
    base::Clock& clock
) {
    Source source;
    source.target = request.target;
    source.server_version = short_version(facts.version);
    source.in_recovery = facts.in_recovery;
    source.database_role = role.empty() ? facts.login_role : role;
    source.at = base::format_time(clock.now());
    if (fresh != nullptr && *fresh && !(*fresh)->table.empty()) {
        source.in_recovery = (*fresh)->table.boolean(0, "in_recovery").value_or(facts.in_recovery);
        source.replay_lag_seconds = (*fresh)->table.real(0, "replay_lag_seconds");
    }
    return source;
}

/// One read on one connection. A standby is asked how fresh it is; a primary is, and no session of
/// a primary can find itself on a standby, so that it need not be asked.
base::Result<LaneRead> read_on(
    db::ReaderConnection& connection,
    const Context& context,
    const Call& call,
    const LaneRequest& request,
    std::vector<db::Query>& queries
) {
    const db::LaneSettings settings = settings_for(call, request);
    const bool standby = connection.facts().in_recovery;
    if (standby) {
        queries.push_back({.sql = freshness, .parameters = {}, .rows_max = 1});
    }
    auto results = connection.read(settings, queries, call.stop);
    if (standby) {
        queries.pop_back();
    }
    if (!results) {
        return std::move(results).error();
    }
    LaneRead out;
    out.facts = connection.facts();
    out.results = std::move(results).value();
    out.source = source_of(
        request, settings.role, out.facts, standby ? &out.results.back() : nullptr, context.clock
    );
    if (standby) {
        out.results.pop_back();
    }
    return out;
}

/// A connection may have died while it lay idle (a restarted server): such a read is safe to do
/// again, once, on a new one.
base::Result<LaneRead> read_replacing_dead(
    Context& context, const Call& call, const LaneRequest& request, std::vector<db::Query>& queries
) {
    for (bool again = false;; again = true) {
        INTERLOCK_TRY(
            const auto loan, context.targets.borrow(request.target, request.lane, call.stop)
        );
        db::ReaderConnection& connection = loan->connection();
        auto read = read_on(connection, context, call, request, queries);
        if (read || again || !connection.broken() ||
            read.error().code != base::Errc::target_unreachable) {
            return read;
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

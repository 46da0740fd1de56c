#include "tools/lane.hpp"

#include "base/text.hpp"
#include "telemetry/redaction.hpp"
#include "tools/render.hpp"

#include <algorithm>
#include <chrono>
#include <string_view>
#include <utility>

namespace interlock::tools {
namespace {

// All that was received is replayed: nothing is behind, as long as somebody receives. Without a
// receiver the age of the last change replayed is the bound that there is.
constexpr db::Sql freshness{"freshness", R"sql(
    select pg_catalog.pg_is_in_recovery() as in_recovery,
           case when not pg_catalog.pg_is_in_recovery() then null
                when pg_catalog.pg_last_wal_receive_lsn() = pg_catalog.pg_last_wal_replay_lsn()
                     and exists (select from pg_catalog.pg_stat_wal_receiver)
                then 0
                else extract(epoch from
                         pg_catalog.clock_timestamp() - pg_catalog.pg_last_xact_replay_timestamp())
           end as replay_lag_seconds)sql"};

db::LaneSettings settings_for(const Call& call, const LaneRequest& request) {
    db::LaneSettings settings;
    settings.role = call.identity.database_role;
    settings.application_name = lane_name(request.tool, call.identity.subject, call.id);
    settings.statement_timeout = request.statement_timeout;
    settings.timed = call.span.recording();
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

/// What the pool knows of the server that answered.
void tell_standing(Source& source, const Standing& standing) {
    source.server = standing.server;
    source.pooler = standing.pooler == db::Pooler::none      ? ""
                    : !standing.pooler_known                 ? pooler_mode_unknown
                    : standing.pooler == db::Pooler::session ? "session"
                                                             : "transaction";
    if (standing.no_primary) {
        source.gaps.push_back(
            {"the primary of target " + source.target,
             *standing.no_primary,
             "what only a primary has: its sessions and locks, replication slots and senders, "
             "prepared transactions, vacuum and changes to tables"}
        );
    }
    if (standing.changed) {
        source.findings.push_back(
            {.severity = Severity::notice,
             .object = "target " + source.target,
             .value = source.in_recovery ? "standby" : "primary",
             .threshold = "",
             .meaning =
                 *standing.changed + " Rates and totals from before may be another server's."}
        );
    }
}

/// A standby further behind than its target allows is a finding of whatever was asked.
void tell_freshness(Source& source, const db::TargetAddress* address) {
    if (!source.in_recovery || address == nullptr || !address->freshness_max) {
        return;
    }
    const double allowed = std::chrono::duration<double>(*address->freshness_max).count();
    if (!source.replay_lag_seconds) {
        source.gaps.push_back(
            {"freshness of target " + source.target,
             "the standby has replayed no change yet that carries a time",
             "whether it is within the freshness_max of " + seconds_text(allowed)}
        );
    } else if (*source.replay_lag_seconds > allowed) {
        source.findings.push_back(
            {.severity = Severity::warning,
             .object = "target " + source.target,
             .value = seconds_text(*source.replay_lag_seconds) + " behind its primary",
             .threshold = "freshness_max " + seconds_text(allowed),
             .meaning = "This standby shows the past: data, plans and statistics of its primary "
                        "may be others by now. get_replication says where it is held up."}
        );
    }
}

void tell_failure(telemetry::Span& span, const base::Error& error) {
    span.fail(base::name(error.code), telemetry::safe_text(error.what));
}

/// Spans of the statements of one read. They are sent together, and what each did is known when all
/// are done: their spans are made then.
class StatementSpans {
public:
    StatementSpans(
        const Context& context,
        const Call& call,
        const LaneRequest& request,
        const std::string& role,
        const db::ReaderConnection& connection
    )
        : context_(context), call_(call), request_(request), role_(role), connection_(connection) {}

    void tell(const std::vector<db::Query>& queries, const db::ReadResults& results) const;
    void
    tell(const std::vector<db::Query>& queries, const base::Error& error, base::Ticks began) const;

private:
    telemetry::Span span(std::string_view name, const db::Timing& timing) const;

    const Context& context_;
    const Call& call_;
    const LaneRequest& request_;
    const std::string& role_;
    const db::ReaderConnection& connection_;
};

telemetry::Span StatementSpans::span(std::string_view name, const db::Timing& timing) const {
    auto span = context_.tracer.past(
        name, telemetry::SpanKind::client, call_.span.context(), timing.began, timing.ended
    );
    span.set("db.system.name", "postgresql");
    span.set("db.namespace", connection_.facts().database);
    span.set("interlock.target", request_.target);
    span.set("interlock.db.role", role_.empty() ? connection_.facts().login_role : role_);
    span.set("interlock.db.backend_pid", static_cast<std::int64_t>(connection_.backend_pid()));
    return span;
}

void StatementSpans::tell(const std::vector<db::Query>& queries, const db::ReadResults& results)
    const {
    const auto& timings = connection_.timings();
    const base::Ticks now = context_.clock.ticks();
    for (std::size_t i = 0; i < results.size(); ++i) {
        // What was not reached took no time.
        auto one =
            span(queries[i].sql.name, i < timings.size() ? timings[i] : db::Timing{now, now});
        if (!results[i]) {
            tell_failure(one, results[i].error());
            continue;
        }
        const auto rows = results[i]->table.rows.size();
        one.set("db.response.returned_rows", static_cast<std::int64_t>(rows));
        one.set("interlock.db.bytes", static_cast<std::int64_t>(results[i]->bytes));
    }
}

/// Of a read without results, the statement that it ended in has the reason.
void StatementSpans::tell(
    const std::vector<db::Query>& queries, const base::Error& error, base::Ticks began
) const {
    const auto& timings = connection_.timings();
    if (timings.empty()) {
        auto one = span("enter_lane", {began, context_.clock.ticks()});
        tell_failure(one, error);
        return;
    }
    for (std::size_t i = 0; i < timings.size(); ++i) {
        auto one = span(queries[i].sql.name, timings[i]);
        if (i + 1 == timings.size()) {
            tell_failure(one, error);
        }
    }
}

/// One read on one connection. A standby is asked how fresh it is; a primary is, and no session of
/// a primary can find itself on a standby, so that it need not be asked.
base::Result<LaneRead> read_on(
    BorrowedConnection& loan,
    const Context& context,
    const Call& call,
    const LaneRequest& request,
    const QueriesFor& queries_for
) {
    const db::LaneSettings settings = settings_for(call, request);
    db::ReaderConnection& connection = loan.connection();
    auto queries = queries_for(connection.facts());
    if (call.cost != nullptr) {
        call.cost->read_as(settings.role.empty() ? connection.facts().login_role : settings.role);
    }
    const bool standby = connection.facts().in_recovery;
    if (standby) {
        queries.push_back({.sql = freshness, .parameters = {}, .rows_max = 1});
    }
    const auto began = context.clock.ticks();
    auto results = connection.read(settings, queries, loan.stop());
    call.spend(began, context.clock.ticks());
    if (auto off = loan.switched_off()) {
        results = std::move(*off);
    }
    if (call.span.recording()) {
        const StatementSpans spans{context, call, request, settings.role, connection};
        if (results) {
            spans.tell(queries, *results);
        } else {
            spans.tell(queries, results.error(), began);
        }
    }
    if (!results) {
        return std::move(results).error();
    }
    const Standing standing = loan.standing();
    if (!standing.suits) {
        return base::Error{
            base::Errc::target_unreachable,
            "Server " + connection.facts().server + " of target " + request.target + " is a " +
                (connection.facts().in_recovery ? "standby" : "primary") +
                " by now, which the target's rule does not take.",
            "Ask again; another of its servers is looked for."};
    }
    LaneRead out;
    out.facts = connection.facts();
    out.results = std::move(results).value();
    out.source = source_of(
        request, settings.role, out.facts, standby ? &out.results.back() : nullptr, context.clock
    );
    tell_standing(out.source, standing);
    tell_freshness(out.source, context.targets.address(request.target));
    if (standby) {
        out.results.pop_back();
    }
    return out;
}

/// The wait for a connection, and a connect where none lay idle, is a span of its own.
base::Result<std::unique_ptr<BorrowedConnection>>
borrow(Context& context, const Call& call, const LaneRequest& request) {
    const auto began = context.clock.ticks();
    auto loan = context.targets.borrow(request.target, request.lane, call.stop, request.looks);
    if (call.span.recording()) {
        auto span = context.tracer.past(
            "borrow_connection",
            telemetry::SpanKind::internal,
            call.span.context(),
            began,
            context.clock.ticks()
        );
        span.set("interlock.target", request.target);
        if (!loan) {
            tell_failure(span, loan.error());
        }
    }
    return loan;
}

} // namespace

std::string
lane_name(std::string_view tool, const std::string& subject, const std::string& call_id) {
    constexpr std::size_t bytes_max = 63; // what PostgreSQL keeps
    constexpr std::size_t id_chars = 10;  // of a call id's random end: one in 10^14
    std::string name = "interlock:" + std::string{tool} + ":" + subject;
    if (call_id.empty()) {
        return name;
    }
    const std::string end =
        ":" + call_id.substr(call_id.size() - std::min(id_chars, call_id.size()));
    return std::string{base::cut_bytes(name, bytes_max - end.size())} + end;
}

std::string short_version(const std::string& version) {
    return version.substr(0, version.find(' '));
}

base::Result<LaneRead> read_lane(
    Context& context, const Call& call, const LaneRequest& request, const QueriesFor& queries_for
) {
    // A connection may have died while it lay idle (a restarted server), or its server may have
    // another role by now: a read is safe to do again, once, on a new one.
    for (bool again = false;; again = true) {
        INTERLOCK_TRY(const auto loan, borrow(context, call, request));
        auto read = read_on(*loan, context, call, request, queries_for);
        const bool of_no_use = loan->connection().broken() || !loan->standing().suits;
        if (read || again || !of_no_use || read.error().code != base::Errc::target_unreachable) {
            return read;
        }
    }
}

base::Result<LaneRead> read_lane(
    Context& context, const Call& call, const LaneRequest& request, std::vector<db::Query> queries
) {
    return read_lane(context, call, request, [&](const db::ServerFacts&) { return queries; });
}

NotExamined failed_check(std::string what, const base::Error& error, std::string would_tell) {
    return {
        .what = std::move(what),
        .why = std::string{base::name(error.code)} + ": " + error.what,
        .would_tell = std::move(would_tell)};
}

} // namespace interlock::tools

#include "tools/postgres/bloat.hpp"

#include "base/text.hpp"
#include "tools/render.hpp"

#include <algorithm>
#include <map>
#include <vector>

namespace interlock::tools {
namespace {

// Free space worth a rewrite: both.
constexpr Threshold wasted_percent{30, 50};
constexpr Threshold wasted_bytes{100e6, 10e9};
// What is measured is read: 64 MB take well under a second.
constexpr long long measured_bytes_max = 64LL << 20;
constexpr std::size_t measured_max = 3;

// Of the extension's own function, wherever it was installed.
constexpr db::Sql measuring_sql{"bloat_measuring", R"sql(
    select distinct pg_catalog.quote_ident(n.nspname) as schema
    from pg_catalog.pg_extension e
    join pg_catalog.pg_depend d
        on d.refclassid = 'pg_catalog.pg_extension'::pg_catalog.regclass and d.refobjid = e.oid
           and d.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass and d.deptype = 'e'
    join pg_catalog.pg_proc p on p.oid = d.objid and p.proname = $1
    join pg_catalog.pg_namespace n on n.oid = p.pronamespace
    where e.extname = 'pgstattuple' and pg_catalog.has_function_privilege(p.oid, 'EXECUTE')
          and pg_catalog.has_schema_privilege(n.oid, 'USAGE'))sql"};

std::string whole(double value) {
    return std::to_string(static_cast<long long>(value));
}

void put(db::Table& bloat, std::size_t row, const db::Table& measured) {
    const double bytes = measured.real(0, "bytes").value_or(0);
    const double wasted = measured.real(0, "wasted").value_or(0);
    auto& cells = bloat.rows[row];
    cells[bloat.column("bytes")] = measured.text(0, "bytes");
    cells[bloat.column("wasted_bytes")] = measured.text(0, "wasted");
    cells[bloat.column("wasted_percent")] = whole(bytes > 0 ? 100 * wasted / bytes : 0);
    cells[bloat.column("exact")] = "t";
}

std::string reason(std::string_view why) {
    if (why == "locked") {
        return "somebody holds or wants ACCESS EXCLUSIVE on them: looking at their size would wait";
    }
    if (why == "never analyzed") {
        return "they have no statistics: neither vacuumed nor analyzed so far";
    }
    if (why == "old") {
        return "their statistics are older than their files, which are another size by a fifth or "
               "more since";
    }
    return "this role may not see in pg_stats how wide their columns are, or they hold expressions";
}

std::string remedy(std::string_view why) {
    return why == "locked"                           ? ": ask again"
           : why == "never analyzed" || why == "old" ? ": ANALYZE them, or install pgstattuple and "
                                                       "ask for view bloat"
                                                     : ": install pgstattuple and ask for view "
                                                       "bloat, or grant SELECT";
}

} // namespace

base::Status measure_bloat(
    Context& context,
    const Call& call,
    const LaneRequest& request,
    const BloatMeasure& measure,
    const Section& section,
    db::Table& bloat,
    Evidence& evidence
) {
    INTERLOCK_TRY(
        const LaneRead found,
        read_lane(
            context,
            call,
            request,
            {{.sql = measuring_sql, .parameters = {std::string{measure.function}}, .rows_max = 1}}
        )
    );
    INTERLOCK_TRY(const db::Rows place, found.results[0]);
    if (place.table.empty()) {
        return base::done;
    }
    const std::string text = "select (" + std::string{measure.wasted} + ")::bigint as wasted, (" +
                             std::string{measure.bytes} + ")::bigint as bytes from " +
                             place.table.text(0, "schema") + "." + std::string{measure.function} +
                             "($1::oid::pg_catalog.regclass) s";
    std::vector<db::Query> queries;
    std::vector<std::size_t> rows;
    for (std::size_t row = 0; row < bloat.rows.size() && rows.size() < measured_max; ++row) {
        if (bloat.integer(row, "bytes").value_or(0) <= measured_bytes_max) {
            rows.push_back(row);
            queries.push_back(
                {.sql = {"bloat_measured", text},
                 .parameters = {bloat.text(row, "oid")},
                 .rows_max = 1}
            );
        }
    }
    if (queries.empty()) {
        return base::done;
    }
    INTERLOCK_TRY(const LaneRead read, read_lane(context, call, request, std::move(queries)));
    for (std::size_t i = 0; i < rows.size(); ++i) {
        if (!read.results[i]) {
            evidence.not_examined.push_back(failed_check(
                "measured bloat of the object with oid " + bloat.text(rows[i], "oid"),
                read.results[i].error(),
                "its exact free space"
            ));
        } else if (!read.results[i]->table.empty()) {
            put(bloat, rows[i], read.results[i]->table);
        }
    }
    for (EvidenceRows& shown : evidence.rows) {
        if (shown.name == section.name) {
            shown.cells = decode_rows(bloat, section.columns());
        }
    }
    return base::done;
}

void judge_bloat(
    const db::Table& bloat,
    std::string_view kind,
    std::string_view named,
    const std::string& meaning,
    Evidence& evidence
) {
    std::map<std::string, long long> unknown;
    for (std::size_t row = 0; row < bloat.rows.size(); ++row) {
        const auto bytes = bloat.real(row, "wasted_bytes");
        const auto percent = bloat.real(row, "wasted_percent");
        if (!bytes || !percent) {
            ++unknown[bloat.text(row, "unknown")];
            continue;
        }
        const auto by_bytes = judge(*bytes, wasted_bytes);
        const auto by_percent = judge(*percent, wasted_percent);
        if (by_bytes && by_percent) {
            const bool exact = bloat.boolean(row, "exact").value_or(false);
            evidence.findings.push_back(
                {.severity = std::max(*by_bytes, *by_percent), // the milder of the two
                 .object = std::string{kind} + " " + base::sanitize(bloat.text(row, named)),
                 .value = bloat.text(row, "wasted_percent") + " % of " + bloat.text(row, "bytes") +
                          " bytes is free space" + (exact ? "" : ", by estimate"),
                 .threshold = whole(wasted_percent.warning) + " % and " +
                              whole(wasted_bytes.warning) + " bytes",
                 .meaning = meaning}
            );
        }
    }
    for (const auto& [why, count] : unknown) {
        evidence.not_examined.push_back(
            {"bloat of " + counted(count, kind, kind == "index" ? "indexes" : "tables"),
             reason(why),
             "how much of them is free space" + remedy(why)}
        );
    }
}

} // namespace interlock::tools

// run_query: SQL that a caller wrote, through the guard, past what the catalog tells about its
// names, planned before it is run, and cut by the target itself.
#include "base/db/sql_guard.hpp"
#include "base/db/sql_guard_settings.hpp"
#include "base/db/sql_origin.hpp"
#include "base/db/sql_shield.hpp"
#include "base/json.hpp"
#include "base/limits.hpp"
#include "base/text.hpp"
#include "telemetry/redaction.hpp"
#include "tools/catalog.hpp"
#include "tools/lane.hpp"
#include "tools/postgres/guarded_sql.hpp"
#include "tools/render.hpp"
#include "tools/run.hpp"
#include "tools/schema.hpp"
#include "tools/targets.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <optional>
#include <set>
#include <utility>

#include <nlohmann/json.hpp>

namespace interlock::tools {
namespace {

using base::Errc;
using base::Error;
using base::Json;
using db::GuardedStatement;
using db::StatementKind;
namespace limits = base::limits;

constexpr std::string_view tool_name = "run_query";

const std::vector<Column>& plan_columns() {
    static const std::vector<Column> declared{
        {.name = "rows", .type = ColumnType::real, .about = "The planner's guess"},
        {.name = "cost", .type = ColumnType::real, .about = "In units of a page read in sequence"},
        {.name = "node", .about = "Root of the plan"},
    };
    return declared;
}

std::string output_schema() {
    static const std::string schema =
        packet_schema({{"result", nullptr}, {"plan", &plan_columns()}});
    return schema;
}

/// What the planner says before anything runs.
struct Plan {
    double rows = 0;
    double cost = 0;
    std::string node;
    bool foreign = false;
};

base::Result<Plan> read_plan(const db::Rows& answer) {
    const Error unreadable{Errc::not_supported, "The target's plan could not be read.", ""};
    if (answer.cut || answer.table.rows.empty() || answer.table.rows[0].empty()) {
        return unreadable;
    }
    const auto text = answer.table.rows[0][0].value_or("");
    const auto document = base::parse_json(text, limits::reader_cell_bytes_max, 256);
    if (!document || !document->is_array() || document->empty()) {
        return unreadable;
    }
    const auto* root = base::member((*document)[0], "Plan");
    const auto* rows = root ? base::member(*root, "Plan Rows") : nullptr;
    const auto* cost = root ? base::member(*root, "Total Cost") : nullptr;
    if (rows == nullptr || cost == nullptr || !rows->is_number() || !cost->is_number()) {
        return unreadable;
    }
    return Plan{
        .rows = rows->get<double>(),
        .cost = cost->get<double>(),
        .node = base::string_member(*root, "Node Type").value_or(""),
        .foreign = text.find("\"Foreign Scan\"") != std::string::npos};
}

std::string whole(double value) {
    return std::to_string(static_cast<long long>(std::llround(std::min(value, 1e18))));
}

base::Status judge_plan(const Plan& plan) {
    if (plan.foreign) {
        return db::refusal(
            {.allowed = false,
             .family = "fn_remote",
             .reason = "The plan reads a foreign table.",
             .remedy = "Ask the server that holds it."}
        );
    }
    if (plan.rows > limits::sql_plan_rows_max || plan.cost > limits::sql_plan_cost_max) {
        return Error{
            Errc::budget_exhausted,
            "The planner expects " + whole(plan.rows) + " rows at a cost of " + whole(plan.cost) +
                " (" + base::sanitize(plan.node) + "); the limits are " +
                whole(limits::sql_plan_rows_max) + " and " + whole(limits::sql_plan_cost_max) +
                ". Nothing was run.",
            "Narrow it with a condition that an index serves; EXPLAIN (FORMAT JSON) of it shows "
            "the "
            "plan, and explain_query reads it."};
    }
    return base::done;
}

/// One statement on its way through the target.
class Run {
public:
    Run(Context& context, const Call& call, std::string target)
        : context_(context), call_(call), target_(std::move(target)) {}

    /// The evidence points at what this object holds.
    base::Result<Evidence> answer(const GuardedStatement& asked);

private:
    base::Result<LaneRead> read(std::vector<db::Query> queries) {
        return read_lane(
            context_,
            call_,
            {.target = target_, .tool = tool_name, .looks = db::Looks::at_data},
            std::move(queries)
        );
    }
    base::Result<GuardedStatement> find_names(const GuardedStatement& asked);
    base::Status plan(const GuardedStatement& asked, const GuardedStatement& statement);
    base::Result<db::Rows> fetch(const GuardedStatement& asked, const GuardedStatement& statement);
    GuardedStatement cut(const GuardedStatement& statement, std::size_t rows);
    base::Status same(const base::Result<db::Rows>& names) const;

    Context& context_;
    const Call& call_;
    std::string target_;
    db::Rows names_;                   // what the target said about the names at first
    std::optional<Plan> plan_;         // of a SELECT
    std::vector<std::string> columns_; // of a SELECT
    bool cut_by_target_ = false;
    std::vector<std::string> shown_; // columns of the result, each name once
    std::vector<Column> declared_;   // the same; evidence points here
    Source source_;
};

base::Result<GuardedStatement> Run::find_names(const GuardedStatement& asked) {
    INTERLOCK_TRY(auto found, read({names_query(asked)}));
    INTERLOCK_TRY(names_, std::move(found.results.at(0)));
    return judge_names(asked, names_);
}

/// What was judged is what is there now: an object that was exchanged meanwhile is caught by
/// asking again in the transaction that runs the statement, before it and after it. What could
/// have run in between still ran read-only, for this role and within its time-outs.
base::Status Run::same(const base::Result<db::Rows>& names) const {
    if (!names) {
        return names.error();
    }
    if (!same_names(names_, *names)) {
        return Error{
            Errc::changed,
            "An object that the statement names was exchanged while it was looked at.",
            "Ask again."};
    }
    return base::done;
}

base::Status Run::plan(const GuardedStatement& asked, const GuardedStatement& statement) {
    INTERLOCK_TRY(const auto explain, db::explained(statement));
    INTERLOCK_TRY(const auto head, db::without_rows(statement));
    INTERLOCK_TRY(
        auto answer,
        read(
            {names_query(asked),
             {.sql = {"run_query_plan", explain.text()}, .parameters = {}, .rows_max = 1},
             {.sql = {"run_query_columns", head.text()}, .parameters = {}, .rows_max = 1}}
        )
    );
    INTERLOCK_CHECK(same(answer.results.at(0)));
    if (!answer.results.at(1)) {
        return as_callers_mistake(answer.results.at(1).error());
    }
    INTERLOCK_TRY(const auto planned, std::move(answer.results.at(1)));
    INTERLOCK_TRY(const auto named, std::move(answer.results.at(2)));
    INTERLOCK_TRY(plan_, read_plan(planned));
    columns_ = named.table.columns;
    return judge_plan(*plan_);
}

/// The statement as it is sent: cells cut where they are, so that one of 200 MB does not travel.
/// One with very many columns runs as it is; the lane cuts what comes.
GuardedStatement Run::cut(const GuardedStatement& statement, std::size_t rows) {
    if (statement.kind() == StatementKind::select && !columns_.empty() &&
        columns_.size() <= limits::sql_columns_max) {
        auto made =
            db::cut_by_server(statement, columns_.size(), limits::sql_cell_chars_max, rows + 1);
        if (made) {
            cut_by_target_ = true;
            return std::move(made).value();
        }
    }
    return statement;
}

base::Result<db::Rows>
Run::fetch(const GuardedStatement& asked, const GuardedStatement& statement) {
    const auto rows = static_cast<std::size_t>(call_.arguments.integer("limit"));
    INTERLOCK_TRY(const auto shielded, db::shielded(statement));
    const auto sent = cut(shielded, rows);
    INTERLOCK_TRY(
        auto answer,
        read(
            {names_query(asked),
             {.sql = {"run_query", sent.text()}, .parameters = {}, .rows_max = rows},
             names_query(asked)}
        )
    );
    INTERLOCK_CHECK(same(answer.results.at(0)));
    INTERLOCK_CHECK(same(answer.results.at(2)));
    source_ = std::move(answer.source);
    if (!answer.results.at(1)) {
        return as_callers_mistake(answer.results.at(1).error());
    }
    INTERLOCK_TRY(auto result, std::move(answer.results.at(1)));
    if (cut_by_target_) {
        result.table.columns = columns_;
    }
    return result;
}

/// Names as they can stand in one object: told apart, never empty. Users name columns too.
std::vector<std::string> distinct(const std::vector<std::string>& columns) {
    std::vector<std::string> names;
    std::set<std::string> seen;
    for (const auto& column : columns) {
        const auto plain = telemetry::safe_text(column);
        auto name = plain;
        for (int i = 2; name.empty() || !seen.insert(name).second; ++i) {
            name = plain + "_" + std::to_string(i);
        }
        names.push_back(std::move(name));
    }
    return names;
}

constexpr std::string_view not_shown = "(not shown)";

/// Of each column of the answer. SHOW is of settings by nature; EXPLAIN tells of the caller's own.
base::Result<std::vector<db::Origin>>
origins_of(const GuardedStatement& statement, const std::vector<std::string>& columns) {
    if (statement.kind() == StatementKind::select) {
        return db::column_origins(statement.text(), columns);
    }
    std::vector<db::Origin> out(columns.size(), db::Origin::ordinary);
    for (std::size_t i = 0; i < columns.size() && statement.kind() == StatementKind::show; ++i) {
        const bool named = columns.size() > 1 && columns[i] != "setting";
        out[i] = named ? db::Origin::ordinary : db::Origin::setting;
    }
    return out;
}

bool is_number_or_truth(const std::string& cell) {
    constexpr std::size_t digits_max = 20;
    return cell.size() <= digits_max &&
           (cell == "t" || cell == "f" ||
            cell.find_first_not_of("0123456789.-") == std::string::npos);
}

/// How an answer tells which settings its values are of.
enum class SettingNames {
    none,    // or somebody else's: whoever asks can call anything `name`
    in_rows, // in the column `name`
    show,    // as SHOW does it: the column's own, or in the column `name`
};

/// Whether a setting's value may be seen.
bool may_show_setting(
    const db::Table& table, std::size_t row, std::size_t column, SettingNames names
) {
    const auto named = names == SettingNames::none
                           ? table.columns.end()
                           : std::find(table.columns.begin(), table.columns.end(), "name");
    const std::string& cell = *table.rows[row][column];
    if (names == SettingNames::show && table.columns.size() == 1) {
        return !db::is_secret_setting(table.columns[0]);
    }
    if (named == table.columns.end()) {
        return db::is_plain_setting_value(cell);
    }
    const auto& name = table.rows[row][static_cast<std::size_t>(named - table.columns.begin())];
    return name && !db::is_secret_setting(*name) && !cell.empty();
}

/// Takes out what the rules for secrets cannot see through. Literals of statements are masked
/// later, by the lexer.
void hide_cells(
    const std::vector<db::Origin>& origins, SettingNames names, db::Table& table, Evidence& evidence
) {
    std::set<std::string> hidden;
    for (std::size_t row = 0; row < table.rows.size(); ++row) {
        for (std::size_t i = 0; i < origins.size(); ++i) {
            db::Cell& cell = table.rows[row][i];
            if (!cell || cell->empty() ||
                (origins[i] != db::Origin::computed && origins[i] != db::Origin::setting)) {
                continue;
            }
            const bool shown = origins[i] == db::Origin::computed
                                   ? is_number_or_truth(*cell)
                                   : may_show_setting(table, row, i, names);
            if (!shown) {
                hidden.insert(table.columns[i]);
                cell = not_shown;
            }
        }
    }
    for (const std::string& column : hidden) {
        evidence.not_examined.push_back(
            {.what = "column " + column + ", where it says " + std::string{not_shown},
             .why = "it comes from texts of statements or values of settings, and a secret in it "
                    "could not be told",
             .would_tell = "the values: select the column itself, left(query, n) of it, or name "
                           "beside setting"}
        );
    }
}

std::vector<Column>
declare(const std::vector<std::string>& names, const std::vector<db::Origin>& origins) {
    std::vector<Column> columns;
    columns.reserve(names.size());
    for (std::size_t i = 0; i < names.size(); ++i) {
        columns.push_back(
            {.name = names[i], .untrusted = true, .sql_text = origins[i] == db::Origin::statement}
        );
    }
    return columns;
}

void tell_cuts(const db::Rows& rows, bool cut_by_target, Evidence& evidence) {
    const auto& cells = rows.table.rows;
    if (rows.cut) {
        evidence.not_examined.push_back(
            {.what = "rows beyond the first " + std::to_string(cells.size()) +
                     ", or the ends of long cells",
             .why = "limit: more than this call returns",
             .would_tell = "the rest of the result"}
        );
    }
    const bool long_cells =
        cut_by_target && std::any_of(cells.begin(), cells.end(), [](const auto& row) {
            return std::any_of(row.begin(), row.end(), [](const db::Cell& cell) {
                return cell && base::count_characters(*cell) >= limits::sql_cell_chars_max;
            });
        });
    if (long_cells) {
        evidence.not_examined.push_back(
            {.what = "cells beyond their first " + std::to_string(limits::sql_cell_chars_max) +
                     " characters",
             .why = "cut on the target",
             .would_tell = "the rest of these cells"}
        );
    }
}

/// What the lane sets for its own sessions; the login role may have more of its own.
constexpr std::array<std::string_view, 13> settings_of_lane{
    "application_name",
    "statement_timeout",
    "lock_timeout",
    "idle_in_transaction_session_timeout",
    "search_path",
    "work_mem",
    "jit",
    "max_parallel_workers_per_gather",
    "timezone",
    "datestyle",
    "transaction_read_only",
    "default_transaction_read_only",
    "temp_file_limit"};

/// Settings are those of the session that reads them, and it is not the application's.
void tell_own_settings(
    const std::vector<db::Origin>& origins,
    bool is_show,
    const std::vector<std::string>& columns,
    Evidence& evidence
) {
    const bool shown =
        is_show && columns.size() == 1 &&
        std::find(
            settings_of_lane.begin(), settings_of_lane.end(), base::lower_ascii(columns[0])
        ) != settings_of_lane.end();
    const bool read =
        std::find(origins.begin(), origins.end(), db::Origin::setting) != origins.end();
    if (shown || (!is_show && read)) {
        evidence.not_examined.push_back(
            {.what = "settings of the server and of the application's sessions",
             .why = "a session reads its own, and this one has work_mem, time-outs, search_path, "
                    "jit and others set for safe reading",
             .would_tell = "what applies elsewhere: get_settings leaves out what this session set"}
        );
    }
}

base::Result<Evidence> Run::answer(const GuardedStatement& asked) {
    INTERLOCK_TRY(const auto statement, find_names(asked));
    if (statement.kind() == StatementKind::select) {
        INTERLOCK_CHECK(plan(asked, statement));
    }
    INTERLOCK_TRY(auto rows, fetch(asked, statement));
    Evidence evidence;
    evidence.tool = tool_name;
    INTERLOCK_TRY(const auto origins, origins_of(statement, rows.table.columns));
    const auto names = statement.kind() == StatementKind::show       ? SettingNames::show
                       : db::names_settings_itself(statement.text()) ? SettingNames::in_rows
                                                                     : SettingNames::none;
    hide_cells(origins, names, rows.table, evidence);
    tell_own_settings(
        origins, statement.kind() == StatementKind::show, rows.table.columns, evidence
    );
    shown_ = distinct(rows.table.columns);
    declared_ = declare(shown_, origins);
    rows.table.columns = shown_;
    evidence.source = std::move(source_);
    evidence.summary = counted(static_cast<long long>(rows.table.rows.size()), "row", "rows") +
                       " of " +
                       counted(static_cast<long long>(shown_.size()), "column", "columns") +
                       "; values are text as PostgreSQL writes it.";
    evidence.rows.push_back(
        {.name = "result", .columns = &declared_, .cells = decode_rows(rows.table, declared_)}
    );
    EvidenceRows plan{.name = "plan", .columns = &plan_columns(), .cells = {}};
    if (plan_) {
        plan.cells.push_back({whole(plan_->rows), whole(plan_->cost), base::sanitize(plan_->node)});
    }
    evidence.rows.push_back(std::move(plan));
    tell_cuts(rows, cut_by_target_, evidence);
    return evidence;
}

base::Result<Output> run(Context& context, const Call& call) {
    INTERLOCK_TRY(const std::string target, context.targets.resolve(call.arguments.text("target")));
    const auto sql = call.arguments.text("sql");
    auto guarded = db::guard_sql(sql);
    if (!guarded.statement) {
        return db::refusal(guarded.verdict);
    }
    if (guarded.statement->has_parameters()) {
        return Error{
            Errc::invalid_arguments,
            "The statement has parameters, and there are no values for them.",
            "Write the values into the statement."};
    }
    Run one{context, call, target};
    INTERLOCK_TRY(auto evidence, one.answer(*guarded.statement));
    return publish(context, call, std::move(evidence)); // while `one` holds the columns
}

} // namespace

Tool run_query() {
    return {
        .name = tool_name,
        .title = "Run a query",
        .summary = "Runs one SELECT, SHOW or EXPLAIN of yours read-only, past a guard, a plan "
                   "budget and row limits.",
        .domain = "postgres",
        .inputs =
            {target_input(),
             {.name = "sql",
              .required = true,
              .about = "One statement; write schemas in front of tables; functions of pg_catalog.",
              .length_max = limits::sql_bytes_max,
              .example = "select count(*) from pg_stat_activity"},
             {.name = "limit",
              .type = InputType::integer,
              .about = "Most rows to return.",
              .min = 1,
              .max = static_cast<long long>(limits::tool_rows_max),
              .fallback = "50",
              .example = "20"}},
        .output_schema = output_schema,
        .run = run,
        .statements = {names_statement()}};
}

} // namespace interlock::tools

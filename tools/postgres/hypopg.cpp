#include "tools/postgres/hypopg.hpp"

#include "base/ids.hpp"

#include <algorithm>
#include <array>
#include <utility>

namespace interlock::tools {
namespace {

using base::Errc;
using base::Error;

/// No function or operator for these types, more than one, none to be told, or a place where only a
/// constant may stand.
bool is_about_types(const Error& error) {
    constexpr std::array<std::string_view, 7> states{
        "42883", "42725", "42P18", "42P08", "42804", "42601", "22P02"};
    return std::any_of(states.begin(), states.end(), [&](std::string_view state) {
        return error.what.find("SQLSTATE " + std::string{state}) != std::string::npos;
    });
}

/// A refusal to plan says how to come to the plan all the same.
Error with_remedy(Error error, bool has_parameters) {
    if (error.code == Errc::permission_denied) {
        error.remedy = "Planning needs SELECT on what the statement names: grant it to the "
                       "reader's role, or paste a plan that auto_explain or a person took.";
    } else if (has_parameters && is_about_types(error)) {
        error.code = Errc::invalid_arguments;
        error.remedy = "A constant tells its type, a parameter may not: write values in, or casts "
                       "such as $1::integer, or paste a plan that auto_explain or a person took.";
    }
    return error;
}

} // namespace

// Of the extension's own function, wherever it was installed.
const db::Sql hypopg_sql{"hypopg", R"sql(
    select pg_catalog.quote_ident(n.nspname) as schema
    from pg_catalog.pg_extension e
    join pg_catalog.pg_depend d
        on d.refclassid = 'pg_catalog.pg_extension'::pg_catalog.regclass and d.refobjid = e.oid
           and d.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass and d.deptype = 'e'
    join pg_catalog.pg_proc p on p.oid = d.objid and p.proname = 'hypopg_create_index'
    join pg_catalog.pg_namespace n on n.oid = p.pronamespace
    where e.extname = 'hypopg' and pg_catalog.has_function_privilege(p.oid, 'EXECUTE')
          and pg_catalog.has_schema_privilege(n.oid, 'USAGE'))sql"};

db::Query PlanText::query() const {
    db::Query query{.sql = {"query_plan", text}, .parameters = {}, .rows_max = 1};
    if (parameters > 0) {
        query.explain_generic = parameters;
    }
    return query;
}

base::Result<PlanText> plan_text(const db::GuardedStatement& statement) {
    if (statement.has_parameters()) {
        return PlanText{statement.text(), statement.parameters()};
    }
    INTERLOCK_TRY(const db::GuardedStatement explain, db::explained(statement));
    return PlanText{explain.text(), 0};
}

base::Result<Plan> plan_of(base::Result<db::Rows>& result, bool has_parameters) {
    if (!result) {
        return with_remedy(std::move(result).error(), has_parameters);
    }
    if (result->table.rows.empty() || result->table.rows[0].empty()) {
        return Error{Errc::not_supported, "The target told no plan.", ""};
    }
    return read_plan(result->table.rows[0][0].value_or(""));
}

/// The index lives in the session's memory until it is reset, and shows in plans alone. No stop
/// comes between: the session must not keep it. The plan of a prepared statement is kept whatever
/// indexes come, so that the second planning is of a text that was never prepared before.
base::Result<IndexTrial> try_index(
    Context& context,
    const Call& call,
    const LaneRequest& request,
    const db::Query& names,
    const db::GuardedStatement& statement,
    const std::string& schema,
    const std::string& index
) {
    INTERLOCK_TRY(const PlanText without, plan_text(statement));
    PlanText with = without;
    with.text += " /* " + base::new_id(context.random, "ix") + " */";
    const std::string create = "select indexname from " + schema + ".hypopg_create_index($1)";
    const std::string reset = "select " + schema + ".hypopg_reset()";
    const Call unstopped{
        .identity = call.identity,
        .arguments = call.arguments,
        .stop = {},
        .span = call.span,
        .id = call.id,
        .cost = call.cost};
    const db::Query forget{.sql = {"hypopg_reset", reset}, .parameters = {}, .rows_max = 1};
    INTERLOCK_TRY(
        auto answer,
        read_lane(
            context,
            unstopped,
            request,
            {names,
             without.query(),
             forget,
             {.sql = {"hypopg_index", create}, .parameters = {index}, .rows_max = 1},
             with.query(),
             forget}
        )
    );
    INTERLOCK_TRY(const db::Rows made, std::move(answer.results.at(3)));
    if (made.table.empty()) {
        return Error{
            Errc::invalid_arguments,
            "HypoPG did not take the index.",
            "Give one CREATE INDEX with the schema in front of the table."};
    }
    return IndexTrial{
        .names = std::move(answer.results.at(0)),
        .without = plan_of(answer.results.at(1), without.parameters > 0),
        .with = plan_of(answer.results.at(4), with.parameters > 0),
        .index = made.table.text(0, "indexname"),
        .source = std::move(answer.source)};
}

} // namespace interlock::tools

#include "tools/postgres/guarded_sql.hpp"

#include "base/json.hpp"
#include "base/text.hpp"

#include <algorithm>
#include <array>
#include <map>
#include <string_view>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

namespace interlock::tools {
namespace {

using base::Errc;
using base::Error;
using base::Json;

constexpr std::size_t rows_max = 1'000;

// One row for each fact. found: where a name leads (its schema to be written in front, the kind);
// problem: class and object; body: SQL that would run in the caller's stead. A name without a
// schema is looked for in pg_catalog, then in public, then wherever else one schema alone has it.
// Followed are views to what they read and tables to their children; what pg_catalog and
// information_schema hold is PostgreSQL's own. Extensions that only compute or look are trusted:
// installing one takes a right that no caller has.
constexpr db::Sql names_sql{"guarded_names", R"sql(
    with recursive wanted as (
        select o.ord, o.item ->> 'schema' as schema, o.item ->> 'name' as name,
               o.item ->> 'kind' as kind
        from pg_catalog.jsonb_array_elements($1::jsonb) with ordinality o(item, ord)
    ), trusted as (
        select d.classid, d.objid
        from pg_catalog.pg_depend d
        join pg_catalog.pg_extension e on e.oid = d.refobjid
        where d.refclassid = 'pg_catalog.pg_extension'::regclass and d.deptype = 'e'
          and e.extname in ('pg_stat_statements', 'pg_buffercache', 'pgstattuple',
                            'pg_freespacemap', 'pg_visibility', 'pg_stat_kcache',
                            'pg_wait_sampling', 'pg_stat_monitor', 'pg_qualstats',
                            'pg_store_plans', 'pgrowlocks', 'hypopg', 'pg_trgm', 'citext',
                            'hstore', 'unaccent', 'fuzzystrmatch', 'btree_gin', 'btree_gist',
                            'intarray', 'ltree', 'cube', 'earthdistance', 'isn', 'seg',
                            'uuid-ossp', 'vector', 'postgis')
    ), named as (
        select w.ord, w.kind, c.oid, c.relkind::text as relkind, n.nspname,
               pg_catalog.row_number() over rank as rank, pg_catalog.count(*) over sort as homes,
               n.nspname in ('pg_catalog', 'public') as first
        from wanted w
        join pg_catalog.pg_class c on c.relname = w.name
            and c.relkind in ('r', 'v', 'm', 'p', 'f', 'S', 't')
        join pg_catalog.pg_namespace n on n.oid = c.relnamespace
            and (n.nspname = w.schema
                 or w.schema is null
                    and n.nspname !~ '^(pg_(toast|temp|toast_temp)|information_sch)'
                    and pg_catalog.has_schema_privilege(n.oid, 'USAGE'))
        where w.kind = 'relation'
        window sort as (partition by w.ord),
               rank as (partition by w.ord order by n.nspname = 'pg_catalog' desc,
                        n.nspname = 'public' desc, n.nspname)
    ), chosen as (
        select n.* from named n where n.rank = 1 and (n.first or n.homes = 1)
    ), called as (
        select w.ord, p.oid, n.nspname,
               exists (select from trusted t
                       where t.classid = 'pg_catalog.pg_proc'::regclass and t.objid = p.oid)
               as known,
               pg_catalog.row_number() over (partition by w.ord order by n.nspname = 'public' desc,
                                             n.nspname) as rank
        from wanted w
        join pg_catalog.pg_proc p on p.proname = w.name
        join pg_catalog.pg_namespace n on n.oid = p.pronamespace
            and (n.nspname = w.schema
                 or w.schema is null and n.nspname <> 'pg_catalog'
                    and pg_catalog.has_schema_privilege(n.oid, 'USAGE'))
        where w.kind = 'function'
    ), reached as (
        select c.oid from chosen c
        union
        select next.oid
        from reached r
        join pg_catalog.pg_class c on c.oid = r.oid
        cross join lateral (
            select d.refobjid as oid
            from pg_catalog.pg_rewrite w
            join pg_catalog.pg_depend d on d.classid = 'pg_catalog.pg_rewrite'::regclass
                and d.objid = w.oid and d.refclassid = 'pg_catalog.pg_class'::regclass
            where w.ev_class = r.oid and c.relkind = 'v' and d.refobjid <> r.oid
            union all
            select i.inhrelid from pg_catalog.pg_inherits i where i.inhparent = r.oid
        ) next
    ), met as (
        select c.oid, c.relkind, c.relrowsecurity, pg_catalog.format('%I.%I', n.nspname, c.relname)
               as name
        from reached r
        join pg_catalog.pg_class c on c.oid = r.oid
        join pg_catalog.pg_namespace n on n.oid = c.relnamespace
        where n.nspname not in ('pg_catalog', 'information_schema')
          and not exists (select from trusted t
                          where t.classid = 'pg_catalog.pg_class'::regclass and t.objid = c.oid)
    ), code as (
        select m.oid, m.name, 'pg_catalog.pg_rewrite'::regclass as classid, w.oid as objid
        from met m join pg_catalog.pg_rewrite w on w.ev_class = m.oid
        where m.relkind = 'v'
        union all
        select m.oid, m.name, 'pg_catalog.pg_policy'::regclass, p.oid
        from met m join pg_catalog.pg_policy p on p.polrelid = m.oid
        where m.relrowsecurity
        union all
        select m.oid, m.name, 'pg_catalog.pg_attrdef'::regclass, d.oid
        from met m
        join pg_catalog.pg_attribute a on a.attrelid = m.oid and a.attgenerated = 'v'
        join pg_catalog.pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
    ), uses as (
        select c.name, d.refclassid, d.refobjid
        from code c
        join pg_catalog.pg_depend d on d.classid = c.classid and d.objid = c.objid
    ), functions as (
        select u.name, u.refobjid as oid from uses u
        where u.refclassid = 'pg_catalog.pg_proc'::regclass
        union all
        select u.name, o.oprcode::oid
        from uses u join pg_catalog.pg_operator o on o.oid = u.refobjid
        where u.refclassid = 'pg_catalog.pg_operator'::regclass
    ), types as (
        select u.name, u.refobjid as oid, true as by_code from uses u
        where u.refclassid = 'pg_catalog.pg_type'::regclass
        union all
        select m.name, case when e.oid is null then t.oid else e.oid end, false
        from met m
        join pg_catalog.pg_attribute a on a.attrelid = m.oid and a.attnum > 0
            and not a.attisdropped
        join pg_catalog.pg_type t on t.oid = a.atttypid
        left join pg_catalog.pg_type e on e.oid = t.typelem and t.typcategory = 'A'
    )
    select 'found' as what, w.ord, pg_catalog.quote_ident(coalesce(c.nspname, f.nspname)) as a,
           coalesce(c.relkind, 'function') as b, coalesce(c.oid, f.oid)::text as c
    from wanted w
    left join chosen c on c.ord = w.ord
    left join called f on f.ord = w.ord and f.rank = 1
    where c.oid is not null or f.oid is not null
    union all
    select 'ambiguous', n.ord, pg_catalog.string_agg(n.nspname, ', ' order by n.nspname), null, null
    from named n
    group by n.ord having not pg_catalog.bool_or(n.first) and pg_catalog.count(*) > 1
    union all
    select 'problem', 0, 'fn_user', w.name, 'is no function of an extension for diagnosis'
    from called f join wanted w using (ord) where not f.known
    union all
    select 'problem', 0, 'fn_remote', m.name, 'is a foreign table'
    from met m where m.relkind = 'f'
    union all
    select distinct 'problem', 0::bigint, 'fn_user', f.name,
           pg_catalog.format('runs function %I.%I', n.nspname, p.proname)
    from functions f
    join pg_catalog.pg_proc p on p.oid = f.oid
    join pg_catalog.pg_namespace n on n.oid = p.pronamespace
    where n.nspname not in ('pg_catalog', 'information_schema')
      and not exists (select from trusted t
                      where t.classid = 'pg_catalog.pg_proc'::regclass and t.objid = p.oid)
    union all
    select distinct 'problem', 0::bigint, 'operator_cast', u.name,
           pg_catalog.format('uses type %I.%I', n.nspname, t.typname)
    from types u
    join pg_catalog.pg_type t on t.oid = u.oid
    join pg_catalog.pg_namespace n on n.oid = t.typnamespace
    where n.nspname not in ('pg_catalog', 'information_schema')
      and (t.typtype = 'b' or t.typtype = 'd' and u.by_code) and t.typcategory <> 'A'
      and not exists (select from trusted x
                      where x.classid = 'pg_catalog.pg_type'::regclass and x.objid = t.oid)
    union all
    select 'body', 0, m.name, pg_catalog.pg_get_viewdef(m.oid), null
    from met m where m.relkind = 'v'
    union all
    select 'body', 0, m.name, 'select ' || pg_catalog.pg_get_expr(p.polqual, p.polrelid), null
    from met m join pg_catalog.pg_policy p on p.polrelid = m.oid
    where m.relrowsecurity and p.polqual is not null
    union all
    select 'body', 0, m.name, 'select ' || pg_catalog.pg_get_expr(d.adbin, d.adrelid), null
    from met m
    join pg_catalog.pg_attribute a on a.attrelid = m.oid and a.attgenerated = 'v'
    join pg_catalog.pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
    order by 1, 2, 3, 4, 5)sql"};

/// Relations first, then functions: a name's number is its place in this list.
std::vector<std::pair<const db::NamePlace*, const char*>>
names_of(const db::GuardedStatement& statement) {
    std::vector<std::pair<const db::NamePlace*, const char*>> names;
    for (const auto& relation : statement.relations()) {
        names.emplace_back(&relation, "relation");
    }
    for (const auto& function : statement.extension_functions()) {
        names.emplace_back(&function, "function");
    }
    return names;
}

Error refused(const std::string& family, const std::string& object, const std::string& why) {
    return db::refusal(
        {.allowed = false,
         .family = family,
         .reason = base::sanitize(object) + " " + base::sanitize(why) + ".",
         .remedy = "Read the tables behind it by columns of ordinary types, or use a typed tool."}
    );
}

} // namespace

db::Query names_query(const db::GuardedStatement& statement) {
    Json list = Json::array();
    for (const auto& [name, kind] : names_of(statement)) {
        const Json schema = name->schema.empty() ? Json{} : Json(name->schema);
        list.push_back({{"schema", schema}, {"name", name->name}, {"kind", kind}});
    }
    return {.sql = names_sql, .parameters = {base::render_json(list)}, .rows_max = rows_max};
}

ToolStatement names_statement() {
    return {.sql = names_sql, .would_tell = "whether what a query names is safe to read"};
}

base::Result<db::GuardedStatement>
judge_names(const db::GuardedStatement& statement, const db::Rows& answer) {
    if (answer.cut) {
        return refused("unknown", "The statement", "reaches more objects than can be looked at");
    }
    const auto names = names_of(statement);
    std::vector<db::Prefix> prefixes;
    const db::Table& facts = answer.table;
    for (std::size_t i = 0; i < facts.rows.size(); ++i) {
        const auto what = facts.text(i, "what");
        const auto number = facts.integer(i, "ord").value_or(0);
        const bool named = number > 0 && static_cast<std::size_t>(number) <= names.size();
        const auto* name = named ? names[static_cast<std::size_t>(number) - 1].first : nullptr;
        const auto first = facts.text(i, "a");
        if (what == "problem") {
            return refused(first, facts.text(i, "b"), facts.text(i, "c"));
        }
        if (what == "ambiguous" && name != nullptr) {
            return Error{
                Errc::invalid_arguments,
                base::sanitize(name->name) + " is in several schemas: " + base::sanitize(first) +
                    ".",
                "Write the schema in front of it."};
        }
        if (what == "body") {
            const auto verdict = db::guard_body(facts.text(i, "b"));
            if (!verdict.allowed) {
                return refused(verdict.family, first, "would run: " + verdict.reason);
            }
        }
        if (what == "found" && name != nullptr && name->schema.empty() && first != "pg_catalog") {
            prefixes.push_back({.offset = name->offset, .text = first + "."});
        }
    }
    return db::with_prefixes(statement, std::move(prefixes));
}

Error as_callers_mistake(Error error) {
    constexpr std::array<std::string_view, 5> missing{
        "SQLSTATE 42P01", "SQLSTATE 42703", "SQLSTATE 42883", "SQLSTATE 42704", "SQLSTATE 3F000"};
    const bool misnamed = error.code == base::Errc::not_supported &&
                          std::any_of(missing.begin(), missing.end(), [&](std::string_view state) {
                              return error.what.find(state) != std::string::npos;
                          });
    if (misnamed) {
        error.code = base::Errc::invalid_arguments;
        error.remedy = "describe_schema tells what there is by that name; write the schema in "
                       "front of it.";
    }
    return error;
}

bool same_names(const db::Rows& first, const db::Rows& second) {
    return !first.cut && !second.cut && first.table.rows == second.table.rows;
}

} // namespace interlock::tools

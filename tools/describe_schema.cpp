// describe_schema: what relations there are, searched for first; then one of them in detail. Reads
// the catalog and nothing else: no row, no statistics about values, no lock on a table except where
// the server writes an expression out. Definitions (defaults, bounds, predicates) are the schema
// and shown as they are, with secrets redacted by rule.
#include "base/limits.hpp"
#include "base/text.hpp"
#include "tools/assess.hpp"
#include "tools/catalog.hpp"
#include "tools/identifier.hpp"
#include "tools/lane.hpp"
#include "tools/render.hpp"
#include "tools/run.hpp"
#include "tools/targets.hpp"

#include <algorithm>
#include <array>

namespace interlock::tools {
namespace {

using base::Errc;
using base::Error;

constexpr std::string_view tool_name = "describe_schema";

// Rows of a relation's sections; each statement asks for one more, to be told that there are more.
constexpr std::size_t columns_max = 200;
constexpr std::size_t definitions_max = 100;
constexpr std::size_t partitions_max = 50;

constexpr db::Sql schema_overview{"schema_overview", R"sql(
    select n.nspname as schema,
           pg_catalog.count(*) filter (where c.relkind in ('r', 'p') and not c.relispartition)
               as tables,
           pg_catalog.count(*) filter (where c.relispartition) as partitions,
           pg_catalog.count(*) filter (where c.relkind in ('v', 'm')) as views,
           pg_catalog.count(*) filter (where c.relkind = 'f') as foreign_tables,
           pg_catalog.sum(c.relpages::bigint)
               * pg_catalog.current_setting('block_size')::bigint as bytes_estimate,
           pg_catalog.left(pg_catalog.obj_description(n.oid, 'pg_namespace'), 300) as comment
    from pg_catalog.pg_namespace n
    left join pg_catalog.pg_class c
      on c.relnamespace = n.oid and c.relkind in ('r', 'p', 'v', 'm', 'f')
    where n.nspname not like 'pg\_%' and n.nspname <> 'information_schema'
    group by n.oid, n.nspname
    order by 6 desc nulls last, 1
    limit $1::int)sql"};

// A name says more than a column of it, its beginning more than its middle.
constexpr db::Sql schema_search{"schema_search", R"sql(
    with found_columns as (
        select a.attrelid,
               pg_catalog.array_to_string(
                   (pg_catalog.array_agg(a.attname::text order by a.attnum))[1:5], ', ') as columns
        from pg_catalog.pg_attribute a
        where a.attnum > 0 and not a.attisdropped
          and pg_catalog.strpos(pg_catalog.lower(a.attname::text), pg_catalog.lower($1::text)) > 0
        group by a.attrelid
    ), candidates as (
        select c.oid, n.nspname, c.relname, c.relkind, c.relispartition, c.reltuples, c.relpages,
               f.columns,
               pg_catalog.strpos(pg_catalog.lower(c.relname::text), pg_catalog.lower($1::text))
                   as at_name,
               pg_catalog.strpos(pg_catalog.lower(n.nspname || '.' || c.relname),
                                 pg_catalog.lower($1::text)) as at_full_name
        from pg_catalog.pg_class c
        join pg_catalog.pg_namespace n on n.oid = c.relnamespace
        left join found_columns f on f.attrelid = c.oid
        where c.relkind in ('r', 'p', 'v', 'm', 'f')
          and n.nspname not like 'pg\_%' and n.nspname <> 'information_schema'
    )
    select k.nspname as schema, k.relname as relation,
           case k.relkind when 'r' then case when k.relispartition then 'partition'
                                             else 'table' end
                          when 'p' then 'partitioned table' when 'v' then 'view'
                          when 'm' then 'materialized view' else 'foreign table' end as kind,
           case when k.reltuples >= 0 then k.reltuples::bigint end as rows_estimate,
           k.relpages::bigint * pg_catalog.current_setting('block_size')::bigint
               as bytes_estimate,
           k.columns as matching_columns,
           case when pg_catalog.quote_ident(k.nspname) <> k.nspname
                     or pg_catalog.quote_ident(k.relname) <> k.relname
                then pg_catalog.format('%I.%I', k.nspname, k.relname) end as sql_name,
           pg_catalog.left(pg_catalog.obj_description(k.oid, 'pg_class'), 300) as comment
    from candidates k
    where k.at_full_name > 0 or k.columns is not null
    order by pg_catalog.lower(k.relname::text) <> pg_catalog.lower($1::text),
             k.relispartition, k.at_name <> 1, k.at_full_name = 0, k.relpages desc, 1, 2
    limit $2::int)sql"};

// The relation that is meant: $1 as the search writes it, $2 and $3 as SQL does (schema and name,
// as they stand in the catalog), or its OID. What stands there as it was typed comes first.
constexpr db::Sql schema_relation{"schema_relation", R"sql(
    select c.oid::bigint as relation_id, n.nspname as schema, c.relname as relation,
           case c.relkind when 'r' then case when c.relispartition then 'partition'
                                             else 'table' end
                          when 'p' then 'partitioned table' when 'v' then 'view'
                          when 'm' then 'materialized view' else 'foreign table' end as kind,
           pg_catalog.pg_get_userbyid(c.relowner) as owner,
           case c.relpersistence when 'u' then 'unlogged' when 't' then 'temporary'
                                 else 'permanent' end as persistence,
           case when c.reltuples >= 0 then c.reltuples::bigint end as rows_estimate,
           c.relpages::bigint * pg_catalog.current_setting('block_size')::bigint
               as bytes_estimate,
           case when c.relkind = 'p' then (select pg_catalog.count(*)
                from pg_catalog.pg_inherits i where i.inhparent = c.oid) end as partitions,
           (select pn.nspname || '.' || p.relname
            from pg_catalog.pg_inherits i
            join pg_catalog.pg_class p on p.oid = i.inhparent
            join pg_catalog.pg_namespace pn on pn.oid = p.relnamespace
            where i.inhrelid = c.oid
            order by i.inhseqno limit 1) as parent,
           pg_catalog.format('%I.%I', n.nspname, c.relname) as sql_name,
           c.relrowsecurity as row_security,
           pg_catalog.left(pg_catalog.array_to_string(c.reloptions, ', '), 300) as options,
           pg_catalog.left(pg_catalog.obj_description(c.oid, 'pg_class'), 1000) as comment
    from pg_catalog.pg_class c
    join pg_catalog.pg_namespace n on n.oid = c.relnamespace
    where c.relkind in ('r', 'p', 'v', 'm', 'f')
      and (n.nspname || '.' || c.relname = $1::text or c.relname = $1::text
           or (c.relname = $3::text and ($2::text = '' or n.nspname = $2::text))
           or c.oid::text = $1::text)
    order by n.nspname || '.' || c.relname <> $1::text, c.relname <> $1::text,
             c.oid::text = $1::text,
             n.nspname like 'pg\_%' or n.nspname = 'information_schema',
             c.relispartition, c.relpages desc, 2
    limit 10)sql"};

constexpr db::Sql schema_columns{"schema_columns", R"sql(
    select a.attnum as position, a.attname as column,
           pg_catalog.format_type(a.atttypid, a.atttypmod) as type,
           a.attnotnull as not_null,
           case when a.attidentity <> '' then 'identity' when a.attgenerated <> '' then 'generated'
                when a.atthasdef then 'default' end as filled_by,
           pg_catalog.left(pg_catalog.col_description(a.attrelid, a.attnum), 300) as comment
    from pg_catalog.pg_attribute a
    where a.attrelid = $1::oid and a.attnum > 0 and not a.attisdropped
    order by a.attnum
    limit 201)sql"};

// Names of the columns only: PostgreSQL writes whole definitions with a lock on the table, and one
// that somebody holds exclusively is the one that people ask about.
constexpr db::Sql schema_keys{"schema_keys", R"sql(
    select case when k.conrelid <> $1::oid then 'referenced by'
                else case k.contype when 'p' then 'primary key' when 'u' then 'unique'
                                    when 'f' then 'foreign key' when 'c' then 'check'
                                    else 'exclusion' end end as kind,
           k.conname as name,
           (select pg_catalog.string_agg(a.attname::text, ', ' order by u.place)
            from pg_catalog.unnest(k.conkey) with ordinality u(attnum, place)
            join pg_catalog.pg_attribute a
              on a.attrelid = k.conrelid and a.attnum = u.attnum) as columns,
           (select n.nspname || '.' || c.relname
            from pg_catalog.pg_class c
            join pg_catalog.pg_namespace n on n.oid = c.relnamespace
            where c.oid = case when k.conrelid <> $1::oid then k.conrelid
                               else nullif(k.confrelid, 0) end) as other,
           (select pg_catalog.string_agg(a.attname::text, ', ' order by u.place)
            from pg_catalog.unnest(k.confkey) with ordinality u(attnum, place)
            join pg_catalog.pg_attribute a
              on a.attrelid = k.confrelid and a.attnum = u.attnum) as referenced_columns,
           k.convalidated as validated
    from pg_catalog.pg_constraint k
    where (k.conrelid = $1::oid and k.contype in ('p', 'u', 'f', 'c', 'x'))
       or (k.confrelid = $1::oid and k.contype = 'f' and k.conparentid = 0)
    order by pg_catalog.strpos('pufxc', k.contype::text), 1, 2
    limit 101)sql"};

constexpr db::Sql schema_indexes{"schema_indexes", R"sql(
    select c.relname as name, m.amname as method,
           (select pg_catalog.string_agg(a.attname::text, ', ' order by a.attnum)
            from pg_catalog.pg_attribute a
            where a.attrelid = i.indexrelid and a.attnum <= i.indnkeyatts) as columns,
           (select pg_catalog.string_agg(a.attname::text, ', ' order by a.attnum)
            from pg_catalog.pg_attribute a
            where a.attrelid = i.indexrelid and a.attnum > i.indnkeyatts) as included,
           i.indpred is not null as partial,
           i.indisunique as is_unique, i.indisprimary as is_primary, i.indisvalid as valid,
           c.relpages::bigint * pg_catalog.current_setting('block_size')::bigint
               as bytes_estimate
    from pg_catalog.pg_index i
    join pg_catalog.pg_class c on c.oid = i.indexrelid
    join pg_catalog.pg_am m on m.oid = c.relam
    where i.indrelid = $1::oid
    order by i.indisprimary desc, i.indisunique desc, c.relname
    limit 101)sql"};

// What only the server can write out.
constexpr db::Sql schema_definitions{"schema_definitions", R"sql(
    select 'default of ' || a.attname as of,
           pg_catalog.left(pg_catalog.pg_get_expr(d.adbin, d.adrelid), 1000) as definition
    from pg_catalog.pg_attrdef d
    join pg_catalog.pg_attribute a on a.attrelid = d.adrelid and a.attnum = d.adnum
    where d.adrelid = $1::oid
    union all
    select 'constraint ' || k.conname,
           pg_catalog.left(pg_catalog.pg_get_constraintdef(k.oid), 1000)
    from pg_catalog.pg_constraint k
    where k.conrelid = $1::oid and k.contype in ('c', 'x')
    union all
    select 'index ' || c.relname,
           pg_catalog.left(pg_catalog.pg_get_indexdef(i.indexrelid), 1000)
    from pg_catalog.pg_index i
    join pg_catalog.pg_class c on c.oid = i.indexrelid
    where i.indrelid = $1::oid and (i.indexprs is not null or i.indpred is not null)
    union all
    select 'partition key', pg_catalog.left(pg_catalog.pg_get_partkeydef($1::oid), 1000)
    where pg_catalog.pg_get_partkeydef($1::oid) is not null
    union all
    select 'partition bound', pg_catalog.left(pg_catalog.pg_get_expr(c.relpartbound, c.oid), 1000)
    from pg_catalog.pg_class c
    where c.oid = $1::oid and c.relispartition
    limit 101)sql"};

// What the planner was told about columns that depend on each other.
constexpr db::Sql schema_statistics{"schema_statistics", R"sql(
    select pg_catalog.format('%I.%I', n.nspname, s.stxname) as name,
           (select pg_catalog.string_agg(a.attname::text, ', ' order by u.place)
            from pg_catalog.unnest(s.stxkeys::int2[]) with ordinality u(attnum, place)
            join pg_catalog.pg_attribute a
              on a.attrelid = s.stxrelid and a.attnum = u.attnum) as columns,
           s.stxexprs is not null as expressions,
           (select pg_catalog.string_agg(case k.kind when 'd' then 'ndistinct'
                                         when 'f' then 'dependencies' when 'm' then 'mcv'
                                         when 'e' then 'expressions' else k.kind::text end, ', ')
            from pg_catalog.unnest(s.stxkind) k(kind)) as kinds
    from pg_catalog.pg_statistic_ext s
    join pg_catalog.pg_namespace n on n.oid = s.stxnamespace
    where s.stxrelid = $1::oid
    order by 1
    limit 51)sql"};

constexpr db::Sql schema_partitions{"schema_partitions", R"sql(
    select n.nspname || '.' || c.relname as partition,
           pg_catalog.left(pg_catalog.pg_get_expr(c.relpartbound, c.oid), 300) as bound,
           case when c.reltuples >= 0 then c.reltuples::bigint end as rows_estimate,
           c.relpages::bigint * pg_catalog.current_setting('block_size')::bigint
               as bytes_estimate
    from pg_catalog.pg_inherits i
    join pg_catalog.pg_class c on c.oid = i.inhrelid
    join pg_catalog.pg_namespace n on n.oid = c.relnamespace
    where i.inhparent = $1::oid
    order by c.relpages desc, 1
    limit 51)sql"};

const std::vector<Column>& overview_columns() {
    static const std::vector<Column> declared{
        {.name = "schema", .untrusted = true},
        {.name = "tables", .type = ColumnType::integer},
        {.name = "partitions", .type = ColumnType::integer},
        {.name = "views", .type = ColumnType::integer},
        {.name = "foreign_tables", .type = ColumnType::integer},
        {.name = "bytes_estimate",
         .type = ColumnType::integer,
         .unit = "B",
         .about = "As of the last vacuum or analyze, without indexes"},
        {.name = "comment", .untrusted = true},
    };
    return declared;
}

const std::vector<Column>& search_columns() {
    static const std::vector<Column> declared{
        {.name = "schema", .untrusted = true},
        {.name = "relation", .untrusted = true},
        {.name = "kind"},
        {.name = "rows_estimate", .type = ColumnType::integer, .about = "Absent: never analyzed"},
        {.name = "bytes_estimate", .type = ColumnType::integer, .unit = "B"},
        {.name = "matching_columns", .about = "The first of them", .untrusted = true},
        {.name = "sql_name", .about = "How to write it, where it needs quotes", .untrusted = true},
        {.name = "comment", .untrusted = true},
    };
    return declared;
}

const std::vector<Column>& relation_columns() {
    static const std::vector<Column> declared{
        {.name = "relation_id", .type = ColumnType::integer, .about = "OID"},
        {.name = "schema", .untrusted = true},
        {.name = "relation", .untrusted = true},
        {.name = "kind"},
        {.name = "owner", .untrusted = true},
        {.name = "persistence"},
        {.name = "rows_estimate", .type = ColumnType::integer, .about = "Absent: never analyzed"},
        {.name = "bytes_estimate", .type = ColumnType::integer, .unit = "B"},
        {.name = "partitions", .type = ColumnType::integer},
        {.name = "parent", .untrusted = true},
        {.name = "sql_name", .untrusted = true},
        {.name = "row_security", .type = ColumnType::boolean},
        {.name = "options", .untrusted = true},
        {.name = "comment", .untrusted = true},
    };
    return declared;
}

const std::vector<Column>& column_columns() {
    static const std::vector<Column> declared{
        {.name = "position", .type = ColumnType::integer},
        {.name = "column", .untrusted = true},
        {.name = "type", .untrusted = true},
        {.name = "not_null", .type = ColumnType::boolean},
        {.name = "filled_by", .about = "default, identity or generated"},
        {.name = "comment", .untrusted = true},
    };
    return declared;
}

const std::vector<Column>& key_columns() {
    static const std::vector<Column> declared{
        {.name = "kind"},
        {.name = "name", .untrusted = true},
        {.name = "columns", .untrusted = true},
        {.name = "other", .about = "Referenced, or referencing this one", .untrusted = true},
        {.name = "referenced_columns", .untrusted = true},
        {.name = "validated", .type = ColumnType::boolean},
    };
    return declared;
}

const std::vector<Column>& index_columns() {
    static const std::vector<Column> declared{
        {.name = "name", .untrusted = true},
        {.name = "method", .untrusted = true},
        {.name = "columns", .about = "Expressions: see definitions", .untrusted = true},
        {.name = "included", .untrusted = true},
        {.name = "partial", .type = ColumnType::boolean},
        {.name = "is_unique", .type = ColumnType::boolean},
        {.name = "is_primary", .type = ColumnType::boolean},
        {.name = "valid", .type = ColumnType::boolean},
        {.name = "bytes_estimate", .type = ColumnType::integer, .unit = "B"},
    };
    return declared;
}

const std::vector<Column>& definition_columns() {
    static const std::vector<Column> declared{
        {.name = "of", .untrusted = true},
        {.name = "definition", .untrusted = true},
    };
    return declared;
}

const std::vector<Column>& statistics_columns() {
    static const std::vector<Column> declared{
        {.name = "name", .untrusted = true},
        {.name = "columns", .untrusted = true},
        {.name = "expressions", .type = ColumnType::boolean},
        {.name = "kinds"},
    };
    return declared;
}

const std::vector<Column>& partition_columns() {
    static const std::vector<Column> declared{
        {.name = "partition", .untrusted = true},
        {.name = "bound", .untrusted = true},
        {.name = "rows_estimate", .type = ColumnType::integer},
        {.name = "bytes_estimate", .type = ColumnType::integer, .unit = "B"},
    };
    return declared;
}

constexpr Section overview_section{
    .name = "schemas",
    .columns = overview_columns,
    .editions = {{{.sql = schema_overview}}},
    .would_tell = "which schemas there are"};
constexpr Section search_section{
    .name = "relations",
    .columns = search_columns,
    .editions = {{{.sql = schema_search}}},
    .would_tell = "which relations match"};
constexpr Section relation_section{
    .name = "relation",
    .columns = relation_columns,
    .editions = {{{.sql = schema_relation}}},
    .would_tell = "what the relation is"};
constexpr Section columns_section{
    .name = "columns",
    .columns = column_columns,
    .editions = {{{.sql = schema_columns}}},
    .would_tell = "its columns"};
constexpr Section keys_section{
    .name = "keys",
    .columns = key_columns,
    .editions = {{{.sql = schema_keys}}},
    .would_tell = "its keys and constraints, and who references it"};
constexpr Section indexes_section{
    .name = "indexes",
    .columns = index_columns,
    .editions = {{{.sql = schema_indexes}}},
    .would_tell = "its indexes"};
constexpr Section definitions_section{
    .name = "definitions",
    .columns = definition_columns,
    .editions = {{{.sql = schema_definitions}}},
    .would_tell = "defaults, checks, expressions and predicates of indexes, partition key"};
constexpr Section partitions_section{
    .name = "partitions",
    .columns = partition_columns,
    .editions = {{{.sql = schema_partitions}}},
    .would_tell = "its partitions, the biggest first"};
constexpr Section statistics_section{
    .name = "statistics",
    .columns = statistics_columns,
    .editions = {{{.sql = schema_statistics}}},
    .would_tell = "its extended statistics"};
constexpr std::array sections{
    &overview_section,
    &search_section,
    &relation_section,
    &columns_section,
    &keys_section,
    &indexes_section,
    &definitions_section,
    &partitions_section,
    &statistics_section};

std::string output_schema() {
    static const std::string schema = packet_schema(sections);
    return schema;
}

/// Names that hold what a reader is not shown are written with escapes: as they are shown, they
/// would name nothing.
void escape_names(const db::Table& relations, Evidence& evidence) {
    EvidenceRows& rows = evidence.rows.back();
    const auto place =
        std::find_if(rows.columns->begin(), rows.columns->end(), [](const Column& column) {
            return column.name == "sql_name";
        });
    const auto column = static_cast<std::size_t>(place - rows.columns->begin());
    for (std::size_t row = 0; row < rows.cells.size(); ++row) {
        const std::string schema = relations.text(row, "schema");
        const std::string name = relations.text(row, "relation");
        if (base::sanitize(schema) != schema || base::sanitize(name) != name) {
            const auto quoted = [](const std::string& text) {
                std::string out = "\"";
                for (const char letter : text) {
                    out += letter == '"' ? "\"\"" : std::string(1, letter);
                }
                return out + '"';
            };
            rows.cells[row][column] =
                sql_identifier(schema, quoted(schema)) + "." + sql_identifier(name, quoted(name));
        }
    }
}

std::string full_name(const db::Table& relations, std::size_t row) {
    return relations.text(row, "schema") + "." + relations.text(row, "relation");
}

void tell(
    Severity severity,
    std::string object,
    std::string value,
    std::string meaning,
    Evidence& evidence
) {
    evidence.findings.push_back(
        {.severity = severity,
         .object = std::move(object),
         .value = std::move(value),
         .threshold = "",
         .meaning = std::move(meaning)}
    );
}

void judge_table(const db::Table& relation, Evidence& evidence) {
    if (relation.text(0, "rows_estimate").empty()) {
        tell(
            Severity::notice,
            "relation " + full_name(relation, 0),
            "never analyzed",
            "The planner guesses how many rows there are until it is.",
            evidence
        );
    }
}

void judge_keys(const db::Table& keys, const std::string& object, bool table, Evidence& evidence) {
    bool primary = false;
    for (std::size_t row = 0; row < keys.rows.size(); ++row) {
        primary = primary || keys.text(row, "kind") == "primary key";
        if (!keys.boolean(row, "validated").value_or(true)) {
            tell(
                Severity::notice,
                "constraint " + keys.text(row, "name"),
                "not validated",
                "Rows from before it may break it, and the planner does not rely on it.",
                evidence
            );
        }
    }
    if (table && !primary) {
        tell(
            Severity::notice,
            object,
            "no primary key",
            "No row can be told apart for repair, and logical replication of updates needs a "
            "replica identity.",
            evidence
        );
    }
}

void judge_indexes(const db::Table& indexes, Evidence& evidence) {
    for (std::size_t row = 0; row < indexes.rows.size(); ++row) {
        if (!indexes.boolean(row, "valid").value_or(true)) {
            tell(
                Severity::warning,
                "index " + indexes.text(row, "name"),
                "invalid",
                "It is kept up to date by every write and used by no query: a concurrent build of "
                "it failed, or is under way.",
                evidence
            );
        }
    }
}

/// Every section in the order of the packet; those that were not asked for are empty.
void complete(Evidence& evidence) {
    std::vector<EvidenceRows> all;
    for (const Section* section : sections) {
        const auto read =
            std::find_if(evidence.rows.begin(), evidence.rows.end(), [&](const EvidenceRows& rows) {
                return rows.name == section->name;
            });
        EvidenceRows none;
        none.name = section->name;
        none.columns = &section->columns();
        all.push_back(read != evidence.rows.end() ? std::move(*read) : std::move(none));
    }
    evidence.rows = std::move(all);
}

/// One of the relations is shown; the others of that name are told.
void keep_first(const db::Table& found, Evidence& evidence) {
    if (found.rows.size() < 2) {
        return;
    }
    std::string others;
    for (std::size_t row = 1; row < found.rows.size(); ++row) {
        others += (others.empty() ? "" : ", ") + full_name(found, row);
    }
    evidence.not_examined.push_back(
        {"other relations of that name: " + others,
         "one is shown at a time: give schema.relation",
         "their columns, keys and indexes"}
    );
    evidence.rows.back().cells.resize(1);
}

base::Status
describe(Context& context, const Call& call, const std::string& target, Evidence& evidence) {
    const std::string typed = call.arguments.text("relation");
    const NamedRelation named = read_relation_name(typed).value_or(NamedRelation{});
    INTERLOCK_TRY(
        const auto relation,
        read_sections(
            context,
            call,
            {.target = target, .tool = tool_name, .looks = db::Looks::at_data},
            {{.section = relation_section,
              .parameters = {typed, named.schema, named.name},
              .rows_max = 10}},
            evidence
        )
    );
    if (!relation[0]) {
        evidence.summary = "The catalog could not be read; see not examined.";
        return base::done;
    }
    const db::Table& found = *relation[0];
    if (found.empty()) {
        return Error{
            Errc::not_found,
            "There is no table or view of that name in this database.",
            "Give search with a part of its name, then relation as schema.relation; a name with "
            "capitals, spaces or dots as the search's sql_name writes it, in double quotes."};
    }
    escape_names(found, evidence);
    keep_first(found, evidence);
    const std::string oid = found.text(0, "relation_id");
    INTERLOCK_TRY(
        const auto details,
        read_sections(
            context,
            call,
            {.target = target, .tool = tool_name, .looks = db::Looks::at_data},
            {{.section = columns_section, .parameters = {oid}, .rows_max = columns_max},
             {.section = keys_section, .parameters = {oid}, .rows_max = definitions_max},
             {.section = indexes_section, .parameters = {oid}, .rows_max = definitions_max},
             {.section = definitions_section, .parameters = {oid}, .rows_max = definitions_max},
             {.section = partitions_section, .parameters = {oid}, .rows_max = partitions_max},
             {.section = statistics_section, .parameters = {oid}, .rows_max = partitions_max}},
            evidence
        )
    );
    const std::string name = full_name(found, 0);
    const bool table =
        found.text(0, "kind") == "table" || found.text(0, "kind") == "partitioned table";
    if (table) {
        judge_table(found, evidence);
    }
    if (details[1]) {
        judge_keys(*details[1], "relation " + name, table, evidence);
    }
    if (details[2]) {
        judge_indexes(*details[2], evidence);
    }
    const auto size_of = [&](std::size_t i) {
        return details[i] ? static_cast<long long>(details[i]->rows.size()) : 0;
    };
    evidence.summary =
        "The " + found.text(0, "kind") + " " + base::sanitize(name) + " has " +
        counted(size_of(0), "column", "columns") + ", " +
        counted(size_of(1), "key or constraint", "keys and constraints") + " and " +
        counted(size_of(2), "index", "indexes") + "; " +
        counted(static_cast<long long>(evidence.findings.size()), "finding", "findings") + ".";
    return base::done;
}

/// What is searched for: a name in SQL's quotes without them, as the catalog holds it; else as it
/// was typed, so that any part of a name finds it.
std::string searched_part(const std::string& typed) {
    const auto named =
        typed.find('"') == std::string::npos ? std::nullopt : read_relation_name(typed);
    if (!named) {
        return typed;
    }
    return named->schema.empty() ? named->name : named->schema + "." + named->name;
}

base::Status
search(Context& context, const Call& call, const std::string& target, Evidence& evidence) {
    const auto limit = static_cast<std::size_t>(call.arguments.integer("limit"));
    const std::string part = searched_part(call.arguments.text("search"));
    const std::string most = std::to_string(limit + 1);
    const SectionRequest wanted =
        part.empty()
            ? SectionRequest{.section = overview_section, .parameters = {most}, .rows_max = limit}
            : SectionRequest{
                  .section = search_section, .parameters = {part, most}, .rows_max = limit};
    INTERLOCK_TRY(
        const auto tables,
        read_sections(
            context,
            call,
            {.target = target, .tool = tool_name, .looks = db::Looks::at_data},
            {wanted},
            evidence
        )
    );
    if (tables[0] && !part.empty()) {
        escape_names(*tables[0], evidence);
    }
    const auto count = tables[0] ? static_cast<long long>(tables[0]->rows.size()) : 0;
    evidence.summary = !tables[0] ? "The catalog could not be read; see not examined."
                       : part.empty()
                           ? counted(count, "schema", "schemas") +
                                 "; give search for relations and columns by a part of their name."
                           : counted(count, "relation matches", "relations match") +
                                 "; give relation for the columns, keys and indexes of one.";
    return base::done;
}

base::Result<Output> run(Context& context, const Call& call) {
    INTERLOCK_TRY(const std::string target, context.targets.resolve(call.arguments.text("target")));
    Evidence evidence;
    evidence.tool = tool_name;
    if (call.arguments.text("relation").empty()) {
        INTERLOCK_CHECK(search(context, call, target, evidence));
    } else {
        INTERLOCK_CHECK(describe(context, call, target, evidence));
    }
    complete(evidence);
    return publish(context, call, std::move(evidence));
}

} // namespace

Tool describe_schema() {
    return {
        .name = tool_name,
        .title = "Schema",
        .summary = "Searches tables, views and columns by a part of their name, or describes one "
                   "relation in detail.",
        .domain = "orientation",
        .inputs =
            {target_input(),
             {.name = "search",
              .about = "Part of a name; with neither, schemas are listed.",
              .length_max = 700,
              .example = "order"},
             {.name = "relation",
              .about = "One relation, quoted as in SQL, or its OID.",
              .length_max = 700,
              .example = "app.orders"},
             {.name = "limit",
              .type = InputType::integer,
              .min = 1,
              .max = static_cast<long long>(base::limits::tool_rows_max),
              .fallback = "30",
              .example = "30"}},
        .output_schema = output_schema,
        .run = run,
        .statements = statements_of(sections)};
}

} // namespace interlock::tools

// The guard against the corpora beside this file: guard/denied.jsonl (class and statement, one a
// line) and guard/allowed.sql (statements parted by an empty line). `interlock sql check --jsonl`
// reads the first as it is.
#include "base/clock.hpp"
#include "base/db/sql_guard.hpp"
#include "base/db/sql_text.hpp"
#include "base/file.hpp"
#include "base/json.hpp"
#include "base/limits.hpp"
#include "tests/base/db/guard/corpus.hpp"

#include <algorithm>
#include <cctype>
#include <chrono>
#include <filesystem>
#include <pthread.h>
#include <string>
#include <vector>

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>
#include <pg_query.h>

namespace interlock::db {
namespace {

using test::allowed_statements;

/// Class and statement.
std::vector<std::pair<std::string, std::string>> denied_statements() {
    std::vector<std::pair<std::string, std::string>> statements;
    const auto text = test::guard_corpus("denied.jsonl");
    for (std::size_t from = 0; from < text.size();) {
        const auto end = std::min(text.find('\n', from), text.size());
        const auto line = base::parse_json(text.substr(from, end - from));
        statements.emplace_back(
            base::string_member(line.value(), "class").value_or(""),
            base::string_member(line.value(), "sql").value_or("")
        );
        from = end + 1;
    }
    return statements;
}

std::string replaced(std::string text, std::string_view what, std::string_view with) {
    for (auto at = text.find(what); at != std::string::npos; at = text.find(what, at)) {
        text.replace(at, what.size(), with);
        at += with.size();
    }
    return text;
}

std::string repeated(std::string_view piece, std::size_t times) {
    std::string text;
    for (std::size_t i = 0; i < times; ++i) {
        text += piece;
    }
    return text;
}

std::string class_of(const std::string& sql) {
    return guard_sql(sql).verdict.family;
}

constexpr const char* placements[] = {
    "select %",
    "select 1, (select %)",
    "select * from % t",
    "select * from % as t(a)",
    "select * from rows from (%, generate_series(1, 2)) t",
    "select * from pg_class c, lateral % l",
    "select * from pg_class c left join lateral % l on true",
    "select * from pg_class a join pg_class b on %::text is null",
    "select 1 where %::text is null",
    "select 1 where not (% is not null)",
    "select relkind from pg_class group by relkind having % is null",
    "select relkind from pg_class group by relkind, %",
    "select relname from pg_class order by %",
    "select relname from pg_class limit (select % is null)::int",
    "select relname from pg_class offset (select % is null)::int",
    "select distinct on (%) relname from pg_class",
    "select count(*) filter (where % is null) from pg_class",
    "select sum(1) over (partition by %) from pg_class",
    "select sum(1) over w from pg_class window w as (order by %)",
    "select percentile_cont(0.5) within group (order by %) from pg_class",
    "select string_agg(relname, ',' order by %) from pg_class",
    "select case when % is null then 1 end",
    "select case % when null then 2 end",
    "select case 1 when 2 then 3 else % end",
    "select coalesce(null, %)",
    "select nullif(1, %)",
    "select greatest(1, %)",
    "select row(1, %)",
    "select array[[1], [%]]",
    "select (array[1, 2])[%]",
    "select (%).field",
    "select (%)::text",
    "select num_nulls(variadic array[%])",
    "select 1 in (2, %)",
    "select exists (select %)",
    "select 1 = any (select %)",
    "select array(select %)",
    "values (1), (%)",
    "select 1 union all select %",
    "with c as (select %) select * from c",
    "with recursive c as (select 1 union all select % from c where c < 2) select * from c",
    "explain select %",
    "select relname from pg_class tablesample system (%)",
    "select % is distinct from 1",
    "select % between 1 and 2",
    "select % at time zone 'UTC'",
    "select - %",
    "select grouping(a) from (select % as a) q group by rollup (a)",
};

constexpr const char* spellings[] = {
    "pg_sleep(1)",
    "PG_SLEEP(1)",
    "Pg_Sleep(1)",
    "\"pg_sleep\"(1)",
    "U&\"\\0070g_sleep\"(1)",
    "U&\"pg_s\\006ceep\"(1)",
    "u&\"!0070g_sleep\" uescape '!' (1)",
    "pg_catalog.pg_sleep(1)",
    "PG_CATALOG . PG_SLEEP (1)",
    "\"pg_catalog\".\"pg_sleep\"(1)",
    "pg_catalog/**/./**/pg_sleep/**/(1)",
    "pg_sleep/* */(1)",
    "pg_sleep -- x\n(1)",
    "pg_sleep\n\t(1)",
    "pg_sleep(all 1)",
    "pg_sleep(variadic array[1])",
    "pg_sleep(seconds => 1)",
    "shop.pg_catalog.pg_sleep(1)",
};

TEST_CASE("every statement of the denied corpus is denied for its reason", "[db][guard]") {
    const auto corpus = denied_statements();
    CHECK(corpus.size() >= 400);
    for (const auto& [expected, sql] : corpus) {
        const auto answer = guard_sql(sql);
        INFO(sql);
        CHECK_FALSE(answer.verdict.allowed);
        CHECK_FALSE(answer.statement.has_value());
        CHECK(answer.verdict.family == expected);
        CHECK_FALSE(answer.verdict.reason.empty());
    }
}

TEST_CASE("every statement of the allowed corpus is allowed", "[db][guard]") {
    const auto corpus = allowed_statements();
    CHECK(corpus.size() >= 200);
    for (const auto& sql : corpus) {
        const auto answer = guard_sql(sql);
        INFO(sql << "\n" << answer.verdict.family << ": " << answer.verdict.reason);
        CHECK(answer.verdict.allowed);
        CHECK(answer.statement.has_value());
        CHECK(answer.verdict.family == "read");
    }
}

TEST_CASE("a function is found in every place and every spelling", "[db][guard]") {
    for (const auto* placement : placements) {
        // The place itself is one where an allowed function may stand.
        const auto harmless = guard_sql(replaced(placement, "%", "pg_backend_pid()"));
        INFO(placement << ": " << harmless.verdict.reason);
        CHECK(harmless.verdict.allowed);
        for (const auto* spelling : spellings) {
            const auto sql = replaced(placement, "%", spelling);
            INFO(sql);
            CHECK(class_of(sql) == "fn_sleep");
        }
    }
}

TEST_CASE("a relation is found in every place and every spelling", "[db][guard]") {
    for (const auto* place :
         {"select * from %",
          "table %",
          "select 1 from only %",
          "select * from pg_class a, % b",
          "select * from pg_class a join % b on true",
          "select (select 1 from % limit 1)",
          "select 1 where exists (select from %)",
          "with a as (select * from %) select * from a",
          "with % as (select 1) select * from (with x as (select 1) select * from pg_catalog.%) q",
          "select 1 union select 1 from %",
          "select * from % tablesample system (1)",
          "explain select * from %",
          "select array(select 1 from %)",
          "values ((select 1 from %))"}) {
        for (const auto* name :
             {"pg_authid",
              "PG_AUTHID",
              "\"pg_authid\"",
              "U&\"pg\\005fauthid\"",
              "pg_catalog.pg_authid",
              "shop.pg_catalog.pg_authid"}) {
            if (std::string_view{place}.find("pg_catalog.%") != std::string_view::npos &&
                std::string_view{name}.find("catalog") != std::string_view::npos) {
                continue;
            }
            const auto sql = replaced(place, "%", name);
            INFO(sql);
            CHECK(class_of(sql) == "secret_catalog");
        }
    }
}

TEST_CASE("text that would cost the parser is refused before it", "[db][guard]") {
    const std::vector<std::string> costly{
        std::string(20'000, '('),
        "select " + repeated("(", 3'000) + "1" + repeated(")", 3'000),
        "select " + repeated("not ", 20'000) + "true",
        "select " + repeated("not ", 3'500) + "true",
        "select 1" + repeated("::int", 20'000),
        "select 1" + repeated("::int", 1'300),
        "select 1" + repeated(",1", 70'000),
        "select 1" + repeated("+1", 64'000),
        "select " + repeated("-", 1'900) + "1",
        "select " + repeated("- ", 3'900) + "1",
        repeated("/*", 20'000),
        repeated("/*", 8'000) + repeated("*/", 8'000) + " select 1",
        repeated("/*", 40) + repeated("*/", 40) + " select 1",
        "select " + repeated("array[", 300) + "1" + repeated("]", 300),
        "select " + repeated("(select ", 300) + "1" + repeated(")", 300),
        "select * from " + repeated("(", 257) + "a" + repeated(")", 257),
        repeated("select 1 union ", 1'500) + "select 1",
        "select 1 " + repeated("union select 1 ", 1'200),
        "select " + repeated("case when true then ", 900) + "1" + repeated(" end", 900),
        "select 1 where " + repeated("a or ", 1'900) + "a",
        "select " + repeated("f(", 255) + repeated(")", 255),
        "select '" + std::string(17'000, 'x') + "'",
    };
    base::SystemClock clock;
    for (const auto& sql : costly) {
        const auto began = clock.ticks();
        const auto answer = guard_sql(sql);
        const auto took = clock.ticks() - began;
        INFO(sql.substr(0, 60) << "... " << answer.verdict.reason);
        // Whether some of them are allowed is no matter; none may crash or take long. The bound
        // is generous: it is 50 ms on a quiet machine, and far from the seconds of an attack.
        CHECK(took < std::chrono::seconds{2});
        if (sql.size() > base::limits::sql_bytes_max) {
            CHECK(answer.verdict.family == "dos_parser");
        }
    }
    CHECK(class_of(repeated("/*", 40) + repeated("*/", 40) + " select 1") == "dos_parser");
    CHECK(class_of("select " + repeated("(", 257) + "1" + repeated(")", 257)) == "dos_parser");
    CHECK(class_of("select " + repeated("(", 40) + "1" + repeated(")", 40)) == "read");
}

TEST_CASE("a caller's stack may be small", "[db][guard]") {
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, 256 * 1024);
    pthread_t thread{};
    std::string text = "select " + repeated("- ", 3'900) + "1";
    REQUIRE(
        pthread_create(
            &thread,
            &attributes,
            [](void* sql) -> void* {
                (void)guard_sql(*static_cast<std::string*>(sql));
                return nullptr;
            },
            &text
        ) == 0
    );
    pthread_join(thread, nullptr);
    pthread_attr_destroy(&attributes);
    SUCCEED();
}

TEST_CASE("a NUL does not cut the statement short", "[db][guard]") {
    using std::string_literals::operator""s;
    CHECK(class_of("SELECT 1\0; DROP TABLE t"s) == "malformed");
    CHECK(class_of("SELECT 1\0"s) == "malformed");
    CHECK(class_of("\xc0\x80"s) == "malformed");
    CHECK(class_of("SELECT '\xff'"s) == "malformed");
}

TEST_CASE("a statement carries its text and names without what surrounds it", "[db][guard]") {
    const auto answer = guard_sql(
        "  select a.x, pg_stat_statements(true) from app.orders a, \"Other\" , c.d.e , "
        "(with w as (select 1) select * from w, orders) q where a.x = q.x and e.x = q.x ;  "
    );
    REQUIRE(answer.statement.has_value());
    const auto& statement = *answer.statement;
    CHECK(statement.kind() == StatementKind::select);
    CHECK(statement.text().find(';') == std::string::npos);
    std::vector<std::string> names;
    for (const auto& relation : statement.relations()) {
        names.push_back(relation.catalog + "|" + relation.schema + "|" + relation.name);
        const auto here = statement.text().substr(relation.offset);
        const auto first = relation.schema.empty() ? relation.name : relation.schema;
        CHECK(
            (here.starts_with(first) || here.starts_with("\"" + first) ||
             here.starts_with(relation.catalog))
        );
    }
    std::sort(names.begin(), names.end());
    CHECK(names == std::vector<std::string>{"c|d|e", "|app|orders", "||Other", "||orders"});
    REQUIRE(statement.extension_functions().size() == 1);
    CHECK(
        statement.text().substr(statement.extension_functions()[0].offset, 18) ==
        "pg_stat_statements"
    );
    CHECK(guard_sql("show all").statement->kind() == StatementKind::show);
    CHECK(guard_sql("explain select 1").statement->kind() == StatementKind::explain);
    CHECK(guard_sql("select $1").statement->has_parameters());
    CHECK(guard_sql("select $3::int, '$7', $1::int").statement->parameters() == 3);
}

TEST_CASE("statements made of a guarded one are guarded again", "[db][guard]") {
    const auto statement = guard_sql("select o.id from orders o -- all\n;").statement.value();
    const auto qualified =
        with_prefixes(statement, {{.offset = statement.relations()[0].offset, .text = "\"app\"."}});
    REQUIRE(qualified.ok());
    CHECK(qualified->text().find("from \"app\".orders o") != std::string::npos);
    CHECK(qualified->relations()[0].schema == "app");

    CHECK(explained(statement)->text().starts_with("explain (format json) select"));
    CHECK(without_rows(statement).ok());
    const auto cut = cut_by_server(statement, 1, 100, 11);
    REQUIRE(cut.ok());
    CHECK(cut->text().find("limit 11") != std::string::npos);
    CHECK(cut->relations().size() == 1);

    // What would change the statement's meaning does not get through.
    CHECK_FALSE(with_prefixes(statement, {{.offset = 0, .text = "delete from x; "}}).ok());
    const auto secret = with_prefixes(
        statement, {{.offset = statement.relations()[0].offset, .text = "pg_authid, "}}
    );
    REQUIRE_FALSE(secret.ok());
    CHECK(secret.error().code == base::Errc::refused_by_guard);
    CHECK_FALSE(explained(guard_sql("show all").statement.value()).ok());
}

/// Statements of a script, in the lexer's opinion.
std::vector<std::string> split(const std::string& script) {
    std::vector<std::string> statements;
    const auto result = pg_query_split_with_scanner(script.c_str());
    for (int i = 0; result.error == nullptr && i < result.n_stmts; ++i) {
        const auto& part = *result.stmts[i];
        statements.push_back(script.substr(
            static_cast<std::size_t>(part.stmt_location), static_cast<std::size_t>(part.stmt_len)
        ));
    }
    pg_query_free_split_result(result);
    return statements;
}

/// SQL files of the servers that are installed: those of Debian, and those that tests bring along.
std::vector<std::string> scripts() {
    std::vector<std::string> files;
    std::error_code none;
    for (const auto* place : {"/usr/share/postgresql", "tests/lab/node_modules"}) {
        for (const auto& entry : std::filesystem::recursive_directory_iterator(place, none)) {
            if (entry.path().extension() == ".sql") {
                files.push_back(entry.path().string());
            }
        }
    }
    return files;
}

TEST_CASE("PostgreSQL's own scripts are classified, and only reads are allowed", "[db][guard]") {
    std::size_t statements = 0;
    std::size_t allowed = 0;
    base::SystemClock clock;
    for (const auto& file : scripts()) {
        const auto text = base::read_file(file, std::size_t{4} << 20);
        for (const auto& sql : text ? split(*text) : std::vector<std::string>{}) {
            const auto began = clock.ticks();
            const auto answer = guard_sql(sql);
            INFO(file << ": " << sql);
            CHECK(clock.ticks() - began < std::chrono::seconds{2}); // generous: 1 ms when quiet
            CHECK_FALSE(answer.verdict.family.empty());
            ++statements;
            if (!answer.verdict.allowed) {
                continue;
            }
            ++allowed;
            const auto facts = statement_facts(answer.statement->text());
            REQUIRE(facts.ok());
            CHECK(facts->unknown.empty());
            CHECK_FALSE(facts->writes_rows);
            CHECK_FALSE(facts->locks_rows);
            CHECK((facts->kind == "SelectStmt" || facts->kind == "VariableShowStmt"));
        }
    }
    if (statements == 0) {
        WARN("skipped: no SQL scripts of PostgreSQL are installed");
    } else {
        CHECK(statements > 1'000);
        CHECK(allowed < statements / 20); // nearly all of them define something
    }
}

/// deparse(parse(x)), "" when the deparser cannot.
std::string deparsed(const std::string& sql) {
    const auto parsed = pg_query_parse_protobuf(sql.c_str());
    std::string text;
    if (parsed.error == nullptr) {
        const auto result = pg_query_deparse_protobuf(parsed.parse_tree);
        text = result.error == nullptr ? result.query : "";
        pg_query_free_deparse_result(result);
    }
    pg_query_free_protobuf_parse_result(parsed);
    return text;
}

std::string fingerprint(const std::string& sql) {
    const auto result = pg_query_fingerprint(sql.c_str());
    std::string text = result.error == nullptr ? result.fingerprint_str : "";
    pg_query_free_fingerprint_result(result);
    return text;
}

TEST_CASE("a statement written anew from its tree has the same verdict", "[db][guard]") {
    std::size_t compared = 0;
    const auto compare = [&](const std::string& sql) {
        const auto again = deparsed(sql);
        if (again.empty() || fingerprint(again) != fingerprint(sql)) {
            return; // the deparser's own limits
        }
        ++compared;
        INFO(sql << "\n" << again);
        CHECK(class_of(again) == class_of(sql));
    };
    for (const auto& sql : allowed_statements()) {
        compare(sql);
    }
    for (const auto& [expected, sql] : denied_statements()) {
        if (expected != "malformed" && expected != "explain_prefix_break") {
            compare(sql);
        }
    }
    CHECK(compared > 500);
}

TEST_CASE("comments, white space and case never change a verdict", "[db][guard]") {
    const char* fillers[] = {" ", "\n", "\t", " /* x; drop */ ", " -- it''s\n", "\r\n  "};
    std::size_t compared = 0;
    const auto vary = [&](const std::string& sql, unsigned seed) {
        if (sql.find('$') != std::string::npos || sql.find("--") != std::string::npos ||
            sql.find("/*") != std::string::npos || sql.find('\\') != std::string::npos) {
            return;
        }
        std::string varied;
        char quote = 0;
        for (const char c : sql) {
            seed = seed * 1'103'515'245U + 12'345U;
            if (quote != 0) {
                quote = c == quote ? '\0' : quote;
                varied += c;
            } else if (c == '\'' || c == '"') {
                quote = c;
                varied += c;
            } else if (c == ' ') {
                varied += fillers[(seed >> 16U) % std::size(fillers)];
            } else {
                const auto byte = static_cast<unsigned char>(c);
                const bool upper = ((seed >> 16U) & 1U) != 0;
                varied += static_cast<char>(
                    byte >= 0x80 ? byte
                    : upper      ? std::toupper(byte)
                                 : std::tolower(byte)
                );
            }
        }
        ++compared;
        INFO(sql << "\n" << varied);
        CHECK(class_of(varied) == class_of(sql));
    };
    unsigned seed = 1;
    for (const auto& sql : allowed_statements()) {
        vary(sql, ++seed);
    }
    for (const auto& [expected, sql] : denied_statements()) {
        if (expected != "malformed") {
            vary(sql, ++seed);
        }
    }
    CHECK(compared > 500);
}

} // namespace
} // namespace interlock::db

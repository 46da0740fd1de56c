#include "base/clock.hpp"
#include "base/db/sql_text.hpp"
#include "base/limits.hpp"
#include "base/text.hpp"

#include <functional>

#include <catch2/catch.hpp>

namespace interlock::db {
namespace {

using base::Errc;
namespace limits = base::limits;

std::string repeat(std::string_view piece, std::size_t times) {
    std::string text;
    for (std::size_t i = 0; i < times; ++i) {
        text += piece;
    }
    return text;
}

double seconds_of(const std::function<void()>& work) {
    base::SystemClock clock;
    const auto began = clock.ticks();
    work();
    return std::chrono::duration<double>(clock.ticks() - began).count();
}

struct Masked {
    const char* sql;
    const char* masked;
};

constexpr Masked cases[] = {
    // Constants of every kind
    {"select 1", "select $1"},
    {"select 'secret'", "select $1"},
    {"select 1.5, .5, 1e10, 1.5e-3", "select $1, $2, $3, $4"},
    {"select -1, +2, - 3", "select -$1, +$2, - $3"},
    {"select 'it''s'", "select $1"},
    {"select E'it\\'s \\n secret'", "select $1"},
    {"select e'x'", "select $1"},
    {"select N'secret'", "select N $1"},
    {"select B'0101', X'1F', b'1', x'ff'", "select $1, $2, $3, $4"},
    {"select U&'\\0061secret'", "select $1"},
    {"select U&'!0061' UESCAPE '!'", "select $1 UESCAPE $2"},
    {"select $$secret$$", "select $1"},
    {"select $tag$secret $$ still$tag$", "select $1"},
    {"select 'a'\n'secret'", "select $1"},
    {"select 'line\nbreak'", "select $1"},
    {"select ''", "select $1"},
    {"select 9999999999999999999999", "select $1"},
    {"select date '2026-11-21', interval '1 day'", "select date $1, interval $2"},
    {"select 'x'::text, cast('y' as bytea)", "select $1::text, cast($2 as bytea)"},
    {"select array['a','b'], '{1,2}'::int[]", "select array[$1,$2], $3::int[]"},
    {"values (1,'a'),(2,'b')", "values ($1,$2),($3,$4)"},
    {"select 'é', 'ü'", "select $1, $2"},
    // What is not a constant stays
    {"select true, false, null", "select true, false, null"},
    {"select a1, t2.c3 from t4", "select a1, t2.c3 from t4"},
    {"select \"Quoted 1\" from \"T 'x'\"", "select \"Quoted 1\" from \"T 'x'\""},
    {"select U&\"d!0061t\" UESCAPE '!'", "select U&\"d!0061t\" UESCAPE $1"},
    {"select naïve from größe", "select naïve from größe"},
    {"", ""},
    {"   \n ", ""},
    {";", ";"},
    // Parameters keep their numbers, constants go on from there
    {"select * from t where a = $1 and b = 7", "select * from t where a = $1 and b = $2"},
    {"select $12, 'x'", "select $12, $13"},
    {"select 5, $2", "select $3, $2"},
    // Comments go
    {"select 1 -- secret\n, 2", "select $1 , $2"},
    {"select /* secret */ a", "select a"},
    {"select/* secret */a", "select a"},
    {"select /* a /* nested secret */ b */ 1", "select $1"},
    {"-- secret\nselect a", "select a"},
    {"select '-- not a comment', '/* neither */'", "select $1, $2"},
    {"select a -- secret", "select a"},
    {"/* only */", ""},
    // One line
    {"select\n\ta,\r\n  b", "select a, b"},
    {"select \"a\nb\"", "select \"a b\""},
    // Statements that carry passwords
    {"create role a login password 'secret'", "create role a login password $1"},
    {"alter user a with encrypted password E'secret' valid until '2030-01-01'",
     "alter user a with encrypted password $1 valid until $2"},
    {"create subscription s connection 'host=h password=secret' publication p",
     "create subscription s connection $1 publication p"},
    {"create user mapping for u server s options (user 'x', password 'secret')",
     "create user mapping for u server s options (user $1, password $2)"},
    {"select dblink_connect('password=secret')", "select dblink_connect($1)"},
    {"do $$ begin perform 'secret'; end $$", "do $1"},
    {"set x.y = 'secret'", "set x.y = $1"},
    {"copy t from program 'curl -u me:secret'", "copy t from program $1"},
    // Cut in the middle
    {"select * from t where a = 'secr", "select * from t where a = ..."},
    {"select 'a', 'b', 'secr", "select $1, $2, ..."},
    {"select 'ä', 'secr", "select $1, ..."},
    {"select 1, $tag$ secret", "select $1, ..."},
    {"select 1 /* secret", "select $1 ..."},
    {"select a, \"half a na", "select a, ..."},
    {"select 1, E'secret\\", "select $1, ..."},
    {"update t set x = 'a' where", "update t set x = $1 where"},
    {"'secret", "<unreadable statement>"},
    {"/* secret", "<unreadable statement>"},
    // Where a server without standard_conforming_strings would read on
    {"select 'a\\' or secret = 'b'", "select $1 ..."},
    {"select '\\', secret, '\\'", "select $1 ..."},
    // Not SQL at all
    {"select 12abc 'x'", "select ..."},
    {"<insufficient privilege>", "<insufficient privilege>"},
};

TEST_CASE("literals become parameters and comments go", "[db]") {
    for (const auto& item : cases) {
        CAPTURE(item.sql);
        CHECK(mask_literals(item.sql) == item.masked);
    }
}

TEST_CASE("masking a masked text changes nothing", "[db]") {
    for (const auto& item : cases) {
        const auto once = mask_literals(item.sql);
        CAPTURE(once);
        if (once.find("...") == std::string::npos) {
            CHECK(mask_literals(once) == once);
        }
    }
}

TEST_CASE("a reader is told which parameters stand for literals", "[db]") {
    CHECK(
        mask_literals_visibly("select * from t where a = $2 and b = 'x' and c = 3") ==
        "select * from t where a = $2 and b = $3 and c = $4 /* literals masked from $3 on */"
    );
    CHECK(mask_literals_visibly("select 1") == "select $1 /* literals masked from $1 on */");
    CHECK(
        mask_literals_visibly("select 1, 'cut in the mid") ==
        "select $1, ... /* literals masked from $1 on */"
    );
    CHECK(mask_literals_visibly("select a from t where b = $1") == "select a from t where b = $1");
    CHECK(mask_literals_visibly("'x") == "<unreadable statement>");
    // A text cannot say so itself.
    CHECK(mask_literals_visibly("select a /* literals masked from $1 on */") == "select a");
    CHECK(tells_masked_literals(mask_literals_visibly("select 1")));
    CHECK_FALSE(tells_masked_literals("select $1"));
}

TEST_CASE("parameters where only a constant may stand become casts", "[db]") {
    struct Cast {
        const char* sql;
        const char* cast;
    };
    constexpr Cast texts[] = {
        {"select now() - interval $1", "select now() - $1::interval "},
        {"select interval $1 day to second from t", "select $1::interval  day to second from t"},
        {"select INTERVAL(3) $2", "select $2::INTERVAL(3) "},
        {"select date $1, timestamptz $2, numeric(10, 2) $3",
         "select $1::date , $2::timestamptz , $3::numeric(10, 2) "},
        {"select timestamp with time zone $1", "select $1::timestamp with time zone "},
        {"select time (2) without time zone $1", "select $1::time (2) without time zone "},
        {"select double precision $1, bit varying $2",
         "select $1::double precision , $2::bit varying "},
        {"select extract($1 from at)", "select pg_catalog.extract($1 , at)"},
        {"select EXTRACT ( $1 /* what */ FROM x)",
         "select pg_catalog.extract ( $1 /* what */ , x)"},
        // Nothing to do
        {"select x at time zone $1 limit $2 offset $3", nullptr},
        {"select date from t where date = $1", nullptr},
        {"select $1::interval, cast($2 as date)", nullptr},
        {"select * from t where id in ($1 /*, ... */)", nullptr},
        {"select 'interval $1', \"extract($1 from x)\"", nullptr},
        {"select substring(x from $1 for $2), position($3 in x)", nullptr},
        {"interval", nullptr},
        {"$1", nullptr},
        {") $1", nullptr},
        {"select 'cut", nullptr},
    };
    for (const Cast& text : texts) {
        CAPTURE(text.sql);
        CHECK(cast_parameters(text.sql) == (text.cast != nullptr ? text.cast : text.sql));
    }
}

TEST_CASE("a secret does not survive a cut at any byte", "[db]") {
    const std::string sql =
        "alter role \"Ä\" password E'sEcReT\\'' /* sEcReT */, x = $q$sEcReT$q$, "
        "U&'sEcReT' -- sEcReT\n, 'sEcReT''sEcReT'";
    for (std::size_t size = 0; size <= sql.size(); ++size) {
        const auto masked = mask_literals(std::string_view{sql}.substr(0, size));
        CAPTURE(size, masked);
        CHECK(masked.find("sE") == std::string::npos);
        CHECK(masked.find("cR") == std::string::npos);
    }
}

TEST_CASE("masking gives valid single-line UTF-8 for any bytes", "[db]") {
    unsigned state = 1;
    for (int round = 0; round < 2'000; ++round) {
        std::string bytes;
        for (int i = 0; i < 40; ++i) {
            state = state * 1'664'525U + 1'013'904'223U;
            constexpr std::string_view alphabet = "'\"$/*-\\aEU&1.\n \xc3\xa9\xff\x80;()\x01\x1b[";
            bytes += alphabet[(state >> 16U) % alphabet.size()];
        }
        const auto masked = mask_literals(bytes);
        CAPTURE(bytes);
        CHECK(base::is_utf8(masked));
        CHECK(masked.find('\n') == std::string::npos);
        CHECK(masked.find('\x1b') == std::string::npos);
    }
}

TEST_CASE("a control sequence that takes a quote along leaves no literal behind", "[db]") {
    // As sent, the single quote stands in a name; without the sequence it would begin a literal.
    const auto shown = mask_literals("select \x1b\"a}b\", \"c 'd\", e");
    CHECK(shown.find('\'') == std::string::npos);
    CHECK(shown.find('\x1b') == std::string::npos);
    CHECK(mask_literals("select \"c 'd\", 'e'") == "select \"c 'd\", $1");
}

TEST_CASE("masking hostile text is quick", "[db]") {
    for (const auto& hostile :
         {repeat("/*", 500'000),
          repeat("(", 100'000),
          repeat("'", 99'999),
          repeat("$a", 50'000),
          repeat("/*", 30) + repeat("*/", 30) + repeat("/**/", 4'000),
          repeat("+", 16'000),
          repeat("/**/ ", 3'000),
          repeat("+*", 8'000)}) {
        std::string masked;
        CHECK(seconds_of([&] { masked = mask_literals(hostile); }) < 0.5);
    }
    CHECK(mask_literals(repeat("/*", 500'000)) == "<unreadable statement>");
    CHECK(mask_literals(std::string("select 1\0secret", 15)) == "<unreadable statement>");
}

TEST_CASE("a long text is masked up to the limit", "[db]") {
    const auto masked = mask_literals("select a, " + repeat("'x', ", 10'000) + "'end'");
    CHECK(masked.starts_with("select a, $1, $2, "));
    CHECK(masked.ends_with(" ..."));
}

TEST_CASE("ordinary statements pass the caps", "[db]") {
    CHECK(check_sql_caps("select 1").ok());
    CHECK(check_sql_caps("").ok());
    CHECK(check_sql_caps("select 'ü', /* /* a */ */ 2").ok());
    CHECK(check_sql_caps("select 'unterminated").ok()); // the parser's to tell
    CHECK(check_sql_caps(repeat("/*", 32) + repeat("*/", 32)).ok());
    CHECK(check_sql_caps("/" + repeat("*", 500) + "/ select 1 -- " + repeat("=", 500)).ok());
}

TEST_CASE("each cap refuses what is past it", "[db]") {
    const std::pair<std::string, Errc> expected[] = {
        {std::string(limits::sql_bytes_max + 1, ' '), Errc::limit_exceeded},
        {std::string("select 1\0; drop table t", 23), Errc::invalid_input},
        {"select '\xff'", Errc::invalid_input},
        {"select '\xed\xa0\x80'", Errc::invalid_input},
        {repeat("/*", 33) + repeat("*/", 33), Errc::limit_exceeded},
        {repeat("/*", 8'000), Errc::limit_exceeded},
        {repeat("/*/ ", 33), Errc::limit_exceeded},
        {repeat("/**/", 4'000), Errc::limit_exceeded},
        {"select 1 " + repeat("+", 4'000) + " 1", Errc::limit_exceeded},
        {"select 1" + repeat("+1", 2'000), Errc::limit_exceeded}};
    for (const auto& [sql, code] : expected) {
        CAPTURE(sql.substr(0, 40));
        base::Status status = base::done;
        CHECK(seconds_of([&] { status = check_sql_caps(sql); }) < 0.5);
        REQUIRE_FALSE(status.ok());
        CHECK(status.error().code == code);
        CHECK_FALSE(status.error().remedy.empty());
    }
}

TEST_CASE("operators beside comments do not hide nesting", "[db]") {
    // Each "*/*" closes one comment and opens none for the lexer inside, or opens one outside.
    CHECK_FALSE(check_sql_caps("select '/*' */*" + repeat("/*", 33) + repeat("*/", 34)).ok());
    CHECK(check_sql_caps("select a /* x */* b /* y */").ok());
}

} // namespace
} // namespace interlock::db

#include "base/text.hpp"
#include "tools/postgres/log_mask.hpp"

#include <catch2/catch.hpp>

using namespace std::string_literals;
using interlock::tools::LogMask;

namespace {

std::string fingerprint(std::string_view message) {
    std::string out;
    interlock::tools::mask_log_message(
        message, LogMask::fingerprint, interlock::tools::log_fingerprint_bytes_max, out
    );
    return out;
}

std::string searched(std::string_view message) {
    std::string out;
    interlock::tools::mask_log_message(message, LogMask::search, 1'000, out);
    return out;
}

} // namespace

TEST_CASE("entries of one kind have one fingerprint", "[tools]") {
    CHECK(
        fingerprint("relation \"orders\" does not exist at character 15") ==
        "relation \"?\" does not exist at character ?"
    );
    CHECK(
        fingerprint("process 12 still waiting for ShareLock on transaction 811 after 1000.071 ms"
        ) == fingerprint("process 977 still waiting for ShareLock on transaction 9 after 2.5 ms")
    );
    CHECK(
        fingerprint("duration: 12.5 ms  statement: select * from t where a = 'x' and b in (1,2)") ==
        fingerprint("duration: 9 ms  statement: select  *\nfrom t where a = 'it''s' and b in (7)")
    );
    CHECK(
        fingerprint("duration: 1 ms  execute s_12: update t set a = $1 where id = 5") ==
        "duration: ? ms execute s_?: update t set a = $1 where id = ?"
    );
    CHECK(
        fingerprint("recovered 000000010000000A000000FE of 0/16B3748, slot deadbeef01") ==
        "recovered ? of ?/?, slot ?"
    );
    CHECK(fingerprint("can't do that, won't do this") == "can't do that, won't do this");
    CHECK(fingerprint("").empty());
}

TEST_CASE("a fingerprint is bounded, whatever the message", "[tools]") {
    for (const std::string& text :
         {std::string(100'000, 'a'),
          std::string(100'000, '\''),
          std::string(100'000, '"'),
          std::string(100'000, '$'),
          std::string(100'000, '('),
          std::string(100'000, '1'),
          "statement: "s + std::string(100'000, '\''),
          "statement: /*"s + std::string(100'000, '*'),
          "\xff\xfe\x00 x"s}) {
        CHECK(fingerprint(text).size() <= interlock::tools::log_fingerprint_bytes_max);
    }
}

TEST_CASE("a search sees names and no values", "[tools]") {
    CHECK(
        searched("relation \"app.orders\" does not exist") ==
        "relation \"app.orders\" does not exist"
    );
    CHECK(
        searched("invalid input syntax for type integer: \"hunter2\"") ==
        "invalid input syntax for type integer: \"?\""
    );
    CHECK(searched("syntax error at or near \"'hunter2'\"") == "syntax error at or near \"?\"");
    CHECK(
        searched("statement: select 'hunter2', 4111, $tag$hunter2$tag$ -- hunter2") ==
        "statement: select ? "
    );
    CHECK(searched("process 12 waits") == "process 12 waits");
}

TEST_CASE("values are not shown", "[tools]") {
    using interlock::tools::shown_log_detail;
    using interlock::tools::shown_log_message;
    using interlock::tools::shown_log_statement;
    const std::vector<std::string> shown{
        shown_log_message("duration: 3 ms  statement: select * from t where a = 'hunter2'"),
        shown_log_message("statement: alter role ann password 'hunter2'"),
        shown_log_message("duration: 3 ms  plan:\nQuery Text: select 'hunter2'\n"
                          "Seq Scan on t\n  Filter: (a = 'hunter2'::text)"),
        shown_log_message("invalid input syntax for type integer: \"hunter2\""),
        shown_log_message("AUDIT: SESSION,1,1,WRITE,INSERT,,,insert into t values ('hunter2')"),
        shown_log_detail("Key (email)=(hunter2) already exists."),
        shown_log_detail("Key (a, b)=(1, x)hunter2(y) is still referenced."),
        shown_log_detail("Failing row contains (1, hunter2, (x))."),
        shown_log_detail("parameters: $1 = 'hunter2', $2 = NULL"),
        shown_log_detail("Process 1 waits for ShareLock on transaction 2; blocked by process 3.\n"
                         "Process 1: update t set a = 'hunter2' where id = 1"),
        shown_log_detail("SQL statement \"select 'hunter2'\"\nPL/pgSQL function f() line 3"),
        shown_log_detail("COPY t, line 3, column email: \"hunter2\""),
        shown_log_detail("unnamed portal with parameters: $1 = 'hunter2'"),
        shown_log_statement("select 'hunter2'"),
    };
    for (const std::string& text : shown) {
        INFO(text);
        CHECK(text.find("hunter2") == std::string::npos);
        CHECK_FALSE(text.empty());
        CHECK(interlock::base::is_utf8(text));
        CHECK(text.find('\n') == std::string::npos);
    }
    CHECK_THAT(shown[9], Catch::Contains("blocked by process 3"));
    CHECK_THAT(shown[9], Catch::Contains("update t set a = $1"));
    CHECK_THAT(shown[5], Catch::Contains("Key (email)=(?)"));
    CHECK_THAT(shown[10], Catch::Contains("PL/pgSQL function f() line 3"));
}

#include "base/clock.hpp"
#include "base/text.hpp"
#include "telemetry/redaction.hpp"

#include <chrono>
#include <random>

#include <catch2/catch.hpp>

namespace base = interlock::base;
namespace telemetry = interlock::telemetry;

namespace {

/// What must hold whatever comes in.
void check_promises(const std::string& hostile) {
    CAPTURE(hostile);
    const std::string text = base::sanitize(hostile);
    const std::string shown = telemetry::redact(text);
    REQUIRE(telemetry::redact(shown) == shown);
    REQUIRE(base::is_utf8(shown));
    REQUIRE(shown.size() <= 8 * text.size() + 64);
    const std::string sql = telemetry::safe_sql(hostile);
    REQUIRE(base::is_utf8(sql));
}

std::string repeat(std::string_view text, std::size_t bytes) {
    std::string out;
    while (out.size() < bytes) {
        out += text;
    }
    return out;
}

} // namespace

TEST_CASE("redacting twice changes nothing more, whatever is put together", "[telemetry]") {
    const std::vector<std::string> pieces{
        "password",
        "=",
        " ",
        "'",
        "\"",
        "E'",
        "U&'",
        "$$",
        "$a$",
        "\\",
        "://",
        "@",
        "a",
        ":",
        "x.org",
        "[redacted:",
        "]",
        "[redacted:password]",
        "[redacted:jwt]",
        "[redacted:e-mail]",
        "crypt(",
        ")",
        "(",
        "eyJhbGciOiJIUzI1NiJ9",
        ".",
        "4111111111111111",
        "4111 1111 1111 1111",
        "-",
        "-----BEGIN ",
        "-----END ",
        "-----",
        "sk-",
        "ghp_",
        "abcdef0123456789",
        "AKIA",
        "IOSFODNN7EXAMPLE",
        "md5",
        "d41d8cd98f00b204e9800998ecf8427e",
        "IDENTIFIED BY ",
        "user ",
        "CONNECTION ",
        "CREDENTIALS ",
        "/*",
        "*/",
        "--",
        "\n",
        "\xC3\xA9",
        "\xF0\x9F\x98\x80",
        "\xFF",
        "||",
        "bearer ",
        "SCRAM-SHA-256$4096:",
        "pwd",
        "authorization",
        "Authorization: ",
        "\"authorization\",",
        "Token ",
        "Basic ",
        "Digest ",
        "\\\"",
        "\r\n ",
        "xoxb-1234",
        "?",
        "$1",
        ",",
        ";",
        "UESCAPE '!'",
        "{",
        "}",
        "api_key"};
    std::mt19937 generator{20261121};
    std::uniform_int_distribution<std::size_t> pick{0, pieces.size() - 1};
    std::uniform_int_distribution<int> length{1, 14};
    for (int round = 0; round < 20'000; ++round) {
        std::string text;
        for (int i = length(generator); i > 0; --i) {
            text += pieces[pick(generator)];
        }
        check_promises(text);
    }
}

TEST_CASE("random bytes break no promise", "[telemetry]") {
    std::mt19937 generator{7};
    std::uniform_int_distribution<int> byte{0, 255};
    for (int round = 0; round < 3'000; ++round) {
        std::string text;
        for (int i = round % 97; i > 0; --i) {
            text += static_cast<char>(byte(generator));
        }
        check_promises(text);
    }
}

TEST_CASE("hostile text costs work in proportion to its size", "[telemetry]") {
    constexpr std::size_t bytes = 1 << 18;
    for (const std::string_view unit :
         {"E'\\'",
          "'/*",
          "x://",
          "x://a:",
          "a@",
          "a@b.",
          "password=\\",
          "password '",
          "crypt(",
          "$a$",
          "-----BEGIN x-----",
          "4",
          "4111 ",
          "'",
          "'' ",
          "identified by ",
          "eyJ",
          "eyJhbGciOiJIUzI.",
          "[redacted:",
          "U&'\\0041' ",
          "--",
          "password --",
          "user identified by x ",
          "bearer ",
          "authorization:",
          "authorization: x\n ",
          "'authorization: ",
          "\"authorization\",\"",
          "\"password\":\""}) {
        CAPTURE(unit);
        const std::string text = repeat(unit, bytes);
        const auto start = interlock::base::SystemClock{}.ticks();
        const std::string shown = telemetry::redact(text);
        const auto took = interlock::base::SystemClock{}.ticks() - start;
        CHECK(shown.size() <= 8 * text.size() + 64);
        // A quadratic scan of 256 KiB would take minutes; this leaves room for a slow, busy
        // machine.
        CHECK(took < std::chrono::seconds{5});
    }
}

TEST_CASE("ordinary text stays as it is", "[telemetry]") {
    std::vector<std::string> benign{
        // names
        "orders",
        "app.orders",
        "public.order_items_2026_11",
        "idx_orders_customer_id",
        "pk_users",
        "users_password_idx",
        "password_resets",
        "\"Order Details\"",
        "pg_toast_16412",
        "pg_toast.pg_toast_2619",
        "shop_app",
        "interlock_diag",
        "pg_read_all_stats",
        "plain_reader",
        "billing-worker-7",
        "sidekiq 7.1.2 queue:default",
        "psql",
        "PostgreSQL JDBC Driver",
        "pgbouncer - 10.0.0.7:51234",
        "app - web.1",
        "DBeaver 23.2 - Main",
        "Metabase v0.48",
        "api_keys",
        "access_tokens",
        "secret_santa",
        "credit_cards",
        "emails_to_send",
        "token_type",
        "jwt_blacklist",
        "md5_cache",
        "sk_customers",
        "scrambled_eggs",
        "npm_packages",
        "asia_pacific_sales",
        "task-runner-20261121",
        "interlock:get_activity:os:ann",
        "logical replication worker",
        "autovacuum launcher",
        "client backend",
        "walsender",
        "standby1",
        "replica_slot_3",
        "node-exporter",
        "ip-10-0-4-17",
        "db-1.internal",
        "postgresql@15-main.service",
        "ann@localhost",
        "\xC3\xBC"
        "bersicht",
        "\xE6\xB3\xA8\xE6\x96\x87",
        "orders_pkey",
        // SQL as it is shown, and as logs quote it
        "select * from app.orders where id = $1",
        "update users set password = $1 where id = $2",
        "alter role bob password $1",
        "insert into t (a, b) values ($1, $2) returning id",
        "select count(*) from pg_stat_activity where state = 'active'",
        "select 'a' as x, 'b' as y",
        "where name like 'O''Brien%'",
        "E'line\\nbreak'",
        "begin; set local statement_timeout = '5s'",
        "vacuum (verbose, analyze) app.orders",
        "create index concurrently on app.orders (created_at)",
        "select now() - interval '5 minutes'",
        "select a @> b, c <@ d, e || f from t",
        "select x::text, y::int8 from z",
        "copy app.orders from stdin",
        "listen jobs",
        "set session authorization default",
        "select $$a body$$",
        "grant pg_monitor to interlock_diag",
        "select md5(id::text) from t",
        "select crypt from oysters",
        "where a->>'key' = 'value'",
        "explain (costs off) select 1",
        "lock table app.orders in share mode",
        "prepare transaction 'tx_17'",
        "select array[1,2,3]",
        // log lines and messages
        "connection received: host=10.0.0.7 port=51234",
        "connection authorized: user=shop_app database=shop application_name=web",
        "password authentication failed for user \"shop_app\"",
        "no pg_hba.conf entry for host \"10.0.0.7\", user \"bob\", database \"shop\", no "
        "encryption",
        "checkpoint complete: wrote 1234 buffers (7.5%); 0 WAL file(s) added, 1 removed",
        "automatic vacuum of table \"shop.app.orders\": index scans: 1",
        "duration: 1234.567 ms  statement: select 1",
        "process 4242 still waiting for ShareLock on transaction 778 after 1000.123 ms",
        "canceling statement due to statement timeout",
        "deadlock detected",
        "could not serialize access due to concurrent update",
        "duplicate key value violates unique constraint \"orders_pkey\"",
        "relation \"app.orderz\" does not exist",
        "column \"passwd\" does not exist",
        "terminating connection due to administrator command",
        "server closed the connection",
        "permission denied for table orders",
        "must be superuser to alter superuser roles",
        "invalid value for parameter \"password_encryption\"",
        "out of shared memory",
        "remaining connection slots are reserved",
        "archive command failed with exit code 1",
        "requested WAL segment 000000010000000A000000FE has already been removed",
        "parameter \"shared_buffers\" cannot be changed without restarting the server",
        "SSL error: certificate verify failed",
        "see https://www.postgresql.org/docs/15/errcodes.html",
        "http://localhost:9090/metrics",
        "postgres://db.example:5432/shop",
        "file:///var/lib/pg",
        "unix:///run/postgresql/.s.PGSQL.5432",
        "s3://backups/shop/2026-11-21",
        "jdbc:postgresql://db/shop",
        "key: value",
        "api_key is missing",
        "the token has expired",
        "authorization is required",
        "don't panic: it's 'fine'",
        "pwd=/var/lib/postgresql/15/main",
        "rows identified by id",
        "HINT:  No function matches the given name and argument types.",
        "-- a comment",
        "/* route: orders#index */",
        "----------",
        "100 %",
        "a=b;c=d",
        "x@y",
        // identifiers, numbers, times
        "0/16B3748",
        "A/FE000028",
        "16/B374D848",
        "000000010000000A000000FE",
        "f47ac10b-58cc-4372-a567-0e02b2c3d479",
        "00000000-0000-0000-0000-000000000000",
        "12345678-1234-4234-8234-123456789012",
        "6ba7b810-9dad-11d1-80b4-00c04fd430c8",
        "212aff2",
        "c4ca4238a0b923820dcc509a6f75849b",
        "da39a3ee5e6b4b0d3255bfef95601890afd80709",
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        "plan_aaaaaaaaaaaaaaaaaaaaaaaaaa",
        "ev_abcdefghijklmnopqrstuvwx23",
        "sha256:9f86d081884c7d659a2feaa0c55ad015",
        "7401234567890123456",
        "-6841245973251784521",
        "1763748469123456",
        "1763748469123",
        "20261121180749",
        "2026-11-21 18:07:49.123456+00",
        "2026-11-21T18:07:49.123456Z",
        "1.5e-10",
        "99.99",
        "0x1F",
        "10.0.0.7",
        "192.168.1.1/24",
        "fe80::1ff:fe23:4567:890a",
        "::1",
        "51234",
        "15.18",
        "150018",
        "+49 30 1234567",
        "1,234,567,890",
        "1 234 567 890 123",
        "4242424242424241",
        "978-3-16-148410-0",
        "00:11:22:33:44:55",
        "v1.2.3-rc.1+build.5",
        "100000000000000000000",
        "3.14159265358979",
        "sequence 9223372036854775807",
        "oid 4294967295",
        "xid 2147483647",
        "lsn 0/0",
        // more of each
        "pg_stat_statements",
        "pg_stat_user_tables",
        "information_schema.columns",
        "order-service",
        "checkout@v2",
        "cron: nightly rollup",
        "celery@worker3",
        "rails console",
        "gunicorn: worker [web]",
        "orders_2026_q4",
        "tmp_export_17",
        "fk_orders_customer",
        "trg_orders_audit",
        "seq_invoice_no",
        "uq_users_lower_email",
        "email_templates",
        "password_policy",
        "user_passwords_old",
        "crypto_wallets",
        "bearer_bonds",
        "begin isolation level serializable",
        "fetch forward 100 from c1",
        "refresh materialized view concurrently mv",
        "alter system set work_mem = '64MB'",
        "select * from t where email = lower($1)",
        "select password_hash from users where id = $1",
        "update t set token = $1 where token_id = $2",
        "delete from sessions where expires < now()",
        "select 1; -- ping",
        "table orders",
        "statement: fetch 50 in cursor_1",
        "replication terminated by primary server",
        "started streaming WAL from primary at 0/3000000",
        "recovery stopping before commit of transaction 812",
        "invalid memory alloc request size 1073741824",
        "could not open file \"base/16384/2619\"",
        "tuple concurrently updated",
        "cannot execute UPDATE in a read-only transaction",
        "worker took too long to start; canceled",
        "unexpected EOF on client connection",
        "Sat Nov 21 18:07:49 2026",
        "P0001",
        "42P01",
        "XX000",
        "e.g. this",
        "50 %% done",
        "1e6 rows",
        "a/b/c",
        "~/.pgpass",
        "C:\\\\data"};
    REQUIRE(benign.size() >= 200);
    std::size_t changed = 0;
    for (const std::string& text : benign) {
        CAPTURE(text);
        CHECK(telemetry::redact(text) == text);
        changed += telemetry::redact(text) == text ? 0 : 1;
    }
    // What chance alone does: identifiers of nineteen digits, as queryids are.
    constexpr int drawn = 100'000;
    std::mt19937_64 generator{42};
    std::uniform_int_distribution<long long> id{1'000'000'000'000'000'000LL};
    int ids_changed = 0;
    for (int i = 0; i < drawn; ++i) {
        const std::string text = std::to_string(id(generator));
        ids_changed += telemetry::redact(text) == text ? 0 : 1;
    }
    WARN(
        "false redactions: " << changed << " of " << benign.size() << " ordinary texts, "
                             << ids_changed << " of " << drawn
                             << " numbers of 19 digits drawn by lot"
    );
    CHECK(changed == 0);
    CHECK(ids_changed < drawn / 25);
}

TEST_CASE("what a secret hides behind is removed before the rules look", "[telemetry]") {
    CHECK(telemetry::safe_text("AKIA\xE2\x80\x8BIOSFODNN7EXAMPLE") == "[redacted:aws-key]");
    CHECK(telemetry::safe_text("pass\x1b[0mword=x") == "password=[redacted:password]");
}

TEST_CASE("SQL shows no literal, no comment, and no secret in a name", "[telemetry]") {
    CHECK(
        telemetry::safe_sql("select 'x' /* AKIAIOSFODNN7EXAMPLE */ from \"ann@example.com\"") ==
        "select $1 from \"[redacted:e-mail]\""
    );
    CHECK(
        telemetry::safe_sql("alter role a password 'x' valid until 'y'") ==
        "alter role a password $1 valid until $2"
    );
    CHECK(
        telemetry::safe_sql("update u set password = crypt($1, gen_salt($2)) where u.password = old"
        ) == "update u set password = crypt($1, gen_salt($2)) where u.password = old"
    );
    CHECK(
        telemetry::safe_sql("select 1 from t where password = \"hunter2\"").find("hunter2") ==
        std::string::npos
    );
    CHECK(
        telemetry::safe_sql("select U&\"\\0041KIAIOSFODNN7EXAMPLE\"") == "select [redacted:literal]"
    );
    CHECK(
        telemetry::safe_sql("update \"PGPASSWORD=hunter2\" set password = old, \"x\" = y") ==
        "update \"PGPASSWORD=[redacted:password]\" set password = old, \"x\" = y"
    );
    CHECK(telemetry::safe_sql("'AKIAIOSFODNN7EXA") == "<unreadable statement>");
    CHECK(telemetry::safe_sql("select $x$AKIAIOSFODNN7EXA").find("AKIA") == std::string::npos);
}

TEST_CASE("a log line keeps who somebody is and hides all else", "[telemetry]") {
    CHECK(telemetry::redact_log_field("subject", "ann@x.org") == "ann@x.org");
    CHECK(telemetry::redact_log_field("why", "ann@x.org") == "[redacted:e-mail]");
}

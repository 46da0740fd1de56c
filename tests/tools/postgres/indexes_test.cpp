#include "tests/tools/shop.hpp"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

using interlock::lab::Session;
using interlock::test::not_examined;
using interlock::test::Shop;
using nlohmann::json;

namespace {

const json* row_of(const json& rows, const std::string& index) {
    for (const json& row : rows) {
        if (row["index"] == index) {
            return &row;
        }
    }
    return nullptr;
}

const json* finding_about(const json& packet, const std::string& object) {
    for (const json& finding : packet["findings"]) {
        if (finding["object"] == object) {
            return &finding;
        }
    }
    return nullptr;
}

/// "duplicate of app.x", "prefix of app.x"; "" when the index is not called redundant.
std::string verdict(const json& packet, const std::string& index) {
    const json* row = row_of(packet["rows"]["redundant"], "app." + index);
    return row == nullptr ? ""
                          : (*row)["how"].get<std::string>() + " of " +
                                (*row)["covered_by"].get<std::string>().substr(4);
}

} // namespace

TEST_CASE(
    "an unused index is a candidate only as far as counters reach", "[tools][postgres][live]"
) {
    Shop shop;
    shop.database().sql(
        "create table app.lines (id bigint, order_id int references app.orders) "
        "with (autovacuum_enabled = off);"
        "insert into app.lines select i, 1 + i % 100 from generate_series(1, 600000) i;"
        "create index lines_id on app.lines (id);"
        "create index lines_order on app.lines (order_id);"
        "create index \"lines \"\"\u202eused\" on app.lines ((id + 1)) where order_id = 7"
    );
    const json packet = shop.bench().ask("get_indexes");
    const json* unused = finding_about(packet, "index app.lines_id");
    REQUIRE(unused != nullptr);
    CHECK((*unused)["severity"] == "notice");
    CHECK_THAT((*unused)["meaning"].get<std::string>(), Catch::Contains("no ground to drop it"));
    const json* row = row_of(packet["rows"]["unused"], "app.lines_id");
    REQUIRE(row != nullptr);
    CHECK((*row)["definition"] == "CREATE INDEX lines_id ON app.lines USING btree (id)");
    CHECK((*row)["scans"] == 0);
    CHECK((*row)["note"] == "");
    CHECK(row_of(packet["rows"]["unused"], "app.orders_pkey") == nullptr);

    const json all = shop.bench().ask("get_indexes", R"({"view":"unused"})");
    row = row_of(all["rows"]["unused"], "app.lines_order");
    REQUIRE(row != nullptr);
    CHECK((*row)["note"] == "supports foreign key lines_order_id_fkey");
    row = row_of(all["rows"]["unused"], "app.\"lines \"\"used\""); // nothing that deceives a reader
    REQUIRE(row != nullptr);
    CHECK((*row)["note"] == "its expression has statistics of its own");
    CHECK_FALSE(all["rows"].contains("redundant"));
    CHECK(not_examined(all, "redundant"));
}

TEST_CASE(
    "only an index that another can replace in all its uses is redundant", "[tools][postgres][live]"
) {
    Shop shop;
    shop.database().sql("create table app.t (a int, b int, c text, d text);"
                        "create table app.referenced (a int not null, b int);"
                        // the pairs: the second can go
                        "create index dup_1 on app.t (a, b);"
                        "create index dup_2 on app.t (a, b);"
                        "create index prefix on app.t (a);"
                        "create index part_1 on app.t (b) where a > 0;"
                        "create index part_2 on app.t (b)   where a > 0;"
                        "create index long_name_of_an_expression on app.t (lower(c));"
                        "create index expr on app.t (lower(c));"
                        "create unique index once on app.t (b, a);"
                        "create index plain on app.t (b, a);"
                        // none of these
                        "create index other_opclass on app.t (c text_pattern_ops);"
                        "create index other_collation on app.t (c collate \"C\");"
                        "create index usual on app.t (c, d);"
                        "create index descending on app.t (a desc);"
                        "create index partial on app.t (a) where b = 1;"
                        "create index hashed on app.t using hash (a);"
                        "create index including on app.t (a) include (c);"
                        "create unique index unique_a on app.t (a);"
                        "create unique index target_1 on app.referenced (a);"
                        "create unique index target_2 on app.referenced (a);"
                        "create table app.referencing (a int references app.referenced (a))");
    const json packet = shop.bench().ask("get_indexes", R"({"view":"redundant"})");
    INFO(packet["rows"]["redundant"].dump(2));
    CHECK(verdict(packet, "dup_2") == "duplicate of dup_1");
    CHECK(verdict(packet, "dup_1").empty());
    CHECK_FALSE(verdict(packet, "prefix").empty());
    CHECK(verdict(packet, "part_2") == "duplicate of part_1");
    CHECK(verdict(packet, "part_1").empty());
    CHECK(verdict(packet, "expr") == "duplicate of long_name_of_an_expression");
    CHECK(verdict(packet, "plain") == "duplicate of once");
    CHECK(verdict(packet, "once").empty());
    for (const char* needed :
         {"other_opclass",
          "other_collation",
          "usual",
          "descending",
          "partial",
          "hashed",
          "including",
          "unique_a"}) {
        INFO(needed);
        CHECK(verdict(packet, needed).empty());
    }
    // One of the two unique ones can go, but never the one that the foreign key stands on.
    const std::string held = shop.database().scalar(
        "select conindid::regclass::text from pg_constraint where contype = 'f' and "
        "conrelid = 'app.referencing'::regclass"
    );
    CHECK(verdict(packet, held.substr(4)).empty());
    CHECK_FALSE(verdict(packet, held == "app.target_1" ? "target_2" : "target_1").empty());
}

TEST_CASE(
    "an invalid index is told apart from one that is being built", "[tools][postgres][live]"
) {
    Shop shop;
    Session writer{shop.app()};
    writer.run("begin; update app.orders set note = 'x' where id = 1");
    Session builder{shop.app()};
    builder.start("create index concurrently orders_note on app.orders (note)");
    json packet;
    REQUIRE(interlock::lab::wait_until([&] {
        packet = shop.bench().ask("get_indexes", R"({"view":"invalid"})");
        const json* row = row_of(packet["rows"]["invalid"], "app.orders_note");
        return row != nullptr && (*row)["waits_for_pid"] == writer.pid();
    }));
    const json* building = finding_about(packet, "index app.orders_note");
    REQUIRE(building != nullptr);
    CHECK((*building)["severity"] == "notice");
    CHECK_THAT(
        (*building)["value"].get<std::string>(),
        Catch::Contains("being built by backend " + std::to_string(builder.pid()))
    );
    shop.database().sql("select pg_terminate_backend(" + std::to_string(builder.pid()) + ")");
    REQUIRE(interlock::lab::wait_until([&] { return !builder.alive(); }));
    writer.run("rollback");
    REQUIRE(interlock::lab::wait_until([&] {
        packet = shop.bench().ask("get_indexes", R"({"view":"invalid"})");
        const json* left = finding_about(packet, "index app.orders_note");
        return left != nullptr && (*left)["severity"] == "warning";
    }));
}

TEST_CASE("a foreign key wants an index that leads with its columns", "[tools][postgres][live]") {
    Shop shop;
    shop.database().sql(
        "create table app.p (a int, b int, primary key (a, b));"
        "create table app.bare (a int, b int, foreign key (a, b) references app.p) "
        "with (autovacuum_enabled = off);"
        "create table app.turned (a int, b int, c int, foreign key (a, b) references app.p) "
        "with (autovacuum_enabled = off);"
        "create table app.partly (a int, b int, foreign key (a, b) references app.p) "
        "with (autovacuum_enabled = off);"
        "create index on app.turned (b, a, c);"
        "create index on app.partly (a, b) where a is not null;"
        "create table app.wrong (a int, b int, foreign key (a, b) references app.p) "
        "with (autovacuum_enabled = off);"
        "create index on app.wrong (a, b) where a > 5;"
        "insert into app.p values (1, 1);"
        "insert into app.bare select 1, 1 from generate_series(1, 20000);"
        "insert into app.turned select 1, 1, 1 from generate_series(1, 20000);"
        "insert into app.partly select 1, 1 from generate_series(1, 20000);"
        "insert into app.wrong select 1, 1 from generate_series(1, 20000);"
        "analyze app.bare, app.turned, app.partly, app.wrong"
    );
    const json packet = shop.bench().ask("get_indexes", R"({"view":"foreign_keys"})");
    const json* bare = finding_about(packet, "foreign key bare_a_b_fkey of app.bare");
    REQUIRE(bare != nullptr);
    CHECK_THAT((*bare)["value"].get<std::string>(), Catch::StartsWith("no index on (a, b), 20000"));
    CHECK(finding_about(packet, "foreign key wrong_a_b_fkey of app.wrong") != nullptr);
    CHECK(packet["rows"]["foreign_keys"].size() == 2);
}

TEST_CASE("a hollow index is estimated, then measured", "[tools][postgres][live]") {
    Shop shop;
    shop.database().sql("create table app.hollow (id bigint) with (autovacuum_enabled = off);"
                        "insert into app.hollow select i from generate_series(1, 200000) i;"
                        "create index hollow_id on app.hollow (id);"
                        "delete from app.hollow where id % 4 <> 0");
    shop.database().sql("vacuum analyze app.hollow");
    const json estimate = shop.bench().ask("get_indexes");
    const json* row = row_of(estimate["rows"]["bloat"], "app.hollow_id");
    REQUIRE(row != nullptr);
    CHECK((*row)["exact"] == false);
    CHECK((*row)["wasted_percent"] > 65);
    CHECK((*row)["wasted_percent"] < 85);
    shop.database().sql("create extension pgstattuple");
    const json measured = shop.bench().ask("get_indexes", R"({"view":"bloat"})");
    row = row_of(measured["rows"]["bloat"], "app.hollow_id");
    REQUIRE(row != nullptr);
    CHECK((*row)["exact"] == true);
    CHECK((*row)["wasted_percent"] > 65);
    CHECK((*row)["wasted_percent"] < 85);
}

TEST_CASE(
    "without pg_monitor nobody is accused of leaving an index invalid", "[tools][postgres][live]"
) {
    Shop shop{"plain_reader"};
    const json packet = shop.bench().ask("get_indexes");
    CHECK(not_examined(packet, "index builds under way"));
    CHECK(packet["rows"]["totals"][0]["indexes"] >= 1);
}

TEST_CASE(
    "an index of a partitioned table is unused when it is on all levels", "[tools][postgres][live]"
) {
    Shop shop;
    shop.database().sql(
        "create table app.events (id int, kind text, parent int references app.orders) "
        "partition by range (id);"
        "create table app.events_1 partition of app.events for values from (0) to (50000) "
        "with (autovacuum_enabled = off);"
        "create table app.events_2 partition of app.events for values from (50000) to (200000) "
        "partition by list (kind);"
        "create table app.events_2_a partition of app.events_2 for values in ('a') "
        "with (autovacuum_enabled = off);"
        "create table app.events_2_b partition of app.events_2 default "
        "with (autovacuum_enabled = off);"
        "insert into app.events select i, case when i % 2 = 0 then 'a' else 'b' end, 1 "
        "from generate_series(1, 60000) i;"
        "create index events_idle on app.events (kind);"
        "create index events_used on app.events (id)"
    );
    // Read on one partition of the second level only.
    shop.database().sql("set enable_seqscan = off; set enable_bitmapscan = off; "
                        "do $$ begin for i in 1..12 loop perform 1 from app.events_2_a "
                        "where id = 55000 + i; end loop; end $$");
    json packet;
    REQUIRE(interlock::lab::wait_until([&] {
        packet = shop.bench().ask("get_indexes", R"({"view":"unused"})");
        const json* idle = row_of(packet["rows"]["unused"], "app.events_idle");
        return idle != nullptr && (*idle)["writes"] == 60'000 &&
               row_of(packet["rows"]["unused"], "app.events_used") == nullptr;
    }));
    INFO(packet.dump(2));
    const json* idle = row_of(packet["rows"]["unused"], "app.events_idle");
    CHECK((*idle)["partitions"] == 3);
    CHECK((*idle)["relation"] == "app.events");
    for (const json& row : packet["rows"]["unused"]) {
        CHECK(row["relation"].get<std::string>().find("events_") == std::string::npos);
    }
    // The foreign key's rows are those of all partitions: the parent itself was never analyzed.
    const json keys = shop.bench().ask("get_indexes", R"({"view":"foreign_keys"})");
    CHECK(finding_about(keys, "foreign key events_parent_fkey of app.events") != nullptr);
}

TEST_CASE(
    "a catalog that is locked takes along what reads it, and the rest answers",
    "[tools][postgres][live]"
) {
    Shop shop;
    Session owner{shop.database().conninfo()};
    owner.run("begin; lock table pg_catalog.pg_inherits in access exclusive mode");
    const auto output = shop.bench().call("get_indexes");
    INFO(output.text);
    REQUIRE_FALSE(output.is_error);
    const json packet = json::parse(output.structured);
    for (const char* lost : {"unused", "foreign_keys"}) {
        INFO(lost);
        CHECK(not_examined(packet, lost));
    }
    CHECK_THAT(packet["not_examined"].dump(), Catch::Contains("55P03"));
    CHECK_FALSE(not_examined(packet, "redundant"));
    CHECK(packet["rows"]["totals"][0]["indexes"] >= 1);
}

TEST_CASE("an index is not measured against rows of long ago", "[tools][postgres][live]") {
    Shop shop;
    shop.database().sql("create table app.part (id bigint not null, open bool not null) "
                        "with (autovacuum_enabled = off);"
                        "insert into app.part select i, true from generate_series(1, 100000) i;"
                        "create index part_open on app.part (id) where open;"
                        "create index part_id on app.part (id)");
    REQUIRE(interlock::lab::wait_until([&] { // else they would count as new once analyzed
        return shop.database().scalar(
                   "select n_live_tup from pg_stat_all_tables where relid = 'app.part'::regclass"
               ) == "100000";
    }));
    shop.database().sql("vacuum analyze app.part");
    shop.database().sql("insert into app.part select i, true from generate_series(1, 100000) i");
    json packet;
    REQUIRE(interlock::lab::wait_until([&] {
        packet = shop.bench().ask("get_indexes", R"({"view":"bloat"})");
        const json* id = row_of(packet["rows"]["bloat"], "app.part_id");
        return id != nullptr && (*id)["bytes"] > 4'000'000 && id->contains("wasted_percent") &&
               (*id)["wasted_percent"] < 30;
    }));
    INFO(packet.dump(2));
    // How many of the new rows are in a partial index, nobody knows.
    const json* open = row_of(packet["rows"]["bloat"], "app.part_open");
    REQUIRE(open != nullptr);
    CHECK_FALSE(open->contains("wasted_percent"));
    CHECK_THAT(packet["not_examined"].dump(), Catch::Contains("older than their files"));
}

#include "base/db/column_uses.hpp"

#include <algorithm>

#include <catch2/catch.hpp>

namespace db = interlock::db;

namespace {

/// "app.orders = a,b < c order d-", a table a line, sorted.
std::string uses(const std::string& sql) {
    const auto found = db::column_uses(sql);
    if (!found) {
        return "error";
    }
    std::vector<std::string> lines;
    for (const db::ColumnUses& each : *found) {
        std::string line = (each.schema.empty() ? "" : each.schema + ".") + each.table;
        const auto add = [&](const std::string& what, const std::vector<std::string>& names) {
            for (std::size_t i = 0; i < names.size(); ++i) {
                line += (i == 0 ? " " + what + " " : ",") + names[i];
            }
        };
        std::vector<std::string> order;
        for (const db::OrderedColumn& column : each.order) {
            order.push_back(column.name + (column.descending ? "-" : ""));
        }
        add("=", each.equality);
        add("<", each.range);
        add("order", order);
        lines.push_back(line);
    }
    std::sort(lines.begin(), lines.end());
    std::string out;
    for (const std::string& line : lines) {
        out += (out.empty() ? "" : "; ") + line;
    }
    return out;
}

} // namespace

TEST_CASE("equality, ranges and orders are read off a statement", "[base]") {
    CHECK(
        uses("select * from app.orders where a = $1 and b in ($2, $3) and c > $4") ==
        "app.orders = a,b < c"
    );
    CHECK(
        uses("select * from t where $1 = a and b = any ($2) and c between $3 and $4") ==
        "t = a,b < c"
    );
    CHECK(uses("select * from t where a = $1 order by b desc, c limit $2") == "t = a order b-,c");
    CHECK(uses("select * from t where a = $1 order by b") == "t = a");
    CHECK(uses("update t set x = $1 where a = $2") == "t = a");
    CHECK(uses("delete from app.t using u where t.a = u.b and u.c < $1") == "app.t = a; u = b < c");
    CHECK(
        uses("select * from T1 x join \"T 2\" y on x.a = y.b where y.c >= now()") ==
        "T 2 = b < c; t1 = a"
    );
    CHECK(
        uses("with w as (select * from t where a = $1) select * from w where b = $2") ==
        "t = a; w = b"
    );
    CHECK(
        uses("select * from u where exists (select from t where t.a = u.b and t.c = $1)") ==
        "t = a,c"
    );
}

TEST_CASE("what an index of columns cannot serve is left out", "[base]") {
    for (const char* sql :
         {"select * from t where a = $1 or b = $2",
          "select * from t where lower(a) = $1",
          "select * from t where a <> $1",
          "select * from t where not a = $1",
          "select * from t where a not in ($1)",
          "select * from t where a like $1",
          "select * from t where a = b",
          "select * from t where t.a = t.b",
          "select * from t order by lower(a) limit 1",
          "select 1"}) {
        INFO(sql);
        CHECK(uses(sql).empty());
    }
    CHECK(uses("selec") == "error");
}
